"""The exact run: published digits, naive balls in 2,000 bits, and its limits."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

import compare.numerics.exact_run as enclosure
from compare.numerics.balls import Balls, ball_step, balls, split
from compare.numerics.equations import Step
from compare.numerics.exact_run import ExactRun, PrecisionLimitError, exact_run
from compare.numerics.hessian import hessian
from impls import numpy_manual
from impls.interface import Loss, Problem
from tests.helpers import LOSSES, problem_of
from tests.numerics.oracles import SIZES, overlap, random_problem

# Exact for seed 2: before the 10,000th update, and after it.
LOSS_BEFORE, LOSS_AFTER = "0.03405612458729843531859", "0.034052492718456020495"
A2_BEFORE = (
    "0.011463358617905423861",
    "0.96681244056546326084",
    "0.96681241122407161742",
    "0.055588572607369748608",
)


def test_precision_is_given_back() -> None:
    """No call leaves the process with another precision."""
    before = ctx.prec
    exact_run(problem_of(steps=2))
    assert ctx.prec == before


@pytest.fixture(scope="module")
def notebook() -> ExactRun:
    """Enclose the notebook's own run of 10,000 steps."""
    return exact_run(problem_of(steps=10_000))


def agrees(ball: arb, digits: str) -> bool:
    """Return whether a ball holds a number that these digits were rounded from."""
    with ctx.workprec(128):
        half = arb(f"0.5e-{len(digits) - 2}")
        return bool(ball.is_finite() and abs(ball - arb(digits)) <= half)


@pytest.mark.slow
def test_digits_of_the_notebook(notebook: ExactRun) -> None:
    """The published digits are right, each at its own step and at no other."""
    assert agrees(notebook.loss[-2], LOSS_BEFORE)
    assert agrees(notebook.loss[-1], LOSS_AFTER)
    assert not agrees(notebook.loss[-1], LOSS_BEFORE)
    assert not agrees(notebook.loss[-2], LOSS_AFTER)


@pytest.mark.slow
@pytest.mark.parametrize("sample", range(4))
def test_predictions_of_the_notebook(notebook: ExactRun, sample: int) -> None:
    """The published predictions belong to the weights before the 10,000th update."""
    assert agrees(notebook.a2[-2, 0, sample], A2_BEFORE[sample])
    assert not agrees(notebook.a2[-1, 0, sample], A2_BEFORE[sample])


@pytest.mark.slow
def test_notebook_is_certified(notebook: ExactRun) -> None:
    """It takes 128 bits, holds 10,001 rows, and no ball is wider than it says."""
    assert notebook.bits == 128
    assert notebook.radius <= 1e-30
    assert (len(notebook.w1), len(notebook.loss)) == (10_001, 10_001)
    every = (notebook.w1, notebook.w2, notebook.a2, notebook.loss)
    widest = max(map(enclosure.radius, every))
    assert widest == notebook.radius


@pytest.mark.slow
def test_float64_run_is_near(notebook: ExactRun) -> None:
    """The hand-written run ends within 1e-12 of the exact one, and not within 1e-15."""
    trace, exact = numpy_manual.train(problem_of(steps=10_000)), split(notebook.w1)
    error = abs((trace.w1 - exact.hi) - exact.lo)
    assert (error[0] <= exact.radius[0]).all()
    assert 1e-15 < error[-1].max() < 1e-12


@functools.cache
def naive_run(size: tuple[int, int, int, int], loss: Loss) -> tuple[Step[Balls], ...]:
    """Run steps on balls alone: they blow up, but from 2,000 bits not soon."""
    problem = random_problem(size, loss, 100)
    rows, (w1, w2) = [], (balls(w) for w in problem.weights)
    with ctx.workprec(2000):
        for _ in range(problem.steps + 1):
            rows.append(ball_step(problem, w1, w2))
            w1, w2 = rows[-1].new_w1, rows[-1].new_w2
    return tuple(rows)


def same_run(run: ExactRun, rows: tuple[Step[Balls], ...]) -> bool:
    """Return whether an enclosure and the naive run may be of the same run."""
    pairs = zip(run.w1, run.w2, run.a2, run.loss, rows, strict=True)
    return all(
        overlap(
            [*w1.flat, *w2.flat, *a2.flat, loss],
            [*row.w1.flat, *row.w2.flat, *row.a2.flat, row.loss.item()],
        )
        for w1, w2, a2, loss, row in pairs
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_run_against_naive_balls(size: tuple[int, int, int, int], loss: Loss) -> None:
    """At every step, the enclosure holds what 2,000 bits and no method give."""
    run = exact_run(random_problem(size, loss, 100))
    assert run.radius <= enclosure.TARGET
    assert max(enclosure.radius(row.w1) for row in naive_run(size, loss)) < 1e-300
    assert same_run(run, naive_run(size, loss))


@pytest.mark.parametrize("loss", LOSSES)
def test_another_run_is_not_enclosed(loss: Loss) -> None:
    """A learning rate one rounding off gives a run that differs from the right one."""
    problem = random_problem((3, 4, 2, 5), loss, 100)
    wrong = replace(problem, lr=float(np.nextafter(problem.lr, 1)))
    assert not same_run(exact_run(wrong), naive_run((3, 4, 2, 5), loss))


def lands_inside(problem: Problem, weight: int) -> bool:
    """Return whether both ends of a set wide in one weight land in the next set."""
    begin, far = enclosure.start(problem), arb(0, 1e-8)
    box, move = arb_mat(begin.box), arb_mat(begin.box)
    box[weight, 0], move[weight, 0] = far, far.rad()
    thin = enclosure.ErrorSet(begin.mid, begin.frame, box)
    after = enclosure.follow(problem, thin, enclosure.evaluate(problem, thin))
    inside = []
    for end in (begin.mid + move, begin.mid - move):
        exact = enclosure.ErrorSet(end, begin.frame, begin.box)
        step = enclosure.evaluate(problem, exact)
        new = arb_mat(end.nrows(), 1, [*step.new_w1[0].flat, *step.new_w2[0].flat])
        inside.append(after.box.contains(after.frame.inv() * (new - after.mid)))
    return all(inside)


@pytest.mark.parametrize("weight", [5, 14], ids=["w1", "w2"])
@pytest.mark.parametrize("loss", LOSSES)
def test_sets_land_in_sets(
    monkeypatch: pytest.MonkeyPatch, loss: Loss, weight: int
) -> None:
    """A step takes each end of a thin set into the next; a wrong Hessian misses it."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    with ctx.workprec(256):
        assert lands_inside(problem, weight)
        monkeypatch.setattr(
            enclosure, "hessian", lambda step, loss: 1.0001 * hessian(step, loss)
        )
        assert not lands_inside(problem, weight)


def test_precision_rises_by_itself() -> None:
    """A narrower target takes twice the bits, and is then kept."""
    problem = problem_of(steps=20)
    wide, narrow = exact_run(problem), exact_run(problem, target=1e-60)
    assert (wide.bits, narrow.bits) == (128, 256)
    assert narrow.radius <= 1e-60 < wide.radius
    assert overlap([*wide.a2.flat], [*narrow.a2.flat])


@pytest.mark.parametrize(
    ("target", "limit", "words"),
    [
        (1e-60, 128, "at step 0, 128 bits give the exact run to"),
        (1e-200, 300, "at step 0, 256 bits give the exact run to"),
    ],
)
def test_limit_is_said(
    target: float, limit: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target out of reach is an error that says how far the bits went."""
    monkeypatch.setattr(enclosure, "LIMIT", limit)

    with pytest.raises(PrecisionLimitError, match=words):
        exact_run(problem_of(steps=20), target=target)


def test_unbounded_run_is_said() -> None:
    """A run that leaves all bounds ends in the same error, not in NaN."""
    with pytest.raises(PrecisionLimitError, match="to within inf only"):
        exact_run(problem_of(steps=3, lr=1e308))


def test_notify() -> None:
    """Each step is announced, from the first weights to the last."""
    seen: list[int] = []
    exact_run(problem_of(steps=3), notify=seen.append)
    assert seen == [0, 1, 2, 3]
