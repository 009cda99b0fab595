"""How far a correct floating-point line, step and run may be from the mathematics.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), chapters 2 and 3. In the model of its section 2.2, each operation gives
its exact result times 1 + d with |d| <= u, the unit roundoff: 2^-53 for float64, 2^-24
for float32. Bounds are of first order in u and, until the last moment, in units of u.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from compare.errorbars import Bar, exact
from compare.hessian import hessian, jacobian
from compare.lines import Line, Number, Row, chain, cross_entropy, lines, softplus
from impls.interface import Array, Problem, Weights

CHUNK = 500
"""Steps whose Hessians are in memory at once."""

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
    "z2": lambda r: r.a1.shape[-2],
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


# One step, from its weights.


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
    """
    dtype, bar = problem.x.dtype, getattr(bars, quantity).bar
    backward = ("dw2", "dz1", "dw1")
    if problem.loss == "bce" and quantity in ("dz2", *backward):
        row = SimpleNamespace(x=abs(bars.x.value), w2=abs(bars.w2.value))
        row.a1, m = bars.a1.value, problem.y.shape[-1]
        row.dz2 = abs(bars.a2.value * bars.z2.value) / m
        after = [
            line for line in lines("bce") if line.quantity in ("dw2", "dz1", "dw1")
        ]
        bar = bar + getattr(chain(after, row), quantity)
    bound: Array = FORMULAS * unit(dtype) * bar + float(np.finfo(dtype).tiny)
    return bound


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
    """The steps that lead from each recorded weights to the next: K, or what is left.

    Attributes:
        factor: What a distance is multiplied by in the k-th of them, (K, R + 1).
        error: The 2-norm of the bar of its update, (K, R + 1).
        budget: How far apart they can put two runs, (R + 1,); inf once that passed 1.
        reached: The weights that they lead to.
    """

    factor: Array
    error: Array
    budget: Array
    reached: Weights[Array]


@dataclass(frozen=True, eq=False)
class Drift:
    """How far apart correct runs may be, and how far they usually are.

    Attributes:
        budget: D, a bound: every rounding as bad as it can be, and all in line. Of
            weights it is never 1 or less after it was more, be that between two rows.
        typical: R, an estimate: every rounding uniform within its bar, and independent.
            Two runs that share most of their bias stay below it. It decides nothing.
        between: From each recorded weights to the next.
    """

    budget: Distance
    typical: Distance
    between: Stretch


def growth(problem: Problem, row: Row) -> Array:
    """Bound how much a step stretches distances: |I - lr H|_2, shape (N,).

    A step maps w to w - lr g(w), whose derivative is I - lr H with the Hessian H.
    """
    stretched = []
    for n in range(0, len(row.a2), CHUNK):
        part = SimpleNamespace(x=row.x, y=row.y)
        for name in ("w2", "a1", "a2", "dz2"):
            setattr(part, name, getattr(row, name)[n : n + CHUNK])
        eigenvalues = np.linalg.eigvalsh(hessian(part, problem.loss))
        stretched.append(abs(1 - problem.lr * eigenvalues).max(axis=-1))
    return np.concatenate(stretched)


def values(bars: Row) -> Row:
    """Take the numbers from between their error bars."""
    numbers = {name: getattr(bar, "value", bar) for name, bar in vars(bars).items()}
    return SimpleNamespace(**numbers)


def stretch(problem: Problem, bars: Row, every: int) -> Stretch:
    """Follow each recorded weights for as many steps as were left unrecorded.

    Args:
        problem: Gives lr, loss, dtype and the number of steps.
        bars: From `step_bars`, at the recorded weights and the trained ones.
        every: Each how many steps were recorded.
    """
    reached = Weights(bars.w1.value, bars.w2.value)
    left = np.clip(problem.steps - every * np.arange(len(reached.w1)), 0, every)
    budget, factors, errors = np.zeros(len(left)), [], []
    for done in range(left.max()):
        bars = step_bars(problem, *reached) if done else bars
        going = done < left
        e = unit(problem.x.dtype) * _norm(bars.new_w1.bar, bars.new_w2.bar)
        factors.append(np.where(going, growth(problem, values(bars)), 1))
        errors.append(np.where(going, e, 0))
        budget = factors[-1] * np.where(budget <= 1, budget, np.inf) + 2 * errors[-1]
        new, goes = (bars.new_w1.value, bars.new_w2.value), going[:, None, None]
        steps = zip(new, reached, strict=True)
        reached = Weights(*(np.where(goes, after, before) for after, before in steps))
    return Stretch(np.array(factors), np.array(errors), budget, reached)


def drift(problem: Problem, bars: Row, every: int = 1) -> Drift:
    """Bound the distance of two correct runs near the weights that `bars` is of.

    The error analysis of a recurrence (Higham, section 3.1), to first order: a step
    maps a distance D to |I - lr H| D + 2 e, and its square's variance V to
    |I - lr H|^2 V + 2 e^2 / 3, with e the 2-norm of the bar of an update; a third is
    the variance of a number uniform between -1 and 1.

    Args:
        problem: Gives lr, loss, dtype and the number of steps.
        bars: From `step_bars`, at the recorded weights and the trained ones.
        every: Each how many steps were recorded.
    """
    u = unit(problem.x.dtype)
    row = values(bars)
    between = stretch(problem, bars, every)
    factor, e = (steps.T.ravel() for steps in (between.factor, between.error))
    budget, variance = (np.zeros_like(e) for _ in range(2))
    with np.errstate(over="ignore"):  # chaos has no bound, and inf says so
        for n in range(len(e) - 1):
            budget[n + 1] = factor[n] * budget[n] + 2 * e[n]
            variance[n + 1] = factor[n] ** 2 * variance[n] + 2 * e[n] ** 2 / 3
    recorded = slice(None, None, len(between.factor))
    known = np.logical_and.accumulate(budget <= 1) | (budget > 1)
    slope = row.a2 * (1 - row.a2) * np.linalg.norm(jacobian(row), axis=-1)
    descent = _norm(row.dw1, row.dw2)

    @np.errstate(invalid="ignore")  # 0 times inf, of what has no bound anyway
    def distance(weights: Array) -> Distance:
        a2 = slope * weights[:, None, None] + 2 * FORMULAS * u * bars.a2.bar
        loss = descent * weights + 2 * FORMULAS * u * bars.loss.bar
        return Distance(weights, a2, loss)

    budget = np.where(known, budget, np.inf)
    return Drift(
        distance(budget[recorded]), distance(np.sqrt(variance[recorded])), between
    )


def _norm(w1: Array, w2: Array) -> Array:
    squares: Array = (w1**2).sum(axis=(-2, -1)) + (w2**2).sum(axis=(-2, -1))
    return np.sqrt(squares)
