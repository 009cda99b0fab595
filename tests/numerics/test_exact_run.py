"""Ball arithmetic against the hand derivation, the audit's oracle, the loss alone."""

import functools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

import compare.numerics.exact_run as enclosure
from compare.numerics.balls import (
    Balls,
    balls,
    exact_step,
    loss_alone,
    loss_only_gradient,
    run_lines,
    split,
)
from compare.numerics.equations import Row, chain, lines, sigmoid, softplus
from compare.numerics.exact_run import ExactRun, PrecisionLimitError, exact_run
from compare.numerics.hessian import hessian
from compare.numerics.rounding import oracle_dtype, step_bars, unit
from compare.training.problems import Experiment
from impls import numpy_manual
from impls.interface import Array, Loss, Problem, Weights

NOTEBOOK_SIZE = (2, 2, 1, 4)  # n_x, n_h, n_y, m
SIZES = [NOTEBOOK_SIZE, (3, 4, 2, 5), (1, 3, 2, 3), (2, 1, 1, 1)]
LOSSES: list[Loss] = ["bce", "mse"]

# Exact for seed 2: before the 10,000th update, and after it.
LOSS_BEFORE, LOSS_AFTER = "0.03405612458729843531859", "0.034052492718456020495"
A2_BEFORE = (
    "0.011463358617905423861",
    "0.96681244056546326084",
    "0.96681241122407161742",
    "0.055588572607369748608",
)


def random_problem(
    size: tuple[int, int, int, int], loss: Loss, steps: int, dtype: str = "float64"
) -> Problem:
    """Draw inputs, labels between 0 and 1, and weights of a size."""
    n_x, n_h, n_y, m = size
    random = np.random.RandomState(sum(size))
    x, y = random.randn(n_x, m), random.rand(n_y, m)
    w1, w2 = random.randn(n_h, n_x), random.randn(n_y, n_h)
    x, y, w1, w2 = (array.astype(dtype) for array in (x, y, w1, w2))
    return Problem(x, y, Weights(w1, w2), 0.9, steps, loss)


def points(problem: Problem, every: int) -> list[Weights[Array]]:
    """Train by hand, and pick the weights of every so many steps."""
    trace = numpy_manual.train(problem)
    return [
        Weights(*w) for w in zip(trace.w1[:-1:every], trace.w2[:-1:every], strict=True)
    ]


def flat(weights: Weights[Any]) -> list[arb]:
    """List all elements: w1, then w2."""
    return [*weights.w1.flat, *weights.w2.flat]


def overlap(left: list[arb], right: list[arb]) -> bool:
    """Say whether each pair of balls may hold the same number."""
    pairs = zip(left, right, strict=True)
    return all(a.is_finite() and b.is_finite() and a.overlaps(b) for a, b in pairs)


def off(numbers: list[arb], relative: str) -> list[arb]:
    """Plant a relative error."""
    with ctx.workprec(1024):
        return [number * (1 + arb(relative)) for number in numbers]


def by_lines(problem: Problem, path: list[Weights[Array]]) -> list[arb]:
    """Compute the gradients at all points with the lines of the audit, on balls."""
    rows = [exact_step(problem, weights) for weights in path]
    return [d for row in rows for d in flat(Weights(row.dw1, row.dw2))]


def by_hand(problem: Problem, path: list[Weights[Array]]) -> list[arb]:
    """Compute the gradients with the hand derivation of `impls`, on balls."""
    x, y, loss = balls(problem.x), balls(problem.y), problem.loss
    run: Any = numpy_manual.loss_and_gradients
    with ctx.workprec(128):
        all_gradients = [run(Weights(*map(balls, w)), x, y, loss)[1] for w in path]
    return [d for g in all_gradients for d in flat(Weights(g.dw1, g.dw2))]


def by_loss(problem: Problem, path: list[Weights[Array]]) -> list[arb]:
    """Compute the gradients from the loss alone."""
    return [d for w in path for d in flat(loss_only_gradient(problem, w))]


def assert_one_gradient(problem: Problem, path: list[Weights[Array]]) -> None:
    """Hold three gradients against one another, and all against a wrong one."""
    lines_, hand, alone = (way(problem, path) for way in (by_lines, by_hand, by_loss))
    assert overlap(lines_, hand)
    assert overlap(lines_, alone)
    assert overlap(hand, alone)
    assert not overlap(off(lines_, "1e-20"), alone)
    assert not overlap(off(hand, "1e-20"), alone)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(10))
def test_gradients_of_the_notebook(seed: int, loss: Loss) -> None:
    """Lines, hand derivation and loss alone agree at 100 steps of each of ten runs."""
    problem = Experiment(seed=seed, loss=loss, steps=1000).problem()
    assert_one_gradient(problem, points(problem, every=10))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_gradients_of_other_sizes(
    size: tuple[int, int, int, int], loss: Loss, dtype: str
) -> None:
    """The three agree for other sizes, inputs and labels, in both dtypes."""
    problem = random_problem(size, loss, 20, dtype)
    assert_one_gradient(problem, points(problem, every=5))


def test_wrong_derivation_is_seen() -> None:
    """Cross-entropy's gradient, put beside the squared error, is not enclosed."""
    bce, mse = (Experiment(loss=loss, steps=1).problem() for loss in LOSSES)
    path = [mse.weights]
    assert overlap(by_hand(mse, path), by_loss(mse, path))
    assert not overlap(by_hand(bce, path), by_loss(mse, path))


def long_step(problem: Problem, weights: Weights[Array]) -> Row:
    """Run one step with the oracle of the audit: the lines, in long double."""
    dtype = oracle_dtype(np.dtype(np.float64))
    row = SimpleNamespace(lr=dtype.type(problem.lr))
    row.x, row.y = problem.x.astype(dtype), problem.y.astype(dtype)
    row.w1, row.w2 = (w.astype(dtype) for w in weights)
    return chain(lines(problem.loss), row)


@pytest.mark.parametrize("quantity", [line.quantity for line in lines("bce")])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_oracle_of_the_audit(
    size: tuple[int, int, int, int], loss: Loss, quantity: str
) -> None:
    """Each quantity in long double is within its error bars of the exact one."""
    problem = random_problem(size, loss, 1)
    computed = getattr(long_step(problem, problem.weights), quantity)
    exact = split(getattr(exact_step(problem, problem.weights), quantity))
    bar = getattr(step_bars(problem, *problem.weights), quantity).bar
    bound = 2 * unit(oracle_dtype(np.dtype(np.float64))) * bar + exact.radius
    assert (abs((computed - exact.hi) - exact.lo) <= bound).all()
    assert not (abs((computed * (1 + 1e-12) - exact.hi) - exact.lo) <= bound).all()


@pytest.mark.parametrize("quantity", ["dw1", "dw2"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(10))
def test_oracle_of_the_audit_along_runs(seed: int, loss: Loss, quantity: str) -> None:
    """The long-double gradient is the exact one at 100 steps of each of ten runs."""
    problem = Experiment(seed=seed, loss=loss, steps=1000).problem()
    path = Weights(*map(np.array, zip(*points(problem, every=10), strict=True)))
    computed = getattr(long_step(problem, path), quantity)
    exact = split(getattr(exact_step(problem, path), quantity))
    bar = getattr(step_bars(problem, *path), quantity).bar
    bound = 2 * unit(oracle_dtype(np.dtype(np.float64))) * bar + exact.radius
    assert len(computed) == 100
    assert (abs((computed - exact.hi) - exact.lo) <= bound).all()
    assert not (abs((computed * (1 + 1e-12) - exact.hi) - exact.lo) <= bound).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_as_stated(loss: Loss) -> None:
    """The loss of the lines is that of the contract's formula, to 30 digits."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    row = exact_step(problem, problem.weights)
    with ctx.workprec(128):
        stated = loss_alone(problem, *map(balls, problem.weights)).item()
    assert overlap([row.loss.item()], [stated])
    assert not overlap(off([row.loss.item()], "1e-30"), [stated])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_learning_rate_is_not_rounded(dtype: str) -> None:
    """An update uses the Python float, which in float32 would be another number."""
    problem = Experiment(dtype=dtype).problem()
    row = exact_step(problem, problem.weights, bits=256)
    with ctx.workprec(256):
        new, rounded = (
            list((row.w1 - arb(lr) * row.dw1).flat)
            for lr in (problem.lr, float(np.float32(problem.lr)))
        )
    assert overlap(list(row.new_w1.flat), new)
    assert not overlap(list(row.new_w1.flat), rounded)


def test_leading_axes() -> None:
    """Two networks at once give what each gives alone."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)
    w1, w2 = problem.weights
    both = exact_step(problem, Weights(np.stack((w1, 2 * w1)), np.stack((w2, w2))))
    alone = exact_step(problem, Weights(2 * w1, w2))
    assert overlap(list(both.new_w1[1].flat), list(alone.new_w1.flat))
    assert not overlap(list(both.new_w1[0].flat), list(alone.new_w1.flat))


def test_softplus_of_a_ball_around_zero() -> None:
    """Softplus and sigmoid enclose both ends; with `np.maximum`, one would be lost."""
    ball = np.array([arb(1, 1.5)]).view(Balls)  # from -0.5 to 2.5
    ends = np.array([-0.5, 2.5])
    assert all(softplus(ball)[0].contains(arb(float(v))) for v in softplus(ends))
    assert all(sigmoid(ball)[0].contains(arb(float(v))) for v in sigmoid(ends))
    plain: Any = softplus.dispatch(np.ndarray)
    assert not all(plain(ball)[0].contains(arb(float(v))) for v in softplus(ends))


def test_saturation_takes_more_bits() -> None:
    """Where 128 bits can't tell a2 from 1, the loss alone says so; more bits can."""
    problem = Experiment(steps=1).problem()
    weights = Weights(np.full((2, 2), 200.0), np.full((1, 2), 100.0))
    alone = flat(loss_only_gradient(problem, weights, bits=512))
    assert overlap(by_lines(problem, [weights]), alone)
    assert not overlap(flat(loss_only_gradient(problem, weights)), alone)


def inside(ball: arb, hi: float, lo: float, radius: float) -> bool:
    """Say whether a ball lies within a radius of the unrounded hi + lo."""
    return bool(abs(ball - hi - lo) <= arb(radius))


def test_split_is_within_its_radius() -> None:
    """Balls lie where their floats say, to 30 digits; a shifted low part is seen."""
    problem = random_problem((3, 4, 2, 5), "mse", 1)
    row = exact_step(problem, problem.weights)
    exact = split(row.dw1)
    with ctx.workprec(256):
        well = np.vectorize(inside)(row.dw1, *exact)
        shifted = np.vectorize(inside)(row.dw1, exact.hi, exact.lo * (1 + 1e-6), 1e-30)
    assert well.all()
    assert not shifted.any()
    assert exact.radius.max() < 1e-30


def test_precision_is_given_back() -> None:
    """No call leaves the process with another precision."""
    before = ctx.prec
    exact_run(Experiment(steps=2).problem())
    assert ctx.prec == before


# The whole run.


@pytest.fixture(scope="module")
def notebook() -> ExactRun:
    """Enclose the notebook's own run of 10,000 steps."""
    return exact_run(Experiment().problem())


def agrees(ball: arb, digits: str) -> bool:
    """Say whether a ball holds a number that these digits were rounded from."""
    with ctx.workprec(128):
        half = arb(f"0.5e-{len(digits) - 2}")
        return bool(ball.is_finite() and abs(ball - arb(digits)) <= half)


def test_digits_of_the_notebook(notebook: ExactRun) -> None:
    """The published digits are right, each at its own step and at no other."""
    assert agrees(notebook.loss[-2], LOSS_BEFORE)
    assert agrees(notebook.loss[-1], LOSS_AFTER)
    assert not agrees(notebook.loss[-1], LOSS_BEFORE)
    assert not agrees(notebook.loss[-2], LOSS_AFTER)


@pytest.mark.parametrize("sample", range(4))
def test_predictions_of_the_notebook(notebook: ExactRun, sample: int) -> None:
    """The published predictions belong to the weights before the 10,000th update."""
    assert agrees(notebook.a2[-2, 0, sample], A2_BEFORE[sample])
    assert not agrees(notebook.a2[-1, 0, sample], A2_BEFORE[sample])


def test_notebook_is_certified(notebook: ExactRun) -> None:
    """It takes 128 bits, holds 10,001 rows, and no ball is wider than it says."""
    assert notebook.bits == 128
    assert notebook.radius <= 1e-30
    assert (len(notebook.w1), len(notebook.loss)) == (10_001, 10_001)
    every = (notebook.w1, notebook.w2, notebook.a2, notebook.loss)
    widest = max(map(enclosure.radius, every))
    assert widest == notebook.radius


def test_float64_run_is_near(notebook: ExactRun) -> None:
    """The hand-written run ends within 1e-12 of the exact one, and not within 1e-15."""
    trace, exact = numpy_manual.train(Experiment().problem()), split(notebook.w1)
    error = abs((trace.w1 - exact.hi) - exact.lo)
    assert (error[0] <= exact.radius[0]).all()
    assert 1e-15 < error[-1].max() < 1e-12


@functools.cache
def naive_run(size: tuple[int, int, int, int], loss: Loss) -> tuple[Row, ...]:
    """Run steps on balls alone: they blow up, but from 2,000 bits not soon."""
    problem = random_problem(size, loss, 100)
    rows, (w1, w2) = [], map(balls, problem.weights)
    with ctx.workprec(2000):
        for _ in range(problem.steps + 1):
            rows.append(run_lines(problem, w1, w2))
            w1, w2 = rows[-1].new_w1, rows[-1].new_w2
    return tuple(rows)


def same_run(run: ExactRun, rows: tuple[Row, ...]) -> bool:
    """Say whether an enclosure and the naive run may be of the same run."""
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
    """A learning rate one rounding off gives a run that is told from the right one."""
    problem = random_problem((3, 4, 2, 5), loss, 100)
    wrong = replace(problem, lr=float(np.nextafter(problem.lr, 1)))
    assert not same_run(exact_run(wrong), naive_run((3, 4, 2, 5), loss))


def lands_inside(problem: Problem, weight: int) -> bool:
    """Say whether both ends of a set wide in one weight land in the next set."""
    begin, far = enclosure.start(problem), arb(0, 1e-8)
    box, move = arb_mat(begin.box), arb_mat(begin.box)
    box[weight, 0], move[weight, 0] = far, far.rad()
    thin = enclosure.ErrorSet(begin.mid, begin.frame, box)
    after = enclosure.follow(problem, thin, enclosure.evaluate(problem, thin))
    inside = []
    for end in (begin.mid + move, begin.mid - move):
        exact = enclosure.ErrorSet(end, begin.frame, begin.box)
        row = enclosure.evaluate(problem, exact)
        new = arb_mat(end.nrows(), 1, [*row.new_w1[0].flat, *row.new_w2[0].flat])
        inside.append(after.box.contains(after.frame.inv() * (new - after.mid)))
    return all(inside)


@pytest.mark.parametrize("weight", range(20))
@pytest.mark.parametrize("loss", LOSSES)
def test_sets_land_in_sets(
    monkeypatch: pytest.MonkeyPatch, loss: Loss, weight: int
) -> None:
    """A step takes each end of a thin set into the next; a wrong Hessian misses it."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    with ctx.workprec(256):
        assert lands_inside(problem, weight)
        monkeypatch.setattr(
            enclosure, "hessian", lambda row, loss: 1.0001 * hessian(row, loss)
        )
        assert not lands_inside(problem, weight)


def test_precision_rises_by_itself() -> None:
    """A narrower target takes twice the bits, and is then kept."""
    problem = Experiment(steps=20).problem()
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
        exact_run(Experiment(steps=20).problem(), target=target)


def test_unbounded_run_is_said() -> None:
    """A run that leaves all bounds ends in the same error, not in NaN."""
    with pytest.raises(PrecisionLimitError, match="to within inf only"):
        exact_run(Experiment(steps=3, lr=1e308).problem())


def test_notify() -> None:
    """Each step is announced, from the first weights to the last."""
    seen: list[int] = []
    exact_run(Experiment(steps=3).problem(), notify=seen.append)
    assert seen == [0, 1, 2, 3]
