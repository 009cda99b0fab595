"""A run is recorded from any implementation, and keeps copies of everything."""

import sys
from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Promise, has_failure
from compare.training.calls import rewired
from compare.training.record import EMPTY, as_trace, record
from impls import numpy_manual as ours
from impls.interface import (
    Activations,
    Array,
    Implementation,
    Loss,
    Problem,
    Trace,
    Weights,
)
from tests.helpers import DTYPES, LOSSES, into_buffers, problem_of, returning

FIELDS = [field.name for field in fields(Trace)]


def assert_same(found: Trace, expected: Trace) -> None:
    """Compare two traces bit by bit."""
    names = [
        n for n in FIELDS if np.array_equal(getattr(found, n), getattr(expected, n))
    ]
    assert names == FIELDS


# A plain loop.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_plain_loop_trains_as_ours_does(dtype: str, loss: Loss) -> None:
    """Two functions are enough: the trace is the same, bit by bit."""
    problem = problem_of(dtype, loss)

    run = record(problem, rewired(ours, train=None), "other")

    assert (run.looped, run.unknown, run.end_to_end) == (True, (), ())
    assert_same(run.trace, ours.train(problem))


def test_a_train_is_not_replaced(implementation: Implementation) -> None:
    """An implementation that can train does, and its trace is recorded."""
    problem = problem_of(steps=20)

    run = record(problem, implementation, "x")

    assert not run.looped
    assert_same(run.trace, implementation.train(problem))


def test_a_loop_keeps_copies_of_results() -> None:
    """Arrays that are used again after some calls are recorded as they were."""
    other = rewired(returning(dw1=into_buffers(9)), train=None)

    assert_same(record(problem_of(), other, "x").trace, ours.train(problem_of()))


def test_a_loop_passes_copies_of_its_weights() -> None:
    """A write into them, at a step after the contract was checked, changes nothing."""
    there = ours.train(problem_of()).w1[150]

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> Any:
        answer = ours.loss_and_gradients(weights, *arguments)
        weights.w1[weights.w1 == there] = 7
        return answer

    other = rewired(ours, loss_and_gradients=loss_and_gradients, train=None)

    assert_same(record(problem_of(), other, "x").trace, ours.train(problem_of()))


def test_a_loop_without_intermediates() -> None:
    """What the functions do not return is unknown; all else is recorded."""
    problem, trace = problem_of(steps=20), ours.train(problem_of(steps=20))
    other = rewired(returning(z1=lambda _: None, dz2=lambda _: None), train=None)

    run = record(problem, other, "x")

    assert run.unknown == ("z1", "dz2")
    assert (run.trace.z1, run.trace.dz2) == (None, None)
    assert_same(replace(run.trace, z1=trace.z1, dz2=trace.dz2), trace)


def test_a_train_with_more_intermediates_than_the_functions() -> None:
    """A trace may have what the functions do not return."""
    problem = problem_of(steps=20)

    run = record(problem, returning(z1=lambda _: None, dz2=lambda _: None), "x")

    assert run.unknown == ("z1", "dz2")
    assert_same(run.trace, ours.train(problem))


def test_a_declaration_is_recorded() -> None:
    """A list of quantities is as good as a tuple."""
    other = rewired(ours, end_to_end=["a1", "a2"])

    assert record(problem_of(steps=2), other, "x").end_to_end == ("a1", "a2")


# A train.


@pytest.mark.parametrize("quantity", ["w1", "w2", "x", "y"])
def test_a_train_that_writes_into_its_problem(quantity: str) -> None:
    """The write is a finding, and the problem of all others is unchanged."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        given = {**problem.weights._asdict(), "x": problem.x, "y": problem.y}
        given[quantity][...] = 7
        return trace

    problem, same = problem_of(steps=20), problem_of(steps=20)

    run = record(problem, rewired(ours, train=train), "x")

    failed = [(c.quantity, c.promise) for c in run.contract if not c.passed]
    assert failed == [(quantity, Promise.INPUTS)]
    assert np.array_equal(problem.x, same.x)
    assert np.array_equal(problem.y, same.y)
    assert np.array_equal(problem.weights.w1, same.weights.w1)
    assert np.array_equal(problem.weights.w2, same.weights.w2)


def test_a_trace_that_is_overwritten_later() -> None:
    """What an implementation does with its arrays afterwards changes no record."""
    traces: list[Trace] = []

    def train(problem: Problem) -> Trace:
        traces.append(ours.train(problem))
        return traces[-1]

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        for trace in traces:
            trace.w1[...] = trace.dw1[...] = np.nan
        return ours.forward(weights, x)

    run = record(problem_of(), rewired(ours, train=train, forward=forward), "x")

    assert np.isnan(traces[0].w1).all()
    assert_same(run.trace, ours.train(problem_of()))


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda: np.zeros(2) @ np.zeros(3), "ValueError: "),
        (lambda: sys.exit(0), "SystemExit: 0 "),
    ],
    ids=["error", "exit"],
)
def test_a_training_that_ends(end: Callable[[], object], error: str) -> None:
    """The error is a finding, with its place in the third-party file."""
    other = rewired(ours, train=lambda _: end())  # the lambda is the frame that raises

    run = record(problem_of(), other, "x")

    (failed,) = (check for check in run.contract if not check.passed)
    found = str(failed.worst.value)
    assert (failed.quantity, failed.promise) == ("train", Promise.TRAINS)
    assert found.startswith(error)
    assert f"({__file__}, line " in found
    assert run.trace is EMPTY


def test_a_trace_is_read_by_names() -> None:
    """What is missing is None, and what is there is a copy."""
    w1 = np.ma.masked_equal([[1.0]], 1.0)

    trace = as_trace(SimpleNamespace(w1=w1, w2=[1.0]))

    assert [type(a) for a in vars(trace).values() if a is not None] == [
        np.ndarray,
        list,
    ]
    assert not np.shares_memory(trace.w1, w1)


# After training.


def test_both_functions_are_called_at_the_trained_weights(
    implementation: Implementation,
) -> None:
    """All that they return there is part of the run."""
    problem = problem_of(steps=20)

    run = record(problem, implementation, "x")

    last = Weights(run.trace.w1[-1], run.trace.w2[-1])
    activations = implementation.forward(last, problem.x)._asdict()
    loss, gradients = implementation.loss_and_gradients(
        last, problem.x, problem.y, problem.loss
    )
    assert np.array_equal(run.final_a2, activations.pop("a2"))
    expected = {**activations, "loss": loss, **gradients._asdict()}
    assert run.answers.keys() == expected.keys()
    assert all(np.array_equal(run.answers[q], expected[q]) for q in expected)


def test_answers_are_copies() -> None:
    """A write into returned arrays after training changes no record."""
    problem, copied = problem_of(steps=20), into_buffers(2)

    run = record(problem, returning(a2=copied), "x")
    expected = run.final_a2.copy()
    copied(np.zeros((1, 4)))
    copied(np.zeros((1, 4)))

    assert expected.all()
    assert expected.size == 4
    assert np.array_equal(run.final_a2, expected)


def test_unknown_quantities_are_no_answers() -> None:
    """What the functions do not return need not be checked after training."""
    run = record(problem_of(steps=20), returning(z1=lambda _: None), "x")

    assert run.answers.keys() == {"a1", "z2", "loss", "dz2", "dw2", "dz1", "dw1"}


def test_an_incomplete_trace_is_not_called_for() -> None:
    """Without trained weights there are no answers."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        return replace(trace, w1=trace.w1[1:])

    run = record(problem_of(steps=20), rewired(ours, train=train), "x")

    assert not has_failure(run.contract)
    assert (run.final_a2.size, run.answers) == (0, {})
