"""Ball arithmetic: what the mathematics says, proved.

A ball is a midpoint and a radius. Every operation on balls encloses every result that
the numbers in them can have, rounding included. So a computed ball is a proof, and no
error analysis of ours is part of it. Source: Johansson, "Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic", IEEE Transactions on Computers
66 (2017), used through python-flint.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from flint import arb, ctx

from compare.numerics.equations import Step, run_lines, softplus
from impls.interface import Array, Problem

BITS = 128
"""The first precision to try: about 38 digits."""


class Balls(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of `arb`: NumPy's `exp` of it is the `exp` of each ball, and so on."""


@softplus.register
def _(z: Balls) -> Balls:
    """Balls don't overflow, and max(z, 0) is unknown for a ball that contains 0."""
    return np.log1p(np.exp(z)).view(Balls)


_ball = np.frompyfunc(arb, 1, 1)


def balls(numbers: Array) -> Balls:
    """Convert floats, of any shape, to balls of radius 0: nothing is rounded."""
    return np.asarray(_ball(numbers.astype(object))).view(Balls)


def ball_step(problem: Problem, w1: Balls, w2: Balls) -> Step[Balls]:
    """Enclose every quantity of a step, at the precision in force.

    Args:
        problem: Gives x, y, loss and lr. The learning rate is the Python float, also
            for a float32 problem: to round it is a rounding of the implementation.
        w1: The weights, shape (*steps, n_h, n_x).
        w2: The weights, shape (*steps, n_y, n_h).
    """
    x, y = balls(problem.x), balls(problem.y)
    return run_lines(problem.loss, x=x, y=y, lr=arb(problem.lr), w1=w1, w2=w2)


class Split(NamedTuple):
    """Balls as floats: each holds numbers within `radius` of the unrounded hi + lo."""

    hi: Array
    lo: Array
    radius: Array


def above(ball: arb) -> float:
    """Return a float above all magnitudes in a ball: float(ball) may be just below."""
    return math.nextafter(float(ball.abs_upper()), math.inf)


def _split(ball: arb) -> tuple[float, float, float]:
    """Return the nearest float, the remainder, and a bound on what both leave out."""
    hi = float(ball)
    lo = float(ball.mid() - hi)
    return hi, lo, above(ball - hi - lo)


def split(numbers: Balls) -> Split:
    """Write balls as sums of two floats, so that runs can be subtracted from them.

    Shapes as `numbers`. `(w1 - exact.hi) - exact.lo` is the error of a computed w1;
    near each other, w1 and hi are subtracted without rounding (Sterbenz, 1974).
    """
    with ctx.workprec(BITS):
        parts = np.frompyfunc(_split, 1, 3)(numbers)
    hi, lo, radius = (np.asarray(part, np.float64) for part in parts)
    return Split(hi, lo, radius)
