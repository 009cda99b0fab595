"""A verdict for people, on one screen. Formats; decides nothing."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks import Check, where
from compare.problems import Experiment
from compare.report import counts, environment, ulps
from compare.verdict import Verdict
from impls.interface import predict

if TYPE_CHECKING:
    from compare.story import Story  # which takes the time to import ball arithmetic

QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss curve": ("loss",),
    "weights": ("w1", "w2"),
    "predictions": ("a2",),
}
"""Rows of the report, and the quantities of parity checks that each sums up."""


def to_text(
    experiment: Experiment, verdict: Verdict, story: "Story | None"
) -> RenderableType:
    """Answer in the order in which one asks, on one screen."""
    parts: list[RenderableType] = [_headline(experiment, verdict)]
    if story:
        parts += ["", Text(str(story))]
    parts += ["", _unknown(verdict)] if verdict.answer == "cannot tell" else []
    parts += ["", _predictions(experiment, verdict), "", _pairs(experiment, verdict)]
    parts += ["", _audits(verdict), *_end_to_end(verdict)]
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


def _predictions(experiment: Experiment, verdict: Verdict) -> Table:
    x, y = verdict.problem.x, verdict.problem.y
    samples = (f">({', '.join(f'{v:g}' for v in sample)})" for sample in x.T)
    table = new_table(f"a2 after step {experiment.steps:,}", *samples, "classes")
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
    table = new_table(
        "pair", "", ">largest", ">step", "element", ">ulp", ">bound", ">R"
    )
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
    table = new_table(
        "from exact", "", ">largest", ">step", "element", ">ulp", ">bound"
    )
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
    table = new_table(
        "audit", ">bound used", "by its worst line", ">at step", "element"
    )
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


def new_table(*columns: str) -> Table:
    """Begin a table without lines; `>` before a title sets its column to the right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(
            column.lstrip(">"), justify="right" if ">" in column else "left"
        )
    return table
