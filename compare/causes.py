"""The name of a mistake: known explanations, tried against the exact values.

An explanation is another formula for the line that failed, or another origin of the
first weights. It is named if it gives every failing step within bounds, if those are
several, and if it is the only one; otherwise the cause is unknown. A name says what the
numbers show, and not what somebody meant: weights left as they are and a step recorded
twice leave the same trace.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from types import SimpleNamespace
from typing import NamedTuple, TypeAlias

import numpy as np

from compare.audit import fits, layout, oracle_dtype, recorded
from compare.bounds import line_bound, unit
from compare.checks import Check
from compare.lines import Line, Number, Row, lines
from compare.problems import seeded_weights
from impls.interface import Array, Problem, Trace, Weights

STEPS = 3
"""Several: fewer failing steps than this are not explained."""
CLEAR = 10.0
"""A failure of fewer bounds is no evidence: noise near the bound fits many formulas."""
CHANCE = 1e-6
"""How likely it may be that noise, as large as the failure, fits an explanation."""
FEW = 10
"""Samples and hidden units are tried one by one, and in pairs, up to this many."""
SEEDS = 1000
"""First weights are looked for among those of the seeds below this."""


class Failure(NamedTuple):
    """A line that failed, in the oracle's dtype; the step is the first axis."""

    problem: Problem
    line: Line
    row: Row  # the inputs of the line, as recorded
    found: Number
    value: Number  # what should have been found
    bound: Number  # how far from `value` it may be
    steps: Number  # where it is not, (N,)


Formula: TypeAlias = Callable[[Failure], tuple[Number, Number]]
"""What a line gives if done wrong, and how far `found` may be from it. NaN where the
record doesn't tell, as for what came before the first step."""


@dataclass(frozen=True)
class Explanation:
    """A mistake in plain words, the quantities it is made in, and its formula."""

    words: str
    quantities: tuple[str, ...]
    formula: Formula


# Ways to do a line wrong.


def scaled(factor: Callable[[Row], Number]) -> Formula:
    """Multiply the right value; its roundings grow as much."""
    return lambda f: (f.value * factor(f.row), f.bound * abs(factor(f.row)))


def times(factor: Number) -> Formula:
    """Multiply by numbers that are the same in every step."""
    return scaled(lambda _: factor)


def moved(move: Callable[[Number], Number]) -> Formula:
    """Put the right values in other places."""
    return lambda f: (move(f.value), move(f.bound))


def given(change: Callable[[Row], dict[str, Number]], factor: float = 1) -> Formula:
    """Compute the right line from wrong inputs, and multiply."""

    def formula(f: Failure) -> tuple[Number, Number]:
        row = SimpleNamespace(**vars(f.row) | change(f.row))
        value = f.line.value(row)
        return value * factor, _bound(f.problem, f.line, row, value) * factor

    return formula


def other_loss(f: Failure) -> tuple[Number, Number]:
    """Compute the line as it is under the other loss."""
    named = lines("mse" if f.problem.loss == "bce" else "bce")
    (line,) = (line for line in named if line.quantity == f.line.quantity)
    value = line.value(f.row)
    return value, _bound(f.problem, line, f.row, value)


def logarithms(epsilon: float) -> Formula:
    """Add epsilon to what the logarithms are taken of."""

    def formula(f: Failure) -> tuple[Number, Number]:
        y, a2 = f.row.y, f.row.a2
        logs = y * np.log(a2 + epsilon) + (1 - y) * np.log(1 - a2 + epsilon)
        return -logs.sum(axis=(-2, -1)) / y.shape[-1], f.bound

    return formula


def narrow(kind: type[np.floating]) -> Formula:
    """Compute in a narrower dtype, and so find nothing but its numbers."""

    def formula(f: Failure) -> tuple[Number, Number]:
        floor = np.finfo(kind).smallest_subnormal - np.finfo(kind).tiny
        bound = line_bound(f.line, f.row, f.value, np.dtype(kind)) + floor
        return _if(f, f.found.astype(kind) == f.found, bound)

    return formula


def rounded(decimals: int) -> Formula:
    """Round to decimals, and so find nothing but round numbers."""

    def formula(f: Failure) -> tuple[Number, Number]:
        error = abs(np.round(f.found, decimals) - f.found)
        is_round = error <= 2 * unit(f.problem.x.dtype) * abs(f.found)
        return _if(f, is_round, f.bound + 0.5 * 10.0**-decimals)

    return formula


def _if(f: Failure, seen: Number, bound: Number) -> tuple[Number, Number]:
    """Explain nothing where no rounding is seen: a zero shows none, unless right."""
    seen &= (f.found != 0) | (f.value == 0)
    return f.value, np.where(seen, bound, -1)


def _shifted(values: Number, by: int) -> Number:
    """Put the values of each step `by` steps later."""
    steps = np.arange(len(values)) - by
    inside = (steps >= 0) & (steps < len(values))
    shifted = np.full_like(values, np.nan)
    shifted[inside] = values[steps[inside]]
    return shifted


def _bound(problem: Problem, line: Line, row: Row, value: Number) -> Number:
    """Bound a line as `compare.audit` does."""
    dtype = problem.x.dtype
    wider = np.finfo(oracle_dtype(dtype)).eps < np.finfo(dtype).eps
    return (1 if wider else 2) * line_bound(line, row, value, dtype)


# The table.

UPDATES = ("new_w1", "new_w2")
LINES = ("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
_TABLE: tuple[tuple[str, tuple[str, ...], Formula], ...] = (
    ("zero", LINES, times(0)),
    ("the wrong sign", LINES, times(-1)),
    ("twice as large", LINES, times(2)),
    ("half as large", LINES, times(0.5)),
    ("stale by one step", LINES, moved(lambda a: _shifted(a, 1))),
    ("taken after the update", LINES, moved(lambda a: _shifted(a, -1))),
    ("transposed", ("dw1", "dw2"), moved(lambda a: a.mT)),
    ("that of the other loss", ("loss", "dz2"), other_loss),
    *((f"rounded to {k} decimals", LINES, rounded(k)) for k in range(1, 13)),
    ("a1 (1 - a1) left out", ("dz1",), scaled(lambda r: 1 / (r.a1 * (1 - r.a1)))),
    (
        "z1 (1 - z1), not a1 (1 - a1)",
        ("dz1",),
        scaled(lambda r: r.z1 * (1 - r.z1) / (r.a1 * (1 - r.a1))),
    ),
    ("w2 taken after its update", ("dz1",), given(lambda r: {"w2": r.new_w2})),
    ("weights not updated", UPDATES, given(lambda r: {"lr": 0 * r.lr})),
    ("gradient added, not subtracted", UPDATES, given(lambda r: {"lr": -r.lr})),
    (
        "learning rate rounded to float32",
        UPDATES,
        given(lambda r: {"lr": r.lr.astype(np.float32).astype(r.lr.dtype)}),
    ),
    (
        "gradient of the step before",
        UPDATES,
        given(lambda r: {dw: _shifted(getattr(r, dw), 1) for dw in ("dw1", "dw2")}),
    ),
)
TABLE = tuple(Explanation(*row) for row in _TABLE)
CROSS_ENTROPY = (
    Explanation("log(a2) and log(1 - a2) of a2 as rounded", ("loss",), logarithms(0)),
    *(
        Explanation(f"1e-{k} added to a2 in its log", ("loss",), logarithms(10.0**-k))
        for k in range(4, 17)
    ),
)


def known(problem: Problem) -> Iterator[Explanation]:
    """List the explanations that have no free constant, for the sizes of a problem."""
    yield from TABLE
    yield from CROSS_ENTROPY if problem.loss == "bce" else ()
    for kind in (np.float16, np.float32):
        words = f"{kind.__name__} inside {problem.x.dtype}"
        yield Explanation(words, LINES + UPDATES, narrow(kind))
    m, n_h = problem.x.shape[-1], len(problem.weights.w1)
    if m > 2:  # noqa: PLR2004 - otherwise 1/m has a name of its own
        yield Explanation(f"m = {m} times: 1/m missing", LINES, times(m))
        yield Explanation(f"1/{m} times: 1/m twice", LINES, times(1 / m))
    if m <= FEW:
        yield from (e for k in range(m) for e in _missing(k, m))
        yield from (_labels(*pair, m) for pair in combinations(range(m), 2))
    if n_h <= FEW:
        yield from (e for p in combinations(range(n_h), 2) for e in _units(*p, n_h))


def _missing(k: int, m: int) -> Iterator[Explanation]:
    """Leave out a sample; the mean is over all m, or over the others."""
    words, rest = f"sample {k} missing", np.arange(m) != k

    def without(r: Row) -> dict[str, Number]:
        return {name: getattr(r, name)[..., rest] for name in ("y", "z2", "a2")}

    def masked(r: Row) -> dict[str, Number]:
        return {"dz1": r.dz1 * rest, "dz2": r.dz2 * rest}

    yield Explanation(words, ("dw1", "dw2"), given(masked))
    for count in (m, m - 1) if m > 1 else ():
        yield Explanation(words, ("dz2",), times(rest * m / count))
        yield Explanation(words, ("loss",), given(without, (m - 1) / count))


def _labels(i: int, j: int, m: int) -> Explanation:
    def change(r: Row) -> dict[str, Number]:
        return {"y": r.y[:, _swap(i, j, m)]}

    words = f"labels of samples {i} and {j} swapped"
    return Explanation(words, ("loss", "dz2"), given(change))


def _units(i: int, j: int, n_h: int) -> Iterator[Explanation]:
    words, swap = f"hidden units {i} and {j} swapped", _swap(i, j, n_h)
    rows = ("z1", "a1", "dz1", "dw1")
    yield Explanation(words, rows, moved(lambda a: a[:, swap]))
    yield Explanation(words, ("dw2",), moved(lambda a: a[..., swap]))


def _swap(i: int, j: int, n: int) -> list[int]:
    return [{i: j, j: i}.get(k, k) for k in range(n)]


# Explanations with a constant.

NAMELESS = ""
"""A rival: a term does what a factor does, where the right value hardly changes."""


def fitted(f: Failure) -> Iterator[Explanation]:
    """List the explanations with a constant that is read off the values."""
    for words, base, slope in _of_update(f) if f.line.quantity in UPDATES else _of(f):
        c = _constant(f, base, slope)
        if c is not None:
            formula = _always(base + c * slope, f.bound * max(1, abs(c)))
            yield Explanation(words.format(c), (f.line.quantity,), formula)
    u, peak = unit(f.problem.x.dtype), abs(f.found[f.steps]).max()
    c = _shortest(peak * (1 - u), peak * (1 + u))
    if c is not None:
        formula = _always(np.clip(f.value, -c, c), f.bound)
        yield Explanation(f"clipped at {c}", LINES, formula)


def _always(value: Number, bound: Number) -> Formula:
    return lambda _: (value, bound)


def _of_update(f: Failure) -> Iterator[tuple[str, Number, Number]]:
    """Give words, b and d of a new weight b + c d."""
    name = f.line.quantity.removeprefix("new_")
    w, dw = getattr(f.row, name), getattr(f.row, f"d{name}")
    yield f"learning rate {{}}, not {f.problem.lr}", w, -dw
    yield "momentum {}", f.value, w - _shifted(w, 1)
    yield "weight decay {}", f.value, -f.row.lr * w
    yield NAMELESS, f.value, np.ones_like(f.value)


def _of(f: Failure) -> Iterator[tuple[str, Number, Number]]:
    """Give words, b and d of any other quantity b + c d."""
    yield "times {}", 0 * f.value, f.value
    yield NAMELESS, f.value, np.ones_like(f.value)
    places = (~(abs(f.found - f.value) <= f.bound)).any(axis=0)
    if not places.all():
        words = ", ".join(map(str, np.argwhere(places).tolist()))
        slope = np.where(places, f.value, 0)
        yield f"times {{}} in {words} only", f.value - slope, slope
        yield NAMELESS, f.value, np.where(places, np.ones_like(f.value), 0)


def _constant(f: Failure, base: Number, slope: Number) -> float | None:
    """Find the c with which `base + c * slope` is within bounds of what was found."""
    base, slope, found, bound = (a[f.steps] for a in (base, slope, f.found, f.bound))
    guess, bar = (found - base) / slope, bound / abs(slope)
    told = np.isfinite(guess) & np.isfinite(bar)
    if not told.any():
        return None
    guess, bar = guess[told], bar[told]
    bar = bar * max(1, abs(guess[bar.argmin()]))
    return _shortest((guess - bar).max(), (guess + bar).min())


def _shortest(low: float, high: float) -> float | None:
    """Give the number between two that has the fewest digits."""
    numbers = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 18))
    return next((c for c in numbers if low <= c <= high), None)


# The trial.


def name_cause(problem: Problem, trace: Trace, check: Check) -> str | None:
    """Name the mistake behind a failed check, if one can be named, in plain words.

    Args:
        problem: What was to be trained.
        trace: What was recorded by the subject of the check.
        check: The first difference of a verdict. Of a pair of runs nothing is known.
    """
    with np.errstate(all="ignore"):  # what isn't finite explains nothing
        if check.kind == "continuity":
            return _only(set(_broken(problem, trace, check.quantity)))
        if check.kind == "audit" and fits(problem, trace):
            for line in lines(problem.loss):
                if line.quantity == check.quantity:
                    return _named(_failure(problem, trace, line))
    return None


def _failure(problem: Problem, trace: Trace, line: Line) -> Failure:
    row = recorded(problem, trace, oracle_dtype(problem.x.dtype))
    found, value = getattr(row, line.quantity), line.value(row)
    bound = _bound(problem, line, row, value)
    steps = ~_of_step(abs(found - value) <= bound).all(axis=1)
    return Failure(problem, line, row, found, value, bound, steps)


def _named(f: Failure) -> str | None:
    """Try constants last: one of them fits wherever a formula without them does."""
    for explanations in (known(f.problem), fitted(f)) if f.steps.any() else ():
        of_line = [e for e in explanations if f.line.quantity in e.quantities]
        if names := {e.words for e in of_line if explains(e, f)}:
            return _only(names)
    return None


def _only(names: set[str]) -> str | None:
    return names.pop() or None if len(names) == 1 else None


def explains(explanation: Explanation, f: Failure) -> bool:
    """Say whether an explanation surely gives all failing steps that it speaks of."""
    value, bound = explanation.formula(f)
    if value.shape != f.found.shape:  # as a transpose may have
        return False
    finite = np.isfinite(value.astype(f.problem.x.dtype)) & np.isfinite(bound)
    spoken = f.steps & _of_step(finite).all(axis=1)
    within = _of_step(abs(f.found - value) <= bound).all(axis=1)
    return bool(within[spoken].all()) and _sure(f, spoken)


def _sure(f: Failure, steps: Number) -> bool:
    """Say whether these failures are too many and too large for chance.

    Noise as large as a failure falls within a bound with a chance of about bound /
    failure. One step doesn't count: it may have given the constant.
    """
    use = _of_step(abs(f.found - f.value) / f.bound).max(axis=1)[steps]
    digits = np.log10(use[(use > CLEAR) & np.isfinite(use)])
    if len(digits) < STEPS:
        return False
    return bool(digits.sum() - digits.max() >= -np.log10(CHANCE))


def _of_step(values: Number) -> Number:
    """Lay out all elements of a step in a row."""
    return values.reshape(len(values), -1)


# The record. Here nothing is within a bound: numbers and shapes are the same.


def _broken(problem: Problem, trace: Trace, quantity: str) -> Iterator[str]:
    """Give the explanations of a failed check of continuity."""
    shapes, dtype = layout(problem), problem.x.dtype
    if fits(problem, trace):
        about_start = quantity.startswith("first ")
        yield from (
            _start(problem, trace)
            if about_start
            else _made_here(problem, trace, quantity)
        )
    elif quantity in shapes:
        shape, found = shapes[quantity], getattr(trace, quantity)
        if found.shape == shape:
            yield f"{found.dtype} in place of {dtype}"
        elif found.shape == tuple(n for n in shape if n > 1):
            yield "axes of length 1 dropped"
        for k in range(1, problem.steps):
            fewer = {name: (n - k, *rest) for name, (n, *rest) in shapes.items()}
            if all(getattr(trace, name).shape == fewer[name] for name in fewer):
                yield f"{k} of {problem.steps} steps missing"


def _made_here(problem: Problem, trace: Trace, quantity: str) -> Iterator[str]:
    """Name what isn't finite, if it follows from numbers that are."""
    row = recorded(problem, trace, problem.x.dtype)
    for line in lines(problem.loss):
        if line.quantity == quantity:
            right = _of_step(np.isfinite(getattr(row, quantity))).all(axis=1)
            step = int(right.argmin())
            if not right[step] and np.isfinite(line.value(row)[step]).all():
                yield f"not finite at step {step}, though its inputs are"


def _start(problem: Problem, trace: Trace) -> Iterator[str]:
    """Give the origins of the first weights, if they are not the given ones."""
    given, dtype = problem.weights, problem.x.dtype
    first, last = (Weights(trace.w1[n], trace.w2[n]) for n in (0, -1))
    if _same(first, given):
        return
    if _same(first, Weights(*(w.astype(np.float32) for w in given))):
        yield "rounded to float32"
    if _same(first, last) and _began_right(problem, trace):
        yield "the last weights in place of the first: overwritten in place"
    if _by_unit(first) == _by_unit(given):
        yield "hidden units in another order"
    sizes = given.w1.shape[1], len(given.w1), len(given.w2)
    for seed in range(SEEDS):
        weights = seeded_weights(seed, *sizes)
        if _same(first, Weights(*(w.astype(dtype) for w in weights))):
            yield f"the weights of seed {seed}"


def _began_right(problem: Problem, trace: Trace) -> bool:
    """Say whether step 0 follows from the given weights, and not from the recorded."""
    line = lines(problem.loss)[0]
    w1 = np.concatenate([problem.weights.w1[None], trace.w1[1:]])
    wrong, right = trace, replace(trace, w1=w1)
    steps = [_failure(problem, trace, line).steps[0] for trace in (wrong, right)]
    return steps == [True, False]


def _same(a: Weights[Array], b: Weights[Array]) -> bool:
    return all(map(np.array_equal, a, b))


def _by_unit(weights: Weights[Array]) -> list[tuple[float, ...]]:
    """List the weights of each hidden unit, in an order that is no longer its own."""
    return sorted(map(tuple, np.vstack([weights.w1.T, weights.w2]).T.tolist()))
