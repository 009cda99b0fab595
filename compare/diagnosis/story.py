"""Where two runs part, in a few lines: the place, the numbers, the bound, the rest.

A line says which declaration would help, if one would.
"""

from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from compare.checks.audit import from_weights, margins
from compare.checks.check import Check, Point, Promise, element
from compare.checks.run import after_training, fits
from compare.checks.verdict import Verdict
from compare.contract.examine import BREACHES
from compare.diagnosis.cause import name_cause
from compare.diagnosis.mistakes import LINES
from compare.diagnosis.numbers import numbers_of, run_named
from compare.numerics.equations import line_of, lines
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import FORMULAS, line_roundings, oracle_factor
from impls.interface import Problem

NAMED = 3
"""How many other failures are listed."""
SILENT = (Promise.ANSWERS, Promise.TRAINS, Promise.LIVES, Promise.IN_TIME)
"""Without these promises there is no result: what was found is the reason."""


@dataclass(frozen=True)
class Story:
    """A difference in two to five lines.

    Attributes:
        step: The step in which it happens; None before training.
        line: The line of the mathematics, or another promise, as text.
        element: The quantity and the element of it.
        cause: The name of the mistake, if it is known; None if rounding may be it.
        numbers: The numbers that should be equal, in full digits, by their owner; the
            number of the mathematics is called exact.
        difference: The difference from the reference.
        from_exact: Whether that is the exact number; if not, it is the second.
        bound: How large that may be.
        origin: What the bound is derived from, as text.
        aftermath: The checks of the same runs that failed later.
        before: The checks of the same runs that failed earlier.
        end_to_end: What the implementation may declare, if the numbers are those of
            another correct formula: they are within their bounds from the weights.
    """

    step: int | None
    line: str
    element: str
    cause: str | None
    numbers: dict[str, str]
    difference: float
    from_exact: bool
    bound: float
    origin: str
    aftermath: tuple[str, ...]
    before: tuple[str, ...] = ()
    end_to_end: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Format the lines."""
        head = "" if self.before else "first "
        place, *rest = self.rows()
        return "\n  ".join([f"{head}difference: {place}", *rest, *self._others()])

    def rows(self) -> list[str]:
        """Format the place and the cause, the numbers, the bound, and advice."""
        numbers = ", ".join(f"{name} {n}" for name, n in self.numbers.items())
        apart = "from exact" if self.from_exact else "apart"
        apart = f"{self.difference:.3g} {apart}, bound {self.bound:.3g}"
        apart = "not comparable" if isnan(self.difference) else apart
        bound = [f"{apart}: {self.origin}"] if self.origin else []
        return [self._place(), numbers, *bound, *self._advice()]

    def _advice(self) -> list[str]:
        if not self.end_to_end:
            return []
        names = ", ".join(f'"{quantity}"' for quantity in self.end_to_end)
        names += "," * (len(self.end_to_end) == 1)
        return [f"another correct formula? declare end_to_end = ({names})"]

    def _place(self) -> str:
        if self.step is None:
            broken = f"contract, {self.element}" if self.element else "contract"
            return f"{broken}: {self.cause}"
        cause = f"cause: {self.cause}" if self.cause else "cause unknown"
        return f"step {self.step}, {self.line}, {self.element}; {cause}"

    def _others(self) -> list[str]:
        """List other failures of the same runs, the earlier ones if there are any."""
        others = self.before or self.aftermath
        if not others:
            return ["then: nothing else is compared"] if self.step is None else []
        more = f", and {len(others) - NAMED} more" if len(others) > NAMED else ""
        listed = ", ".join(others[:NAMED]) + more
        return [f"{'first came' if self.before else 'then'}: {listed}"]


def stories_of(verdict: Verdict) -> tuple[Story, ...]:
    """Describe the first difference, and the first in each other run, if any."""
    firsts: dict[tuple[str, ...], Check] = {}
    for check in verdict.differences:
        if not firsts or len(check.subject) == 1:
            firsts.setdefault(check.subject, check)
    return tuple(story_of(verdict, check) for check in firsts.values())


def story_of(verdict: Verdict, check: Check) -> Story:
    """Describe a failed check.

    Raises:
        ValueError: The check did not fail.
    """
    point = check.first
    if point is None:
        raise ValueError(f"{check.label} did not fail")
    before, aftermath = _other_failures(verdict, check)
    end_to_end = _declaration(verdict, check)
    numbers, silent = numbers_of(verdict, check, point), check.promise in SILENT
    if silent:
        numbers = {check.subject[0]: str(point.value)}
    return Story(
        step=None if check.when == "before training" else point.step,
        line=check.statement,
        element="" if silent and check.quantity == "answer" else element(check, point),
        cause=None if end_to_end else cause_of(verdict, check),
        numbers=numbers,
        difference=point.difference,
        from_exact=len(check.subject) == 1 and "exact" in numbers,
        bound=point.bound,
        origin="" if silent else _origin(verdict.problem, check, point),
        aftermath=aftermath,
        before=before,
        end_to_end=end_to_end,
    )


def cause_of(verdict: Verdict, check: Check) -> str | None:
    """Name the mistake, if it is known."""
    if check.promise:
        return BREACHES[check.promise]
    run, late = run_named(verdict, check.subject[0]), check.when == "after training"
    found = after_training(run) if late else vars(run.trace)
    if check.kind == "completeness" and found[check.quantity] is None:
        return "only returned at first" if late else "its training doesn't record it"
    check = _own_failure(verdict, check)
    at = run_named(verdict, check.path) if check.path else None
    run = run_named(verdict, check.subject[0])
    return name_cause(verdict.problem, run, check, at)


def _own_failure(verdict: Verdict, check: Check) -> Check:
    """Find where one run of a pair computes the same quantity wrongly by itself."""
    if check.kind != "parity" or check.basis != "weights":
        return check
    own = [
        other
        for other in verdict.differences
        if other.kind == "audit"
        and other.quantity == check.quantity
        and other.when in ("in a step", "in a replay")
        and {*other.subject, other.path or other.subject[0]} <= {*check.subject}
    ]
    return own[0] if len({other.subject for other in own}) == 1 else check


@np.errstate(all="ignore")  # a number that is not finite is within no bound
def _declaration(verdict: Verdict, check: Check) -> tuple[str, ...]:
    """Return what to declare as end to end, so that a failed line is within its bound.

    All lines of the run that fail are tried together: another formula for one quantity
    may move others. Of what is judged from the weights, a2 and dz2 may have one; that
    of a2 may be in a1, too, if it is not returned. The result is empty if the quantity
    of the check would fail still.
    """
    problem, run = verdict.problem, run_named(verdict, check.subject[0])
    if check.kind != "audit" or not fits(problem, run):
        return ()
    failed = [m for m in margins(problem, run) if not m.holds]
    failed = [m for m in failed if m.line.quantity in LINES]  # an update has one form
    own = [m for m in failed if m.basis == "line" or m.line.quantity in ("a2", "dz2")]
    names = {m.line.quantity for m in own}
    hidden = {"a1"} & {*run.unknown} if "a2" in names else set()
    declared = replace(run, end_to_end=(*run.end_to_end, *hidden, *names))
    again = from_weights(problem, declared, [m.line for m in failed]) if failed else ()
    held = {margin.line.quantity for margin in again if margin.holds}
    if check.quantity not in held:
        return ()
    names = {*run.end_to_end, *hidden, *(names & held)}
    return tuple(
        line.quantity for line in lines(problem.loss) if line.quantity in names
    )


def _origin(problem: Problem, check: Check, point: Point) -> str:
    """Describe what a bound is derived from, or what to write instead."""
    if check.advice:
        return check.advice
    match "equality" if isinstance(point.reference, str) else check.basis:
        case "equality":
            return "the two must be equal"
        case "line":
            line, dtype = line_of(problem.loss, check.quantity), problem.x.dtype
            count, u = line_roundings(line, problem), unit_roundoff(dtype)
            count *= oracle_factor(dtype)
            return f"{count} roundings of {u:.3g} times {point.bound / count / u:.3g}"
        case "weights":
            alone = check.kind == "audit" and check.when != "in a replay"
            count = FORMULAS * (oracle_factor(problem.x.dtype) if alone else 2)
            return f"{count} error bars of {point.bound / count:.3g}"
        case "drift" if check.kind == "predictions":
            return "both are further from 0.5 than roundings can have moved them"
        case "drift":
            return "as far as all roundings before can have grown"


def _other_failures(
    verdict: Verdict, check: Check
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the failures of the same runs, before a check and after it.

    Where another run fails by itself, the failures of a pair with it are left out.
    """
    own, failed = {*check.subject}, verdict.differences
    others = {c.subject[0] for c in failed if len(c.subject) == 1} - own
    near = [c for c in failed if own & {*c.subject} and not others & {*c.subject}]
    here, names = near.index(check), [run.name for run in verdict.runs]

    def as_text(check: Check) -> str:
        subject = " and ".join(name for name in names if name in check.subject)
        text = f"{check.label} of {subject}"
        if check.first and check.when != "before training":
            text += f" at step {check.first.step}"
        return text

    before, after = (map(as_text, part) for part in (near[:here], near[here + 1 :]))
    return tuple(dict.fromkeys(before)), tuple(dict.fromkeys(after))
