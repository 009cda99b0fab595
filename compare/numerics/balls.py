"""What the mathematics says of one step, in ball arithmetic.

A ball is a midpoint and a radius; every operation on balls encloses every result that
the numbers in them can have, rounding included. So whatever is computed is proved,
and no error analysis of ours is part of the proof. Source: Johansson, "Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic", IEEE Transactions on Computers
66 (2017), used through python-flint.

`exact_step` runs the lines of `compare.numerics.equations` on arrays of balls.
`loss_only_gradient` knows neither those lines nor the chain rule: it moves one weight
and looks at the loss. The whole run is in `compare.numerics.exact_run`.
"""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from flint import arb, arb_series, ctx

from compare.numerics.equations import Number, Row, chain, lines, softplus
from impls.interface import Array, Problem, Weights

BITS = 128
"""The precision to begin with: about 38 digits."""


class Balls(np.ndarray[Any, np.dtype[np.object_]]):
    """An array of `arb`: NumPy's `exp` of it is the `exp` of each ball, and so on."""


@softplus.register
def _(z: Balls) -> Number:
    """Balls don't overflow, and max(z, 0) is unknown for a ball that contains 0."""
    return np.log1p(np.exp(z))


_ball = np.frompyfunc(arb, 1, 1)


def balls(numbers: Array) -> Balls:
    """Turn floats, of any shape, into balls of radius 0: nothing is rounded."""
    return np.asarray(_ball(numbers.astype(object))).view(Balls)


def run_lines(problem: Problem, w1: Number, w2: Number) -> Row:
    """Run the lines of one step, at the precision in force; see `exact_step`."""
    x, y = balls(problem.x), balls(problem.y)
    row = SimpleNamespace(x=x, y=y, lr=arb(problem.lr), w1=w1, w2=w2)
    return chain(lines(problem.loss), row)


def exact_step(problem: Problem, weights: Weights[Array], bits: int = BITS) -> Row:
    """Enclose every quantity of one step, from weights taken as exact.

    Args:
        problem: Gives x, y, loss and lr. The learning rate is the Python float, also
            for a float32 problem: to round it is a rounding of the implementation.
        weights: w1, shape (*runs, n_h, n_x), and w2, shape (*runs, n_y, n_h).
        bits: The precision, in bits.

    Returns:
        Every quantity of a step by name, `new_w1` and `new_w2` included.
    """
    with ctx.workprec(bits):
        return run_lines(problem, balls(weights.w1), balls(weights.w2))


def loss_alone(problem: Problem, w1: Balls, w2: Balls) -> Number:
    """Compute the loss as the contract states it, on balls or on power series."""
    x, y = balls(problem.x), balls(problem.y)
    a1 = 1 / (1 + np.exp(-(w1 @ x)))  # (n_h, m)
    a2 = 1 / (1 + np.exp(-(w2 @ a1)))  # (n_y, m)
    if problem.loss == "bce":
        return -(y * np.log(a2) + (1 - y) * np.log(1 - a2)).sum() / y.shape[-1]
    return ((a2 - y) * (a2 - y)).sum() / y.size


def loss_only_gradient(
    problem: Problem, weights: Weights[Array], bits: int = BITS
) -> Weights[Balls]:
    """Differentiate the loss without the chain rule.

    The loss at w + t e_k, as a power series in t, has d loss / d w_k as the coefficient
    of t: series are added, multiplied and put into exp and log, nothing is derived.

    Args:
        problem: Gives x, y and loss.
        weights: w1, shape (n_h, n_x), and w2, shape (n_y, n_h), taken as exact.
        bits: The precision, in bits. Where it does not tell a2 from 0 or from 1, the
            logarithm has no enclosure, and the derivatives are not finite.

    Returns:
        The derivatives, each in the place of its weight.
    """
    gradient = Weights(balls(weights.w1), balls(weights.w2))
    with ctx.workprec(bits):
        for place, derivatives in enumerate(gradient):
            for index in np.ndindex(derivatives.shape):
                moved = [balls(w) for w in weights]
                moved[place][index] = arb_series([moved[place].item(index), 1], 2)
                derivatives[index] = loss_alone(problem, *moved).item()[1]
    return gradient


class Split(NamedTuple):
    """Balls as floats: each holds numbers within `radius` of the unrounded hi + lo."""

    hi: Array
    lo: Array
    radius: Array


def above(ball: arb) -> float:
    """Find a float above all magnitudes in a ball: float(ball) may be just below."""
    return math.nextafter(float(ball.abs_upper()), math.inf)


def _split(ball: arb) -> tuple[float, float, float]:
    """Take the nearest float, what it leaves, and a bound for what both leave."""
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
