"""The picture of the network: where its units and edges lie, and the equations."""

import re
from dataclasses import dataclass
from math import atan2, degrees, hypot
from typing import Literal

import numpy as np
from markupsafe import Markup, escape

from impls.interface import Problem

COLUMNS = (54, 290, 506)
"""Where the inputs, the hidden units and the outputs lie."""
RADIUS = 50
APART = 120
"""The least distance between two units of a layer."""
LOWEST = 390
"""The height of the picture of a small network."""
MOST_UNITS = 6
"""How many units of a layer are drawn at most; a larger network has no picture."""
MOST_LABELS = 4
"""How many edges between two layers have their numbers written on them, at most."""
GAP, WIDE_GAP = 6, 38
"""Free space between a unit and a label; the wide one parts labels at one unit."""


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
class Label:
    """Where the numbers of an edge stand: beside it, turned by an angle in degrees."""

    x: float
    y: float
    angle: float
    anchor: Literal["start", "end"]


@dataclass(frozen=True)
class Edge:
    """An edge: its weight, "w1" or "w2", the index, the ends, and its label, if any."""

    weight: str
    to: int
    of: int
    ends: tuple[float, float, float, float]
    label: Label | None

    @property
    def element(self) -> str:
        """Return the name that its numbers have in the page."""
        return f"edge-{self.weight}-{self.to}-{self.of}"


@dataclass(frozen=True)
class Diagram:
    """All units and edges."""

    height: int
    units: tuple[Unit, ...]
    edges: tuple[Edge, ...]

    @property
    def has_labels(self) -> bool:
        """Whether any edge has its numbers written on it."""
        return any(edge.label for edge in self.edges)


def diagram_of(problem: Problem) -> Diagram | None:
    """Place the units in three columns; None if there are too many."""
    sizes = (len(problem.x), len(problem.weights.w1), len(problem.y))
    if max(sizes) > MOST_UNITS:
        return None
    height = max(LOWEST, APART * max(sizes))
    layers = [
        [Unit(layer, i, x, y) for i, y in enumerate(_heights(size, height))]
        for layer, size, x in zip("x12", sizes, COLUMNS, strict=True)
    ]
    edges = [
        _edge(weight, a, b, len(before), len(after))
        for weight, before, after in zip(("w1", "w2"), layers, layers[1:], strict=False)
        for b in after
        for a in before
    ]
    return Diagram(
        height, tuple(unit for layer in layers for unit in layer), tuple(edges)
    )


def _heights(size: int, height: int) -> list[float]:
    """Spread the units of a layer from the top to the bottom; one is in the middle."""
    top = APART / 2
    places = np.linspace(top, height - top, size) if size > 1 else [height / 2]
    return [float(place) for place in places]


def _edge(weight: str, a: Unit, b: Unit, before: int, after: int) -> Edge:
    """Draw an edge between the rims of two units, of layers of so many units.

    Its label stands near the layer with more units: there is more room.
    """
    across, down = b.x - a.x, b.y - a.y
    length = hypot(across, down)
    dx, dy = across / length, down / length
    ends = (a.x + RADIUS * dx, a.y + RADIUS * dy, b.x - RADIUS * dx, b.y - RADIUS * dy)
    if before * after > MOST_LABELS:
        return Edge(weight, b.index, a.index, ends, None)
    away = RADIUS + (WIDE_GAP if down and min(before, after) > 1 else GAP)
    angle = degrees(atan2(down, across))
    label = (
        Label(a.x + away * dx, a.y + away * dy, angle, "start")
        if before >= after
        else Label(b.x - away * dx, b.y - away * dy, angle, "end")
    )
    return Edge(weight, b.index, a.index, ends, label)


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
