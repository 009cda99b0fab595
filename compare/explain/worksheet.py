"""A step on paper: a page of formulas and blanks, and a page of answers."""

from collections.abc import Iterator
from textwrap import wrap

import numpy as np
from rich.console import Group
from rich.segment import Segment, Segments
from rich.text import Text

from compare.explain.digits import COLUMNS, matrix
from compare.explain.layout import DERIVATIVES, WIDTH, beside, formula, head
from compare.explain.sentences import reason
from compare.explain.walk import Stage, Walk
from impls.interface import Array

CELL = 10
"""Characters of a blank: room for a number in handwriting."""
PAGE_BREAK = Segments([Segment("\f\n")])
OF_SAMPLES = ("z1", "a1", "z2", "a2", "dz2", "dz1")
"""The quantities with a column for each sample."""
NOTATION = (
    f"@ is the product of matrices; * multiplies number by number; .T swaps rows and "
    f"columns; m is the number of samples; sigmoid(z) is 1 / (1 + exp(-z)); log is the "
    f"natural logarithm; lr is the learning rate. {DERIVATIVES} Write four digits; "
    f"your last one or two may differ."
)


def worksheet_to_text(walk: Walk, about: str) -> Group:
    """Format a step without results and, on the next page, with them and the reasons.

    Args:
        walk: The step.
        about: The data and the seed, in a few words.
    """
    heads = _cells([_name(j, column) for j, column in enumerate(walk.problem.x.T)])
    blanks = (row for stage in walk.stages for row in _blanks(stage, heads))
    answers = (row for stage in walk.stages for row in _answers(stage, heads))
    sample = Text("for sample: ____")
    notation = map(Text, wrap(NOTATION, WIDTH))
    first = (*head(walk, about), *notation, Text(), sample, *blanks)
    return Group(*first, PAGE_BREAK, *head(walk, about), *answers)


def _name(index: int, inputs: Array) -> str:
    """Name a sample by its inputs, or by its index if those are long."""
    name = f"({', '.join(f'{value:g}' for value in inputs)})"
    return name if len(name) <= CELL else f"sample {index}"


def _cells(texts: list[str]) -> str:
    """Align texts as a row of a matrix is aligned."""
    more = " …" if len(texts) > COLUMNS else ""
    return "".join(text.rjust(CELL + 1) for text in texts[:COLUMNS]) + more


def _above(stage: Stage, heads: str) -> Iterator[Text]:
    """Begin a paragraph; name the samples where each has a column."""
    yield Text()
    if stage.line.quantity in OF_SAMPLES:
        yield Text(heads.rjust(WIDTH), "dim")


def _blanks(stage: Stage, heads: str) -> Iterator[Text]:
    """Show a formula, and a blank for each number; an empty line between rows."""
    yield from _above(stage, heads)
    rows = matrix(np.zeros(stage.exact.shape), cell="_" * CELL)
    apart = "\n\n".join(rows).split("\n")
    yield from beside(Text(stage.line.statement, "bold"), "", apart)


def _answers(stage: Stage, heads: str) -> Iterator[Text]:
    """Show a formula, its numbers and its reason."""
    yield from _above(stage, heads)
    numbers = matrix(stage.exact.astype(np.float64), width=CELL)
    yield from formula(stage, reason(stage.line), numbers)
