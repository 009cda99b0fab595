"""A verdict for programs, and what all reports say. Formats; decides nothing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from compare.checks.check import Check, Point
from compare.checks.run import row_of
from compare.checks.verdict import Verdict
from compare.report.story import Story, tell_all
from compare.training.problems import sizes
from impls.interface import Gradients, Weights, predict


@dataclass(frozen=True, eq=False)
class Report:
    """All that is told of a comparison.

    Attributes:
        about: What was learned, in words.
        verdict: What was found.
        environments: What each run was computed by, by its name.
    """

    about: str
    verdict: Verdict
    environments: Mapping[str, Mapping[str, str]]

    @cached_property
    def stories(self) -> tuple[Story, ...]:
        """Where they part, if they do: the first difference comes first."""
        return tell_all(self.verdict)

    @property
    def every(self) -> int:
        """Each how many steps were recorded."""
        return max((run.every for run in self.verdict.runs), default=1)


def counts(verdict: Verdict) -> dict[str, int]:
    """Count the numbers compared, by kind of check, and the checks.

    The checks of the contract are not counted.
    """
    checks = [check for check in verdict.checks if check.kind != "contract"]
    numbers: Counter[str] = Counter()
    for check in checks:
        numbers[check.kind] += check.count
    return {**numbers, "total": numbers.total(), "checks": len(checks)}


def ulps(point: Point, dtype: np.dtype[np.floating]) -> float:
    """Give a difference in units in the last place of the larger number."""
    if point.difference == 0:
        return 0.0
    if isinstance(point.value, str):
        return float("nan")  # of what could not be compared
    largest = max(abs(float(point.value)), abs(float(point.reference)))
    return point.difference / float(np.spacing(dtype.type(largest)))


def typical(verdict: Verdict, check: Check, point: Point) -> float | None:
    """Give R: how far apart runs usually are there; None of what does not drift."""
    if check.kind != "parity" or check.quantity in Gradients._fields:
        return None
    distance = verdict.drifts[check.subject[0]].typical
    row = row_of(verdict.runs[0], point.step)
    if check.quantity in Weights._fields:
        return float(distance.weights[row])
    return float(getattr(distance, check.quantity)[row, *point.index])


def to_json(report: Report) -> dict[str, Any]:
    """Lay out everything in full precision; what is no finite number is a string."""
    verdict, problem = report.verdict, report.verdict.problem
    first = verdict.first_difference
    laid_out = {
        "verdict": verdict.answer,
        "problem": {
            "about": report.about,
            "sizes": sizes(problem),
            "samples": problem.x.shape[-1],
            "loss": problem.loss,
            "dtype": str(problem.x.dtype),
            "lr": problem.lr,
            "steps": problem.steps,
            "every": report.every,
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
        "line": check.words,
        "reason": check.reason,
    }


def _check(verdict: Verdict, check: Check) -> dict[str, Any]:
    def laid_out(point: Point | None) -> dict[str, Any] | None:
        if point is None:
            return None
        ulp = ulps(point, verdict.problem.x.dtype)
        return asdict(point) | {"ulp": ulp, "R": typical(verdict, check, point)}

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
