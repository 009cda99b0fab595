"""A walk through a step as text: two screens of 80 columns."""

from collections.abc import Iterator, Mapping
from itertools import chain
from textwrap import wrap

import numpy as np
from rich.console import Group
from rich.text import Text

from compare.checks.check import Point
from compare.explain.digits import aligned, matrix, significant_digits
from compare.explain.layout import (
    TIE,
    WIDTH,
    beside,
    formula,
    head,
    wrapped,
)
from compare.explain.sentences import instead, reason
from compare.explain.walk import Effect, Stage, Walk
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import (
    FORMULAS,
    line_roundings,
    magnitude_statement,
    oracle_factor,
)
from compare.report.answer import share

EFFECTS: Mapping[Effect, str] = {
    "enters": "the mistake enters here",
    "spreads": "computed rightly, but its input is already wrong",
}
MARK: Mapping[Effect, str] = {"enters": "bold red", "spreads": "yellow"}
OUTCOMES: Mapping[str, Effect | None] = {
    "enters at": "enters",
    "then wrong:": "spreads",
    "right:": None,
}
STRAYED = "its weights are wrong before this step"
COLUMNS = (
    "Columns are samples, in the order of x, except in weights and their gradients."
)
INDENT = " " * 7
"""From here on, a list says what its words mean."""


def walk_to_text(walk: Walk, about: str, note: str = "") -> Group:
    """Format a walk: what its words mean, and a paragraph for each line.

    Args:
        walk: The walk.
        about: The data and the seed, in a few words.
        note: The mistake that was planted; "" if none was.
    """
    notes = map(Text, wrap(note, WIDTH))
    strayed = (Text(f"-> {n}: {STRAYED}", MARK["enters"]) for n in walk.strayed)
    paragraphs = (line for stage in walk.stages for line in _paragraph(walk, stage))
    start = chain(head(walk, about), _legend(walk), notes, strayed)
    mistaken = note or walk.strayed or any(stage.effects for stage in walk.stages)
    return Group(*start, *paragraphs, *(_summary(walk) if mistaken else ()))


def _legend(walk: Walk) -> Iterator[Text]:
    """List what the words of a paragraph mean."""
    first, u = next(iter(walk.weights)), unit_roundoff(walk.problem.x.dtype)
    meanings = {
        "dz2": "d loss / d z2, and so on",
        "exact": f"real arithmetic, from the weights of {first}",
        "[i, j]": "the most wrong element or the last; … stands for equal digits, up "
        "to |",
        "bound": f"what roundings can cause in this line, each {u:.2g} of a size: as "
        f"many as 1 / (1 + exp(-z)) takes, even if it has fewer, and more in long sums",
        "used": "the share of it that this line needs; digits show earlier roundings, "
        "too",
    }
    yield Text(COLUMNS, "dim")
    for word, meaning in meanings.items():
        start = word.ljust(len(INDENT))
        rows = wrap(meaning, WIDTH, initial_indent=start, subsequent_indent=INDENT)
        yield from (Text(row, "dim") for row in rows)


def _paragraph(walk: Walk, stage: Stage) -> Iterator[Text]:
    """Show a line: its numbers, its reason, digits, bound, and mistakes."""
    numbers = matrix(stage.exact.astype(np.float64))
    yield from formula(stage, reason(stage.line), numbers)
    yield from wrapped(instead(stage.line, walk.weights), "dim")
    place = _element(stage)
    index = [f"[{', '.join(map(str, place))}]"] if place else []
    values = {name: found[place] for name, found in stage.found.items()}
    digits = significant_digits(walk.problem.x.dtype)
    full = aligned(stage.exact[place], values, digits)
    yield from wrapped("  ".join(n.replace(" ", TIE) for n in index + full))
    if stage.margins:
        yield from wrapped(_bound(walk, stage, place))
    yield from _mistakes(stage)


def _element(stage: Stage) -> tuple[int, ...]:
    """Choose the element to show in full: the most wrong one, or the last."""
    wrong = [error for name, error in stage.errors().items() if name in stage.effects]
    size = max(wrong, key=np.max) if wrong else np.arange(stage.exact.size)
    return tuple(map(int, np.unravel_index(np.argmax(size), stage.exact.shape)))


def _bound(walk: Walk, stage: Stage, place: tuple[int, ...]) -> str:
    """Say how far the line may be off, where that comes from, and what was used."""
    widest = max(stage.margins.values(), key=lambda margin: margin.bound[0][place])
    factor = oracle_factor(walk.problem.x.dtype)
    roundings = factor * line_roundings(stage.line, walk.problem)
    origin = (
        f"{roundings} roundings of {magnitude_statement(stage.line)}"
        if widest.basis == "line"
        else f"{factor * FORMULAS} error bars, from the weights"
    )
    used = _used(stage, place)
    return f"bound {widest.bound[0][place]:.1e}: {origin}; used {used}"


def _used(stage: Stage, place: tuple[int, ...]) -> str:
    """Say what each run needs of its bound: once if all need the same."""
    shares = {}
    for name, margin in stage.margins.items():
        error = float(abs(margin.found[0] - margin.expected[0])[place])
        point = Point(0, place, "", "", error, float(margin.bound[0][place]))
        shares[name] = share(point, "times the bound")
    texts = [f"{name} {text}".replace(" ", TIE) for name, text in shares.items()]
    same = len({*shares.values()}) == 1
    return next(iter(shares.values())) if same else ", ".join(texts)


def _mistakes(stage: Stage) -> Iterator[Text]:
    """Mark the line in which a mistake enters a run, or to which it spreads."""
    for name, effect in stage.effects.items():
        mark = Text(f"-> {name}: {EFFECTS[effect]}")
        for line in beside(mark, "", matrix(stage.found[name])):
            line.stylize(MARK[effect])
            yield line


def _summary(walk: Walk) -> Iterator[Text]:
    """Say of each run which lines are wrong, and which are right."""
    yield Text()
    for name in walk.weights:
        strayed = [STRAYED] if name in walk.strayed else []
        effects = {
            stage.line.quantity.replace("_", " "): stage.effects.get(name)
            for stage in walk.stages
            if name in stage.margins
        }
        lists = {
            words: ", ".join(q for q, found in effects.items() if found == effect)
            for words, effect in OUTCOMES.items()
        }
        parts = strayed + [
            f"{words} {found}" for words, found in lists.items() if found
        ]
        wrong = strayed or any(effects.values())
        text = f"{name}: {'; '.join(parts) if wrong else 'every line is right'}"
        yield from (Text(line, "bold" if wrong else "") for line in wrap(text, WIDTH))
