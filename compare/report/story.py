"""Where two runs part, as a story: the place, the numbers, the bound, the aftermath."""

from dataclasses import dataclass
from math import isfinite, isnan
from types import SimpleNamespace

import numpy as np
from flint import arb, ctx

from compare.checks.audit import END_TO_END, recorded
from compare.checks.check import Check, Point, form, where
from compare.checks.completeness import final, fits
from compare.checks.run import Run, points, row_of, updated
from compare.checks.verdict import Verdict
from compare.numerics.balls import BITS, balls, run_lines
from compare.numerics.equations import Line, lines
from compare.numerics.rounding import FORMULAS, allowed, slack, unit
from compare.report.cause import name_cause
from compare.training.contract import BREACHES
from impls.interface import Problem

DIGITS = 25


@dataclass(frozen=True)
class Story:
    """A difference, the first unless another was asked for, told in four lines.

    Attributes:
        step: The step in which it happens; None if it is not in training.
        line: The line of the mathematics, or what else was asked.
        element: The quantity and the element of it.
        cause: The name of the mistake, if it is known.
        numbers: The numbers that should be equal, in full digits, by whose they are;
            that of the mathematics is called exact.
        difference: Between what was found and what it was held to.
        bound: How large that may be.
        origin: How the bound comes about.
        aftermath: What else of the same runs is affected: the checks that failed later.
        before: Those that failed earlier: none, if this is the first.
    """

    step: int | None
    line: str
    element: str
    cause: str | None
    numbers: dict[str, str]
    difference: float
    bound: float
    origin: str
    aftermath: tuple[str, ...]
    before: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Tell it."""
        numbers = ", ".join(f"{who} {number}" for who, number in self.numbers.items())
        others = self.before or self.aftermath
        shown, more = others[:3], len(others[3:])
        alone = (
            "nothing of it was compared"
            if self.step is None
            else "nothing else is affected"
        )
        rest = ", ".join(shown) or alone
        rest += f", and {more} more" if more else ""
        head, last = ("", "first came") if self.before else ("first ", "then")
        place = "contract" if self.step is None else f"step {self.step}"
        cause = f"cause: {self.cause}" if self.cause else "cause unknown"
        apart = f"{self.difference:.3g} apart, bound {self.bound:.3g}"
        apart = "not comparable" if isnan(self.difference) else apart
        return (
            f"{head}difference: {place}, {self.line}, {self.element}; {cause}\n"
            f"  {numbers}\n"
            f"  {apart}: {self.origin}\n"
            f"  {last}: {rest}"
        )


def tell_all(verdict: Verdict) -> tuple[Story, ...]:
    """Tell of the first difference, and of the first in each other run, if any."""
    firsts: dict[tuple[str, ...], Check] = {}
    for check in verdict.differences:
        if not firsts or len(check.subject) == 1:
            firsts.setdefault(check.subject, check)
    stories = (tell(verdict, check) for check in firsts.values())
    return tuple(story for story in stories if story)


def tell(verdict: Verdict, check: Check | None = None) -> Story | None:
    """Tell where the runs of a verdict part; None if they don't.

    Args:
        verdict: Of the runs.
        check: The failed check to tell of, if not of the first difference.
    """
    check = check or verdict.first_difference
    if check is None or check.first is None:
        return None
    point = check.first
    before, aftermath = _others(verdict, check)
    return Story(
        step=None if check.kind == "contract" else point.step,
        line=check.words,
        element=where(check, point),
        cause=_cause(verdict, check),
        numbers=_numbers(verdict, check, point),
        difference=point.difference,
        bound=point.bound,
        origin=_origin(verdict.problem, check, point),
        aftermath=aftermath,
        before=before,
    )


def _numbers(verdict: Verdict, check: Check, point: Point) -> dict[str, str]:
    """Collect what was found, what others have in the same place, and what is exact."""
    subject = check.subject[0]
    numbers = {subject: _digits(verdict, point.value)}
    if len(check.subject) > 1:
        numbers[check.subject[1]] = _digits(verdict, point.reference)
    elif isinstance(point.reference, str):
        numbers["expected"] = point.reference
    elif check.quantity.startswith("first"):
        numbers["given"] = _digits(verdict, point.reference)
    elif check.kind == "exact":
        numbers["exact"] = str(point.reference)
    for run in verdict.runs:
        if check.kind == "audit" and run.name in verdict.drifts.keys() - numbers.keys():
            numbers |= _recorded(verdict, run, check, point)
    if isinstance(point.reference, str) or check.quantity.startswith("first"):
        return numbers
    if exact := _exact(verdict, check, point):
        return numbers | {"exact": exact}
    if check.kind in ("contract", "continuity"):
        finite = isfinite(point.reference)
        expected = _digits(verdict, point.reference) if finite else "a finite number"
        return numbers | {"expected": expected}
    return numbers


def _digits(verdict: Verdict, number: float | str) -> str:
    dtype = verdict.problem.x.dtype.type
    return number if isinstance(number, str) else str(dtype(number))


def _recorded(verdict: Verdict, run: Run, check: Check, point: Point) -> dict[str, str]:
    """Find the number that a run has in the place of another's failure, if any."""
    index = (row_of(run, point.step), *point.index)
    if check.quantity.startswith("final "):
        numbers, index = final(run).get(check.quantity), point.index
    elif check.quantity.startswith("new_"):
        numbers = getattr(updated(run), check.quantity.removeprefix("new_"))
    else:
        numbers = getattr(run.trace, check.quantity)
    if numbers is None:
        return {}
    return {run.name: _digits(verdict, float(numbers[index]))}


def _exact(verdict: Verdict, check: Check, point: Point) -> str:
    """Compute in ball arithmetic what a line gives from its recorded inputs.

    Empty where that is no matter of one step, as of two runs that have drifted apart,
    and where that step was not recorded.
    """
    problem = verdict.problem
    run = _run(verdict, check)
    known = fits(problem, run) and point.step in points(problem, run)
    if check.kind == "contract" or not known:
        return ""
    row = row_of(run, point.step)
    with ctx.workprec(BITS):
        if line := _line(problem, check):
            steps = recorded(problem, run, problem.x.dtype)
            inputs = {
                name: balls(values[row])
                for name, values in vars(steps).items()
                if name not in ("x", "y", "lr")
            }
            inputs |= {"x": balls(problem.x), "y": balls(problem.y)}
            value = line.value(SimpleNamespace(lr=arb(problem.lr), **inputs))
        elif check.kind == "audit" or check.quantity in ("dw1", "dw2"):
            w1, w2 = balls(run.trace.w1[row]), balls(run.trace.w2[row])
            name = check.quantity.removeprefix("final ")
            value = getattr(run_lines(problem, w1, w2), name)
        else:
            return ""
        return str(np.asarray(value)[point.index].str(DIGITS, radius=False))


def _run(verdict: Verdict, check: Check) -> Run:
    """Find the subject of a check, or the first of a pair."""
    return next(run for run in verdict.runs if run.name == check.subject[0])


def _cause(verdict: Verdict, check: Check) -> str | None:
    """Name the mistake; who breaks the contract makes the one that the check is of."""
    if check.kind == "contract":
        return BREACHES[check.words]
    if check.kind == "continuity" and check.worst.value == form(None):
        late = check.quantity.startswith("final ")
        return "only given at first" if late else "its training doesn't record it"
    run = _run(verdict, check)
    return name_cause(verdict.problem, run, check)


def _line(problem: Problem, check: Check) -> Line | None:
    """Find the line that an audit failed, if it was judged as one."""
    known = {line.words: line for line in lines(problem.loss)}
    return known.get(check.words) if check.kind == "audit" else None


def _origin(problem: Problem, check: Check, point: Point) -> str:
    """Say how a bound comes about."""
    u = unit(problem.x.dtype)
    if check.kind in ("contract", "continuity") and not point.bound:
        return "nothing but the same will do"
    if check.kind == "continuity":
        return "as far as the roundings of these steps can have grown"
    if line := _line(problem, check):
        sizes = SimpleNamespace(x=problem.x, y=problem.y, w2=problem.weights.w2)
        count = allowed(line, sizes) * slack(problem.x.dtype)
        size = point.bound / count / u
        return f"{count} roundings of {u:.3g} times {size:.3g}"
    if check.kind in ("contract", "audit") or check.quantity in ("dw1", "dw2"):
        bars = FORMULAS if check.words.endswith(END_TO_END) else 2 * FORMULAS
        return f"{bars} error bars of {point.bound / bars:.3g}"
    if check.kind in ("parity", "exact"):
        return "as far as all roundings before can have grown"
    return "both are further from 0.5 than roundings can have moved them"


def _others(verdict: Verdict, told: Check) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the failures of the same runs, before the one that is told of and after.

    Where another run is wrong by itself, what it fails with is none of theirs.
    """
    own, failed = {*told.subject}, verdict.differences
    others = {c.subject[0] for c in failed if len(c.subject) == 1} - own
    near = [c for c in failed if own & {*c.subject} and not others & {*c.subject}]
    here = near.index(told)
    parts = near[:here], near[here + 1 :]
    names = [run.name for run in verdict.runs]

    def in_words(check: Check) -> str:
        who = " and ".join(name for name in names if name in check.subject)
        words = f"{check.quantity} of {who}"
        if check.first and check.kind != "contract":
            words += f" at step {check.first.step}"
        return words

    before, after = (tuple(dict.fromkeys(map(in_words, part))) for part in parts)
    return before, after
