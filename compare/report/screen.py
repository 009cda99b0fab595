"""A verdict as text, on one screen."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks.check import Check, Point, element
from compare.checks.verdict import Verdict
from compare.report.as_json import Report, counts, ulps
from compare.training.problems import describe_problem
from impls.interface import Array, predict

QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss curve": ("loss",),
    "weights": ("w1", "w2"),
    "predictions": ("a2",),
}
"""Rows of the table of pairs, and the quantities that each of them summarises."""
LARGE = 10
"""From this share of a bound on, percent are unreadable."""
SAMPLES = 6
"""How many samples of the predictions are shown."""


def to_text(report: Report) -> RenderableType:
    """Format a report: the answer first."""
    verdict = report.verdict
    parts: list[RenderableType] = [_headline(report)]
    for story in report.stories:
        parts += ["", Text(str(story))]
    parts += ["", _unknown(verdict)] if verdict.answer == "cannot tell" else []
    parts += ["", _predictions(verdict)]
    parts += ["", _pairs(verdict)] if len(verdict.drifts) > 1 else []
    parts += ["", _audits(verdict), *map(Text, _remarks(verdict))]
    parts += ["", _truth(verdict)] if verdict.exact else []
    parts += ["", _footer(report)]
    return Group(*parts)


def _headline(report: Report) -> Text:
    style = {"match": "bold green", "differ": "bold red"}
    verdict = report.verdict
    names = ", ".join(run.name for run in verdict.runs)
    return Text.assemble(
        (verdict.answer.upper(), style.get(verdict.answer, "bold yellow")),
        f"  {names}\n",
        f"{report.about}: " if report.about else "",
        describe_problem(verdict.problem),
    )


def _unknown(verdict: Verdict) -> Text:
    """List what could not be decided, for which runs, and why."""
    quantities: dict[tuple[str, str], list[str]] = {}
    for check in verdict.checks:
        if check.passed is None:
            names = ", ".join(check.subject)
            quantities.setdefault((names, check.reason), []).append(check.label)
    rows = (f"{', '.join(q)} of {of}: {why}" for (of, why), q in quantities.items())
    return Text("\n".join(rows) or "nothing was compared")


def _predictions(verdict: Verdict) -> Table:
    """Show the probabilities after training, one row for each output."""
    problem = verdict.problem
    x, y = problem.x[:, :SAMPLES], problem.y
    samples = (f">({', '.join(f'{v:g}' for v in sample)})" for sample in x.T)
    more = ["…"] if y.shape[-1] > SAMPLES else []
    title = f"a2 after step {problem.steps:,}"
    table = new_table(title, *samples, *more, "classes")

    def add(name: str, a2: Array, digits: str, classes: Array) -> None:
        for i, row in enumerate(a2):
            title = name if len(a2) == 1 else f"{name}, output {i}"
            shown = (format(v, digits) for v in row[:SAMPLES])
            words = " ".join(format(c, "g") for c in classes[i][:SAMPLES])
            table.add_row(title, *shown, *more, words)

    add("expected", y, "g", y)
    for run in verdict.runs:
        if run.name in verdict.drifts:
            add(run.name, run.final_a2, ".8f", predict(run.final_a2).astype(float))
        else:
            table.add_row(run.name, "no whole trace")
    return table


def _pairs(verdict: Verdict) -> Table:
    """Show the largest difference of each pair in each quantity."""
    table = new_table("pair", "", ">largest", ">step", "element", ">ulp", ">bound")
    for pair in combinations(verdict.drifts, 2):
        checks = [
            check
            for check in verdict.checks
            if check.kind == "parity" and {*check.subject} == {*pair}
        ]
        for i, cells in enumerate(_largest(verdict, checks)):
            table.add_row("" if i else ", ".join(pair), *cells)
    return table


def _truth(verdict: Verdict) -> Table:
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
        for i, cells in enumerate(_largest(verdict, checks)):
            table.add_row("" if i else name, *cells)
    return table


def _largest(verdict: Verdict, checks: Sequence[Check]) -> Iterator[tuple[str, ...]]:
    """Format the largest difference in each quantity as the cells of a row."""
    for title, quantities in QUANTITIES.items():
        of_title = [check for check in checks if check.quantity in quantities]
        if of_title:
            check = max(of_title, key=lambda check: check.largest.difference)
            point = check.largest
            yield (
                title,
                f"{point.difference:.1e}",
                str(point.step),
                element(check, point),
                f"{ulps(point, verdict.problem.x.dtype):.3g}",
                f"{point.bound:.1e}",
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
            name, share(point), check.statement, str(point.step), element(check, point)
        )
    return table


def share(point: Point) -> str:
    """Format how much of a bound was used."""
    return f"{point.use:.0%}" if point.use < LARGE else f"{point.use:.1e} times"


def _remarks(verdict: Verdict) -> Iterator[str]:
    """List the runs that were not trained by their own loop, or judged line by line."""
    for run in verdict.runs:
        whole = [
            check.quantity
            for check in verdict.checks
            if check.subject == (run.name,)
            and (check.kind, check.when, check.basis)
            == ("audit", "in a step", "weights")
        ]
        if run.looped:
            yield f"{run.name}: has no train, so a plain loop trained it"
        if run.unknown:
            yield f"{run.name}: does not return {', '.join(run.unknown)}"
        if whole:
            yield f"{run.name}: {', '.join(whole)} judged end to end"


def _footer(report: Report) -> Text:
    n = counts(report.verdict)
    tools = {
        environment[key]: None
        for key in ("python", "framework", "device", "system")
        for environment in report.environments.values()
        if environment.get(key, "unknown") != "unknown"
    }
    return Text(
        f"{n['total']:,} values compared in {n['checks']} checks\n"
        f"python {', '.join(tools)}"
    )


def differences_to_text(differences: Mapping[str, Mapping[str, str]]) -> RenderableType:
    """Show where the environments differ, a column for each run."""
    names = list(dict.fromkeys(name for row in differences.values() for name in row))
    table = new_table("environment", *names)
    for key, row in differences.items():
        table.add_row(key, *(row[name] for name in names))
    return table if differences else Text("all were computed in the same environment")


def new_table(*columns: str) -> Table:
    """Create a table without lines; `>` before a title aligns its column right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        justify: JustifyMethod = "right" if ">" in column else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return table
