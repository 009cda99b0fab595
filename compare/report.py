"""A verdict for people and for programs. Formats; decides nothing."""

import platform
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import combinations
from math import isfinite
from typing import Any, cast

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks import Check, Point
from compare.peers import PEERS
from compare.problems import Experiment
from compare.selftest import Control, Findings, Planted
from compare.sweep import Tally
from compare.verdict import Verdict
from impls.interface import predict

FRAMEWORKS = ("numpy", "torch", "jax")
QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss curve": ("loss",),
    "weights": ("w1", "w2"),
    "a2": ("a2",),
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


def to_json(experiment: Experiment, verdict: Verdict) -> dict[str, Any]:
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
        "first_difference": _check(first)["first"] | _about(first) if first else None,
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


def to_text(experiment: Experiment, verdict: Verdict) -> RenderableType:
    """Answer in the order in which one asks, on one screen."""
    parts: list[RenderableType] = [_headline(experiment, verdict)]
    if verdict.first_difference:
        parts += ["", _story(verdict.first_difference, experiment.dtype)]
    parts += ["", _unknown(verdict)] if verdict.answer == "cannot tell" else []
    parts += ["", _predictions(experiment, verdict), "", _pairs(experiment, verdict)]
    parts += ["", _audits(verdict), *_end_to_end(verdict), ""]
    parts += [_footer(experiment, verdict)]
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


def _where(check: Check, point: Point) -> str:
    element = f"[{', '.join(map(str, point.index))}]" if point.index else ""
    return f"{check.quantity}{element}"


def _number(value: float | str, dtype: str) -> str:
    return value if isinstance(value, str) else str(np.dtype(dtype).type(value))


def _story(check: Check, dtype: str) -> Text:
    """Tell where the runs part: step, line, element, both numbers, the bound."""
    point = cast("Point", check.first)
    expected = "the mathematics" if len(check.subject) == 1 else check.subject[1]
    return Text(
        f"first difference: step {point.step}, {check.words}\n"
        f"  {check.subject[0] + ':':20}{_where(check, point)}"
        f" = {_number(point.value, dtype)}\n"
        f"  {expected + ':':20}{_where(check, point)} = {point.reference}\n"
        f"  {check.reason}: {point.difference:.3g} apart, bound {point.bound:.3g}"
        f" ({check.kind} check)"
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
    checks = [check for check in verdict.checks if check.kind == "parity"]
    for pair in combinations(verdict.drifts, 2):
        of_pair = [check for check in checks if {*check.subject} == {*pair}]
        for title, quantities in QUANTITIES.items():
            check = max(
                (check for check in of_pair if check.quantity in quantities),
                key=lambda check: check.largest.difference,
            )
            point = check.largest
            table.add_row(
                ", ".join(pair) if title == "gradients" else "",
                title,
                f"{point.difference:.1e}",
                str(point.step),
                _where(check, point),
                f"{ulps(point, experiment.dtype):.3g}",
                f"{point.bound:.1e}",
                _typical(verdict, check),
            )
    return table


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
            name, f"{point.use:.0%}", check.words, str(point.step), _where(check, point)
        )
    return table


def _end_to_end(verdict: Verdict) -> list[RenderableType]:
    """Say what was not held to its line, but to the wider bar from the weights."""
    return [
        Text(f"{run.name}: {', '.join(run.end_to_end)} judged end to end")
        for run in verdict.runs
        if run.end_to_end
    ]


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
            _where(check, point),
        )
    e = experiment
    head = f"{e.table}, {e.loss}, {e.dtype}, lr {e.lr}, {e.steps:,} steps: {answers}"
    return Group(Text(head + differ), "", table)


_LEGEND = """\
n/m: n of m runs were reported; of harmless rewrites, that is a false alarm.
assert_allclose, assert_close: with their defaults, on all arrays of both traces.
gradcheck, check_grads: with their defaults, on loss and gradient at the weights of one
step; they are not shown the start, the update or the record."""


def faults_to_text(findings: Findings) -> RenderableType:
    """Say who reported which fault, what is no fault, and who blames correct runs."""
    parts: list[RenderableType] = []
    for dtype in dict.fromkeys(planted.dtype for planted in findings.planted):
        planted = [p for p in findings.planted if p.dtype == dtype]
        parts += [_faults(dtype, planted), "", _no_faults(dtype, planted), ""]
    return Group(*parts, _controls(findings.controls), "", Text(_LEGEND))


def _share(of: Sequence[Planted | Control], peer: str) -> str:
    return f"{sum(peer in one.alarms for one in of)}/{len(of)}"


def _faults(dtype: str, planted: Sequence[Planted]) -> Table:
    """Show each fault in a row: how many of its plants were caught, where, by whom."""
    peers = (f">{peer}" for peer in PEERS)
    table = _table(dtype, ">caught", ">step", "first difference", *peers)
    real = [p for p in planted if p.status != "no fault"]
    for name in dict.fromkeys(p.fault for p in real):
        _fault(table, name, [p for p in real if p.fault == name])
    n = sum(p.status == "caught" for p in real)
    shares = (_share(real, peer) for peer in PEERS)
    table.add_row("all", f"{n}/{len(real)}", "", "", *shares, style="bold")
    return table


def _fault(table: Table, name: str, planted: Sequence[Planted]) -> None:
    firsts = [p.first for p in planted if p.first]
    steps = sorted({check.first.step for check in firsts if check.first})
    table.add_row(
        name,
        f"{sum(p.status == 'caught' for p in planted)}/{len(planted)}",
        ", ".join(map(str, steps)),
        ", ".join(dict.fromkeys(check.words for check in firsts)) or "none",
        *(_share(planted, peer) for peer in PEERS),
    )


def _no_faults(dtype: str, planted: Sequence[Planted]) -> Text:
    """Name what the dtype rounds away, and what exact arithmetic says of it."""
    found: dict[str, list[float]] = {}
    for p in planted:
        if p.status == "no fault" and p.change is not None:
            found.setdefault(p.fault, []).append(p.change)
    rows = (f"  {max(c):<7.2g}  {name}" for name, c in found.items())
    head = (
        f"no fault in {dtype}: its change of a line, in roundings of {dtype}, at most"
    )
    return Text("\n".join([head, *rows]) if found else f"each is a fault in {dtype}")


def _controls(controls: Sequence[Control]) -> Table:
    """Show each correct implementation: its verdicts, and the false alarms."""
    peers = (f">{peer}" for peer in PEERS)
    table = _table("harmless rewrite", "of", ">match", "end to end", *peers)
    for name, base in dict.fromkeys((c.name, c.base) for c in controls):
        of_name = [c for c in controls if (c.name, c.base) == (name, base)]
        _control(table, (name, base), of_name)
    for dtype in dict.fromkeys(c.dtype for c in controls):
        of_dtype = [c for c in controls if c.dtype == dtype]
        _control(table, ("all", dtype), of_dtype, style="bold")
    return table


def _control(
    table: Table, title: tuple[str, str], controls: Sequence[Control], style: str = ""
) -> None:
    quantities = {c.end_to_end for c in controls}
    table.add_row(
        *title,
        f"{sum(c.answer == 'match' for c in controls)}/{len(controls)}",
        ", ".join(*quantities) if len(quantities) == 1 else "",
        *(_share(controls, peer) for peer in PEERS),
        style=style,
    )
