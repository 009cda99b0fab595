"""A verdict for people and for programs. Formats; decides nothing."""

import platform
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import combinations
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks import Check, Point, where
from compare.problems import Experiment
from compare.sweep import Tally
from compare.verdict import Verdict
from impls.interface import predict

if TYPE_CHECKING:
    from compare.enclosure import ExactRun
    from compare.story import Story  # which takes the time to import ball arithmetic

FRAMEWORKS = ("numpy", "torch", "jax")
QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss curve": ("loss",),
    "weights": ("w1", "w2"),
    "predictions": ("a2",),
}
"""Rows of the report, and the quantities of parity checks that each sums up."""


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
    largest = max(abs(float(point.value)), abs(float(point.reference)))
    return point.difference / float(np.spacing(np.dtype(dtype).type(largest)))


# For programs.


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


# For people.


def to_text(
    experiment: Experiment, verdict: Verdict, story: "Story | None"
) -> RenderableType:
    """Answer in the order in which one asks, on one screen."""
    parts: list[RenderableType] = [_headline(experiment, verdict)]
    if story:
        parts += ["", Text(str(story))]
    parts += ["", _unknown(verdict)] if verdict.answer == "cannot tell" else []
    parts += ["", _predictions(experiment, verdict), "", _pairs(experiment, verdict)]
    parts += ["", _audits(verdict)]
    parts += ["", _truth(experiment, verdict)] if verdict.exact else []
    parts += ["", _footer(experiment, verdict)]
    return Group(*parts)


def _headline(experiment: Experiment, verdict: Verdict) -> Text:
    style = {"match": "bold green", "differ": "bold red"}
    names = ", ".join(run.name for run in verdict.runs)
    e, problem = experiment, verdict.problem
    sizes = f"{len(problem.x)}-{e.hidden}-{len(problem.y)}"
    return Text.assemble(
        (verdict.answer.upper(), style.get(verdict.answer, "bold yellow")),
        f"  {names}\n{e.table} {sizes}, {e.loss}, {e.dtype}, seed {e.seed}, ",
        f"lr {e.lr}, {e.steps:,} steps",
    )


def _unknown(verdict: Verdict) -> Text:
    """Say what can't be told, of whom, and why."""
    quantities: dict[tuple[str, str], list[str]] = {}
    for check in verdict.checks:
        if check.passed is None:
            who = ", ".join(check.subject)
            quantities.setdefault((who, check.reason), []).append(check.quantity)
    rows = (f"{', '.join(q)} of {who}: {why}" for (who, why), q in quantities.items())
    return Text("\n".join(rows) or "nothing was compared")


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(
            column.lstrip(">"), justify="right" if ">" in column else "left"
        )
    return table


def _predictions(experiment: Experiment, verdict: Verdict) -> Table:
    x, y = verdict.problem.x, verdict.problem.y
    samples = (f">({', '.join(f'{v:g}' for v in sample)})" for sample in x.T)
    table = _table(f"a2 after step {experiment.steps:,}", *samples, "classes")
    table.add_row(
        "expected", *(f"{v:g}" for v in y[0]), " ".join(f"{v:g}" for v in y[0])
    )
    for run in verdict.runs:
        if run.name not in verdict.drifts:
            table.add_row(run.name, "no whole trace")
            continue
        classes = " ".join(str(int(c)) for c in predict(run.final_a2).flat)
        table.add_row(run.name, *(f"{v:.8f}" for v in run.final_a2.flat), classes)
    return table


def _typical(verdict: Verdict, check: Check) -> str:
    """Give R for where the difference was largest; gradients don't drift."""
    if check.quantity in QUANTITIES["gradients"]:
        return ""
    typical = verdict.drifts[check.subject[0]].typical
    name = "weights" if check.quantity in QUANTITIES["weights"] else check.quantity
    index = () if name == "weights" else check.largest.index
    return f"{getattr(typical, name)[check.largest.step, *index]:.1e}"


def _pairs(experiment: Experiment, verdict: Verdict) -> Table:
    """Show the largest difference of each pair in each quantity."""
    table = _table("pair", "", ">largest", ">step", "element", ">ulp", ">bound", ">R")
    for pair in combinations(verdict.drifts, 2):
        checks = [
            check
            for check in verdict.checks
            if check.kind == "parity" and {*check.subject} == {*pair}
        ]
        for i, (check, cells) in enumerate(_largest(experiment, checks)):
            who = "" if i else ", ".join(pair)
            table.add_row(who, *cells, _typical(verdict, check))
    return table


def _truth(experiment: Experiment, verdict: Verdict) -> Table:
    """Show how far each implementation is from the exact run."""
    table = _table("from exact", "", ">largest", ">step", "element", ">ulp", ">bound")
    for name in verdict.drifts:
        checks = [
            check
            for check in verdict.checks
            if check.kind == "exact" and check.subject == (name,)
        ]
        for i, (_, cells) in enumerate(_largest(experiment, checks)):
            table.add_row("" if i else name, *cells)
    return table


def _largest(
    experiment: Experiment, checks: Sequence[Check]
) -> Iterator[tuple[Check, tuple[str, ...]]]:
    """Find the largest difference in each quantity, and lay out its cells."""
    for title, quantities in QUANTITIES.items():
        of_title = [check for check in checks if check.quantity in quantities]
        if of_title:
            check = max(of_title, key=lambda check: check.largest.difference)
            point = check.largest
            yield (
                check,
                (
                    title,
                    f"{point.difference:.1e}",
                    str(point.step),
                    where(check, point),
                    f"{ulps(point, experiment.dtype):.3g}",
                    f"{point.bound:.1e}",
                ),
            )


def _audits(verdict: Verdict) -> Table:
    """Show for each implementation the line that used most of its bound."""
    table = _table("audit", ">bound used", "by its worst line", ">at step", "element")
    checks = [check for check in verdict.checks if check.kind == "audit"]
    for name in dict.fromkeys(check.subject[0] for check in checks):
        check = max(
            (check for check in checks if check.subject == (name,)),
            key=lambda check: check.worst.use,
        )
        point = check.worst
        table.add_row(
            name, f"{point.use:.0%}", check.words, str(point.step), where(check, point)
        )
    return table


def _footer(experiment: Experiment, verdict: Verdict) -> Text:
    n = counts(verdict)
    kinds = ", ".join(f"{n[kind]:,} {kind}" for kind in [*n][:-2])
    tools = ", ".join(f"{name} {version}" for name, version in environment().items())
    return Text(
        f"{n['total']:,} values compared in {n['checks']} checks ({kinds})\n"
        f"{tools}; computed in {experiment.dtype}"
    )


def sweep_to_text(experiment: Experiment, tally: Tally) -> RenderableType:
    """Say how many seeds got which verdict, and where the bounds were nearest."""
    answers = ", ".join(f"{n} {answer}" for answer, n in sorted(tally.answers.items()))
    differ = f" (seeds {', '.join(map(str, tally.differ))})" if tally.differ else ""
    table = _table("kind", ">bound used", "of", "by", ">seed", ">at step", "element")
    for kind, (check, seed) in tally.worst.items():
        point = check.worst
        table.add_row(
            kind,
            f"{point.use:.0%}",
            ", ".join(check.subject),
            check.words,
            str(seed),
            str(point.step),
            where(check, point),
        )
    e = experiment
    head = f"{e.table}, {e.loss}, {e.dtype}, lr {e.lr}, {e.steps:,} steps: {answers}"
    return Group(Text(head + differ), "", table)


def exact_to_text(experiment: Experiment, run: "ExactRun", digits: int) -> Text:
    """Print the exact run before and after its last update, to so many digits."""
    e = experiment
    rows = [
        f"{e.table}, {e.loss}, {e.dtype} weights of seed {e.seed}, lr {e.lr}, exactly",
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
