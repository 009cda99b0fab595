"""Answers at the weights of a run: from one call, one by one, or carried."""

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
from compare.contract.calls import rewired
from compare.diagnosis.story import stories_of
from compare.hosts.load import OURS, load
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import end_to_end_bound
from compare.training.compare import compare
from compare.training.record import record
from compare.training.replay import (
    Answers,
    Functions,
    answers_along,
    carry,
)
from impls import numpy_manual as ours
from impls.interface import Array, Gradients, Implementation, Loss, Problem, Weights
from tests.helpers import (
    DTYPES,
    LOSSES,
    into_buffers,
    near,
    problem_of,
    replayed,
    returning,
)

HIDDEN = STEPS = 4
"""As many hidden units and steps as samples: axes that can be confused."""


QUANTITIES = ("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")


def four(dtype: str = "float64", loss: Loss = "bce", steps: int = STEPS) -> Problem:
    """Create a network of four hidden units."""
    return problem_of(dtype, loss, steps, network=f"2-{HIDDEN}-1")


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

    def forward(self, weights: Weights[Array], x: Array) -> Any:
        """Compute."""
        return self.implementation.forward(weights, x)

    def loss_and_gradients(self, weights: Weights[Array], *arguments: Any) -> Any:
        """Count, and compute."""
        self.calls.append(len(weights.w1) if weights.w1.ndim > 2 else 0)
        return self.implementation.loss_and_gradients(weights, *arguments)


def along(problem: Problem, implementation: object) -> Answers:
    """Return the answers of an implementation along our path."""
    return answers_along(Functions(problem, implementation, ()), path(problem))


def assert_recorded(problem: Problem, answers: Answers) -> None:
    """Compare answers with our own training, bit by bit."""
    trace = ours.train(problem)
    assert [*answers] == [*QUANTITIES]
    assert [q for q in answers if np.array_equal(answers[q], getattr(trace, q))] == [
        *QUANTITIES
    ]


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

    answers = along(problem, counted)

    trace: Any = ours.train(problem)
    rel, eps = 1e-12 if dtype == "float64" else 1e-4, float(np.finfo(dtype).eps)
    assert counted.calls == [2, 0, 0, STEPS]
    assert [*answers] == [*QUANTITIES]
    assert {array.dtype for array in answers.values()} == {np.dtype(dtype)}
    assert all(
        array == pytest.approx(getattr(trace, q), rel=rel, abs=eps)
        for q, array in answers.items()
    )


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
        pytest.param(together(a2=lambda a2: a2[::-1]), id="a2 in another order"),
        pytest.param(together(z1=lambda z1: z1 * (1 + 1e-9)), id="z1 a little off"),
        pytest.param(together(dz2=lambda dz2: dz2.mean(axis=0)), id="the mean of dz2"),
        pytest.param(together(loss=lambda loss: 2 * loss), id="a loss of twice"),
    ],
)
def test_without_leading_axes_each_step_is_a_call(
    implementation: Implementation,
) -> None:
    """Whatever a call for many networks returns, calls for one network count."""
    problem = four()
    counted = Counted(implementation)

    answers = along(problem, counted)

    assert counted.calls[0] == 2
    assert counted.calls[-STEPS:] == [0] * STEPS
    assert_recorded(problem, answers)


def test_reversed_axes_can_have_the_right_shape() -> None:
    """The case above has wrong numbers in the right shape."""
    problem = four()

    _, d = reversed_axes(path(problem), problem.x, problem.y, problem.loss)

    assert d.dw2.shape == (STEPS, 1, HIDDEN)
    assert not np.allclose(d.dw2, ours.train(problem).dw2)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_right_leading_axes_do_not_hide_wrong_steps(quantity: str) -> None:
    """If only calls for one network are wrong, the wrong answers are returned."""
    problem = four()
    wrong = returning(
        lambda w: not has_leading_axis(w), **{quantity: lambda array: 2 * array}
    )

    answers = along(problem, wrong)

    trace = ours.train(problem)
    assert answers[quantity] == near(2 * getattr(trace, quantity), rel=1e-12)


def test_one_buffer_for_all_calls() -> None:
    """The result of each call is copied before the next call."""
    problem, copied = four(), into_buffers()

    def reuse(dw1: Array) -> Array:
        if dw1.ndim > 2:
            raise ValueError("three axes")
        return copied(dw1)

    assert_recorded(problem, along(problem, returning(dw1=reuse)))


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
    assert verdict.answer == "could not compare"
    assert story.cause == "it raises an error"


@pytest.mark.parametrize(
    ("found", "words"),
    [(lambda _: None, "nothing"), (lambda dz1: dz1[None], "float64 (1, 2, 4)")],
    ids=["nothing", "another shape"],
)
def test_an_answer_of_another_form_along_another_path(
    found: Callable[[Array], Any], words: str
) -> None:
    """It is described; that it can't be stacked is no error of the implementation."""
    problem = problem_of(steps=20)
    there = ours.train(replace(problem, steps=7)).w1[-1]
    other = returning(
        lambda w: has_leading_axis(w) or np.array_equal(w.w1, there), dz1=found
    )

    verdict = compare(problem, {"one": load("numpy"), "other": other})

    assert {
        (c.quantity, c.when, c.worst.value, c.worst.reference)
        for c in verdict.checks
        if not c.passed
    } == {("dz1", "in a replay", words, "float64 (20, 2, 4)")}
    assert verdict.answer == "differ"


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
    answers_along(Functions(problem, writing, ()), weights)

    assert np.array_equal(weights.w1, before)
    assert problem.x.any()


def test_an_incomplete_run_is_left_out() -> None:
    """Its implementation is not called, nor is another along its path."""
    problem = four()
    counted: Any = Counted(ours)
    unused: Any = Counted(ours)
    right, wrong = record(problem, ours, "right"), record(problem, ours, "wrong")
    wrong = replace(wrong, trace=replace(wrong.trace, w1=wrong.trace.w1[1:]))

    runs = replayed(problem, {"right": counted, "wrong": unused}, [right, wrong])

    assert counted.calls == [2, 0, 0, STEPS]
    assert unused.calls == []
    assert [[*run.replayed] for run in runs] == [["right"], []]


def test_every_complete_run_is_a_path(implementation: Implementation) -> None:
    """Both functions are called along all paths, the own included."""
    problem = four()
    both = {"one": implementation, "two": load("numpy")}

    runs = replayed(problem, both, [record(problem, i, n) for n, i in both.items()])

    assert [[*run.replayed] for run in runs] == [["one", "two"]] * 2
    assert {(*answers,) for run in runs for answers in run.replayed.values()} == {
        QUANTITIES
    }


def test_unknown_quantities_are_left_out() -> None:
    """What the functions do not return is no answer along a path."""
    problem = four()
    box = returning(z1=lambda _: None, dz1=lambda _: None)

    (run,) = replayed(problem, {"box": box}, [record(problem, box, "box")])

    assert [*run.replayed["box"]] == [q for q in QUANTITIES if q not in ("z1", "dz1")]
    assert not run.carried


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_right_training_does_not_hide_wrong_functions_on_its_path(
    quantity: str,
) -> None:
    """A function that is wrong at one step's weights, which training never called."""
    problem = four(steps=20)
    there = ours.train(problem).w1[13]
    other = returning(
        lambda w: has_leading_axis(w) or np.array_equal(w.w1, there),
        **{quantity: lambda array: 2 * array},
    )

    verdict = compare(problem, {"ours": load("numpy"), "other": other})

    failed = {
        (check.quantity, check.when, check.path, check.first.step)
        for check in verdict.differences
        if check.kind == "audit" and check.first
    }
    assert failed == {(quantity, "in a replay", p, 13) for p in ("ours", "other")}
    assert verdict.answer == "differ"


# Carried.


def all_recorded(problem: Problem) -> list[Run]:
    """Record the three implementations of `impls`."""
    return [record(problem, load(name), name) for name in OURS]


def of_gradients(verdict: Verdict) -> list[Check]:
    """Select the checks of gradients at the same weights."""
    return [c for c in verdict.checks if c.kind == "parity" and c.basis == "weights"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_carried_gradients_are_those_of_a_call(loss: Loss, dtype: str) -> None:
    """Runs without implementations match, and their checks say how."""
    problem = four(dtype, loss, 300)
    runs = all_recorded(problem)
    implementations = {name: load(name) for name in OURS}

    called = decide(problem, replayed(problem, implementations, runs))
    carried = decide(problem, carry(problem, runs))

    one, other = (v.runs[1].replayed["numpy"]["dw1"] for v in (called, carried))
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
    assert own.answer == "unstable"
    assert 2 * worst < too_large


def test_an_incomplete_run_is_not_carried() -> None:
    """Its own check fails, and it is compared with no other."""
    problem = four()
    right, other, wrong = all_recorded(problem)
    wrong = replace(wrong, trace=replace(wrong.trace, a2=wrong.trace.a2[:, 0]))

    runs = carry(problem, [right, other, wrong])

    assert [{*run.replayed} for run in runs] == [{"torch"}, {"numpy"}, set()]
    assert decide(problem, runs).answer == "differ"
