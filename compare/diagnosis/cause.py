"""The name of a mistake: known explanations, tried against the exact values.

An explanation is a formula of `diagnosis.mistakes` for the line that failed, or one of
`diagnosis.defects` for the record. A formula is named if it gives every failing step
within bounds, if there are several such steps, and if it is the only one. Otherwise the
cause is unknown.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.checks.audit import Margin, margins, recorded_steps
from compare.checks.check import Check
from compare.checks.run import Run, before_updates, fits, other_formulas
from compare.diagnosis.constants import fitted_factor, fitted_mistakes
from compare.diagnosis.defects import defects, origins
from compare.diagnosis.formulas import Failure, by_step, constantly, through, times
from compare.diagnosis.mistakes import Mistake, known_mistakes, shown_mistakes
from compare.numerics.biases import is_identifiable, with_fitted_biases
from compare.numerics.equations import Line, Step, line_of, lines, run_lines, sigmoid
from compare.numerics.error_bars import Bar, as_bar, step_bars
from compare.numerics.rounding import end_to_end_bound, oracle_dtype
from impls.interface import Activations, Array, Problem, Trace, Weights

STEPS = 3
"""Fewer failing steps than this are not explained."""
CLEAR = 10.0
"""A failure of fewer bounds is no evidence: noise near the bound fits many formulas."""
CHANCE = 1e-6
"""How likely it may be that noise, as large as the failure, fits an explanation."""
BIASES = "biases are added"
SPREAD = 10
"""Biases are fitted to so many failing steps, from the first to the last."""


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
        return _only({*origins(problem, run.trace)})
    if check.when == "in a step" and check.kind == "completeness":
        return _only({*defects(problem, run, check.quantity)})
    if check.when == "in a replay" and at:
        run = _as_recorded(run, at)
    elif check.when != "in a step" or check.kind != "audit":
        return None
    if not fits(problem, run):
        return None
    found = margins(problem, run)
    margin = next(m for m in found if m.line.quantity == check.quantity)
    forward = [m.holds for m in found if m.line.quantity in Activations._fields]
    return _name_failure(problem, run, margin, forward_holds=all(forward))


def _only(names: set[str]) -> str | None:
    return names.pop() or None if len(names) == 1 else None


def _as_recorded(run: Run, at: Run) -> Run:
    """Make a run of a replay: the answers at given weights, like those of a step."""
    answers: dict[str, Any] = {field.name: None for field in fields(Trace)}
    answers |= {**run.replayed[at.name], "w1": at.trace.w1, "w2": at.trace.w2}
    return replace(run, trace=Trace(**answers), looped=True)


def _name_failure(
    problem: Problem, run: Run, margin: Margin, *, forward_holds: bool
) -> str | None:
    """Try the line itself, then those before it, then constants.

    Where all that the forward pass returned holds, no line of it is wrong. A constant
    fits wherever a formula without one does, so constants come last.
    """
    within = by_step(abs(margin.found - margin.expected) <= margin.bound).all(axis=1)
    if within.all():
        return None
    step, bars = recorded_steps(problem, run, oracle_dtype(problem.x.dtype)), None
    if margin.basis == "weights":
        given = {name: getattr(step, name) for name in ("x", "y", "lr", "w1", "w2")}
        step = replace(run_lines(problem.loss, **given), a2=step.a2)  # as returned
        bars = step_bars(problem, before_updates(run), other_formulas(run))
    numbers = (margin.found, margin.expected, margin.bound)
    f = Failure(problem, margin.line, step, *numbers, np.asarray(~within))
    right = Activations._fields if forward_holds else ()
    for mistakes in _stages(f, bars, right):
        of_line = [m for m in mistakes if f.line.quantity in m.quantities]
        if names := {m.words for m in of_line if explains(m, f)}:
            return _only(names)
    return BIASES if bars and _has_biases(f) else None


def _stages(
    f: Failure, bars: Step[Bar] | None, right: Collection[str]
) -> Iterator[Iterable[Mistake]]:
    """List the mistakes of the line; of each line before it; with a constant."""
    own = [*known_mistakes(f.problem), *shown_mistakes(f.problem)]
    if bars is None:
        yield own
    else:
        for line in _upstream(f.line, f.problem, right):
            planted = _from_weights(f, bars, line, known_mistakes(f.problem))
            here = [*own, *planted, *_narrowed(f, bars)] if line == f.line else planted
            yield here
    unseen = _scaled(f, bars) if bars and f.line.quantity == "a2" else ()
    yield [*fitted_mistakes(f), *unseen]


def _narrowed(f: Failure, bars: Step[Bar]) -> Iterator[Mistake]:
    """Compute a quantity from both weights, rounded to a narrower dtype."""
    quantity = f.line.quantity
    for kind in (np.float16, np.float32):
        step = bars
        for name in ("w1", "w2"):
            weights = through(kind)(getattr(bars, name).value)
            step = _follow(f.problem, step, name, as_bar(weights))
        bound = end_to_end_bound(f.problem, quantity, step)
        formula = constantly(getattr(step, quantity).value, bound)
        yield Mistake(f"weights read as {kind.__name__}", (quantity,), formula)


def _scaled(f: Failure, bars: Step[Bar]) -> Iterator[Mistake]:
    """Plant a factor in z1 and in z2, which were not recorded: a2 shows it."""
    step, loss = f.step, f.problem.loss
    ways: dict[str, Callable[[float], Array]] = {
        "z1": lambda c: sigmoid(step.w2 @ sigmoid(c * step.z1)),
        "z2": lambda c: sigmoid(c * step.z2),
    }
    for name, a2 in ways.items():
        if (factor := fitted_factor(f, a2)) is not None:
            mistake = Mistake(f"times {factor}", (name,), times(factor))
            yield from _from_weights(f, bars, line_of(loss, name), [mistake])


def _has_biases(f: Failure) -> bool:
    """Return whether a2 is that of a network with biases, in several failing steps.

    They are fitted to a2, where z1 and z2 are not recorded. They are the same in all of
    these steps: a term that moves with the weights is no bias.
    """
    if f.line.quantity != "a2" or not is_identifiable(f.problem.weights, f.problem.x):
        return False
    failing = np.flatnonzero(f.steps)
    steps = failing[np.linspace(0, len(failing) - 1, SPREAD).astype(int)]
    weights = Weights(f.step.w1[steps], f.step.w2[steps])
    fitted = with_fitted_biases(weights, f.problem.x, f.found[steps])
    within = abs(f.found[steps] - fitted) <= f.bound[steps]
    evident = np.zeros_like(f.steps)
    evident[steps] = True
    return bool(within.all()) and _is_evidence(f, evident)


def _upstream(line: Line, problem: Problem, right: Collection[str]) -> Iterator[Line]:
    """List a line and those that it follows from, unless right; the nearest first."""
    needed = {line.quantity}
    for other in reversed(lines(problem.loss)):
        if other.quantity in needed - {*right}:
            needed |= {*other.inputs}
            yield other


def _from_weights(
    f: Failure, bars: Step[Bar], line: Line, mistakes: Iterable[Mistake]
) -> Iterator[Mistake]:
    """Plant mistakes in a line, and compute what follows from each.

    The error bars of what follows are those of the wrong computation.
    """
    problem, value = f.problem, getattr(f.step, line.quantity)
    bound = end_to_end_bound(problem, line.quantity, bars)
    planted = f._replace(line=line, found=value, value=value, bound=bound)
    for mistake in mistakes:
        if line.quantity not in mistake.quantities:
            continue
        wrong, own = mistake.formula(planted)
        if wrong.shape != value.shape:
            continue
        own = (own + bound).astype(np.float64)
        words = mistake.words
        if line != f.line:
            start = Bar(wrong.astype(np.float64), own / f.u)
            step = _follow(problem, bars, line.quantity, start)
            wrong = getattr(step, f.line.quantity).value
            own = end_to_end_bound(problem, f.line.quantity, step)
            words = f"{words} (in {line.quantity})"
        given = (np.broadcast_to(n, f.found.shape) for n in (wrong, own))
        yield Mistake(words, (f.line.quantity,), constantly(*given))


def _follow(problem: Problem, bars: Step[Bar], quantity: str, wrong: Bar) -> Step[Bar]:
    """Evaluate on error bars the lines that follow from a changed quantity."""
    known: dict[str, Any] = {**vars(bars), quantity: wrong}
    changed = {quantity}
    for line in lines(problem.loss):
        if changed & {*line.inputs} and line.quantity != quantity:
            known[line.quantity] = line.formula(*(known[name] for name in line.inputs))
            changed.add(line.quantity)
    return Step(**known)


def explains(mistake: Mistake, f: Failure) -> bool:
    """Return whether a mistake gives all failing steps that it covers."""
    value, bound = mistake.formula(f)
    if value.shape != f.found.shape:  # as a transpose may have
        return False
    finite = np.isfinite(value.astype(f.problem.x.dtype)) & np.isfinite(bound)
    covered = f.steps & by_step(finite).all(axis=1)
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
