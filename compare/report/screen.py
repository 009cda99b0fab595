"""A verdict as text, on one screen of 80 columns. It ends with the answer."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from rich.console import Group, RenderableType
from rich.text import Text

from compare.checks.remarks import remarks
from compare.checks.verdict import Verdict
from compare.report.answer import answer_lines, remark_to_text
from compare.report.as_json import Report
from compare.report.layout import LONGEST_NAME, Prose, elide
from compare.report.tables import (
    environments,
    everything,
    noticed,
    predictions,
    summary,
)

Detail: TypeAlias = Literal["quiet", "normal", "verbose"]

STYLE = {"match": "bold green", "differ": "bold red"}
LONGEST = 70
"""In characters: of a name in the answer."""
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
    stated = [*_environment(report, detail)]
    blocks: list[RenderableType] = [Group(*stated)] if stated else []
    compared = verdict.answer != "could not compare" or len(verdict.complete) > 1
    if verdict.complete and compared:
        blocks.append(predictions(verdict, names))
    if detail == "verbose":
        blocks += everything(verdict, names)
    elif compared:
        blocks.append(summary(verdict, names))
    notes = [*_notes(verdict, names)]
    if verdict.answer == "match":
        blocks.append(noticed(verdict))
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


# The answer.


def _answer(report: Report, names: Mapping[str, str]) -> RenderableType:
    answer = report.verdict.answer
    longer = {short: elide(name, LONGEST) for name, short in names.items()}
    shown = [f"{s} = {name}" if s[:1] == "#" else name for s, name in longer.items()]
    style = STYLE.get(answer, "bold yellow")
    head = Prose(f"{answer.upper()}  {', '.join(shown)}", style)
    return Group(head, *map(Prose, answer_lines(report)))


def versions_of(report: Report) -> list[str]:
    """List what computed the runs, each once."""
    found = {
        f"python {each[key]}" if key == "python" else each[key]: None
        for key in TOOLS
        for each in report.environments.values()
        if each.get(key, "unknown") != "unknown"
    }
    return [*found]


def _environment(report: Report, detail: Detail) -> Iterator[RenderableType]:
    """Name the tools, and where the environments differ: in full if asked for."""
    stated = report.environments.values()
    if versions := versions_of(report):
        yield Text(", ".join(versions))
    keys = dict.fromkeys(key for each in stated for key in each)
    found = {key: {each.get(key) for each in stated} for key in keys}
    several = [key for key, values in found.items() if len(values) > 1]
    if detail == "verbose" and several:
        yield ""
        yield environments(report, several)
    # What the first line does not show, and more than one of them states.
    hidden = [k for k in several if k not in TOOLS and len(found[k] - {None}) > 1]
    if detail == "normal" and report.verdict.answer != "match" and hidden:
        yield Prose(f"environments differ in {', '.join(hidden)}; see --verbose")


def _notes(verdict: Verdict, names: Mapping[str, str]) -> Iterator[str]:
    """List the runs that were not trained by their own loop, or judged line by line."""
    for run in verdict.runs:
        name = names[run.name]
        whole = [
            check.quantity
            for check in verdict.checks
            if (check.kind, check.subject) == ("audit", (run.name,))
            and (check.when, check.basis) == ("in a step", "weights")
        ]
        if run.looped:
            yield f"{name}: has no train, so a plain loop trained it"
        if run.unknown:
            yield f"{name}: does not return {', '.join(run.unknown)}"
        if whole:
            yield f"{name}: {', '.join(whole)} judged end to end"
