"""The numbers that the page shows of single steps, and which steps these are."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice

import numpy as np
import numpy.typing as npt
from flint import ctx

from compare.checks.audit import recorded
from compare.checks.check import Check
from compare.checks.run import Run, fits
from compare.checks.verdict import Verdict
from compare.numerics.balls import BITS, ball_step, balls
from compare.page.charts.plot import Mark, spread
from compare.page.quantities import PHASES, Quantity, quantities_of
from impls.interface import Array, Problem

STEPS = 100
"""How many steps are shown, beside those where most of a bound was used."""
NUMBERS = 26_000
"""How many numbers the page holds at most; each takes about 11 bytes."""
SAMPLES = 20
"""How many samples can be chosen at most."""
DIGITS = 20
"""Digits of an exact number."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The numbers of some steps.

    Attributes:
        quantities: The quantities, in the order of computation.
        steps: The steps, in ascending order; empty if there is nothing to show.
        reasons: Why a step is shown, if a check chose it.
        runs: The numbers of each run, by name, shape (steps, numbers); NaN if the run
            does not record them.
        missing: The quantities that a run does not record, by its name.
        exact: The exact numbers at the weights of the first run, as text, the same
            shape; empty if one is unknown.
        row: The place in `steps` of the one to show first: that of the first
            difference, if there is one.
        phase: How far this step is computed at first: to the first difference, if
            there is one.
        sample: The sample to show first: one whose inputs are not 0, if there is one,
            for a product with 0 shows little.
    """

    quantities: tuple[Quantity, ...]
    steps: tuple[int, ...]
    reasons: Mapping[int, str]
    runs: Mapping[str, Array]
    missing: Mapping[str, tuple[str, ...]]
    exact: tuple[tuple[str, ...], ...]
    row: int
    phase: str
    sample: int


def mark_of(verdict: Verdict) -> Mark | None:
    """Mark the first difference or, in an unstable run, where the bounds end."""
    if verdict.first_difference_step is not None:
        return Mark(verdict.first_difference_step, "first difference")
    end = verdict.drift.first_invalid_step
    return None if end is None else Mark(end, "no bound from here on")


def reasons_of(verdict: Verdict) -> dict[int, str]:
    """Find the step of the first difference, and where checks use most of their bounds.

    The first difference comes first, then the checks by the share that they use. Of
    checks that compare the same quantity of the same runs, only the first has a step.
    """
    first, steps = verdict.first_difference_step, verdict.problem.steps
    reasons: dict[int, str] = {}
    if first is not None and first < steps:
        reasons[first] = "The first difference"
    worst: dict[tuple[str, frozenset[str]], Check] = {}
    for check in sorted(verdict.counted, key=lambda check: -check.worst.use):
        worst.setdefault((check.label, frozenset(check.subject)), check)
    for check in worst.values():
        step, use = check.worst.step, check.worst.use
        what = f"{check.label.replace('_', ' ')} of {' and '.join(check.subject)}"
        share = f"uses most of its bound here: {100 * use:.3g} %"
        if use > 0 and step < steps:
            beyond = "is farthest beyond its bound here"
            reasons.setdefault(step, f"{what} {share if use <= 1 else beyond}")
    return reasons


def whole_runs(verdict: Verdict) -> tuple[Run, ...]:
    """List the runs that have all arrays in their shapes."""
    return tuple(run for run in verdict.runs if fits(verdict.problem, run))


def numbers_of(problem: Problem) -> int:
    """Count the numbers of a problem."""
    return sum(a.size for a in (problem.x, problem.y, *problem.weights))


def show(verdict: Verdict) -> Shown:
    """Choose the steps, and collect their numbers."""
    problem, runs = verdict.problem, whole_runs(verdict)
    quantities = quantities_of(problem)
    size = sum(len(quantity.places) for quantity in quantities) + numbers_of(problem)
    room = NUMBERS // (size * (len(runs) + 2)) if runs else 0
    third = -(-room // 3)  # rounded up, so that the first reason has its place
    reasons = dict(islice(reasons_of(verdict).items(), third))
    count = min(STEPS, room - len(reasons))
    chosen = {*spread(problem.steps - 1, count), *reasons} if count > 0 else ()
    steps = tuple(sorted(chosen))
    exact = tuple(_exact(problem, runs[0], quantities, step) for step in steps)
    numbers: dict[str, Array] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for run in runs:
        known = recorded(problem, run, np.dtype(np.float64))
        numbers[run.name] = _numbers(known, quantities, steps)
        missing[run.name] = tuple(q.name for q in quantities if q.name not in known)
    first = verdict.first_difference_step
    row = steps.index(first) if first in steps else 0
    wrong = verdict.first_difference
    phase = PHASES.get(wrong.quantity, "forward") if wrong else "forward"
    sample = int(problem.x[:, :SAMPLES].all(axis=0).argmax())
    return Shown(
        quantities, steps, reasons, numbers, missing, exact, row, phase, sample
    )


def _numbers(
    known: Mapping[str, Array], quantities: Sequence[Quantity], steps: Sequence[int]
) -> Array:
    """Collect what is known of a run, shape (steps, numbers); NaN for the rest."""
    rows = [*steps]
    columns = [
        known[q.name][rows].reshape(len(rows), len(q.places))
        if q.name in known
        else np.full((len(rows), len(q.places)), np.nan)
        for q in quantities
    ]
    return np.concatenate(columns, axis=1)


def _exact(
    problem: Problem, run: Run, quantities: Sequence[Quantity], step: int
) -> tuple[str, ...]:
    """Compute what real arithmetic gives at the weights of a run."""
    w1, w2 = run.trace.w1[step], run.trace.w2[step]
    if not (np.isfinite(w1).all() and np.isfinite(w2).all()):
        return ("",) * sum(len(q.places) for q in quantities)
    with ctx.workprec(BITS):
        at = ball_step(problem, balls(w1), balls(w2))
        found = [np.ravel(getattr(at, q.name)) for q in quantities]
        return tuple(_digits(ball) for ball in np.concatenate(found))


def _digits(ball: npt.NDArray[np.object_]) -> str:
    """Write a ball in decimal digits; "" if it is not known well enough."""
    if not ball.is_finite() or (ball != 0 and ball.rel_accuracy_bits() < BITS // 2):  # type: ignore[attr-defined]
        return ""
    text: str = ball.str(DIGITS + 5, radius=False)  # type: ignore[attr-defined]
    try:
        return format(Decimal(text), f".{DIGITS}g")
    except InvalidOperation:  # an exponent that Decimal does not have
        return text


def encode(numbers: Array) -> str:
    """Encode floats, row by row, as the bytes of little-endian float64, in base64."""
    return b64encode(numbers.astype("<f8").tobytes()).decode()
