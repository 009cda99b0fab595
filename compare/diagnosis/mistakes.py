"""Known mistakes, as formulas: what a line gives if it is computed wrongly.

A name describes the numbers, not their history: weights that are not updated and a step
that is recorded twice leave the same trace.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate, combinations
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import Line, Step, line_of, sigmoid
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import (
    line_bound,
    line_roundings,
    magnitude,
    oracle_factor,
)
from impls.interface import Array, Loss, Problem

ENOUGH = 3
"""In so many steps at least, a rounding must show in a number that is not 0."""
FEW = 10
"""Up to this many samples and hidden units are tried one by one and in pairs."""


class Failure(NamedTuple):
    """A line that failed, in the oracle's dtype; the step is the first axis."""

    problem: Problem
    line: Line
    step: Step[Array]  # the inputs of the line, as recorded
    found: Array
    value: Array  # the right value
    bound: Array  # how far `found` may be from it
    steps: npt.NDArray[np.bool_]  # whether it is farther, (N,)

    @property
    def u(self) -> float:
        """The unit roundoff of the problem's dtype."""
        return unit_roundoff(self.problem.x.dtype)


Formula: TypeAlias = Callable[[Failure], tuple[Array, Array]]
"""What a line gives if computed wrongly, and how far `found` may be from it. NaN where
the record is silent, as before the first step."""


class Mistake(NamedTuple):
    """A mistake as text, the quantities in which it occurs, and its formula."""

    words: str
    quantities: tuple[str, ...]
    formula: Formula


def by_step(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay out all elements of a step in a row."""
    return values.reshape(len(values), -1)


# Ways to compute a line wrongly.


def scaled(factor: Callable[[Step[Array]], Array]) -> Formula:
    """Multiply the right value; its roundings grow as much."""
    return lambda f: (f.value * factor(f.step), f.bound * abs(factor(f.step)))


def times(factor: npt.ArrayLike) -> Formula:
    """Multiply by numbers that are the same in every step."""
    return scaled(lambda _: np.asarray(factor))


def rearranged(move: Callable[[Array], Array]) -> Formula:
    """Put the right values in other places."""
    return lambda f: (move(f.value), move(f.bound))


def evaluated(
    f: Failure, line: Line, step: Step[Array], factor: float = 1
) -> tuple[Array, Array]:
    """Compute a line, with the bound that `checks.audit` gives it, and multiply."""
    value, dtype = line.value(step), f.problem.x.dtype
    bound = oracle_factor(dtype) * line_bound(line, f.problem, step, value, dtype)
    return value * factor, bound * factor


def from_inputs(
    change: Callable[[Array], Array], *names: str, factor: float = 1
) -> Formula:
    """Compute the right line with some of its inputs changed, and multiply."""

    def formula(f: Failure) -> tuple[Array, Array]:
        inputs = {name: change(getattr(f.step, name)) for name in names}
        return evaluated(f, f.line, replace(f.step, **inputs), factor)

    return formula


def through(kind: npt.DTypeLike) -> Callable[[Array], Array]:
    """Cast to a dtype, and back."""
    return lambda array: array.astype(kind).astype(array.dtype)


def other_loss(f: Failure) -> tuple[Array, Array]:
    """Compute the line of the other loss."""
    other: Loss = "mse" if f.problem.loss == "bce" else "bce"
    return evaluated(f, line_of(other, f.line.quantity), f.step)


def logarithms(epsilon: float) -> Formula:
    """Add epsilon to what the logarithms are taken of."""

    def formula(f: Failure) -> tuple[Array, Array]:
        y, a2 = f.step.y, f.step.a2
        logs = y * np.log(a2 + epsilon) + (1 - y) * np.log(1 - a2 + epsilon)
        return -logs.sum(axis=(-2, -1)) / y.shape[-1], f.bound

    return formula


def activation(function: Callable[[Array], Array]) -> Formula:
    """Put another function in place of a sigmoid; it may round numbers of size 1."""

    def formula(f: Failure) -> tuple[Array, Array]:
        value = function(getattr(f.step, f.line.inputs[0]))
        return value, f.bound + 6 * f.u * (1 + abs(value))

    return formula


def logits_twice(factor: float) -> Formula:
    """Give a2 to a loss of logits, which applies the sigmoid again."""

    def formula(f: Failure) -> tuple[Array, Array]:
        a2 = f.step.a2
        step = replace(f.step, z2=a2, a2=sigmoid(a2))
        value, bound = evaluated(f, f.line, step)
        if f.line.quantity == "dz2":  # of a2: the chain rule leads on to z2
            value = value * a2 * (1 - a2)
            bound = 20 * f.u * (abs(value) + a2 / a2.shape[-1])
        return value * factor, (bound + f.bound) * factor

    return formula


def adam(epsilon: float) -> Formula:
    """Update as Adam does, with its default decay rates.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015),
    algorithm 1. Each step rounds both averages four times, and an error lasts for 1 /
    (1 - beta) steps; the root halves that of the second.
    """
    beta1, beta2 = 0.9, 0.999

    def formula(f: Failure) -> tuple[Array, Array]:
        w, lr, dw = (getattr(f.step, name) for name in f.line.inputs)
        rate = lr / (np.sqrt(averaged(dw * dw, beta2)) + epsilon)
        size = rate * averaged(abs(dw), beta1)
        roundings = 4 / (1 - beta1) + 2 / (1 - beta2)
        return w - rate * averaged(dw, beta1), f.bound + roundings * f.u * size

    return formula


def averaged(values: Array, beta: float) -> Array:
    """Average over a step and those before it, with weights that decay by beta."""
    start = np.zeros_like(values[0])
    sums = accumulate(values, lambda a, b: beta * a + (1 - beta) * b, initial=start)
    weight = 1 - beta ** np.arange(1, len(values) + 1)
    mean: Array = np.array([*sums][1:]) / weight[:, None, None]
    return mean


# What the numbers that were found show by themselves.


def added_up(f: Failure) -> tuple[Array, Array]:
    """Add the gradient to that of the step before, as `.grad` does in PyTorch."""
    value = later(f.found) + f.value
    return value, f.bound + f.u * abs(value)


def repeated(f: Failure) -> tuple[Array, Array]:
    """Return the very numbers of the step before; the first step has none."""
    value, bound = later(f.found), np.zeros_like(f.bound)
    value[:1], bound[:1] = f.value[:1], -1
    return value, bound


def shifted_alike(f: Failure) -> tuple[Array, Array]:
    """Add a number to each unit, the same in all samples: what one sample shows."""
    shift = f.found - f.value
    nearest = np.take_along_axis(shift, f.bound.argmin(-1)[..., None], -1)
    rounding = f.bound.min(-1)[..., None] + 4 * f.u * (abs(f.value) + abs(nearest))
    return f.value + nearest, f.bound + rounding


def narrow(kind: type[np.floating]) -> Formula:
    """Compute in a narrower dtype: all results are numbers of that dtype."""
    u = unit_roundoff(np.dtype(kind))
    floor = float(np.finfo(kind).smallest_subnormal)

    def formula(f: Failure) -> tuple[Array, Array]:
        size = magnitude(f.line, f.step, f.value)
        bound = line_roundings(f.line, f.problem) * (u * size + floor)
        return _if(f, f.found.astype(kind) == f.found, bound, floor)

    return formula


def rounded(decimals: int) -> Formula:
    """Round to decimals: all results are round numbers."""
    half = 0.5 * 10.0**-decimals

    def formula(f: Failure) -> tuple[Array, Array]:
        error = abs(np.round(f.found, decimals) - f.found)
        return _if(f, error <= 2 * f.u * abs(f.found), f.bound + half, half)

    return formula


def _if(
    f: Failure, seen: npt.NDArray[np.bool_], bound: Array, smallest: float
) -> tuple[Array, Array]:
    """Explain nothing where no rounding shows.

    A zero shows none: it explains a value that would be rounded to 0, beside several
    wrong numbers that are not 0.
    """
    wrong = (abs(f.found - f.value) > f.bound) & (f.found != 0)
    shows = by_step(wrong).any(axis=1) & f.steps
    zero = (f.found == 0) & (abs(f.value) <= smallest)
    shown = seen & ((f.found != 0) | (f.value == 0) | zero)
    return f.value, np.where(shown & (shows.sum() >= ENOUGH), bound, -1)


def later(values: Array, by: Literal[1, -1] = 1) -> Array:
    """Put the values of each step one step later, or earlier; NaN if there are none."""
    moved = np.roll(values, by, axis=0)
    moved[0 if by == 1 else -1] = np.nan
    return moved


# The table.

UPDATES = ("new_w1", "new_w2")
LINES = ("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
OF_LOSS = ("loss", "dz2", "dw2", "dz1", "dw1")
"""The quantities that are divided as the loss is."""
TABLE = (
    Mistake("zero", LINES, times(0)),
    Mistake("the wrong sign", LINES, times(-1)),
    Mistake("stale by one step", LINES, rearranged(later)),
    Mistake("taken after the update", LINES, rearranged(lambda a: later(a, -1))),
    Mistake("transposed", ("dw1", "dw2"), rearranged(lambda a: a.mT)),
    Mistake("that of the other loss", ("loss", "dz2"), other_loss),
    Mistake(
        "sigmoid applied twice", ("a1", "a2"), activation(lambda z: sigmoid(sigmoid(z)))
    ),
    Mistake("no sigmoid", ("a1", "a2"), activation(lambda z: z)),
    Mistake("tanh, not sigmoid", ("a1", "a2"), activation(np.tanh)),
    Mistake("ReLU, not sigmoid", ("a1", "a2"), activation(lambda z: np.maximum(z, 0))),
    Mistake(
        "a1 (1 - a1) left out", ("dz1",), scaled(lambda s: 1 / (s.a1 * (1 - s.a1)))
    ),
    Mistake(
        "z1 (1 - z1), not a1 (1 - a1)",
        ("dz1",),
        scaled(lambda s: s.z1 * (1 - s.z1) / (s.a1 * (1 - s.a1))),
    ),
    Mistake(
        "w2 taken after its update",
        ("dz1",),
        lambda f: evaluated(f, f.line, replace(f.step, w2=f.step.new_w2)),
    ),
    Mistake("weights not updated", UPDATES, from_inputs(lambda lr: 0 * lr, "lr")),
    Mistake("gradient added, not subtracted", UPDATES, from_inputs(np.negative, "lr")),
    Mistake(
        "learning rate rounded to float32",
        UPDATES,
        from_inputs(through(np.float32), "lr"),
    ),
    Mistake("gradient of the step before", UPDATES, from_inputs(later, "dw1", "dw2")),
    Mistake(
        "the sign of the gradient, not the gradient",
        UPDATES,
        from_inputs(np.sign, "dw1", "dw2"),
    ),
    *(
        Mistake("Adam, not gradient descent", UPDATES, adam(epsilon))
        for epsilon in (1e-8, 1e-7)  # of PyTorch and Optax, and of Keras
    ),
)
CROSS_ENTROPY = (
    Mistake("loss of logits applied after a sigmoid", ("loss", "dz2"), logits_twice(1)),
    Mistake("log(a2) and log(1 - a2) of a2 as rounded", ("loss",), logarithms(0)),
    *(
        Mistake(f"1e-{k} added to a2 in its log", ("loss",), logarithms(10.0**-k))
        for k in range(4, 17)
    ),
)
SHOWN = (
    Mistake("the same as in the step before, as if it were cached", LINES, repeated),
    Mistake(
        "added to that of the step before: zero_grad is missing",
        ("dw1", "dw2"),
        added_up,
    ),
    *(
        Mistake(f"rounded to {k} decimals", LINES + UPDATES, rounded(k))
        for k in range(1, 13)
    ),
)


def known_mistakes(problem: Problem) -> Iterator[Mistake]:
    """List the mistakes that the right values and the sizes of a problem determine."""
    (n_y, n_h), m = problem.weights.w2.shape[-2:], problem.y.shape[-1]
    yield from TABLE
    yield from CROSS_ENTROPY if problem.loss == "bce" else ()
    yield from _factors(problem.loss, n_y, m)
    for weight, quantity in (("w1", "z1"), ("w2", "z2"), ("w2", "dz1")):
        rows, columns = getattr(problem.weights, weight).shape[-2:]
        if rows == columns:
            turned = from_inputs(lambda w: w.mT, weight)
            yield Mistake(f"{weight} transposed", (quantity,), turned)
        for kind in (np.float16, np.float32):
            words, read = f"{weight} read as {kind.__name__}", through(kind)
            yield Mistake(words, (quantity,), from_inputs(read, weight))
    if m <= FEW:
        yield from (e for k in range(m) for e in _missing(k, m))
        yield from (_labels(*pair, m) for pair in combinations(range(m), 2))
    if n_h <= FEW:
        yield from (e for p in combinations(range(n_h), 2) for e in _units(*p, n_h))


def shown_mistakes(problem: Problem) -> Iterator[Mistake]:
    """List the mistakes that the numbers which were found show by themselves."""
    yield from SHOWN
    for kind in (np.float16, np.float32):
        words = f"{kind.__name__} inside {problem.x.dtype}"
        yield Mistake(words, LINES + UPDATES, narrow(kind))
    if problem.x.shape[-1] > 1:
        words = "a bias is added, the same in every sample"
        yield Mistake(words, ("z1", "z2"), shifted_alike)


def _factors(loss: Loss, n_y: int, m: int) -> Iterator[Mistake]:
    """List factors; with two outputs, the mean over them is the name of 2 or 1/2."""
    others = tuple(q for q in LINES if n_y != 2 or q not in OF_LOSS)  # noqa: PLR2004
    yield Mistake("twice as large", others if loss == "mse" else LINES, times(2))
    yield Mistake("half as large", others if loss == "bce" else LINES, times(0.5))
    if m > 2:  # noqa: PLR2004 - otherwise 1/m is a half
        yield Mistake(f"m = {m} times: 1/m missing", LINES, times(m))
        yield Mistake(f"1/{m} times: 1/m twice", LINES, times(1 / m))
    if n_y > 1 and loss == "bce":
        words = f"1/{n_y} times: the mean over {n_y} outputs, too"
        yield Mistake(words, OF_LOSS, times(1 / n_y))
        words = "loss of logits applied after a sigmoid, and the mean over outputs, too"
        yield Mistake(words, ("loss", "dz2"), logits_twice(1 / n_y))
    elif n_y > 1:
        words = f"{n_y} times: the sum over {n_y} outputs, not the mean"
        yield Mistake(words, OF_LOSS, times(n_y))


def _missing(k: int, m: int) -> Iterator[Mistake]:
    """Leave out a sample; the mean is over all m, or over the others."""
    words, rest = f"sample {k} missing", np.arange(m) != k
    masked = from_inputs(lambda dz: dz * rest, "dz1", "dz2")
    yield Mistake(words, ("dw1", "dw2"), masked)
    for count in (m, m - 1) if m > 1 else ():
        yield Mistake(words, ("dz2",), times(rest * m / count))
        without = from_inputs(
            lambda a: a[..., rest], "y", "z2", "a2", factor=(m - 1) / count
        )
        yield Mistake(words, ("loss",), without)


def _labels(i: int, j: int, m: int) -> Mistake:
    words, swap = f"labels of samples {i} and {j} swapped", _swap(i, j, m)
    return Mistake(words, ("loss", "dz2"), from_inputs(lambda y: y[:, swap], "y"))


def _units(i: int, j: int, n_h: int) -> Iterator[Mistake]:
    words, swap = f"hidden units {i} and {j} swapped", _swap(i, j, n_h)
    rows = ("z1", "a1", "dz1", "dw1")
    yield Mistake(words, rows, rearranged(lambda a: a[:, swap]))
    yield Mistake(words, ("dw2",), rearranged(lambda a: a[..., swap]))


def _swap(i: int, j: int, n: int) -> list[int]:
    return [{i: j, j: i}.get(k, k) for k in range(n)]


# Explanations with a constant.

TERM = 4
"""Roundings of c d beside those of the right line: of c, d, the product and the sum."""
NAMELESS = ""
"""An explanation without a name, so that nothing is named where both fit: an added
constant does what a factor does, where the right value hardly changes."""


def fitted_mistakes(f: Failure) -> Iterator[Mistake]:
    """List the mistakes with a constant, which is read off the values."""
    quantities = (f.line.quantity,)
    for words, base, slope in _of_update(f) if f.line.quantity in UPDATES else _of(f):
        c = constant(f, base, slope)
        if c is not None:
            bound = f.bound * max(1, abs(c)) + TERM * f.u * abs(c * slope)
            formula = constantly(base + c * slope, bound)
            yield Mistake(words.format(c), quantities, formula)
    peak = abs(f.found[f.steps]).max()
    c = _shortest(peak * (1 - f.u), peak * (1 + f.u))
    if c is not None:
        formula = constantly(np.clip(f.value, -c, c), f.bound)
        yield Mistake(f"clipped at {c}", quantities, formula)


def constantly(value: Array, bound: Array) -> Formula:
    """Return numbers that are known already."""
    return lambda _: (value, bound)


def _of_update(f: Failure) -> Iterator[tuple[str, Array, Array]]:
    """Yield the text, b and d of a new weight b + c d."""
    w, _, dw = (getattr(f.step, name) for name in f.line.inputs)
    yield f"learning rate {{}}, not {f.problem.lr}", w, -dw
    yield "momentum {}", f.value, w - later(w)
    yield "weight decay {}", f.value, -f.step.lr * w
    yield NAMELESS, f.value, np.ones_like(f.value)


def _of(f: Failure) -> Iterator[tuple[str, Array, Array]]:
    """Yield the text, b and d of any other quantity b + c d."""
    yield "times {}", 0 * f.value, f.value
    yield NAMELESS, f.value, np.ones_like(f.value)
    places = (~(abs(f.found - f.value) <= f.bound)).any(axis=0)
    elsewhere = np.where(places, 0, f.value)
    if elsewhere.any():  # zeros elsewhere would be zeros times c, too
        words = ", ".join(map(str, np.argwhere(places).tolist()))
        yield f"times {{}} in {words} only", elsewhere, f.value - elsewhere
        yield NAMELESS, f.value, np.where(places, np.ones_like(f.value), 0)


def constant(f: Failure, base: Array, slope: Array) -> float | None:
    """Find the c with which `base + c * slope` is within bounds of what was found.

    The bounds are those of the right value, and of the roundings of `c * slope`.
    """
    base, slope, found, bound = (a[f.steps] for a in (base, slope, f.found, f.bound))
    guess, bar = (found - base) / slope, bound / abs(slope)
    finite = np.isfinite(guess) & np.isfinite(bar)
    if not finite.any():
        return None
    guess, bar = guess[finite], bar[finite]
    c = abs(guess[bar.argmin()])
    bar = bar * max(1, c) + TERM * f.u * c
    return _shortest((guess - bar).max(), (guess + bar).min())


def _shortest(low: float, high: float) -> float | None:
    """Return the number between two that has the fewest digits."""
    numbers = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 18))
    return next((c for c in numbers if low <= c <= high), None)
