"""A run is recorded from any implementation, and keeps copies of everything."""

import sys
from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from compare.checks.check import Promise, Unreadable, describe, has_failure
from compare.contract.calls import rewired
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


def test_a_loop_in_which_a_shape_changes() -> None:
    """The odd result is recorded; it is no error in training."""
    there = ours.train(problem_of(steps=20)).w1[7]
    other = rewired(
        returning(lambda w: np.array_equal(w.w1, there), dz1=lambda dz1: dz1[None]),
        train=None,
    )

    run = record(problem_of(steps=20), other, "x")

    assert not has_failure(run.contract)
    assert describe(run.trace.dz1) == "float64 (1, 2, 4)"


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


def overwrite(traces: list[Trace]) -> None:
    """Write into arrays that were returned before."""
    for trace in traces:
        trace.w1[...] = trace.dw1[...] = np.nan


def test_a_trace_that_is_overwritten_later() -> None:
    """What an implementation does with its arrays afterwards changes no record."""
    traces: list[Trace] = []

    def train(problem: Problem) -> Trace:
        traces.append(ours.train(problem))
        return traces[-1]

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        overwrite(traces)
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
    """What is missing is None, an array is a copy, and others are described."""
    w1, a1 = np.ma.asarray([[1.0]]), np.ma.masked_equal([[1.0]], 1.0)

    trace = as_trace(SimpleNamespace(w1=w1, w2=[1.0], a1=a1), w1.dtype)

    assert type(trace.w1) is np.ndarray
    assert cast("object", trace.w2) == Unreadable("a list")
    assert cast("object", trace.a1) == Unreadable("a masked array")
    given = [name for name, a in vars(trace).items() if a is not None]
    assert given == ["a1", "w1", "w2"]
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
    problem, copied = problem_of(steps=20), into_buffers(3)

    run = record(problem, returning(a2=copied), "x")
    expected = run.final_a2.copy()
    copied(np.zeros((1, 4)))
    copied(np.zeros((1, 4)))
    copied(np.zeros((1, 4)))

    assert expected.all()
    assert expected.size == 4
    assert np.array_equal(run.final_a2, expected)


def test_an_incomplete_trace_is_not_called_for() -> None:
    """Without trained weights there are no answers."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        return replace(trace, w1=trace.w1[1:])

    run = record(problem_of(steps=20), rewired(ours, train=train), "x")

    assert not has_failure(run.contract)
    assert (run.final_a2.size, run.answers) == (0, {})


# An error after training.


def raising(at: Callable[[Weights[Array]], bool]) -> Implementation:
    """Wrap ours: `forward` raises at some weights."""

    def give_up(_: Array) -> Array:
        raise ValueError("not here")

    return returning(at, a2=give_up)


def test_an_error_after_training_is_one_of_the_answers() -> None:
    """The finished trace is kept, and so is what was found of it."""
    problem = problem_of(steps=20)
    last = ours.train(problem).w1[-1]

    def train(given: Problem) -> Trace:
        trace = ours.train(given)
        given.x[...] = 7
        return trace

    other = raising(lambda weights: np.array_equal(weights.w1, last))

    run = record(problem, rewired(other, train=train), "x")

    failed = [(c.quantity, c.promise) for c in run.contract if not c.passed]
    point = run.contract[-1].worst
    assert failed == [("x", Promise.INPUTS), ("answer", Promise.ANSWERS)]
    assert str(point.value).startswith(f"ValueError: not here ({__file__}, line ")
    assert point.reference == "an answer after training"
    assert_same(run.trace, ours.train(problem))


def test_an_error_at_the_first_weights_after_training() -> None:
    """Functions that worked before training, and no longer do, are a finding."""
    trained: list[Problem] = []

    def train(given: Problem) -> Trace:
        trained.append(given)
        return ours.train(given)

    start = problem_of().weights.w1
    other = raising(lambda w: bool(trained) and np.array_equal(w.w1, start))

    run = record(problem_of(steps=20), rewired(other, train=train), "x")

    assert [c.promise for c in run.contract if not c.passed] == [Promise.ANSWERS]
    assert_same(run.trace, ours.train(problem_of(steps=20)))
    assert run.final_a2.shape == (1, 4)


def test_an_error_in_training_leaves_no_trace() -> None:
    """A loop that stops in its middle has trained nothing."""
    there = ours.train(problem_of()).w1[150]
    other = raising(lambda weights: np.array_equal(weights.w1, there))

    run = record(problem_of(), rewired(other, train=None), "x")

    assert [c.promise for c in run.contract if not c.passed] == [Promise.TRAINS]
    assert run.trace is EMPTY


# Answers that last.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_answers_are_asked_for_again(
    loss: Loss, dtype: str, implementation: Implementation
) -> None:
    """Each quantity is compared with what it was before training."""
    run = record(problem_of(dtype, loss, 20), implementation, "x")

    lasting = [c for c in run.contract if c.promise is Promise.LASTS]
    assert [check.quantity for check in lasting] == [
        *("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
    ]
    assert {check.passed for check in lasting} == {True}


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("quantity", ["z1", "a1", "z2", "a2", "loss", "dz2", "dw1"])
def test_answers_that_training_changes(quantity: str, dtype: str, error: float) -> None:
    """A number that is another one after training is the finding of its quantity."""
    trained: list[Problem] = []

    def train(given: Problem) -> Trace:
        trained.append(given)
        return ours.train(given)

    stateful = returning(
        lambda _: bool(trained), **{quantity: lambda array: array * (1 + error)}
    )

    run = record(problem_of(dtype, steps=20), rewired(stateful, train=train), "x")

    failed = [(c.quantity, c.promise) for c in run.contract if not c.passed]
    (check,) = (c for c in run.contract if not c.passed)
    assert failed == [(quantity, Promise.LASTS)]
    assert check.statement == "returns the same after training as before"
    assert check.basis == "weights"


def test_answers_that_depend_on_the_order_of_calls() -> None:
    """After training, the gradients are asked for before `forward`."""
    calls: list[str] = []

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        calls.append("forward")
        return ours.forward(weights, x)

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> Any:
        calls.append("backward")
        stale = calls[-2:] != ["forward", "backward"]
        value, gradients = ours.loss_and_gradients(weights, *arguments)
        return value, gradients._replace(dw1=gradients.dw1 * (1 + stale))

    def train(given: Problem) -> Trace:
        calls.append("forward")
        return ours.train(given)

    other = rewired(
        ours, forward=forward, loss_and_gradients=loss_and_gradients, train=train
    )

    run = record(problem_of(steps=20), other, "x")

    failed = [(c.quantity, c.promise) for c in run.contract if not c.passed]
    assert calls[-2:] == ["backward", "forward"]
    assert failed == [("dw1", Promise.LASTS)]
