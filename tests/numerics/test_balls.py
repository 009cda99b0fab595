"""Ball arithmetic: what encloses what, and at which precision."""

from typing import Any

import numpy as np
import pytest
from flint import arb, ctx

from compare.numerics.balls import Balls, above, balls, split
from compare.numerics.equations import sigmoid, softplus
from impls.interface import Weights
from tests.helpers import DTYPES, problem_of
from tests.numerics.oracles import (
    exact_step,
    flat,
    loss_only_gradient,
    overlap,
    random_problem,
)


def test_conversion_rounds_nothing() -> None:
    """A ball of a float holds that number and no other, in the same place."""
    numbers = np.array([[0.1, -3.0], [2.0**-1074, 1e300]])

    found = balls(numbers)

    every: list[Any] = [*found.flat]
    assert found.shape == numbers.shape
    assert [float(ball) for ball in every] == [*numbers.flat]
    assert all(ball.is_exact() for ball in every)


@pytest.mark.parametrize("dtype", DTYPES)
def test_learning_rate_is_not_rounded(dtype: str) -> None:
    """An update uses the Python float, which in float32 would be another number."""
    problem = problem_of(dtype)
    step = exact_step(problem, problem.weights, bits=256)
    with ctx.workprec(256):
        new, rounded = (
            list((step.w1 - arb(lr) * step.dw1).flat)
            for lr in (problem.lr, float(np.float32(problem.lr)))
        )
    assert overlap(step.new_w1.flat, new)
    assert not overlap(step.new_w1.flat, rounded)


def test_leading_axes() -> None:
    """Two networks at once give what each gives alone."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)
    w1, w2 = problem.weights
    both = exact_step(problem, Weights(np.stack((w1, 2 * w1)), np.stack((w2, w2))))
    alone = exact_step(problem, Weights(2 * w1, w2))
    assert overlap(both.new_w1[1].flat, alone.new_w1.flat)
    assert not overlap(both.new_w1[0].flat, alone.new_w1.flat)


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
    problem = problem_of(steps=1)
    weights = Weights(np.full((2, 2), 200.0), np.full((1, 2), 100.0))
    step = exact_step(problem, weights)
    lines = flat(Weights(step.dw1, step.dw2))
    alone = flat(loss_only_gradient(problem, weights, bits=512))
    assert overlap(lines, alone)
    assert not overlap(flat(loss_only_gradient(problem, weights)), alone)


@pytest.mark.parametrize("ball", [arb(1, 1e-20), arb(-3, 0.5), arb(0), arb(0, 2)])
def test_above_is_above(ball: arb) -> None:
    """The float is larger than all magnitudes in the ball, and by no more than it must.

    A rounding down of 3.5 to a float is 3.5 itself, so one float more is needed.
    """
    upper = ball.abs_upper()
    assert upper < above(ball)
    assert above(ball) <= max(float(upper) * (1 + 1e-15), 5e-324)


def inside(ball: arb, hi: float, lo: float, radius: float) -> bool:
    """Return whether a ball lies within a radius of the unrounded hi + lo."""
    return bool(abs(ball - hi - lo) <= arb(radius))


def test_split_is_within_its_radius() -> None:
    """Balls lie where their floats say, to 30 digits; a shifted low part is seen."""
    problem = random_problem((3, 4, 2, 5), "mse", 1)
    step = exact_step(problem, problem.weights)
    exact = split(step.dw1)
    with ctx.workprec(256):
        well = np.vectorize(inside)(step.dw1, *exact)
        shifted = np.vectorize(inside)(step.dw1, exact.hi, exact.lo * (1 + 1e-6), 1e-30)
    assert well.all()
    assert not shifted.any()
    assert exact.radius.max() < 1e-30
