"""The name of a mistake: known explanations, tried against the exact values.

An explanation is a formula of `diagnosis.mistakes` for the line that failed, or another
origin of the first weights. It is named if it gives every failing step within bounds,
if there are several such steps, and if it is the only one. Otherwise the cause is
unknown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.checks.audit import by_line, from_weights, margins, recorded_steps
from compare.checks.check import Basis, Check
from compare.checks.run import Run, before_updates, fits, other_formulas, shapes
from compare.diagnosis.mistakes import (
    Explanation,
    Failure,
    constantly,
    fitted_mistakes,
    known_mistakes,
)
from compare.numerics.biases import is_identifiable, with_fitted_biases
from compare.numerics.equations import Line, Step, line_of, lines, run_lines
from compare.numerics.error_bars import Bar, step_bars, unit_roundoff
from compare.numerics.rounding import end_to_end_bound, oracle_dtype
from compare.training.problems import seeded_weights
from impls.interface import Array, Problem, Trace, Weights

STEPS = 3
"""Fewer failing steps than this are not explained."""
CLEAR = 10.0
"""A failure of fewer bounds is no evidence: noise near the bound fits many formulas."""
CHANCE = 1e-6
"""How likely it may be that noise, as large as the failure, fits an explanation."""
BIASES = "biases are added"
DECIMALS = 17
"""Roundings of the first weights to fewer decimals than this are tried."""
SEEDS = 1000
"""First weights are compared with those of the seeds below this."""


@np.errstate(all="ignore")  # a number that is not finite explains nothing
def name_cause(
    problem: Problem, run: Run, check: Check, at: Run | None = None
) -> str | None:
    """Name the mistake behind a failed check, as text, if one can be named.

    Args:
        problem: What was to be trained.
        run: The first subject of the check.
        check: The failed check. Checks of a pair have no name, nor have checks of what
            the functions return after training.
        at: The run whose weights the functions were called at, in a replay.
    """
    if check.when == "at the start":
        return _only({*_origins(problem, run.trace)})
    if check.when == "in a step" and check.kind == "completeness":
        return _only({*_defects(problem, run, check.quantity)})
    if check.when == "in a step" and check.kind == "audit" and fits(problem, run):
        line = line_of(problem.loss, check.quantity)
        return _name_failure(*_failure(problem, run, line, check.basis))
    if check.when == "in a replay" and at:
        return _name_replayed(problem, _as_recorded(run, at), check.quantity)
    return None


def _only(names: set[str]) -> str | None:
    return names.pop() or None if len(names) == 1 else None


def _as_recorded(run: Run, at: Run) -> Run:
    """Make a run of a replay: the answers at given weights, like those of a step."""
    answers: dict[str, Any] = {field.name: None for field in fields(Trace)}
    answers |= {**run.replayed[at.name], "w1": at.trace.w1, "w2": at.trace.w2}
    return replace(run, trace=Trace(**answers), looped=True)


def _name_replayed(problem: Problem, run: Run, quantity: str) -> str | None:
    """Name what is wrong with a quantity of a replay, by its line if that fails."""
    if not fits(problem, run):
        return None
    margin = next(m for m in margins(problem, run) if m.line.quantity == quantity)
    if margin.holds:
        return None
    return _name_failure(*_failure(problem, run, margin.line, margin.basis))


def _failure(
    problem: Problem, run: Run, line: Line, basis: Basis
) -> tuple[Failure, Step[Bar] | None]:
    """Collect what a line gave, what it should have given, and where it failed.

    The error bars are given where it was computed from the weights of its step.
    """
    step = recorded_steps(problem, run, oracle_dtype(problem.x.dtype))
    bars = None
    if basis == "weights":
        margin = next(from_weights(problem, run, [line]))
        step = run_lines(
            problem.loss, x=step.x, y=step.y, lr=step.lr, w1=step.w1, w2=step.w2
        )
        bars = step_bars(problem, before_updates(run), other_formulas(run))
    else:
        margin = next(m for m in by_line(problem, run) if m.line == line)
    within = abs(margin.found - margin.expected) <= margin.bound
    failed = ~np.asarray(by_step(within).all(axis=1))
    failure = Failure(
        problem, line, step, margin.found, margin.expected, margin.bound, failed
    )
    return failure, bars


def _name_failure(f: Failure, bars: Step[Bar] | None) -> str | None:
    """Try the line itself, then those before it, then constants.

    A constant fits wherever a formula without one does, so constants come last.
    """
    if not f.steps.any():
        return None
    stages: list[Iterable[Explanation]] = [known_mistakes(f.problem)]
    if bars:
        own, *earlier = _upstream(f.line, f.problem)
        stages = [[*known_mistakes(f.problem), *_from_weights(f, bars, own)]]
        stages += [_from_weights(f, bars, line) for line in earlier]
    for mistakes in (*stages, fitted_mistakes(f)):
        of_line = [e for e in mistakes if f.line.quantity in e.quantities]
        if names := {e.words for e in of_line if explains(e, f)}:
            return _only(names)
    return BIASES if bars and _has_biases(f) else None


def _has_biases(f: Failure) -> bool:
    """Return whether a2 is that of a network with biases, in several failing steps.

    They are fitted to a2, where z1 and z2 are not recorded.
    """
    steps = np.flatnonzero(f.steps)[:STEPS]
    weights = [Weights(f.step.w1[n], f.step.w2[n]) for n in steps]
    if f.line.quantity != "a2" or not is_identifiable(weights[0], f.problem.x):
        return False
    fitted = np.array(
        [
            with_fitted_biases(w, f.problem.x, f.found[n])
            for w, n in zip(weights, steps, strict=True)
        ]
    )
    within = abs(f.found[steps] - fitted) <= f.bound[steps]
    evident = np.zeros_like(f.steps)
    evident[steps] = True
    return bool(within.all()) and _is_evidence(f, evident)


def _upstream(line: Line, problem: Problem) -> Iterator[Line]:
    """List a line and the lines that it follows from, the nearest first."""
    needed = {line.quantity}
    for other in reversed(lines(problem.loss)):
        if other.quantity in needed:
            needed |= {*other.inputs}
            yield other


def _from_weights(f: Failure, bars: Step[Bar], line: Line) -> Iterator[Explanation]:
    """Plant each known mistake in a line, and compute what follows from it.

    The error bars of what follows are those of the wrong computation.
    """
    problem, u = f.problem, unit_roundoff(f.problem.x.dtype)
    value: Array = getattr(f.step, line.quantity)
    bound = end_to_end_bound(problem, line.quantity, bars)
    planted = f._replace(line=line, found=value, value=value, bound=bound)
    for mistake in known_mistakes(problem):
        if line.quantity not in mistake.quantities or not mistake.spreads:
            continue
        wrong, own = mistake.formula(planted)
        if wrong.shape != value.shape:
            continue
        own = (own + bound).astype(np.float64)
        words = mistake.words
        if line != f.line:
            start = Bar(wrong.astype(np.float64), own / u)
            step = _follow(problem, bars, line.quantity, start)
            wrong = getattr(step, f.line.quantity).value
            own = end_to_end_bound(problem, f.line.quantity, step)
            words = f"{words} (in {line.quantity})"
        given = (np.broadcast_to(n, f.found.shape) for n in (wrong, own))
        yield Explanation(words, (f.line.quantity,), constantly(*given))


def _follow(problem: Problem, bars: Step[Bar], quantity: str, wrong: Bar) -> Step[Bar]:
    """Evaluate on error bars the lines that follow from a changed quantity."""
    known: dict[str, Any] = {**vars(bars), quantity: wrong}
    changed = {quantity}
    for line in lines(problem.loss):
        if changed & {*line.inputs} and line.quantity != quantity:
            known[line.quantity] = line.formula(*(known[name] for name in line.inputs))
            changed.add(line.quantity)
    return Step(**known)


def explains(explanation: Explanation, f: Failure) -> bool:
    """Return whether an explanation gives all failing steps that it covers."""
    value, bound = explanation.formula(f)
    if value.shape != f.found.shape:  # as a transpose may have
        return False
    finite = np.isfinite(value.astype(f.problem.x.dtype)) & np.isfinite(bound)
    covered = f.steps & np.asarray(by_step(finite).all(axis=1))
    within = np.asarray(by_step(abs(f.found - value) <= bound).all(axis=1))
    return bool(within[covered].all()) and _is_evidence(f, covered)


def _is_evidence(f: Failure, steps: npt.NDArray[np.bool_]) -> bool:
    """Return whether these failures are too many and too large for chance.

    Noise as large as a failure falls within a bound with a probability of about bound /
    failure. One step doesn't count: the constant may come from it.
    """
    use = by_step(abs(f.found - f.value) / f.bound).max(axis=1)[steps]
    digits = np.log10(use[(use > CLEAR) & np.isfinite(use)])
    if len(digits) < STEPS:
        return False
    return bool(digits.sum() - digits.max() >= -np.log10(CHANCE))


def by_step(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay out all elements of a step in a row."""
    return values.reshape(len(values), -1)


# Defects of the record. Here no bounds apply: numbers and shapes must be equal.


def _defects(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """List the explanations of a failed check of completeness."""
    trace = vars(run.trace)
    if not all(isinstance(array, np.ndarray) for array in trace.values()):
        return
    if fits(problem, run):
        yield from _not_finite(problem, run, quantity)
        return
    expected, dtype = shapes(problem), problem.x.dtype
    found, shape = trace[quantity], expected[quantity]
    if found.shape == shape:
        yield f"{found.dtype} in place of {dtype}"
    elif found.shape == tuple(n for n in shape if n > 1):
        yield "axes of length 1 dropped"
    k = problem.steps - np.size(run.trace.loss)
    fewer = {name: (n - k, *rest) for name, (n, *rest) in expected.items()}
    if 0 < k < problem.steps and all(trace[q].shape == fewer[q] for q in fewer):
        yield f"{k} of {problem.steps} steps missing"


def _not_finite(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """Name a quantity that is not finite, if it follows from numbers that are."""
    step = recorded_steps(problem, run, problem.x.dtype)
    for line in lines(problem.loss):
        if line.quantity == quantity:
            finite = np.isfinite(getattr(step, quantity))
            right = np.asarray(by_step(finite).all(axis=1))
            n = int(right.argmin())
            if not right[n] and np.isfinite(line.value(step)[n]).all():
                yield f"not finite at step {n}, though its inputs are"


def _origins(problem: Problem, trace: Trace) -> Iterator[str]:
    """List the origins of the first weights, if they are not the given ones."""
    given, dtype = problem.weights, problem.x.dtype
    first, last = (Weights(trace.w1[n], trace.w2[n]) for n in (0, -1))
    if _equal(first, given):
        return
    if _equal(first, Weights(*(w.astype(np.float32) for w in given))):
        yield "rounded to float32"
    for decimals in range(DECIMALS):
        if _equal(first, Weights(*(np.round(w, decimals) for w in given))):
            yield f"rounded to {decimals} decimals"
    if _equal(first, last) and _began_right(problem, trace):
        yield "the last weights in place of the first: overwritten in place"
    if _by_unit(first) == _by_unit(given):
        yield "hidden units in another order"
    sizes = given.w1.shape[1], len(given.w1), len(given.w2)
    for seed in range(SEEDS):
        weights = seeded_weights(seed, *sizes)
        if _equal(first, Weights(*(w.astype(dtype) for w in weights))):
            yield f"the weights of seed {seed}"


def _began_right(problem: Problem, trace: Trace) -> bool:
    """Return whether step 0 follows from the given weights, not from the recorded."""
    line = line_of(problem.loss, "a2")  # every trace has it, and it needs both weights
    w1, w2 = (
        np.concatenate([given[None], path[1:]])
        for given, path in zip(problem.weights, (trace.w1, trace.w2), strict=True)
    )
    wrong, right = Run("", trace), Run("", replace(trace, w1=w1, w2=w2))
    failed = [
        _failure(problem, run, line, "weights")[0].steps[0] for run in (wrong, right)
    ]
    return failed == [True, False]


def _equal(a: Weights[Array], b: Weights[Array]) -> bool:
    return all(map(np.array_equal, a, b))


def _by_unit(weights: Weights[Array]) -> list[tuple[float, ...]]:
    """List the weights of each hidden unit, sorted: independent of their order."""
    return sorted(map(tuple, np.vstack([weights.w1.T, weights.w2]).T.tolist()))
