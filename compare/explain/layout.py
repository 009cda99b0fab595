"""Lines of 80 columns: the start of a step, and formulas beside their matrices."""

from collections.abc import Iterator
from itertools import zip_longest
from textwrap import wrap

from rich.text import Text

from compare.explain.digits import matrix
from compare.explain.walk import Stage, Walk
from compare.training.problems import sizes_of
from impls.interface import Array

WIDTH = 80
GAP = 2
TIE = "\xa0"
"""A space at which no line is broken."""


def head(walk: Walk, about: str) -> Iterator[Text]:
    """Name the problem, and show what the step begins with."""
    p = walk.problem
    title = f"Step {walk.step:,} of {about}"
    yield Text(
        f"{title}: {sizes_of(p)}, {p.loss}, {p.x.dtype}, lr {p.lr:g}", "bold underline"
    )
    start = next(iter(walk.weights.values()))
    inputs = {"x": p.x, "y": p.y, **start._asdict()}
    blocks = [[*_labelled(name, array)] for name, array in inputs.items()]
    while blocks:
        beside = [blocks.pop(0)]
        while blocks and sum(map(_width, [*beside, blocks[0]])) <= WIDTH:
            beside.append(blocks.pop(0))
        widths = [*map(_width, beside)]
        for row in zip_longest(*beside, fillvalue=""):
            cells = (cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            yield Text("".join(cells).rstrip())


def _labelled(name: str, numbers: Array) -> Iterator[str]:
    """Put a name before the first row of a matrix."""
    for i, row in enumerate(matrix(numbers)):
        yield f"{'' if i else name:{len(name)}}{row}"


def _width(block: list[str]) -> int:
    return max(map(len, block)) + 2 * GAP


def formula(stage: Stage, words: str, right: list[str]) -> Iterator[Text]:
    """Put a formula, the shape of its result and a reason beside a matrix."""
    shape = f"  ({', '.join(map(str, stage.exact.shape))})" if stage.exact.ndim else ""
    statement = Text(stage.line.statement, "bold")
    if len(statement) + len(shape) + GAP + len(right[0]) <= WIDTH:
        statement.append(shape, "not bold")
    yield from beside(statement, words, right)


def beside(first: Text, words: str, right: list[str]) -> Iterator[Text]:
    """Put a line and words beside a matrix; what does not fit goes above or below."""
    fitting = wrap(words, WIDTH - 2 * GAP - len(right[0]))[: len(right) - 1]
    below = words[len(" ".join(fitting)) :].strip()
    if len(first) + len(right[0]) > WIDTH:
        yield first
        first = Text()
    lefts = [first, *(Text(f"{'':{GAP}}{part}") for part in fitting)]
    for left, row in zip_longest(lefts, right):
        whole = left or Text()
        whole.pad_right(WIDTH - len(row) - len(whole))
        whole.append(row, "not bold")
        whole.rstrip()
        yield whole
    yield from wrapped(below)


def wrapped(line: str, style: str = "") -> Iterator[Text]:
    """Break a line, and indent its parts."""
    indent = " " * GAP
    for part in wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent):
        yield Text(part.replace(TIE, " "), style)
