"""How far a correct floating-point line, step and run may be from the mathematics.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), chapters 2 and 3. In the model of its section 2.2, each operation gives
its exact result times 1 + d with |d| <= u, the unit roundoff: 2^-53 for float64, 2^-24
for float32. Bounds are of first order in u and, until the last moment, in units of u.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import (
    Line,
    Number,
    Row,
    chain,
    cross_entropy,
    lines,
    softplus,
)
from compare.numerics.error_bars import Bar, exact
from compare.numerics.hessian import hessian, jacobian
from impls.interface import Array, Problem, Weights

CHUNK = 500
"""Rows whose Hessians are in memory at once."""

FORMULAS = 4
"""Error bars allowed to a step: other correct formulas than ours round differently."""


def unit(dtype: np.dtype[np.floating]) -> float:
    """Give the unit roundoff: half the distance from 1 to the next number."""
    return float(np.finfo(dtype).eps) / 2


# One line, from its own inputs.


def roundings(terms: int) -> int:
    """Count the roundings that a line may be off by; `terms` is its longest sum.

    A sum of n products, in any order, is within n u of the sum of their magnitudes
    (Higham, section 3.1), and a line has up to three operations more: n + 3. Six is
    what 1 / (1 + exp(-z)) takes: two, and the library's four; it also covers the lines
    of up to four terms, where a division by four is exact. The cross-entropy alone
    calls the library twice: that six is enough for it is measured.
    """
    return 6 if terms <= 4 else terms + 3  # noqa: PLR2004


_TERMS = {
    "z1": lambda r: r.x.shape[-2],
    "z2": lambda r: r.w2.shape[-1],
    "loss": lambda r: r.y.size,
    "dz1": lambda r: r.y.shape[-2] + 1,
    "dw1": lambda r: r.y.shape[-1],
    "dw2": lambda r: r.y.shape[-1],
}


def magnitude(line: Line, row: Row, value: Number) -> Number:
    """Sum the magnitudes of the terms of a line whose exact value is `value`.

    Shape as `value`. Where the terms are products, that is the line itself, run on
    magnitudes. Cross-entropy may be summed as log(1 + exp(z2)) - y z2, so z2 counts.
    """
    match line.quantity:
        case "z1" | "z2" | "dw2" | "dz1" | "dw1":
            names = ("x", *line.inputs)
            return line.value(
                SimpleNamespace(**{name: abs(getattr(row, name)) for name in names})
            )
        case "new_w1":
            return abs(value) + abs(row.lr * row.dw1)
        case "new_w2":
            return abs(value) + abs(row.lr * row.dw2)
        case "loss" if line.value is cross_entropy:
            sizes = softplus(row.z2) + (1 + row.y) * abs(row.z2)
            return sizes.sum(axis=(-2, -1)) / row.y.shape[-1]
        case _:
            return abs(value)


def allowed(line: Line, row: Row) -> int:
    """Count the roundings that a line may be off by, at the sizes of a row."""
    return roundings(_TERMS[line.quantity](row) if line.quantity in _TERMS else 1)


def line_bound(
    line: Line, row: Row, value: Number, dtype: np.dtype[np.floating]
) -> Number:
    """Bound the error of a line computed in `dtype` from the exact inputs `row`.

    Below the smallest normal number, precision is absolute: that is the floor.
    """
    size = magnitude(line, row, value)
    return allowed(line, row) * unit(dtype) * size + float(np.finfo(dtype).tiny)


def oracle_dtype(dtype: np.dtype[np.floating]) -> np.dtype[np.floating]:
    """Pick the oracle's: long double for float64, though some systems' is no wider."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


def slack(dtype: np.dtype[np.floating]) -> int:
    """Double all bounds where the oracle is no wider: its roundings count as well."""
    return 1 if np.finfo(oracle_dtype(dtype)).eps < np.finfo(dtype).eps else 2


# One step, from its weights.


@np.errstate(all="ignore")  # what isn't finite fails, and needs no warning
def step_bars(problem: Problem, w1: Array, w2: Array) -> Row:
    """Run the lines of one step on error bars, from weights taken as exact.

    Args:
        problem: Gives x, y, lr, loss and dtype.
        w1: Weights, shape (N, n_h, n_x): all steps at once.
        w2: Weights, shape (N, n_y, n_h).

    Returns:
        Every quantity of a step by name, as a Bar in float64. That of the cross-entropy
        holds also for softplus(z2) - y z2, whose terms cancel.
    """
    dtype = problem.x.dtype
    lr_error = abs(float(dtype.type(problem.lr)) - problem.lr) / unit(dtype)
    x, y, w1, w2 = (a.astype(np.float64) for a in (problem.x, problem.y, w1, w2))
    row = SimpleNamespace(x=exact(x), w1=exact(w1), w2=exact(w2), y=y)
    row.lr = Bar(np.asarray(problem.lr), np.asarray(lr_error))
    row = chain(lines(problem.loss), row)
    if problem.loss == "bce":
        terms = ((1 + y) * abs(row.z2.value)).sum(axis=(-2, -1)) / y.shape[-1]
        row.loss = Bar(row.loss.value, row.loss.bar + terms)
    return row


def whole_bound(problem: Problem, quantity: str, bars: Row) -> Array:
    """Bound the error of a quantity of a step, by whatever correct formula it came.

    The gradient of softplus(z2) - y z2 may be formed as exp(z2 - softplus(z2)) - y. Its
    exponent rounds at |z2|, of which the bar of dz2, made for a2 - y, knows nothing; it
    is passed on to what is computed from dz2.

    Infinite where a sigmoid is off by more than what is of first order can say.
    """
    dtype, bar = problem.x.dtype, getattr(bars, quantity).bar
    backward = ("dw2", "dz1", "dw1")
    if problem.loss == "bce" and quantity in ("dz2", *backward):
        row = SimpleNamespace(x=abs(bars.x.value), w2=abs(bars.w2.value))
        row.a1, m = bars.a1.value, problem.y.shape[-1]
        row.dz2 = abs(bars.a2.value * bars.z2.value) / m
        passing = [line for line in lines("bce") if line.quantity in backward]
        bar = bar + getattr(chain(passing, row), quantity)
    bound: Array = FORMULAS * unit(dtype) * bar + float(np.finfo(dtype).tiny)
    if quantity not in ("z1", "z2"):
        bound[~linear(bars, dtype)] = np.inf
    return bound


def linear(bars: Row, dtype: np.dtype[np.floating]) -> npt.NDArray[np.bool_]:
    """Say in which steps z1 and z2 are known to 1, as what is of first order needs."""
    largest = (z.bar.max(axis=(-2, -1)) for z in (bars.z1, bars.z2))
    known: npt.NDArray[np.bool_] = unit(dtype) * np.maximum(*largest) <= 1
    return known


# A whole run, and two of them.


@dataclass(frozen=True, eq=False)
class Distance:
    """How far apart two runs may be at R recorded weights, and the trained ones.

    Attributes:
        weights: The 2-norm of the difference of all weights, (R + 1,).
        a2: The difference of each probability, (R + 1, n_y, m).
        loss: The difference of the loss, (R + 1,).
    """

    weights: Array
    a2: Array
    loss: Array


@dataclass(frozen=True, eq=False)
class Stretch:
    """What becomes of a distance between two runs, from each of R rows to the next.

    Attributes:
        matrix: What a small difference of the weights is multiplied by, (R, P, P).
        factor: A bound of its 2-norm, (R,).
        peak: The largest bound after any of the steps, (R,).
        budget: How much roundings add to a distance at worst, (R,); inf once it is past
            1, where what is of first order says nothing.
        variance: How much independent ones add to its square, (R,).
        reached: The weights that follow from those of each row.
    """

    matrix: Array
    factor: Array
    peak: Array
    budget: Array
    variance: Array
    reached: Weights[Array]


@dataclass(frozen=True, eq=False)
class Drift:
    """How far apart correct runs may be, and how far they usually are.

    Attributes:
        budget: D, a bound: every rounding as bad as it can be, and all in line. Of
            weights it is inf where it may have passed 1 between two recorded steps.
        typical: R, an estimate: every rounding uniform within its bar, and independent.
            Two runs that share most of their bias stay below it. It decides nothing.
        apart: D from each recorded weights to the next alone, (R,).
        reached: The weights that follow from each recorded ones, at the next.
    """

    budget: Distance
    typical: Distance
    apart: Array
    reached: Weights[Array]


def values(bars: Row) -> Row:
    """Take the numbers from between their error bars."""
    numbers = {name: getattr(bar, "value", bar) for name, bar in vars(bars).items()}
    return SimpleNamespace(**numbers)


def lots(steps: int, every: int) -> list[tuple[slice, int]]:
    """List rows to be looked at together, and how many steps each of them leads on."""
    full, rest = divmod(steps, every)
    starts = range(0, full, CHUNK)
    whole = [(slice(n, min(n + CHUNK, full)), every) for n in starts]
    return whole + ([(slice(full, full + 1), rest)] if rest else [])


def slopes(problem: Problem, row: Row) -> Array:
    """Differentiate a step, w to w - lr g(w): I - lr H, of the Hessian H: (R, P, P)."""
    h = hessian(row, problem.loss)
    j: Array = np.eye(h.shape[-1]) - problem.lr * h
    return j


def stretch(problem: Problem, weights: Weights[Array], steps: int) -> Stretch:
    """Follow each of R weights for so many steps, to first order.

    A step maps a distance D to |I - lr H| D + 2 e, and its variance V to
    |I - lr H|^2 V + 2 e^2 / 3, with e the 2-norm of the bar of an update; a third is
    the variance of a number uniform between -1 and 1.

    Args:
        problem: Gives x, y, lr, loss and dtype.
        weights: The recorded ones, the row as the first axis.
        steps: How many steps lead from each to the next.
    """
    matrix = np.eye(sum(w[0].size for w in weights))
    factor, peak, budget, variance = np.ones(1), np.ones(1), np.zeros(1), np.zeros(1)
    for _ in range(steps):
        bars = step_bars(problem, *weights)
        slope = slopes(problem, values(bars))
        norm = abs(np.linalg.eigvalsh(slope)).max(axis=-1)
        e = unit(problem.x.dtype) * _norm(bars.new_w1.bar, bars.new_w2.bar)
        e[~linear(bars, problem.x.dtype)] = np.inf
        matrix, factor = slope @ matrix, norm * factor
        peak = np.maximum(peak, factor)
        budget = norm * np.where(budget <= 1, budget, np.inf) + 2 * e
        variance = norm**2 * variance + 2 * e**2 / 3
        weights = Weights(bars.new_w1.value, bars.new_w2.value)
    return Stretch(matrix, factor, peak, budget, variance, weights)


def widen(ellipsoid: Array, radius: float) -> Array:
    """Enclose all sums of a point of an ellipsoid and one of a ball in an ellipsoid.

    An ellipsoid Q, shape (P, P), holds the points d with v.d <= sqrt(v.Q.v) for all v.
    Since (a + b)^2 <= (1 + p) a^2 + (1 + 1/p) b^2 for all p > 0, each of these holds
    the sums: (1 + p) Q + (1 + 1/p) r^2 I. Our p is that of the least trace (Kurzhanski
    and Valyi, "Ellipsoidal Calculus for Estimation and Control", 1997, part II).
    """
    size = len(ellipsoid)
    a, b = np.sqrt(ellipsoid.trace()), radius * np.sqrt(size)
    widened = ellipsoid * (1 + b / a) if a else np.zeros_like(ellipsoid)
    widened.flat[:: size + 1] += (1 + a / b) * radius**2 if b else 0
    return widened


@np.errstate(over="ignore", invalid="ignore")  # chaos has no bound, and inf says so
def drift(problem: Problem, bars: Row, every: int = 1) -> Drift:
    """Bound the distance of two correct runs near the weights that `bars` is of.

    The error analysis of a recurrence (Higham, section 3.1), to first order: what two
    runs are apart is stretched by a step, and the bars of both updates come on top. It
    is followed as a distance, for which only the norm of each step counts, and as an
    ellipsoid around the difference, which knows directions. D is the smaller.

    Args:
        problem: Gives x, y, lr, loss, dtype and the number of steps.
        bars: From `step_bars`, at the recorded weights and the trained ones.
        every: Each how many steps were recorded.
    """
    row = values(bars)
    budget, variance, apart, reached = [0.0], [0.0], [], []
    size = sum(w.size for w in problem.weights)
    ellipsoid: Array = np.zeros((size, size))
    for rows, steps in lots(problem.steps, every):
        part = stretch(problem, Weights(row.w1[rows], row.w2[rows]), steps)
        for n, matrix in enumerate(part.matrix):
            ellipsoid = widen(matrix @ ellipsoid @ matrix.T, part.budget[n])
            far = part.factor[n] * budget[-1] + part.budget[n]
            reach = np.fmin(far, np.sqrt(ellipsoid.trace()))
            past = steps > 1 and part.peak[n] * budget[-1] + part.budget[n] > 1
            budget.append(np.inf if past else reach)
            variance.append(part.factor[n] ** 2 * variance[-1] + part.variance[n])
        apart.append(part.budget)
        reached.append(part.reached)
    slope = row.a2 * (1 - row.a2) * np.linalg.norm(jacobian(row), axis=-1)
    descent = _norm(row.dw1, row.dw2)

    def distance(weights: Array) -> Distance:
        a2 = slope * weights[:, None, None] + 2 * whole_bound(problem, "a2", bars)
        loss = descent * weights + 2 * whole_bound(problem, "loss", bars)
        return Distance(weights, a2, loss)

    return Drift(
        distance(np.array(budget)),
        distance(np.sqrt(np.array(variance))),
        np.concatenate(apart),
        Weights(*map(np.concatenate, zip(*reached, strict=True))),
    )


@np.errstate(over="ignore")  # what is beyond all numbers is beyond all bounds
def _norm(w1: Array, w2: Array) -> Array:
    squares: Array = (w1**2).sum(axis=(-2, -1)) + (w2**2).sum(axis=(-2, -1))
    return np.sqrt(squares)
