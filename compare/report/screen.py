"""A verdict as text, on one screen of 80 columns. It ends with the answer."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from textwrap import wrap
from typing import Literal, TypeAlias

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from compare.checks.check import Check, Kind, Point, element
from compare.checks.printable import printable
from compare.checks.remarks import remarks
from compare.checks.resolution import resolutions
from compare.checks.verdict import Verdict
from compare.report.answer import answer_lines, remark_to_text, share
from compare.report.as_json import Report
from impls.interface import Array, predict

Detail: TypeAlias = Literal["quiet", "normal", "verbose"]

STYLE = {"match": "bold green", "differ": "bold red"}
QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss": ("loss",),
    "weights": ("w1", "w2"),
    "predictions": ("a2",),
}
"""Rows of the differences, and the quantities that each of them summarises."""
SAMPLES = 4
"""How many samples of the predictions are shown."""
LONGEST_SAMPLE = 10
"""In characters; longer samples are numbered."""
LONGEST_NAME = 20
"""In characters: of a name in a table."""
LONGEST = 70
"""In characters: of a name in the answer."""
WIDTH = 80
TOOLS = ("python", "framework", "device", "system")
"""What is named of every environment, in this order."""
COLUMNS = """What the numbers mean:
  a2         the probabilities after training, a column for each sample
  classes    a2 >= 0.5; in the row "expected", the labels
  largest    the largest difference in this quantity at any step; in the row
             "audit", the difference that used most of its bound
  bound      how far apart correct programs can be there, because they round;
             inf where no bound holds
  used       largest / bound; above 100 % the runs differ
  step       counted from 0; of weights, the number of updates before
  element    the quantity, and the index of the number in it
  between    the runs; gradients are compared at the weights of the first
  audit      one run against the mathematics, line by line and step by step
  smallest relative error noticed
             an error of this size in any run would have been reported"""


def to_text(report: Report, detail: Detail = "normal") -> RenderableType:
    """Format a report: the tables, and then the answer."""
    verdict = report.verdict
    names = column_names(verdict)
    if detail == "quiet":
        return _answer(report, names)
    blocks: list[RenderableType] = [Group(*_environment(report, detail))]
    if verdict.drifts:
        blocks.append(_predictions(verdict, names))
    if detail == "verbose":
        blocks += _everything(verdict, names)
    else:
        blocks.append(_summary(verdict, names))
    notes = [*_notes(verdict, names)]
    if verdict.answer == "match":
        blocks.append(_resolutions(verdict))
        notes += map(remark_to_text, remarks(verdict))
    if notes:
        blocks.append(Group(*map(Prose, notes)))
    spaced = (part for block in blocks for part in (block, ""))
    return Group(*spaced, _answer(report, names))


# Names.


def column_names(verdict: Verdict) -> dict[str, str]:
    """Shorten each name for tables; names that would be equal get numbers."""
    shorter = {run.name: elide(run.name, LONGEST_NAME) for run in verdict.runs}
    times = Counter(shorter.values())
    return {
        name: short if times[short] == 1 else f"#{i}"
        for i, (name, short) in enumerate(shorter.items(), 1)
    }


def elide(name: str, longest: int) -> str:
    """Leave out the first parts of a path or a dotted name, or the middle of a word."""
    parts = re.split(r"(?=[/\\:])", name)
    while len(name) > longest and len(parts) > 1:
        del parts[0]
        name = f"…{''.join(parts)}"
    return printable(name, longest)


# The answer.


def _answer(report: Report, names: Mapping[str, str]) -> RenderableType:
    answer = report.verdict.answer
    longer = {short: elide(name, LONGEST) for name, short in names.items()}
    shown = [f"{s} = {name}" if s[:1] == "#" else name for s, name in longer.items()]
    style = STYLE.get(answer, "bold yellow")
    head = Prose(f"{answer.upper()}  {', '.join(shown)}", style)
    return Group(head, *map(Prose, answer_lines(report)))


@dataclass(frozen=True)
class Prose:
    """A line that is wrapped between words, or in a word that is longer than a line.

    What follows is indented further, so that no name can begin a line of its own.
    """

    line: str
    style: str = ""

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Wrap to the width of the console."""
        indent = " " * (2 + len(self.line) - len(self.line.lstrip()))
        parts = wrap(
            self.line,
            options.max_width,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        for part in parts or [""]:
            yield Text(part, self.style, overflow="ignore")


# The tables.


def _environment(report: Report, detail: Detail) -> Iterator[RenderableType]:
    """Name the tools, and where the environments differ: in full if asked for."""
    environments = report.environments.values()
    tools = {
        each[key]: None
        for key in TOOLS
        for each in environments
        if each.get(key, "unknown") != "unknown"
    }
    yield Text(f"python {', '.join(tools)}")
    keys = dict.fromkeys(key for each in environments for key in each)
    found = {key: {each.get(key) for each in environments} for key in keys}
    several = [key for key, values in found.items() if len(values) > 1]
    if detail == "verbose" and several:
        yield ""
        yield _differences(report, several)
    stated = [k for k in several if k not in TOOLS and len(found[k] - {None}) > 1]
    if detail == "normal" and report.verdict.answer != "match" and stated:
        yield Prose(f"environments differ in {', '.join(stated)}; see --verbose")


def _differences(report: Report, keys: Iterable[str]) -> Table:
    """Show where the environments differ, a row for each run."""
    table = new_table("environment", "of", "")
    for key in keys:
        for i, (name, each) in enumerate(report.environments.items()):
            cells = elide(name, LONGEST_NAME), each.get(key, "not stated")
            table.add_row("" if i else key, *cells)
    return table


def _predictions(verdict: Verdict, names: Mapping[str, str]) -> Table:
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
    for run in verdict.runs:
        if run.name in verdict.drifts:
            classes = predict(run.final_a2).astype(float)
            add(names[run.name], run.final_a2, ".8f", classes)
    return table


DIFFERENCE = (">largest", ">bound", ">used", ">step", "element")
"""The columns of a difference."""


def _summary(verdict: Verdict, names: Mapping[str, str]) -> Table:
    """Show for each quantity the largest difference, and the audit's worst line."""
    table = new_table("", *DIFFERENCE, "between")
    for kind, suffix in (("parity", ""), ("exact", " from exact")):
        for title, check in _largest(c for c in verdict.checks if c.kind == kind):
            between = ", ".join(names[name] for name in check.subject)
            _add(table, title + suffix, check, check.largest, between)
    if audited := _of_kind(verdict, "audit"):
        check = max(audited, key=lambda c: _rank(c, c.worst.use))
        _add(table, "audit", check, check.worst, names[check.subject[0]])
    return table


def _everything(verdict: Verdict, names: Mapping[str, str]) -> Iterator[Table]:
    """Show every pair, every distance from the exact run, and every line."""
    pairs = (*combinations(verdict.drifts, 2), *((name,) for name in verdict.drifts))
    for pair in pairs:
        compared = [
            check
            for check in verdict.checks
            if check.kind in ("parity", "exact") and {*check.subject} == {*pair}
        ]
        title = ", ".join(names[name] for name in pair)
        title += " from exact" if len(pair) == 1 else ""
        table = new_table(title, *DIFFERENCE)
        for quantity, check in _largest(compared):
            _add(table, quantity, check, check.largest)
        if compared:
            yield table
    lines = [c for c in _of_kind(verdict, "audit") if c.when == "in a step"]
    for name in dict.fromkeys(check.subject[0] for check in lines):
        table = new_table(f"audit of {names[name]}", ">used", ">step", "element")
        for check in lines:
            if check.subject == (name,):
                point = check.worst
                cells = share(point), f"{point.step:,}", element(check, point)
                table.add_row(check.statement, *cells, style=_style(check))
        yield table


def _of_kind(verdict: Verdict, kind: Kind) -> list[Check]:
    return [check for check in verdict.checks if check.kind == kind]


def _largest(checks: Iterable[Check]) -> Iterator[tuple[str, Check]]:
    """Find the check with the largest difference in each quantity, failures first."""
    listed = [*checks]
    for title, quantities in QUANTITIES.items():
        if found := [check for check in listed if check.quantity in quantities]:
            yield title, max(found, key=lambda c: _rank(c, c.largest.difference))


def _rank(check: Check, size: float) -> tuple[bool, float]:
    return check.passed is False, float("inf") if isnan(size) else size


def _add(table: Table, title: str, check: Check, point: Point, *more: str) -> None:
    cells = (
        f"{point.difference:.1e}",
        f"{point.bound:.1e}",
        share(point),
        f"{point.step:,}",
        element(check, point),
    )
    table.add_row(title, *cells, *more, style=_style(check))


def _style(check: Check) -> str:
    return "red" if check.passed is False else ""


def _resolutions(verdict: Verdict) -> Table:
    """Show the smallest relative errors that would have been reported."""
    found = resolutions(verdict.checks)
    table = new_table("smallest relative error noticed", *(f">{q}" for q in found))
    worst, median = (
        [getattr(r, n) for r in found.values()] for n in ("worst", "median")
    )
    table.add_row("at the worst step", *(f"{r:.1e}" for r in worst))
    table.add_row("at the median step", *(f"{r:.1e}" for r in median))
    return table


def _notes(verdict: Verdict, names: Mapping[str, str]) -> Iterator[str]:
    """List the runs that were not trained by their own loop, or judged line by line."""
    for run in verdict.runs:
        name = names[run.name]
        whole = [
            check.quantity
            for check in _of_kind(verdict, "audit")
            if check.subject == (run.name,)
            and (check.when, check.basis) == ("in a step", "weights")
        ]
        if run.looped:
            yield f"{name}: has no train, so a plain loop trained it"
        if run.unknown:
            yield f"{name}: does not return {', '.join(run.unknown)}"
        if whole:
            yield f"{name}: {', '.join(whole)} judged end to end"


def new_table(*columns: str) -> Table:
    """Create a table without lines; `>` before a title aligns its column right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        justify: JustifyMethod = "right" if ">" in column else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return table
