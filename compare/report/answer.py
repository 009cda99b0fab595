"""The answer in words: of what it is, and why."""

from collections.abc import Iterator

from compare.checks.check import Check, Doubt, Point
from compare.checks.printable import printable
from compare.checks.remarks import Remark
from compare.checks.verdict import Verdict
from compare.contract.examine import BREACHES
from compare.diagnosis.story import SILENT
from compare.report.as_json import Report, counts
from compare.training.problems import describe_problem

LARGE = 10
"""From this share of a bound on, percent are unreadable."""


def answer_lines(report: Report) -> Iterator[str]:
    """Yield the lines below the answer's name: the problem, and the reasons."""
    verdict = report.verdict
    about = f"{printable(report.about)}: " if report.about else ""
    yield about + describe_problem(verdict.problem)
    match verdict.answer:
        case "match":
            yield _extent(verdict)
            looped = [run.name for run in verdict.runs if run.looped]
            if looped:
                yield (
                    f"not checked: the optimizer of {', '.join(looped)}: no train is "
                    "given (torch_module takes optimizer=)"
                )
            lossless = [run.name for run in verdict.runs if run.plain_loss]
            if lossless:
                yield (
                    f"not checked: the loss of {', '.join(lossless)}: "
                    f"criteria= gives no {verdict.problem.loss}"
                )
        case "differ":
            for story in report.stories:
                yield from str(story).splitlines()
        case "could not compare":
            yield from _obstacles(verdict)
        case "unstable":
            yield "every line of each run is right, but training amplifies rounding:"
            yield verdict.drift.reason
        case "cannot tell":
            yield from _doubts(verdict)


def _extent(verdict: Verdict) -> str:
    n = counts(verdict)
    worst = max((check.worst for check in verdict.checks), key=lambda point: point.use)
    return (
        f"{n['total']:,} values in {n['checks']} checks; "
        f"at most {share(worst)} of any bound"
    )


def share(point: Point, times: str = "x") -> str:
    """Format how much of a bound was used, in percent or as so many times it."""
    return "-" if point.bound == float("inf") else used(point.use, times)


def used(use: float, times: str = "x") -> str:
    """Format a share of a bound likewise."""
    return f"{100 * use:.0f} %" if use < LARGE else f"{use:.0e} {times}"


def _obstacles(verdict: Verdict) -> Iterator[str]:
    """Say of each run what it broke before there was a number, and where."""
    firsts: dict[tuple[str, ...], Check] = {}
    for check in verdict.differences:
        firsts.setdefault(check.subject, check)
    for (name,), check in firsts.items():
        if check.promise:
            yield f"{name}: {BREACHES[check.promise]}"
        expected = f", expected {check.worst.reference}"
        yield f"  {check.worst.value}{expected * (check.promise not in SILENT)}"


def _doubts(verdict: Verdict) -> Iterator[str]:
    """Name each reason once, with the first check that it concerns."""
    doubted: dict[Doubt | None, list[Check]] = {}
    for check in verdict.checks:
        if check.passed is None:
            doubted.setdefault(check.doubt, []).append(check)
    for first, *others in doubted.values():
        more = f", and {len(others)} more" if others else ""
        yield f"{first.label} of {' and '.join(first.subject)}{more}: {first.reason}"
    if not doubted:
        yield "there are no two runs to compare"


def remark_to_text(remark: Remark) -> str:
    """Format a remark."""
    steps = f"{remark.total:,} step{'s' * (remark.total > 1)}"
    match remark.kind:
        case "no gradient":
            return f"all gradients are 0 in {steps}: nothing depends on the labels"
        case "still loss":
            return (
                f"the loss moved by {remark.amount:.1g} in {steps}: "
                "a wrong update might not show"
            )
        case "wrong classes":
            return f"{remark.amount:.0f} of {remark.total} classes are not the labels"
