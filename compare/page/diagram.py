"""The picture of the network: where its units and edges lie, and the equations."""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from impls.interface import Problem

HEIGHT = 400
COLUMNS = (48, 290, 512)
"""Where the inputs, the hidden units and the outputs lie."""
RADIUS = 40
MOST_UNITS = 6
"""How many units of a layer are drawn at most; a larger network has no picture."""
MOST_LABELS = 4
"""How many edges between two layers have their numbers written on them, at most."""


@dataclass(frozen=True)
class Unit:
    """A unit: its layer, "x", "1" or "2", its index in it, and its place."""

    layer: str
    index: int
    x: float
    y: float

    @property
    def element(self) -> str:
        """Return the name that its numbers have in the page."""
        return f"unit-{self.layer}-{self.index}"


@dataclass(frozen=True)
class Edge:
    """An edge: its weight, "w1" or "w2", the index, the ends, the place of a label."""

    weight: str
    to: int
    of: int
    ends: tuple[float, float, float, float]
    label: tuple[float, float] | None

    @property
    def element(self) -> str:
        """Return the name that its numbers have in the page."""
        return f"edge-{self.weight}-{self.to}-{self.of}"


@dataclass(frozen=True)
class Diagram:
    """All units and edges."""

    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]


def diagram_of(problem: Problem) -> Diagram | None:
    """Place the units in three columns; None if there are too many."""
    sizes = (len(problem.x), len(problem.weights.w1), len(problem.y))
    if max(sizes) > MOST_UNITS:
        return None
    layers = [
        [
            Unit(layer, i, COLUMNS[column], HEIGHT * (i + 0.5) / size)
            for i in range(size)
        ]
        for column, (layer, size) in enumerate(zip("x12", sizes, strict=True))
    ]
    edges = []
    for weight, before, after in zip(("w1", "w2"), layers, layers[1:], strict=False):
        labelled = len(before) * len(after) <= MOST_LABELS
        edges += [_edge(weight, a, b, labelled=labelled) for b in after for a in before]
    return Diagram(tuple(unit for layer in layers for unit in layer), tuple(edges))


def _edge(weight: str, a: Unit, b: Unit, *, labelled: bool) -> Edge:
    """Draw an edge between the rims of two units; its label lies near its start."""
    across, down = b.x - a.x, b.y - a.y
    length = (across**2 + down**2) ** 0.5
    dx, dy = RADIUS * across / length, RADIUS * down / length
    share = 0.24 if weight == "w1" else 0.5
    label = (a.x + dx + share * (across - 2 * dx), a.y + dy + share * (down - 2 * dy))
    ends = (a.x + dx, a.y + dy, b.x - dx, b.y - dy)
    return Edge(weight, b.index, a.index, ends, label if labelled else None)


def equation(statement: str) -> Markup:
    """Typeset a line of the mathematics: variables in italics, numbers below them."""
    text = (
        str(escape(statement))
        .replace(".T", "<sup>T</sup>")
        .replace("^2", "<sup>2</sup>")
    )
    text = re.sub(r"\b(d?[zaw])([12])\b", r"<var>\1<sub>\2</sub></var>", text)
    text = re.sub(r"\b(x|y|m|n_y|lr)\b(?!>)", r"<var>\1</var>", text)
    text = (
        text.replace("n_y", "n<sub>y</sub>").replace(" - ", " − ").replace("(-", "(−")
    )
    return Markup(text)  # noqa: S704  # escaped above
