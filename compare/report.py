"""A verdict for programs, and what all reports say. Formats; decides nothing."""

import platform
import sys
from collections import Counter
from dataclasses import asdict
from importlib import metadata
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from compare.checks import Check, Point
from compare.problems import Experiment
from compare.verdict import Verdict
from impls.interface import predict

if TYPE_CHECKING:
    from compare.story import Story  # which takes the time to import ball arithmetic

FRAMEWORKS = ("numpy", "torch", "jax")


def environment() -> dict[str, str]:
    """Say what computed: Python, the frameworks that were loaded, and the system."""
    loaded = [name for name in FRAMEWORKS if name in sys.modules]
    versions = {name: metadata.version(name) for name in loaded}
    system = f"{platform.system()} {platform.machine()}"
    return {"python": platform.python_version(), **versions, "system": system}


def counts(verdict: Verdict) -> dict[str, int]:
    """Count the numbers compared, by kind of check, and the checks."""
    numbers: Counter[str] = Counter()
    for check in verdict.checks:
        numbers[check.kind] += check.count
    return {**numbers, "total": numbers.total(), "checks": len(verdict.checks)}


def ulps(point: Point, dtype: str) -> float:
    """Give a difference in units in the last place of the larger number."""
    if point.difference == 0:
        return 0.0
    if isinstance(point.value, str):
        return float("nan")  # of what could not be compared
    largest = max(abs(float(point.value)), abs(float(point.reference)))
    return point.difference / float(np.spacing(np.dtype(dtype).type(largest)))


def to_json(
    experiment: Experiment, verdict: Verdict, story: "Story | None"
) -> dict[str, Any]:
    """Lay out everything in full precision; what is no finite number is a string."""
    first = verdict.first_difference
    report = {
        "verdict": verdict.answer,
        "problem": asdict(experiment),
        "implementations": [run.name for run in verdict.runs],
        "environment": environment(),
        "counts": counts(verdict),
        "checks": [_check(check) for check in verdict.checks],
        "predictions": {
            run.name: {
                "step": experiment.steps,
                "a2": run.final_a2.tolist(),
                "classes": predict(run.final_a2).astype(int).tolist(),
            }
            for run in verdict.runs
        },
        "first_difference": (
            _about(first) | _check(first)["first"] | asdict(story)
            if first and story
            else None
        ),
    }
    return {key: _plain(value) for key, value in report.items()}


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


def _check(check: Check) -> dict[str, Any]:
    points = {name: getattr(check, name) for name in ("worst", "largest", "first")}
    return {
        **_about(check),
        "passed": check.passed,
        "count": check.count,
        **{name: asdict(point) if point else None for name, point in points.items()},
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
