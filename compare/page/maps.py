"""The pictures in two dimensions: what a network answers, and where bounds are used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt
from contourpy import ContourGenerator, contour_generator

from compare.checks.audit import margins
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.numerics.equations import sigmoid
from compare.page.plot import Scale, Table, largest, share_of, spread
from compare.page.shown import first_step, whole_runs
from impls.interface import Array, Problem, predict

SIDE = 220
"""The side of a map, in the units of its viewBox."""
LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Where the shades of a map of probabilities part."""
GRID = 81
SHARES = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0, np.inf)
"""Where the shades of a map of shares part; above 1, a bound is exceeded."""
SPANS = 60
WIDE, HIGH = 10, 12
"""The sides of a cell."""
TICKS = (0, 10, 100, 1_000, 10_000, 100_000)


@dataclass(frozen=True)
class Shade:
    """An area of one shade, as an SVG path."""

    path: str
    style: str


@dataclass(frozen=True)
class Sample:
    """A sample on a map: its place, its label, and what the network answers."""

    x: float
    y: float
    label: int
    words: str


@dataclass(frozen=True)
class Boundary:
    """The probabilities of a trained network over the plane of its two inputs."""

    name: str
    alt: str
    shades: tuple[Shade, ...]
    line: str
    samples: tuple[Sample, ...]
    ticks: tuple[list[tuple[float, str]], list[tuple[float, str]]]


@dataclass(frozen=True)
class HeatMap:
    """The share of each bound that a run uses, by line and span of steps."""

    name: str
    alt: str
    lines: tuple[str, ...]
    shades: tuple[Shade, ...]
    ticks: tuple[tuple[int, str], ...]
    width: int
    height: int
    table: Table
    mark: int | None


def boundaries_of(verdict: Verdict) -> tuple[Boundary, ...]:
    """Draw the answer of each trained network with two inputs and one output."""
    problem = verdict.problem
    if (len(problem.x), len(problem.y)) != (2, 1):
        return ()
    return tuple(_boundary(problem, run) for run in whole_runs(verdict))


def _boundary(problem: Problem, run: Run) -> Boundary:
    low, high = problem.x.min(axis=1), problem.x.max(axis=1)
    margin = 0.3 * np.maximum(high - low, 1e-9)
    across = Scale(low[0] - margin[0], high[0] + margin[0], 0, SIDE)
    up = Scale(low[1] - margin[1], high[1] + margin[1], SIDE, 0)
    contours = _contours(run, across, up)
    samples = tuple(_samples(problem, run, across, up))
    right = int((predict(_answers(run)) == predict(problem.y[0])).sum())
    alt = (
        f"{run.name} after training: {right} of {len(samples)} samples are on their "
        "side of the line at which the probability is one half. "
        + "; ".join(sample.words for sample in samples[:4])
    )
    shades = tuple(
        Shade(_area(contours, a, b), f"p{i}")
        for i, (a, b) in enumerate(pairwise(LEVELS))
    )
    half = cast("list[Array]", contours.lines(0.5))
    line = "".join(map(_open, half))
    return Boundary(run.name, alt, shades, line, samples, (across.ticks, up.ticks))


@np.errstate(all="ignore")  # a network that has diverged has no boundary
def _contours(run: Run, across: Scale, up: Scale) -> ContourGenerator:
    """Compute the probabilities on a grid, and what draws their contours."""
    u, v = (np.linspace(scale.low, scale.high, GRID) for scale in (across, up))
    inputs = np.array(np.meshgrid(u, v)).reshape(2, -1)
    w1, w2 = run.trace.w1[-1].astype(float), run.trace.w2[-1].astype(float)
    a2 = sigmoid(w2 @ sigmoid(w1 @ inputs)).reshape(GRID, GRID)
    return contour_generator(
        across(u),
        up(v),
        np.nan_to_num(a2),
        line_type="Separate",
        fill_type="OuterOffset",
    )


def _area(contours: ContourGenerator, low: float, high: float) -> str:
    """Draw where a probability is between two levels: outlines, and holes in them."""
    found = cast("tuple[list[Array], list[Array]]", contours.filled(low, high))
    return "".join(
        _closed(points[start:end])
        for points, ends in zip(*found, strict=True)
        for start, end in pairwise(ends)
    )


def _samples(problem: Problem, run: Run, across: Scale, up: Scale) -> Iterator[Sample]:
    columns = zip(*problem.x, problem.y[0], _answers(run), strict=True)
    for x, y, label, found in columns:
        words = f"({x:g}, {y:g}): {found:.4f}, label {label:g}"
        yield Sample(float(across(x)), float(up(y)), int(predict(label)), words)


def _answers(run: Run) -> Array:
    """Return the probabilities at the trained weights, or the last that there are."""
    last: Array = (run.final_a2 if run.final_a2.ndim > 1 else run.trace.a2[-1])[0]
    return last


def _open(points: Array) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _closed(points: Array) -> str:
    return _open(points[:-1]) + "z"


@np.errstate(all="ignore")  # a number that is not finite uses more than its bound
def heat_maps_of(verdict: Verdict) -> tuple[HeatMap, ...]:
    """Draw how much of each bound the audit of each run used."""
    first = first_step(verdict)
    return tuple(_heat_map(verdict.problem, run, first) for run in whole_runs(verdict))


def _heat_map(problem: Problem, run: Run, first: int | None) -> HeatMap:
    starts = np.array(spread(problem.steps - 1, SPANS))
    found = margins(problem, run)
    used = [largest(share_of(abs(m.found - m.expected), m.bound)) for m in found]
    shares = np.maximum.reduceat(used, starts, axis=1).astype(float)  # (lines, spans)
    lines = tuple(margin.line.quantity.replace("_", " ") for margin in found)
    row, column = np.unravel_index(np.argmax(shares), shares.shape)
    alt = (
        f"The audit of {run.name}: the largest share of a bound is "
        f"{100 * shares[row, column]:.3g} percent, by {lines[row]}, in the steps from "
        f"{starts[column]:,} on."
    )
    places = {n: WIDE * int(np.searchsorted(starts, n)) for n in TICKS}
    return HeatMap(
        name=run.name,
        alt=alt,
        lines=lines,
        shades=tuple(
            Shade(_cells((shares > low) & (shares <= high)), f"h{i}")
            for i, (low, high) in enumerate(pairwise(SHARES))
        ),
        ticks=tuple((places[n], f"{n:,}") for n in TICKS if n < problem.steps),
        width=WIDE * len(starts),
        height=HIGH * len(lines),
        table=_shares_table(lines, starts, shares),
        mark=None if first is None else _column(starts, first),
    )


def _cells(where: npt.NDArray[np.bool_]) -> str:
    """Draw the cells of a mask, shape (lines, spans)."""
    cells = np.argwhere(where)
    return "".join(f"M{WIDE * j} {HIGH * i}h{WIDE}v{HIGH}h-{WIDE}z" for i, j in cells)


def _column(starts: npt.NDArray[np.int_], step: int) -> int:
    """Find the middle of the span that holds a step."""
    return WIDE * int(np.searchsorted(starts, step, "right") - 1) + WIDE // 2


def _shares_table(
    lines: Sequence[str], starts: npt.NDArray[np.int_], shares: Array
) -> Table:
    rows = tuple(
        (
            line,
            f"{100 * row.max():.3g} %",
            f"{starts[np.argmax(row)]:,}",
            f"{100 * np.median(row):.3g} %",
        )
        for line, row in zip(lines, shares, strict=True)
    )
    return Table(("line", "largest share", "from step", "median of the spans"), rows)
