"""The tables of the screen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import isnan

from rich.table import Table

from compare.checks.check import Check, Point, element
from compare.checks.resolution import QUANTITIES, resolutions
from compare.checks.verdict import Verdict
from compare.report.answer import share
from compare.report.as_json import Report
from compare.report.layout import LONGEST_NAME, elide, new_table
from impls.interface import Array, predict

SAMPLES = 4
"""How many samples of the predictions are shown."""
LONGEST_SAMPLE = 10
"""In characters; longer samples are numbered."""
DIFFERENCE = (">largest", ">bound", ">used", ">step", "element")
"""The columns of a difference."""


def environments(report: Report, keys: Iterable[str]) -> Table:
    """Show where the environments differ, a row for each run."""
    table = new_table("environment", "of", "")
    for key in keys:
        for i, (name, each) in enumerate(report.environments.items()):
            cells = elide(name, LONGEST_NAME), each.get(key, "not stated")
            table.add_row("" if i else key, *cells)
    return table


def predictions(verdict: Verdict, names: Mapping[str, str]) -> Table:
    """Show the probabilities after training, one row for each output."""
    problem = verdict.problem
    inputs = [f"({', '.join(f'{v:g}' for v in x)})" for x in problem.x.T[:SAMPLES]]
    if max(map(len, inputs)) > LONGEST_SAMPLE:
        inputs = [f"sample {i}" for i in range(len(inputs))]
    more = ["…"] if problem.y.shape[-1] > SAMPLES else []
    title = f"a2 after step {problem.steps:,}"
    table = new_table(title, *(f">{sample}" for sample in inputs), *more, "classes")

    def add(name: str, a2: Array, digits: str, classes: Array) -> None:
        for i, row in enumerate(a2):
            label = name if len(a2) == 1 else f"{name} {i}"
            shown = (format(v, digits) for v in row[:SAMPLES])
            words = " ".join(format(c, "g") for c in classes[i][:SAMPLES])
            table.add_row(label, *shown, *more, words)

    add("expected", problem.y, "g", problem.y)
    for run in verdict.complete:
        classes = predict(run.final_a2).astype(float)
        add(names[run.name], run.final_a2, ".8f", classes)
    return table


def summary(verdict: Verdict, names: Mapping[str, str]) -> Table:
    """Show for each quantity the largest difference, and the audit's worst line."""
    table = new_table("", *DIFFERENCE, "between")
    for kind, suffix in (("parity", ""), ("exact", " from exact")):
        for title, check in _largest(c for c in verdict.checks if c.kind == kind):
            pair = ", ".join(names[name] for name in check.subject)
            between = "both" if len(check.subject) == len(names) else pair
            cells = _cells(check, check.largest)
            table.add_row(title + suffix, *cells, between, style=_style(check))
    if audited := [check for check in verdict.checks if check.kind == "audit"]:
        check = max(audited, key=lambda c: _rank(c, c.worst.use))
        cells, name = _cells(check, check.worst), names[check.subject[0]]
        table.add_row("audit", *cells, name, style=_style(check))
    return table


def everything(verdict: Verdict, names: Mapping[str, str]) -> Iterator[Table]:
    """Show every pair, every distance from the exact run, and every line."""
    complete = [run.name for run in verdict.complete]
    for pair in (*combinations(complete, 2), *((name,) for name in complete)):
        compared = [
            check
            for check in verdict.checks
            if check.kind in ("parity", "exact") and {*check.subject} == {*pair}
        ]
        title = ", ".join(names[name] for name in pair)
        title += " from exact" if len(pair) == 1 else ""
        table = new_table(title, *DIFFERENCE)
        for quantity, check in _largest(compared):
            cells = _cells(check, check.largest)
            table.add_row(quantity, *cells, style=_style(check))
        if compared:
            yield table
    lines = [c for c in verdict.checks if c.kind == "audit" and c.when == "in a step"]
    for name in dict.fromkeys(check.subject[0] for check in lines):
        table = new_table(f"audit of {names[name]}", ">used", ">step", "element")
        for check in lines:
            if check.subject == (name,):
                _, _, *cells = _cells(check, check.worst)
                table.add_row(check.statement, *cells, style=_style(check))
        yield table


def _largest(checks: Iterable[Check]) -> Iterator[tuple[str, Check]]:
    """Find the check with the largest difference in each quantity, failures first."""
    listed = [*checks]
    for title, quantities in QUANTITIES.items():
        if found := [check for check in listed if check.quantity in quantities]:
            yield title, max(found, key=lambda c: _rank(c, c.largest.difference))


def _rank(check: Check, size: float) -> tuple[bool, float]:
    return check.passed is False, float("inf") if isnan(size) else size


def _cells(check: Check, point: Point) -> Sequence[str]:
    """Format the columns of a difference."""
    return (
        f"{point.difference:.1e}",
        f"{point.bound:.1e}",
        share(point),
        f"{point.step:,}",
        element(check, point),
    )


def _style(check: Check) -> str:
    return "red" if check.passed is False else ""


def noticed(verdict: Verdict) -> Table:
    """Show the smallest relative errors that would have been reported."""
    found = resolutions(verdict.checks)
    table = new_table("smallest relative error noticed", *(f">{q}" for q in found))
    for step in ("worst", "median"):
        sizes = (f"{getattr(each, step):.1e}" for each in found.values())
        table.add_row(f"at the {step} step", *sizes)
    return table
