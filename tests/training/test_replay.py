"""Gradients at another's weights: asked for together, one by one, or carried there."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Verdict, decide
from compare.numerics.rounding import step_bars, end_to_end_bound
from compare.report.story import tell
from compare.training.compare import compare
from compare.training.contract import ANSWERS
from compare.training.problems import Experiment
from compare.training.record import record
from compare.training.load import OURS, load
from compare.training.replay import along, ask, carry, before_updates
from impls import numpy_manual as ours
from impls.interface import Array, Loss, Problem, Weights

STEPS = 4
"""As many as there are samples and hidden units: axes that can be mistaken."""


@cache
def problem_of(
    dtype: str = "float64", loss: Loss = "bce", steps: int = STEPS
) -> Problem:
    """Give a network of four hidden units."""
    return Experiment(dtype=dtype, loss=loss, steps=steps, hidden=4).problem()


@cache
def path(problem: Problem) -> Weights[Array]:
    """Give the weights of all steps."""
    return before_updates(record(problem, ours, "x"))


class Counted:
    """An implementation that counts for how many networks it is asked."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        """Answer as a function does."""
        self.answer = answer
        self.asked: list[int] = []

    def loss_and_gradients(self, weights: Weights[Array], *arguments: Any) -> Any:  # noqa: ANN401
        """Count, and answer."""
        self.asked.append(len(weights.w1) if weights.w1.ndim > 2 else 0)
        return self.answer(weights, *arguments)


def flat(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> Any:  # noqa: ANN401
    """Transpose with `.T`, which reverses all axes: here of the hidden activations."""
    value, d = ours.loss_and_gradients(weights, x, y, loss)
    return value, d._replace(dw2=d.dz2 @ ours.forward(weights, x).a1.T)


def summed(weights: Weights[Array], *arguments: Any) -> Any:  # noqa: ANN401
    """Take many networks for one whose loss is the sum, as a plain `.sum()` does."""
    value, d = ours.loss_and_gradients(weights, *arguments)
    return value.sum(), d


def changed(
    together: Callable[[Any], Any] = lambda dw1: dw1,
    alone: Callable[[Any], Any] = lambda dw1: dw1,
) -> Callable[..., Any]:
    """Change the gradients of many networks at once, or of each alone."""

    def answer(weights: Weights[Array], *arguments: Any) -> Any:  # noqa: ANN401
        value, d = ours.loss_and_gradients(weights, *arguments)
        change = together if weights.w1.ndim > 2 else alone
        return value, d._replace(dw1=change(d.dw1))

    return answer


def leave(dw1: Array) -> Array:
    """Know no leading axes."""
    raise SystemExit(f"one network at a time, not {dw1.shape}")


def ends_only(dw1: Array) -> Array:
    """Forget all networks but the first and the last."""
    dw1[1:-1] = 0
    return dw1


def warn(dw1: Array) -> Array:
    """Do without three axes, and say so."""
    warnings.warn("three axes", UserWarning, stacklevel=1)
    return dw1.mT


# Asked.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("name", OURS)
def test_who_knows_leading_axes_is_asked_once(
    name: str, loss: Loss, dtype: str
) -> None:
    """For all at once, after the first and the last together, and alone."""
    problem = problem_of(dtype, loss)
    counted = Counted(load(name).loss_and_gradients)

    dw1, dw2 = along(problem, counted, path(problem))

    trace = ours.train(problem)
    rel, eps = 1e-12 if dtype == "float64" else 1e-4, float(np.finfo(dtype).eps)
    assert counted.asked == [2, STEPS, 0, 0]
    assert dw1 == pytest.approx(trace.dw1, rel=rel, abs=eps)
    assert dw2 == pytest.approx(trace.dw2, rel=rel, abs=eps)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(flat, id="axes reversed"),
        pytest.param(summed, id="one loss for all"),
        pytest.param(changed(leave), id="an exit"),
        pytest.param(changed(ends_only), id="first and last only"),
        pytest.param(changed(lambda dw1: dw1[0]), id="the first"),
        pytest.param(changed(lambda dw1: dw1.sum(axis=0)), id="the sum"),
        pytest.param(changed(np.float32), id="another dtype"),
        pytest.param(changed(np.ndarray.tolist), id="lists"),
        pytest.param(changed(warn), id="a warning"),
        pytest.param(changed(lambda dw1: dw1 * np.nan), id="NaN"),
    ],
)
def test_who_does_not_is_asked_for_each(answer: Callable[..., Any]) -> None:
    """However it fails with leading axes, it is its word on each alone that counts."""
    problem = problem_of()
    counted = Counted(answer)

    dw1, dw2 = along(problem, counted, path(problem))

    trace = ours.train(problem)
    assert counted.asked[0] == 2
    assert counted.asked[-STEPS:] == [0] * STEPS
    assert np.array_equal(dw1, trace.dw1)
    assert np.array_equal(dw2, trace.dw2)


def test_reversed_axes_can_have_the_right_shape() -> None:
    """The test above has to tell wrong numbers, not wrong shapes."""
    problem = problem_of()

    _, d = flat(path(problem), problem.x, problem.y, problem.loss)

    assert d.dw2.shape == (STEPS, 1, 4)
    assert not np.allclose(d.dw2, ours.train(problem).dw2)


def test_who_is_wrong_alone_is_not_saved_by_the_others() -> None:
    """Right for many at once, and wrong for each: the wrong ones are what is found."""
    problem = problem_of()
    counted = Counted(changed(alone=lambda dw1: 2 * dw1))

    dw1, _ = along(problem, counted, path(problem))

    assert dw1 == pytest.approx(2 * ours.train(problem).dw1, rel=1e-12, abs=0)


def test_one_buffer_for_all_spoils_no_answer() -> None:
    """What is given for a step is copied before the next is asked for."""
    problem, buffer = problem_of(), np.empty((4, 2))

    def reuse(dw1: Array) -> Array:
        buffer[...] = dw1
        return buffer

    dw1, _ = along(problem, Counted(changed(leave, reuse)), path(problem))

    assert np.array_equal(dw1, ours.train(problem).dw1)


@pytest.mark.parametrize("end", [ValueError, SystemExit])
def test_who_gives_up_on_the_way_of_another(end: type[BaseException]) -> None:
    """It is a finding of its own, and the others are still compared."""
    problem = problem_of(steps=20)
    given_up = ours.train(replace(problem, steps=7)).w1[-1]

    def give_up(weights: Weights[Array], *arguments: Any) -> Any:  # noqa: ANN401
        if weights.w1.ndim > 2 or (weights.w1 == given_up).all():
            raise end("not here")
        return ours.loss_and_gradients(weights, *arguments)

    other = SimpleNamespace(
        forward=ours.forward, loss_and_gradients=give_up, train=ours.train
    )
    three: Any = {"one": ours, "other": other, "two": ours}

    verdict = compare(problem, three)

    failed = [check for check in verdict.checks if not check.passed]
    compared = {check.subject for check in verdict.checks if check.kind == "parity"}
    assert [(c.subject, c.kind, c.statement) for c in failed] == [
        (("other",), "contract", ANSWERS)
    ]
    assert str(failed[0].worst.value).startswith(
        f"{end.__name__}: not here ({__file__}"
    )
    assert compared == {("one", "two"), ("two", "one")}
    assert len(str(tell(verdict)).splitlines()) == 4


def test_nobody_can_write_into_another_s_path() -> None:
    """Weights are lent as copies, also all at once."""
    problem = problem_of()
    weights = path(problem)
    before = weights.w1.copy()

    def write(given: Weights[Array], x: Array, *arguments: Any) -> Any:  # noqa: ANN401
        answer = ours.loss_and_gradients(given, x, *arguments)
        given.w1[...] = x[...] = 0
        return answer

    along(problem, Counted(write), weights)

    assert np.array_equal(weights.w1, before)
    assert problem.x.any()


def test_who_has_no_whole_trace_is_not_asked() -> None:
    """Nor is anybody asked for gradients along its path."""
    problem = problem_of()
    counted = Counted(ours.loss_and_gradients)
    right, wrong = record(problem, ours, "right"), record(problem, ours, "wrong")
    wrong = replace(wrong, trace=replace(wrong.trace, w1=wrong.trace.w1[1:]))
    both: Any = {"right": counted, "wrong": counted}

    runs = replay(problem, both, [right, wrong])

    assert counted.asked == []
    assert [dict(run.replayed) for run in runs] == [{}, {}]


# Carried.


def saved(problem: Problem, every: int = 1) -> list[Run]:
    """Give the runs of our three, as they are read from files."""
    return [record(problem, load(name), name, every) for name in OURS]


def asked_and_carried(problem: Problem, runs: list[Run]) -> tuple[Verdict, Verdict]:
    """Decide in both ways."""
    implementations = {name: load(name) for name in OURS}
    return (
        decide(problem, replay(problem, implementations, runs)),
        decide(problem, carry(problem, runs)),
    )


def of_gradients(verdict: Verdict) -> list[Check]:
    """Give the checks of gradients at the same weights."""
    return [c for c in verdict.checks if c.kind == "parity" and c.quantity[0] == "d"]


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_saved_runs_match(loss: Loss, dtype: str, every: int) -> None:
    """Nobody is asked, and it says so; what is carried is what would be given."""
    problem = problem_of(dtype, loss, 300)

    asked, carried = asked_and_carried(problem, saved(problem, every))

    one, other = asked.runs[1].replayed["numpy"], carried.runs[1].replayed["numpy"]
    bars = step_bars(problem, *before_updates(asked.runs[0]))
    within = 2 * end_to_end_bound(problem, "dw1", bars)
    words = {check.statement for check in of_gradients(carried)}
    assert (asked.answer, carried.answer) == ("match", "match")
    assert other.w1.dtype == dtype
    assert (abs(one.w1 - other.w1) <= within).all()
    assert "dw1 at the weights of numpy, carried from its own" in words
    assert len(words) == 2 * len(OURS)


@pytest.mark.parametrize("quantity", ["dw1", "dw2"])
def test_a_wrong_saved_gradient_is_a_difference(quantity: str) -> None:
    """It takes its error along to wherever it is carried."""
    problem = problem_of(steps=300)
    right, wrong, _ = saved(problem)
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


def test_a_carried_gradient_may_be_as_wrong_as_at_its_own_weights() -> None:
    """Where chaos has put two runs in different places, their bars are different."""
    problem = Experiment(dtype="float32", lr=2.0, steps=5000).problem()
    runs = carry(problem, saved(problem))

    held = decide(problem, runs)
    wrongly = decide(problem, [replace(run, carried=False) for run in runs])

    worst, too_near = (
        max(check.worst.use for check in of_gradients(verdict))
        for verdict in (held, wrongly)
    )
    assert held.answer == "cannot tell"
    assert 2 * worst < too_near


def test_what_is_no_whole_trace_is_not_carried() -> None:
    """It is found by itself, and is compared with nobody."""
    problem = problem_of()
    right, other, wrong = saved(problem)
    wrong = replace(wrong, trace=replace(wrong.trace, a2=wrong.trace.a2[:, 0]))

    runs = carry(problem, [right, other, wrong])

    assert [{*run.replayed} for run in runs] == [{"torch"}, {"numpy"}, set()]
    assert decide(problem, runs).answer == "differ"
