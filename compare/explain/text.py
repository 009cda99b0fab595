"""A walk through a step as text: two screens of 80 columns, or a worksheet."""

from collections.abc import Iterator
from itertools import zip_longest
from textwrap import wrap

import numpy as np
from rich.console import Group
from rich.segment import Segment, Segments
from rich.text import Text

from compare.checks.audit import Margin
from compare.checks.check import Point
from compare.explain.digits import aligned, matrix, significant_digits
from compare.explain.sentences import instead, reason
from compare.explain.walk import Stage, Walk
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import (
    FORMULAS,
    line_roundings,
    magnitude_statement,
    oracle_factor,
)
from compare.report.answer import share
from compare.training.problems import sizes_of
from impls.interface import Array, Problem, Weights

WIDTH = 80
GAP = 2
TIE = "\xa0"
"""A space at which no line is broken."""
DERIVATIVES = "dz2 is d loss / d z2, and so on."
PAGE_BREAK = Segments([Segment("\f\n")])
EFFECTS = {
    "enters": "the mistake enters here",
    "spreads": "right, from a wrong input",
}
MARK = {"enters": "bold red", "spreads": "yellow"}


def walk_to_text(walk: Walk, about: str, note: str = "") -> Group:
    """Format a walk: a paragraph for each line, and what its words mean.

    Args:
        walk: The walk.
        about: The data and the seed, in a few words.
        note: A line below the title.
    """
    paragraphs = (line for stage in walk.stages for line in _paragraph(walk, stage))
    notes = map(Text, wrap(note, WIDTH))
    strayed = (
        Text(f"-> {name}: its weights are wrong before this step", MARK["enters"])
        for name in walk.strayed
    )
    return Group(*_head(walk, about), *notes, *strayed, *paragraphs, *_legend(walk))


def worksheet_to_text(walk: Walk, about: str, note: str = "") -> Group:
    """Format a walk without results, and with them on the next page."""
    blanks = (line for stage in walk.stages for line in _blank(stage))
    answers = walk_to_text(walk, about, note)
    head = *_head(walk, about), Text(DERIVATIVES)
    return Group(*head, *blanks, PAGE_BREAK, answers)


def _head(walk: Walk, about: str) -> Iterator[Text]:
    """Name the problem, and show what the step begins with."""
    p = walk.problem
    dtype = p.x.dtype
    title = f"Step {walk.step:,} of {about}"
    yield Text(
        f"{title}: {sizes_of(p)}, {p.loss}, {dtype}, lr {p.lr:g}", "bold underline"
    )
    start = next(iter(walk.weights.values()))
    blocks = [[*_labelled(name, a)] for name, a in _inputs(p, start)]
    while blocks:
        beside = [blocks.pop(0)]
        while blocks and sum(map(_width, [*beside, blocks[0]])) <= WIDTH:
            beside.append(blocks.pop(0))
        widths = [*map(_width, beside)]
        for row in zip_longest(*beside, fillvalue=""):
            cells = (cell.ljust(w) for cell, w in zip(row, widths, strict=True))
            yield Text("".join(cells).rstrip())


def _inputs(problem: Problem, start: Weights[Array]) -> Iterator[tuple[str, Array]]:
    """Yield what a step begins with."""
    yield from (("x", problem.x), ("y", problem.y), *start._asdict().items())


def _labelled(name: str, numbers: Array) -> Iterator[str]:
    """Put a name before the first row of a matrix."""
    for i, row in enumerate(matrix(numbers)):
        yield f"{'' if i else name:{len(name)}}{row}"


def _width(block: list[str]) -> int:
    return max(map(len, block)) + 2 * GAP


def _paragraph(walk: Walk, stage: Stage) -> Iterator[Text]:
    """Show a line: its numbers, its reason, digits, bound, and mistakes."""
    yield from _formula(stage, matrix(stage.exact.astype(np.float64)))
    yield from _wrapped(instead(stage.line, walk.weights), "dim")
    place = _element(stage)
    index = [f"[{', '.join(map(str, place))}]"] if place else []
    values = {name: found[place] for name, found in stage.found.items()}
    digits = significant_digits(walk.problem.x.dtype)
    numbers = aligned(stage.exact[place], values, digits)
    yield from _wrapped("  ".join(n.replace(" ", TIE) for n in index + numbers))
    if stage.margins:
        yield from _wrapped(_bound(walk, stage, place))
    yield from _mistakes(stage)


def _formula(stage: Stage, right: list[str]) -> Iterator[Text]:
    """Put the formula and its reason beside a matrix, and below it."""
    shape = f"  ({', '.join(map(str, stage.exact.shape))})" if stage.exact.ndim else ""
    head = Text(stage.line.statement, "bold")
    if len(head) + len(shape) + GAP + len(right[0]) <= WIDTH:
        head.append(shape, "not bold")
    yield from _beside(head, reason(stage.line), right)


def _beside(head: Text, words: str, right: list[str]) -> Iterator[Text]:
    """Put a line and words beside a matrix; more words go below it."""
    beside = wrap(words, WIDTH - 2 * GAP - len(right[0]))[: len(right) - 1]
    below = words[len(" ".join(beside)) :].strip()
    lefts = [head, *(Text(f"{'':{GAP}}{part}") for part in beside)]
    for left, row in zip_longest(lefts, right):
        whole = left or Text()
        whole.pad_right(WIDTH - len(row) - len(whole))
        yield whole.append(row, "not bold")
    yield from _wrapped(below)


def _wrapped(line: str, style: str = "") -> Iterator[Text]:
    indent = " " * GAP
    for part in wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent):
        yield Text(part.replace(TIE, " "), style)


def _element(stage: Stage) -> tuple[int, ...]:
    """Choose the element to show in full: the most wrong one, or the last."""
    wrong = [error for name, error in stage.errors().items() if name in stage.effects]
    size = max(wrong, key=np.max) if wrong else np.arange(stage.exact.size)
    return tuple(map(int, np.unravel_index(np.argmax(size), stage.exact.shape)))


def _bound(walk: Walk, stage: Stage, place: tuple[int, ...]) -> str:
    """Say how far the line may be off, where that comes from, and what was used."""
    shares = [_used(margin, place) for margin in stage.margins.values()]
    used = ", ".join(shares if len({*shares}) > 1 else shares[:1])
    widest = max(stage.margins.values(), key=lambda margin: margin.bound[0][place])
    count = line_roundings(stage.line, walk.problem)
    count *= oracle_factor(walk.problem.x.dtype)
    origin = (
        f"{count} roundings of {magnitude_statement(stage.line)}"
        if widest.basis == "line"
        else f"{FORMULAS} error bars, from the weights"
    )
    return f"bound {widest.bound[0][place]:.1e}: {origin}; used {used}"


def _used(margin: Margin, place: tuple[int, ...]) -> str:
    error = float(abs(margin.found[0] - margin.expected[0])[place])
    return share(Point(0, place, "", "", error, float(margin.bound[0][place])))


def _mistakes(stage: Stage) -> Iterator[Text]:
    """Mark the line in which a mistake enters a run, or to which it spreads."""
    for name, effect in stage.effects.items():
        head = Text(f"-> {name}: {EFFECTS[effect]}")
        for line in _beside(head, "", matrix(stage.found[name])):
            line.stylize(MARK[effect])
            yield line


def _blank(stage: Stage) -> Iterator[Text]:
    empty = np.zeros(stage.exact.shape)
    yield Text()
    yield from _formula(stage, matrix(empty, blank=True))


def _legend(walk: Walk) -> Iterator[Text]:
    u = unit_roundoff(walk.problem.x.dtype)
    first = next(iter(walk.weights))
    yield Text()
    words = (
        f"{DERIVATIVES} exact: real arithmetic from the weights of {first}; digits "
        f"before | and … are equal. bound: how far a line may be off, from its own "
        f"inputs; a rounding is {u:.2g} of |…|. used: by each, or by all."
    )
    yield from _wrapped(words, "dim")
