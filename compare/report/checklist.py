"""What `gradparity check` prints: the findings of the pytest cases, a line each."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from compare.checks.verdict import Answer
from compare.diagnosis.findings import Finding
from compare.report.as_json import header, plain


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


def findings_to_text(name: str, findings: Sequence[Finding]) -> Text:
    """Format one line for each finding, and the answer."""
    styles = {"passed": "green", "failed": "bold red", "cannot tell": "bold yellow"}
    words = max(len(finding.status) for finding in findings)
    names = max(len(finding.name) for finding in findings)
    text = Text()
    for finding in findings:
        text.append(finding.status.ljust(words), styles.get(finding.status, "dim"))
        line = f"  {finding.name.ljust(names)}  {_reason(finding)}"
        text.append(f"{line.rstrip()}\n")
    counts = Counter(finding.status for finding in findings)
    summary = ", ".join(f"{n} {status}" for status, n in counts.items())
    return text.append(f"{answer_of(findings).upper()}  {name}: {summary}")


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


def _reason(finding: Finding) -> str:
    """Return the first line of a reason; the problem where it fails by itself."""
    first, *_ = finding.reason.splitlines() or [""]
    return f"{first} ({finding.problem})" if finding.fails else first
