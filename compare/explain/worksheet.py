"""A step on paper: a page of formulas and blanks, and a page of answers."""

from collections.abc import Iterator
from dataclasses import replace
from textwrap import wrap

import numpy as np
from rich.console import Group
from rich.segment import Segment, Segments
from rich.text import Text

from compare.explain.digits import COLUMNS, matrix
from compare.explain.layout import WIDTH, beside, formula, head
from compare.explain.sentences import reason
from compare.explain.walk import Stage, Walk
from compare.numerics.balls import balls
from compare.numerics.equations import Line
from impls.interface import Array

CELL = 10
"""Characters of a blank: room for a number in handwriting."""
PAGE_BREAK = Segments([Segment("\f")])
ANSWERS = "Answers"
"""The first word of the second page: not every printer knows a form feed."""
OF_SAMPLES = ("z1", "a1", "z2", "a2", "dz2", "da1", "dz1")
"""The quantities with a column for each sample."""
DA1 = Line("da1", "da1 = w2.T @ dz2", ("w2", "dz2"), lambda w2, dz2: w2.mT @ dz2)
DZ1 = "dz1 = da1 * a1 * (1 - a1)"
NOTATION = (
    "@ is the product of matrices; * multiplies number by number; .T swaps rows and "
    "columns; m is the number of samples; sigmoid(z) is 1 / (1 + exp(-z)); log is the "
    "natural logarithm; lr is the learning rate. dz2 is d loss / d z2, and so on. "
    "Write four significant digits; your last one or two may differ."
)


def worksheet_to_text(walk: Walk, about: str) -> Group:
    """Format a step without results and, on the next page, with them and the reasons.

    Args:
        walk: The step.
        about: The data and the seed, in a few words.
    """
    stages = [*_on_paper(walk)]
    blanks = (row for stage in stages for row in _blanks(walk, stage))
    answers = (row for stage in stages for row in _answers(walk, stage))
    sample = Text("for sample: ____")
    notation = map(Text, wrap(NOTATION, WIDTH))
    first = (*head(walk, about), *notation, Text(), sample, *blanks)
    return Group(*first, PAGE_BREAK, Text(ANSWERS), *head(walk, about), *answers)


def _on_paper(walk: Walk) -> Iterator[Stage]:
    """Yield the lines of a step; dz1 takes two lines, and da1 is the first of them."""
    exact = {stage.line.quantity: stage.exact for stage in walk.stages}
    start = next(iter(walk.weights.values()))
    for stage in walk.stages:
        if stage.line.quantity == "dz1":
            da1 = DA1.formula(balls(start.w2), exact["dz2"])
            yield Stage(DA1, da1, {}, {})
            yield replace(stage, line=stage.line._replace(statement=DZ1))
        else:
            yield stage


def _name(index: int, inputs: Array) -> str:
    """Name a sample by its inputs, or by its index if those are long."""
    name = f"({', '.join(f'{value:g}' for value in inputs)})"
    return name if len(name) <= CELL else f"sample {index}"


def _cells(texts: list[str]) -> str:
    """Align texts as a row of a matrix is aligned."""
    more = " …" if len(texts) > COLUMNS else ""
    return "".join(text.rjust(CELL + 1) for text in texts[:COLUMNS]) + more


def _above(walk: Walk, stage: Stage) -> Iterator[Text]:
    """Begin a paragraph; name the samples where each has a column, and their labels."""
    yield Text()
    x, y = walk.problem.x, walk.problem.y
    if stage.line.quantity in OF_SAMPLES:
        heads = _cells([_name(j, column) for j, column in enumerate(x.T)])
        yield Text(heads.rjust(WIDTH), "dim")
    if stage.line.quantity == "dz2":
        yield from beside(Text("y"), "", matrix(y, width=CELL))


def _blanks(walk: Walk, stage: Stage) -> Iterator[Text]:
    """Show a formula, and a blank for each number; an empty line between rows."""
    yield from _above(walk, stage)
    rows = matrix(np.zeros(stage.exact.shape), cell="_" * CELL)
    apart = "\n\n".join(rows).split("\n")
    yield from beside(Text(stage.line.statement, "bold"), "", apart)


def _answers(walk: Walk, stage: Stage) -> Iterator[Text]:
    """Show a formula, its numbers and its reason."""
    yield from _above(walk, stage)
    numbers = matrix(stage.exact.astype(np.float64), width=CELL)
    yield from formula(stage, reason(stage.line), numbers)
