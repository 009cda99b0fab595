"""What a sweep over seeds prints."""

from rich.console import Group, RenderableType
from rich.text import Text

from compare.checks.check import element
from compare.report.answer import share
from compare.report.layout import new_table
from compare.sweep.seeds import Tally
from compare.training.problems import Experiment


def sweep_to_text(experiment: Experiment, tally: Tally) -> RenderableType:
    """Show how many seeds got which answer, and the largest use of a bound by kind."""
    answers = ", ".join(f"{len(s)} {answer}" for answer, s in tally.seeds.items())
    doubted = [
        f"{answer}: seeds {', '.join(map(str, sorted(seeds)))}"
        for answer, seeds in tally.seeds.items()
        if answer != "match"
    ]
    table = new_table("kind", ">bound used", "of", "by", ">seed", ">at step", "element")
    for kind, (check, seed) in tally.worst.items():
        point = check.worst
        table.add_row(
            kind,
            share(point),
            ", ".join(check.subject),
            check.statement,
            str(seed),
            str(point.step),
            element(check, point),
        )
    e = experiment
    what = f"{e.data}, {e.sizes}, {e.loss}, {e.dtype}, lr {e.lr}, {e.steps:,} steps"
    head = f"{what}: {answers}"
    return Group(Text("\n".join([head, *doubted])), "", table)
