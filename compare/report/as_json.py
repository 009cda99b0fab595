"""A verdict as JSON, and the report that all formats are made of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from compare.checks.check import Check, Point
from compare.checks.verdict import Verdict
from compare.report.story import Story, stories_of
from compare.training.problems import sizes_of
from impls.interface import predict


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
    checks = [check for check in verdict.checks if check.kind != "contract"]
    numbers: Counter[str] = Counter()
    for check in checks:
        numbers[check.kind] += check.count
    return {**numbers, "total": numbers.total(), "checks": len(checks)}


def ulps(point: Point, dtype: np.dtype[np.floating]) -> float:
    """Return a difference in units in the last place of the larger number."""
    if point.difference == 0:
        return 0.0
    if isinstance(point.value, str):
        return float("nan")  # of what could not be compared
    largest = max(abs(float(point.value)), abs(float(point.reference)))
    return point.difference / float(np.spacing(dtype.type(largest)))


def to_json(report: Report) -> dict[str, Any]:
    """Convert a report, in full precision; a number that is not finite is a string."""
    verdict, problem = report.verdict, report.verdict.problem
    first = verdict.first_difference
    laid_out = {
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
        "implementations": [run.name for run in verdict.runs],
        "environment": report.environments,
        "counts": counts(verdict),
        "checks": [_check(verdict, check) for check in verdict.checks],
        "predictions": {
            run.name: {
                "step": problem.steps,
                "a2": a2.tolist(),
                "classes": predict(a2).astype(int).tolist(),
            }
            for run in verdict.runs
            for a2 in [run.final_a2 if run.name in verdict.drifts else np.empty(0)]
        },
        "first_difference": (
            _about(first) | _check(verdict, first)["first"] | asdict(report.stories[0])
            if first
            else None
        ),
    }
    return {key: _plain(value) for key, value in laid_out.items()}


def _about(check: Check) -> dict[str, Any]:
    subject = (
        {"implementation": check.subject[0]}
        if len(check.subject) == 1
        else {"pair": check.subject}
    )
    return {
        "kind": check.kind,
        **subject,
        "quantity": check.quantity,
        "line": check.statement,
        "when": check.when,
        "basis": check.basis,
        "reason": check.reason,
    }


def _check(verdict: Verdict, check: Check) -> dict[str, Any]:
    def laid_out(point: Point | None) -> dict[str, Any] | None:
        if point is None:
            return None
        return asdict(point) | {"ulp": ulps(point, verdict.problem.x.dtype)}

    points = {name: getattr(check, name) for name in ("worst", "largest", "first")}
    return {
        **_about(check),
        "passed": check.passed,
        "count": check.count,
        **{name: laid_out(point) for name, point in points.items()},
    }


def _plain(value: Any) -> Any:  # noqa: ANN401
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not isfinite(value):
            return str(value)
        case _:
            return value
