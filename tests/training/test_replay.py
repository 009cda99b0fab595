"""Gradients at the weights of another run: from one call, one by one, or carried."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check, Promise
from compare.checks.run import Run, before_updates
from compare.checks.verdict import Verdict, decide
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import end_to_end_bound
from compare.report.story import stories_of
from compare.training.calls import rewired
from compare.training.compare import compare
from compare.training.load import OURS, load
from compare.training.record import record
from compare.training.replay import (
    GradientFunction,
    carry,
    gradients_along,
    replay,
)
from impls import numpy_manual as ours
from impls.interface import Array, Gradients, Implementation, Loss, Problem, Weights
from tests.helpers import DTYPES, LOSSES, into_buffers, near, problem_of, returning

HIDDEN = STEPS = 4
"""As many hidden units and steps as samples: axes that can be confused."""


def four(dtype: str = "float64", loss: Loss = "bce", steps: int = STEPS) -> Problem:
    """Create a network of four hidden units."""
    return problem_of(dtype, loss, steps, hidden=HIDDEN)


def path(problem: Problem) -> Weights[Array]:
    """Return the weights before all updates."""
    return before_updates(record(problem, ours, "x"))


class Counted:
    """An implementation that counts the networks of each call.

    Attributes:
        implementation: What computes.
        calls: How many networks each call was for; 0 without a leading axis.
    """

    def __init__(self, implementation: Any) -> None:
        """Count the calls of an implementation."""
        self.implementation = implementation
        self.calls: list[int] = []

    def loss_and_gradients(self, weights: Weights[Array], *arguments: Any) -> Any:
        """Count, and compute."""
        self.calls.append(len(weights.w1) if weights.w1.ndim > 2 else 0)
        return self.implementation.loss_and_gradients(weights, *arguments)


def along(problem: Problem, implementation: object) -> Weights[Array]:
    """Return the gradients of an implementation along our path."""
    return gradients_along(GradientFunction(problem, implementation), path(problem))


def reversed_axes(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """Transpose a1 with `.T`, which reverses all axes."""
    value, d = ours.loss_and_gradients(weights, x, y, loss)
    return value, d._replace(dw2=d.dz2 @ ours.forward(weights, x).a1.T)


def has_leading_axis(weights: Weights[Array]) -> bool:
    """Return whether there is more than one network."""
    return weights.w1.ndim > 2


def together(**changes: Callable[[Any], Any]) -> Implementation:
    """Return other quantities of many networks."""
    return returning(has_leading_axis, **changes)


def ends_only(dw1: Array) -> Array:
    """Keep the first and the last network, and put zeros for all others."""
    dw1[1:-1] = 0
    return dw1


def warn(dw1: Array) -> Array:
    """Warn, and transpose."""
    warnings.warn("three axes", UserWarning, stacklevel=1)
    return dw1.mT


# Called.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", OURS)
def test_leading_axes_need_one_call(name: str, loss: Loss, dtype: str) -> None:
    """One call gets all, after trials with the first and the last."""
    problem = four(dtype, loss)
    counted = Counted(load(name))

    dw1, dw2 = along(problem, counted)

    trace = ours.train(problem)
    rel, eps = 1e-12 if dtype == "float64" else 1e-4, float(np.finfo(dtype).eps)
    assert counted.calls == [2, STEPS, 0, 0]
    assert dw1 == pytest.approx(trace.dw1, rel=rel, abs=eps)
    assert dw2 == pytest.approx(trace.dw2, rel=rel, abs=eps)


@pytest.mark.parametrize(
    "implementation",
    [
        pytest.param(rewired(ours, loss_and_gradients=reversed_axes), id="reversed"),
        pytest.param(together(loss=np.sum), id="one loss for all"),
        pytest.param(together(dw1=lambda _: sys.exit("three axes")), id="an exit"),
        pytest.param(together(dw1=ends_only), id="first and last only"),
        pytest.param(together(dw1=lambda dw1: dw1[0]), id="the first"),
        pytest.param(together(dw1=lambda dw1: dw1.sum(axis=0)), id="the sum"),
        pytest.param(together(dw1=np.float32), id="another dtype"),
        pytest.param(together(dw1=np.ndarray.tolist), id="lists"),
        pytest.param(together(dw1=warn), id="a warning"),
        pytest.param(together(dw1=lambda dw1: dw1 * np.nan), id="NaN"),
    ],
)
def test_without_leading_axes_each_step_is_a_call(
    implementation: Implementation,
) -> None:
    """Whatever a call for many networks returns, calls for one network count."""
    problem = four()
    counted = Counted(implementation)

    dw1, dw2 = along(problem, counted)

    trace = ours.train(problem)
    assert counted.calls[0] == 2
    assert counted.calls[-STEPS:] == [0] * STEPS
    assert np.array_equal(dw1, trace.dw1)
    assert np.array_equal(dw2, trace.dw2)


def test_reversed_axes_can_have_the_right_shape() -> None:
    """The case above has wrong numbers in the right shape."""
    problem = four()

    _, d = reversed_axes(path(problem), problem.x, problem.y, problem.loss)

    assert d.dw2.shape == (STEPS, 1, HIDDEN)
    assert not np.allclose(d.dw2, ours.train(problem).dw2)


def test_right_leading_axes_do_not_hide_wrong_steps() -> None:
    """If only calls for one network are wrong, the wrong gradients are returned."""
    problem = four()
    wrong = returning(lambda w: not has_leading_axis(w), dw1=lambda dw1: 2 * dw1)

    dw1, _ = along(problem, wrong)

    assert dw1 == near(2 * ours.train(problem).dw1, rel=1e-12)


def test_one_buffer_for_all_calls() -> None:
    """The result of each call is copied before the next call."""
    problem, copied = four(), into_buffers()

    def reuse(dw1: Array) -> Array:
        if dw1.ndim > 2:
            raise ValueError("three axes")
        return copied(dw1)

    dw1, _ = along(problem, returning(dw1=reuse))

    assert np.array_equal(dw1, ours.train(problem).dw1)


@pytest.mark.parametrize("end", [ValueError, SystemExit])
def test_an_error_along_another_path(end: type[BaseException]) -> None:
    """An error is a finding, and the other runs are still compared."""
    problem = four(steps=20)
    there = ours.train(replace(problem, steps=7)).w1[-1]

    def give_up(_: Array) -> Array:
        raise end("not here")

    other = returning(
        lambda w: has_leading_axis(w) or np.array_equal(w.w1, there), dw1=give_up
    )
    three = {"one": load("numpy"), "other": other, "two": load("numpy")}

    verdict = compare(problem, three)

    failed = [check for check in verdict.checks if not check.passed]
    compared = {check.subject for check in verdict.checks if check.kind == "parity"}
    story, *_ = stories_of(verdict)
    assert [(c.subject, c.promise) for c in failed] == [(("other",), Promise.ANSWERS)]
    assert str(failed[0].worst.value).startswith(
        f"{end.__name__}: not here ({__file__}"
    )
    assert compared == {("one", "two"), ("two", "one")}
    assert story.cause == "it raises an error"


def test_a_write_into_arguments_changes_no_path() -> None:
    """Calls get copies of the weights and the data, for one network or many."""
    problem = four()
    weights = path(problem)
    before = weights.w1.copy()

    def write(given: Weights[Array], x: Array, *arguments: Any) -> Any:
        answer = ours.loss_and_gradients(given, x, *arguments)
        given.w1[...] = x[...] = 0
        return answer

    writing = rewired(ours, loss_and_gradients=write)
    gradients_along(GradientFunction(problem, writing), weights)

    assert np.array_equal(weights.w1, before)
    assert problem.x.any()


def test_an_incomplete_run_is_left_out() -> None:
    """Its implementation is not called, nor is another along its path."""
    problem = four()
    counted: Any = Counted(ours)
    right, wrong = record(problem, ours, "right"), record(problem, ours, "wrong")
    wrong = replace(wrong, trace=replace(wrong.trace, w1=wrong.trace.w1[1:]))

    runs = replay(problem, {"right": counted, "wrong": counted}, [right, wrong])

    assert counted.calls == []
    assert [dict(run.replayed) for run in runs] == [{}, {}]


# Carried.


def all_recorded(problem: Problem) -> list[Run]:
    """Record the three implementations of `impls`."""
    return [record(problem, load(name), name) for name in OURS]


def of_gradients(verdict: Verdict) -> list[Check]:
    """Select the checks of gradients at the same weights."""
    return [c for c in verdict.checks if c.kind == "parity" and c.basis == "weights"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_carried_gradients_are_those_of_a_call(loss: Loss, dtype: str) -> None:
    """Runs without implementations match, and their checks say how."""
    problem = four(dtype, loss, 300)
    runs = all_recorded(problem)
    implementations = {name: load(name) for name in OURS}

    called = decide(problem, replay(problem, implementations, runs))
    carried = decide(problem, carry(problem, runs))

    one, other = (v.runs[1].replayed["numpy"].w1 for v in (called, carried))
    bars = step_bars(problem, before_updates(called.runs[0]))
    within = 2 * end_to_end_bound(problem, "dw1", bars)
    statements = {check.statement for check in of_gradients(carried)}
    assert (called.answer, carried.answer) == ("match", "match")
    assert other.dtype == dtype
    assert (abs(one - other) <= within).all()
    assert statements == {
        f"{gradient} at the weights of {name}, carried from its own"
        for gradient in ("dw1", "dw2")
        for name in OURS
    }


@pytest.mark.parametrize("quantity", ["dw1", "dw2"])
def test_a_wrong_carried_gradient_is_a_difference(quantity: str) -> None:
    """A carried gradient keeps the error that it was recorded with."""
    problem = four(steps=300)
    right, wrong, _ = all_recorded(problem)
    trace = wrong.trace
    gradient = getattr(trace, quantity).copy()
    gradient[150, 0, 0] *= 1 + 1e-9
    wrong = replace(wrong, trace=replace(trace, **{quantity: gradient}))

    verdict = decide(problem, carry(problem, [right, wrong]))

    failed = [check for check in of_gradients(verdict) if not check.passed]
    points = [c.first for c in failed if c.first]
    assert {(c.subject, c.quantity) for c in failed} == {
        (("numpy", "torch"), quantity),
        (("torch", "numpy"), quantity),
    }
    assert [(point.step, point.index) for point in points] == [(150, (0, 0))] * 2
    assert verdict.answer == "differ"


def test_a_carried_gradient_keeps_the_bound_of_its_own_weights() -> None:
    """Where chaos has moved two runs apart, the bounds of their weights differ."""
    problem = problem_of("float32", lr=2.0, steps=5000)
    runs = carry(problem, all_recorded(problem))

    own, other = (
        decide(problem, [replace(run, carried=carried) for run in runs])
        for carried in (True, False)
    )

    worst, too_large = (
        max(check.worst.use for check in of_gradients(verdict))
        for verdict in (own, other)
    )
    assert own.answer == "cannot tell"
    assert 2 * worst < too_large


def test_an_incomplete_run_is_not_carried() -> None:
    """Its own check fails, and it is compared with no other."""
    problem = four()
    right, other, wrong = all_recorded(problem)
    wrong = replace(wrong, trace=replace(wrong.trace, a2=wrong.trace.a2[:, 0]))

    runs = carry(problem, [right, other, wrong])

    assert [{*run.replayed} for run in runs] == [{"torch"}, {"numpy"}, set()]
    assert decide(problem, runs).answer == "differ"
