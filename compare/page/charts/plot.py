"""Charts as data: scales, ticks and paths, which a template draws as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from impls.interface import Array

LEFT, RIGHT, TOP, BOTTOM = 64, 700, 24, 250
"""The frame of a chart, in the units of its viewBox."""
ROWS = 16
"""How many steps a table shows."""


@dataclass(frozen=True)
class Scale:
    """A straight or a logarithmic map from numbers to places."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, numbers: Array | float) -> Array:
        """Map numbers; those outside come to the ends, and inf and NaN to NaN."""
        ends: Array = np.array([self.low, self.high])
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.asarray(numbers, np.float64)
            values = np.where(np.isfinite(values), np.clip(values, *ends), np.nan)
            if self.logarithmic:
                values, ends = np.log10(values), np.log10(ends)
        share = (values - ends[0]) / (ends[1] - ends[0])
        mapped: Array = self.start + share * (self.end - self.start)
        return mapped

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Choose round numbers: their places and their labels."""
        locator = LogLocator(numticks=7) if self.logarithmic else MaxNLocator(5)
        values = locator.tick_values(self.low, self.high)
        inside = [float(v) for v in values if self.low <= v <= self.high]
        return [(round(float(self(v)), 1), label(v)) for v in inside]


def label(value: float) -> str:
    """Write a number for an axis."""
    if value and not 1e-3 <= abs(value) < 1e6:  # noqa: PLR2004
        mantissa, exponent = f"{value:.0e}".split("e")
        times = "" if mantissa in ("1", "-1") else f"{mantissa.lstrip('-')}×"
        sign = "−" if value < 0 else ""
        return f"{sign}{times}10{superscript(int(exponent))}"
    return f"{value:,.6g}".replace("-", "−")


def superscript(number: int) -> str:
    """Write an integer as an exponent."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def path(x: Array, y: Array) -> str:
    """Write points as an SVG path; one that is not finite leaves a gap.

    A line of length 0 makes a point that stands alone visible.
    """
    parts, pen_up = [], True
    for a, b in zip(x, y, strict=True):
        if not np.isfinite([a, b]).all():
            pen_up = True
            continue
        parts.append(f"M{a:.1f} {b:.1f}h0" if pen_up else f"L{a:.1f} {b:.1f}")
        pen_up = False
    return "".join(parts)


@dataclass(frozen=True)
class Curve:
    """A line: its name in the legend, if any, its SVG path, and its style."""

    name: str
    path: str
    style: str


@dataclass(frozen=True)
class Shade:
    """An area of one shade, as an SVG path."""

    path: str
    style: str


@dataclass(frozen=True)
class Table:
    """The numbers of a chart."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Mark(NamedTuple):
    """A step to mark in the charts, and what happens there."""

    step: int
    words: str


@dataclass(frozen=True)
class Chart:
    """A chart of curves over the steps.

    Attributes:
        key: Its name in the page.
        title: What one sees.
        caption: How to read it.
        alt: What it shows, for a reader who does not see it.
        x: The scale of the steps.
        y: The scale of the values.
        unit: What the values are.
        curves: The curves.
        table: The numbers.
        mark: A step to mark, if there is one.
    """

    key: str
    title: str
    caption: str
    alt: str
    x: Scale
    y: Scale
    unit: str
    curves: tuple[Curve, ...]
    table: Table
    mark: Mark | None


def step_scale(last: int, *, logarithmic: bool = False) -> Scale:
    """Create the horizontal scale: from step 0, or on a logarithmic axis from 1."""
    return Scale(int(logarithmic), max(last, 2), LEFT, RIGHT, logarithmic)


def value_scale(arrays: Sequence[Array], *, logarithmic: bool = False) -> Scale:
    """Create the vertical scale that holds all finite numbers of some arrays."""
    numbers = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])
    shown = numbers[np.isfinite(numbers) & ((numbers > 0) | (not logarithmic))]
    low, high = (shown.min(), shown.max()) if shown.size else (0.0, 1.0)
    if logarithmic:
        low = low or 1e-18
        low, high = 10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high))
        high = high if high > low else 10 * low
    else:
        margin = 0.05 * (high - low) or 1.0
        low, high = (0.0 if 0 <= low < high / 2 else low - margin), high + margin
    return Scale(float(low), float(high), BOTTOM, TOP, logarithmic)


def spread(last: int, count: int) -> list[int]:
    """Choose about so many steps from 0 to `last`, evenly on a logarithmic axis."""
    steps = np.geomspace(1, last + 1, count).round().astype(int) - 1
    return sorted({int(step) for step in steps})


def share_of(difference: Array, bound: Array) -> Array:
    """Return the share of a bound that a difference uses, any shape.

    It is infinite where the difference is not a number or the bound is 0.
    """
    with np.errstate(all="ignore"):
        share = np.where(difference == 0, 0, difference / bound)
    return np.where(np.isnan(share), np.inf, share)


def short(value: float) -> str:
    """Write a number for a table."""
    return format(value, ".6g") if np.isfinite(value) else "–"


def table_of(columns: Mapping[str, Array]) -> Table:
    """Lay out the columns at some steps, evenly on a logarithmic axis."""
    last = min(len(column) for column in columns.values()) - 1
    rows = [
        (f"{step:,}", *(short(float(column[step])) for column in columns.values()))
        for step in spread(last, ROWS)
    ]
    return Table(("step", *columns), tuple(rows))
