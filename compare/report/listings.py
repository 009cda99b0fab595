"""What `gradparity list`, `exact` and `check` print."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks.printable import printable
from compare.checks.verdict import Answer
from compare.diagnosis.findings import MAY_BE_LENT, Finding, FindingStatus
from compare.hosts.listing import Listed
from compare.report.as_json import header, plain
from compare.report.layout import Prose, new_table
from compare.training.problems import Experiment

if TYPE_CHECKING:
    from compare.numerics.exact_run import ExactRun

SHORT: tuple[FindingStatus, ...] = ("passed", "not given", "not reached", "follows")
"""What is named only; the rest fails, and is shown in full."""


def implementations_to_text(implementations: Sequence[Listed]) -> Table:
    """Show the source and the framework of each, or how to install it."""
    table = new_table("name", "from", "framework", "missing")
    for one in implementations:
        framework = f"{one.framework or 'not declared'} {one.version or ''}"
        cells = one.name, one.source, framework, one.remedy
        table.add_row(*map(printable, cells))
    return table


def exact_to_text(experiment: Experiment, run: "ExactRun", digits: int) -> Text:
    """Format the exact run before and after its last update, to so many digits."""
    e = experiment
    rows = [
        f"{e.data}, {e.loss}, {e.dtype} weights of seed {e.seed}, lr {e.lr}, exactly",
        f"certified to {run.radius:.1e}, computed with {run.bits} bits",
    ]
    for index, when in ((-2, "before"), (-1, "after")):
        rows += ["", f"{when} update {e.steps:,}:"]
        for name in ("loss", "a2", "w1", "w2"):
            numbers = np.atleast_1d(getattr(run, name)[index])
            rows += [
                f"  {name + ''.join(f'[{i}]' for i in place if numbers.ndim > 1):9}"
                f" {ball.str(digits, radius=False)}"
                for place, ball in np.ndenumerate(numbers)
            ]
    return Text("\n".join(rows))


def answer_of(findings: Sequence[Finding]) -> Answer:
    """Return what findings come to, as the answer of a verdict.

    match: none fails. could not compare: what fails is the contract, before there was a
    number.
    """
    failed = [finding for finding in findings if finding.status == "failed"]
    broken = [c for f in failed for c in f.checks if c.passed is False]
    if any(not (c.promise and c.promise.precedes_numbers) for c in broken):
        return "differ"
    if failed:
        return "could not compare"
    return "cannot tell" if any(f.fails for f in findings) else "match"


def findings_to_text(name: str, findings: Sequence[Finding]) -> RenderableType:
    """Format a line for each status, the failures in full, and the answer."""
    counts = Counter(finding.status for finding in findings)
    failures = [finding for finding in findings if finding.fails]
    rows = [
        Prose(f"{status} ({counts[status]}): {', '.join(_names(findings, status))}")
        for status in SHORT
        if counts[status]
    ]
    for finding in failures:
        head, *rest = _failure(finding)
        rows += [Prose(head, "bold red"), *map(Prose, rest)]
    lent = (f for f in findings if f.name in MAY_BE_LENT)
    notes = dict.fromkeys(f.reason for f in lent if f.status in ("passed", "not given"))
    rows += [Prose(note) for note in notes if note]
    summary = ", ".join(f"{n} {status}" for status, n in counts.items())
    return Group(*rows, Prose(f"{answer_of(findings).upper()}  {name}: {summary}"))


def findings_to_json(
    name: str, reference: str, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Convert findings; `docs/schema.json` describes the result."""
    return {
        **header(),
        "verdict": answer_of(findings),
        "implementation": name,
        "reference": reference,
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    resolution = finding.resolution
    return {
        "name": finding.name,
        "status": finding.status,
        "reason": finding.reason,
        "problem": finding.problem,
        "checks": len(finding.checks),
        "numbers": sum(check.count for check in finding.checks),
        "resolution": resolution and plain(resolution._asdict()),
    }


def _names(findings: Sequence[Finding], status: FindingStatus) -> list[str]:
    return [finding.name for finding in findings if finding.status == status]


def _failure(finding: Finding) -> list[str]:
    """Return what fails, on which problem; the numbers; and the bound."""
    place, *rest = finding.story.rows() if finding.story else [finding.reason]
    head = f"{finding.status}: {finding.name} ({finding.problem})"
    return [head, f"  {place}", *(f"  {row}" for row in rest)]
