"""Known mistakes, as formulas: what a line gives if it is computed wrongly.

A name describes the numbers, not their history: weights that are not updated and a step
that is recorded twice leave the same trace.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple, TypeAlias

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
from impls.interface import Array, Problem

SHOWN = 3
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


Formula: TypeAlias = Callable[[Failure], tuple[Array, Array]]
"""What a line gives if computed wrongly, and how far `found` may be from it. NaN where
the record is silent, as before the first step."""


@dataclass(frozen=True)
class Explanation:
    """A mistake as text, the quantities in which it occurs, and its formula."""

    words: str
    quantities: tuple[str, ...]
    formula: Formula
    spreads: bool = True
    """Whether the formula needs the right values alone, not what was found."""


# Ways to compute a line wrongly.


def scaled(factor: Callable[[Step[Array]], Array]) -> Formula:
    """Multiply the right value; its roundings grow as much."""
    return lambda f: (f.value * factor(f.step), f.bound * abs(factor(f.step)))


def times(factor: npt.ArrayLike) -> Formula:
    """Multiply by numbers that are the same in every step."""
    by = np.asarray(factor)
    return lambda f: (f.value * by, f.bound * abs(by))


def rearranged(move: Callable[[Array], Array]) -> Formula:
    """Put the right values in other places."""
    return lambda f: (move(f.value), move(f.bound))


def from_inputs(
    change: Callable[[Step[Array]], dict[str, Array]], factor: float = 1
) -> Formula:
    """Compute the right line from wrong inputs, and multiply."""

    def formula(f: Failure) -> tuple[Array, Array]:
        step = replace(f.step, **change(f.step))
        value = f.line.value(step)
        return value * factor, bound_of(f.problem, f.line, step, value) * factor

    return formula


def other_loss(f: Failure) -> tuple[Array, Array]:
    """Compute the line of the other loss."""
    line = line_of("mse" if f.problem.loss == "bce" else "bce", f.line.quantity)
    value = line.value(f.step)
    return value, bound_of(f.problem, line, f.step, value)


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
        (z,) = (getattr(f.step, name) for name in f.line.inputs)
        value = function(z)
        u = unit_roundoff(f.problem.x.dtype)
        return value, f.bound + 6 * u * (1 + abs(value))

    return formula


def logits_twice(factor: float) -> Formula:
    """Give a2 to a loss of logits, which applies the sigmoid again."""

    def formula(f: Failure) -> tuple[Array, Array]:
        loss, u = line_of("bce", "loss"), unit_roundoff(f.problem.x.dtype)
        step = replace(f.step, z2=f.step.a2, a2=sigmoid(f.step.a2))
        if f.line.quantity == "loss":
            value = loss.value(step)
            bound = bound_of(f.problem, loss, step, value)
        else:
            slope = line_of("bce", "dz2").value(step)
            value = slope * f.step.a2 * (1 - f.step.a2)
            bound = 20 * u * (abs(value) + f.step.a2 / f.problem.x.shape[-1])
        return value * factor, (bound + f.bound) * factor

    return formula


def added_up(f: Failure) -> tuple[Array, Array]:
    """Add the gradient to that of the step before, as `.grad` does in PyTorch."""
    value = _shifted(f.found, 1) + f.value
    u = unit_roundoff(f.problem.x.dtype)
    return value, f.bound + u * abs(value)


def repeated(f: Failure) -> tuple[Array, Array]:
    """Return the very numbers of the step before; the first step has none."""
    value = _shifted(f.found, 1)
    bound = np.zeros_like(f.bound)
    value[:1], bound[:1] = f.value[:1], -1
    return value, bound


def shifted_alike(f: Failure) -> tuple[Array, Array]:
    """Add a number to each unit, the same in all samples: what one sample shows."""
    shift = f.found - f.value
    nearest = np.take_along_axis(shift, f.bound.argmin(-1)[..., None], -1)
    added = f.bound.min(-1)[..., None]
    u = unit_roundoff(f.problem.x.dtype)
    bound = f.bound + added + 4 * u * (abs(f.value) + abs(nearest))
    return f.value + nearest, bound


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
        is_round = error <= 2 * unit_roundoff(f.problem.x.dtype) * abs(f.found)
        return _if(f, is_round, f.bound + half, half)

    return formula


def _if(
    f: Failure, seen: npt.NDArray[np.bool_], bound: Array, smallest: float
) -> tuple[Array, Array]:
    """Explain nothing where no rounding shows.

    A zero shows none: it explains a value that would be rounded to 0, beside several
    wrong numbers that are not 0.
    """
    wrong = (abs(f.found - f.value) > f.bound) & (f.found != 0)
    shows = wrong.reshape(len(wrong), -1).any(axis=1) & f.steps
    zero = (f.found == 0) & (abs(f.value) <= smallest)
    shown = seen & ((f.found != 0) | (f.value == 0) | zero)
    enough = shows.sum() >= SHOWN
    return f.value, np.where(shown & enough, bound, -1)


def _shifted(values: Array, by: int) -> Array:
    """Put the values of each step `by` steps later."""
    steps = np.arange(len(values)) - by
    inside = (steps >= 0) & (steps < len(values))
    shifted = np.full_like(values, np.nan)
    shifted[inside] = values[steps[inside]]
    return shifted


def bound_of(problem: Problem, line: Line, step: Step[Array], value: Array) -> Array:
    """Bound a line as `checks.audit` does."""
    dtype = problem.x.dtype
    return oracle_factor(dtype) * line_bound(line, problem, step, value, dtype)


# The table.

UPDATES = ("new_w1", "new_w2")
LINES = ("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
OF_LOSS = ("loss", "dz2", "dw2", "dz1", "dw1")
"""The quantities that are divided as the loss is."""
TABLE = tuple(
    Explanation(*row)
    for row in (
        ("zero", LINES, times(0)),
        ("the wrong sign", LINES, times(-1)),
        ("twice as large", LINES, times(2)),
        ("half as large", LINES, times(0.5)),
        ("stale by one step", LINES, rearranged(lambda a: _shifted(a, 1))),
        ("taken after the update", LINES, rearranged(lambda a: _shifted(a, -1))),
        ("transposed", ("dw1", "dw2"), rearranged(lambda a: a.mT)),
        ("that of the other loss", ("loss", "dz2"), other_loss),
        (
            "sigmoid applied twice",
            ("a1", "a2"),
            activation(lambda z: sigmoid(sigmoid(z))),
        ),
        ("no sigmoid", ("a1", "a2"), activation(lambda z: z)),
        ("tanh, not sigmoid", ("a1", "a2"), activation(np.tanh)),
        ("ReLU, not sigmoid", ("a1", "a2"), activation(lambda z: np.maximum(z, 0))),
        ("a1 (1 - a1) left out", ("dz1",), scaled(lambda s: 1 / (s.a1 * (1 - s.a1)))),
        (
            "z1 (1 - z1), not a1 (1 - a1)",
            ("dz1",),
            scaled(lambda s: s.z1 * (1 - s.z1) / (s.a1 * (1 - s.a1))),
        ),
        (
            "w2 taken after its update",
            ("dz1",),
            from_inputs(lambda s: {"w2": s.new_w2}),
        ),
        ("weights not updated", UPDATES, from_inputs(lambda s: {"lr": 0 * s.lr})),
        (
            "gradient added, not subtracted",
            UPDATES,
            from_inputs(lambda s: {"lr": -s.lr}),
        ),
        (
            "learning rate rounded to float32",
            UPDATES,
            from_inputs(lambda s: {"lr": s.lr.astype(np.float32).astype(s.lr.dtype)}),
        ),
        (
            "gradient of the step before",
            UPDATES,
            from_inputs(
                lambda s: {dw: _shifted(getattr(s, dw), 1) for dw in ("dw1", "dw2")}
            ),
        ),
    )
)
OF_FOUND = (
    Explanation(
        "the same as in the step before, as if it were cached",
        LINES,
        repeated,
        spreads=False,
    ),
    Explanation(
        "added to that of the step before: zero_grad is missing",
        ("dw1", "dw2"),
        added_up,
        spreads=False,
    ),
    *(
        Explanation(
            f"rounded to {k} decimals", LINES + UPDATES, rounded(k), spreads=False
        )
        for k in range(1, 13)
    ),
)
"""Mistakes that the numbers which were found show by themselves."""
CROSS_ENTROPY = (
    Explanation(
        "loss of logits applied after a sigmoid", ("loss", "dz2"), logits_twice(1)
    ),
    Explanation("log(a2) and log(1 - a2) of a2 as rounded", ("loss",), logarithms(0)),
    *(
        Explanation(f"1e-{k} added to a2 in its log", ("loss",), logarithms(10.0**-k))
        for k in range(4, 17)
    ),
)


def known_mistakes(problem: Problem) -> Iterator[Explanation]:
    """List the mistakes without a free constant, for the sizes of a problem."""
    other = {"bce": "half as large", "mse": "twice as large"}[problem.loss]
    for explanation in TABLE + OF_FOUND:
        if len(problem.y) == 2 and explanation.words == other:  # noqa: PLR2004
            others = tuple(q for q in LINES if q not in OF_LOSS)  # see `_outputs`
            yield replace(explanation, quantities=others)
        else:
            yield explanation
    yield from CROSS_ENTROPY if problem.loss == "bce" else ()
    for kind in (np.float16, np.float32):
        words = f"{kind.__name__} inside {problem.x.dtype}"
        yield Explanation(words, LINES + UPDATES, narrow(kind), spreads=False)
        yield from (_read(kind, *pair) for pair in (("w1", "z1"), ("w2", "z2")))
        yield _read(kind, "w2", "dz1")
    yield from _sizes(problem)


def _read(kind: type[np.floating], weight: str, quantity: str) -> Explanation:
    def change(s: Step[Array]) -> dict[str, Array]:
        w = getattr(s, weight)
        return {weight: w.astype(kind).astype(w.dtype)}

    words = f"{weight} read as {kind.__name__}"
    return Explanation(words, (quantity,), from_inputs(change))


def _turned(weight: str, quantity: str) -> Explanation:
    def change(s: Step[Array]) -> dict[str, Array]:
        return {weight: getattr(s, weight).mT}

    return Explanation(f"{weight} transposed", (quantity,), from_inputs(change))


def _sizes(problem: Problem) -> Iterator[Explanation]:
    """List the mistakes that depend on the sizes of a problem."""
    (n_h, n_x), (n_y, m) = problem.weights.w1.shape[-2:], problem.y.shape
    if n_h == n_x:
        yield _turned("w1", "z1")
    if n_y == n_h:
        yield from (_turned("w2", quantity) for quantity in ("z2", "dz1"))
    if m > 1:
        words = "a bias is added, the same in every sample"
        yield Explanation(words, ("z1", "z2"), shifted_alike, spreads=False)
    if n_y > 1:
        yield from _outputs(problem, n_y)
    if m > 2:  # noqa: PLR2004 - otherwise 1/m has a name of its own
        yield Explanation(f"m = {m} times: 1/m missing", LINES, times(m))
        yield Explanation(f"1/{m} times: 1/m twice", LINES, times(1 / m))
    if m <= FEW:
        yield from (e for k in range(m) for e in _missing(k, m))
        yield from (_labels(*pair, m) for pair in combinations(range(m), 2))
    if n_h <= FEW:
        yield from (e for p in combinations(range(n_h), 2) for e in _units(*p, n_h))


def _outputs(problem: Problem, n_y: int) -> Iterator[Explanation]:
    """Take a mean over outputs, or forget it; with two it is twice or half as large."""
    if problem.loss == "bce":
        words = f"1/{n_y} times: the mean over {n_y} outputs, too"
        yield Explanation(words, OF_LOSS, times(1 / n_y))
        words = "loss of logits applied after a sigmoid, and the mean over outputs, too"
        yield Explanation(words, ("loss", "dz2"), logits_twice(1 / n_y))
    else:
        words = f"{n_y} times: the sum over {n_y} outputs, not the mean"
        yield Explanation(words, OF_LOSS, times(n_y))


def _missing(k: int, m: int) -> Iterator[Explanation]:
    """Leave out a sample; the mean is over all m, or over the others."""
    words, rest = f"sample {k} missing", np.arange(m) != k

    def without(r: Step[Array]) -> dict[str, Array]:
        return {name: getattr(r, name)[..., rest] for name in ("y", "z2", "a2")}

    def masked(r: Step[Array]) -> dict[str, Array]:
        return {"dz1": r.dz1 * rest, "dz2": r.dz2 * rest}

    yield Explanation(words, ("dw1", "dw2"), from_inputs(masked))
    for count in (m, m - 1) if m > 1 else ():
        yield Explanation(words, ("dz2",), times(rest * m / count))
        yield Explanation(words, ("loss",), from_inputs(without, (m - 1) / count))


def _labels(i: int, j: int, m: int) -> Explanation:
    def change(r: Step[Array]) -> dict[str, Array]:
        return {"y": r.y[:, _swap(i, j, m)]}

    words = f"labels of samples {i} and {j} swapped"
    return Explanation(words, ("loss", "dz2"), from_inputs(change))


def _units(i: int, j: int, n_h: int) -> Iterator[Explanation]:
    words, swap = f"hidden units {i} and {j} swapped", _swap(i, j, n_h)
    rows = ("z1", "a1", "dz1", "dw1")
    yield Explanation(words, rows, rearranged(lambda a: a[:, swap]))
    yield Explanation(words, ("dw2",), rearranged(lambda a: a[..., swap]))


def _swap(i: int, j: int, n: int) -> list[int]:
    return [{i: j, j: i}.get(k, k) for k in range(n)]


# Explanations with a constant.

NAMELESS = ""
"""An explanation without a name, so that nothing is named where both fit: an added
constant does what a factor does, where the right value hardly changes."""


def fitted_mistakes(f: Failure) -> Iterator[Explanation]:
    """List the mistakes with a constant, which is read off the values."""
    for words, base, slope in _of_update(f) if f.line.quantity in UPDATES else _of(f):
        c = _constant(f, base, slope)
        if c is not None:
            formula = constantly(base + c * slope, f.bound * max(1, abs(c)))
            yield Explanation(words.format(c), (f.line.quantity,), formula)
    u, peak = unit_roundoff(f.problem.x.dtype), abs(f.found[f.steps]).max()
    c = _shortest(peak * (1 - u), peak * (1 + u))
    if c is not None:
        formula = constantly(np.clip(f.value, -c, c), f.bound)
        yield Explanation(f"clipped at {c}", LINES + UPDATES, formula)


def constantly(value: Array, bound: Array) -> Formula:
    """Return numbers that are known already."""
    return lambda _: (value, bound)


def _of_update(f: Failure) -> Iterator[tuple[str, Array, Array]]:
    """Yield the text, b and d of a new weight b + c d."""
    w, dw = {
        "new_w1": (f.step.w1, f.step.dw1),
        "new_w2": (f.step.w2, f.step.dw2),
    }[f.line.quantity]
    yield f"learning rate {{}}, not {f.problem.lr}", w, -dw
    yield "momentum {}", f.value, w - _shifted(w, 1)
    yield "weight decay {}", f.value, -f.step.lr * w
    yield NAMELESS, f.value, np.ones_like(f.value)


def _of(f: Failure) -> Iterator[tuple[str, Array, Array]]:
    """Yield the text, b and d of any other quantity b + c d."""
    yield "times {}", 0 * f.value, f.value
    yield NAMELESS, f.value, np.ones_like(f.value)
    places = (~(abs(f.found - f.value) <= f.bound)).any(axis=0)
    elsewhere = np.broadcast_to(~places, f.value.shape)
    if f.value[elsewhere].any():  # zeros elsewhere would be zeros times c, too
        words = ", ".join(map(str, np.argwhere(places).tolist()))
        slope = np.where(places, f.value, 0)
        yield f"times {{}} in {words} only", f.value - slope, slope
        yield NAMELESS, f.value, np.where(places, np.ones_like(f.value), 0)


def _constant(f: Failure, base: Array, slope: Array) -> float | None:
    """Find the c with which `base + c * slope` is within bounds of what was found."""
    base, slope, found, bound = (a[f.steps] for a in (base, slope, f.found, f.bound))
    guess, bar = (found - base) / slope, bound / abs(slope)
    finite = np.isfinite(guess) & np.isfinite(bar)
    if not finite.any():
        return None
    guess, bar = guess[finite], bar[finite]
    bar = bar * max(1, abs(guess[bar.argmin()]))
    return _shortest((guess - bar).max(), (guess + bar).min())


def _shortest(low: float, high: float) -> float | None:
    """Return the number between two that has the fewest digits."""
    numbers = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 18))
    return next((c for c in numbers if low <= c <= high), None)
