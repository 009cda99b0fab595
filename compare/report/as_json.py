"""A verdict as JSON, and the report that all formats are made of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from importlib import metadata
from math import isfinite
from typing import Any

from compare.checks.check import Check, Claim
from compare.checks.remarks import remarks
from compare.checks.resolution import resolutions
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.diagnosis.numbers import exact_number
from compare.diagnosis.story import Story, stories_of
from compare.training.problems import sizes_of
from impls.interface import predict

SCHEMA = 1
"""The version of `docs/schema.json`."""


@dataclass(frozen=True, eq=False)
class Report:
    """A verdict, and what its numbers depend on.

    Attributes:
        about: The problem in a few words.
        verdict: The verdict.
        environments: The environment of each run, by its name.
    """

    about: str
    verdict: Verdict
    environments: Mapping[str, Mapping[str, str]]

    @cached_property
    def stories(self) -> tuple[Story, ...]:
        """The differences, the first one first."""
        return stories_of(self.verdict)


def counts(verdict: Verdict) -> dict[str, int]:
    """Count the compared numbers by kind of check, and the checks.

    Checks of the contract are not counted.
    """
    numbers: Counter[str] = Counter()
    for check in verdict.counted:
        numbers[check.kind] += check.count
    return {**numbers, "total": numbers.total(), "checks": len(verdict.counted)}


def to_json(report: Report) -> dict[str, Any]:
    """Convert a report, in full precision; `docs/schema.json` describes the result.

    A number that is not finite is a string.
    """
    verdict, problem = report.verdict, report.verdict.problem
    laid_out = {
        **header(),
        "verdict": verdict.answer,
        "problem": {
            "about": report.about,
            "sizes": str(sizes_of(problem)),
            "samples": problem.x.shape[-1],
            "loss": problem.loss,
            "dtype": str(problem.x.dtype),
            "lr": problem.lr,
            "steps": problem.steps,
        },
        "implementations": [_implementation(report, run) for run in verdict.runs],
        "counts": counts(verdict),
        "resolution": {
            name: each._asdict() for name, each in resolutions(verdict.checks).items()
        },
        "remarks": [asdict(remark) for remark in remarks(verdict)],
        "checks": [_check(verdict, check) for check in verdict.checks],
        "first_difference": _first_difference(report),
    }
    return {key: plain(value) for key, value in laid_out.items()}


def header() -> dict[str, Any]:
    """Return what every JSON output begins with."""
    return {"schema": SCHEMA, "gradparity": metadata.version("gradparity")}


def _implementation(report: Report, run: Run) -> dict[str, Any]:
    """Lay out what a run depends on, and its predictions if it is complete."""
    environment = report.environments.get(run.name, {})
    complete = run in report.verdict.complete
    return {
        "name": run.name,
        "environment": {k.replace(" ", "_"): v for k, v in environment.items()},
        "a2": run.final_a2.tolist() if complete else None,
        "classes": predict(run.final_a2).astype(int).tolist() if complete else None,
    }


def _check(verdict: Verdict, check: Check) -> dict[str, Any]:
    claim = {field.name: getattr(check, field.name) for field in fields(Claim)}
    points = {
        name: point and {**asdict(point), "use": point.use}
        for name in ("worst", "largest", "first")
        for point in [getattr(check, name)]
    }
    return {
        **claim,
        "promise": check.promise and check.promise.name.lower(),
        "passed": check.passed,
        "doubt": check.doubt,
        "reason": check.reason,
        "count": check.count,
        "resolution": check.resolution and check.resolution._asdict(),
        **points,
        "exact": exact_number(verdict, check),
    }


def _first_difference(report: Report) -> dict[str, Any] | None:
    """Lay out the first failure; its numbers are text as well, in full digits."""
    check = report.verdict.first_difference
    if check is None:
        return None
    story = asdict(report.stories[0])
    numbers = [{"of": name, "digits": text} for name, text in story["numbers"].items()]
    laid_out = _check(report.verdict, check)
    return {"check": laid_out, **story, "numbers": numbers, "exact": laid_out["exact"]}


def plain(value: Any) -> Any:  # noqa: ANN401
    """Convert to what JSON holds; a number that is not finite is a string."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case float() if not isfinite(value):
            return str(value)
        case _:
            return value
