"""The pictures in two dimensions: what a network answers, and where bounds are used."""

from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator

from compare.checks.audit import margins
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.numerics.equations import sigmoid
from compare.page.plot import Scale, Table
from compare.page.shown import first_step, spread, whole_runs
from impls.interface import Array, Problem, predict

SIDE = 220
"""The side of a map, in the units of its viewBox."""
LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Where the shades of a map of probabilities part."""
GRID = 81
SHARES = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0)
"""Where the shades of a map of shares part; above the last, a bound is exceeded."""
SPANS = 60
WIDE, HIGH = 10, 12


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
    u, v = (np.linspace(s.low, s.high, GRID) for s in (across, up))
    inputs = np.array(np.meshgrid(u, v)).reshape(2, -1)
    w1, w2 = run.trace.w1[-1].astype(float), run.trace.w2[-1].astype(float)
    with np.errstate(all="ignore"):
        a2 = sigmoid(w2 @ sigmoid(w1 @ inputs)).reshape(GRID, GRID)
    contours = contour_generator(
        across(u),
        up(v),
        np.nan_to_num(a2),
        line_type="Separate",
        fill_type="OuterOffset",
    )
    shades = []
    for i, (a, b) in enumerate(zip(LEVELS, LEVELS[1:], strict=False)):
        polygons, offsets = contours.filled(a, b)
        pieces = [
            points[start:end]
            for points, ends in zip(polygons, offsets, strict=True)
            for start, end in zip(ends, ends[1:], strict=False)
        ]
        shades.append(Shade("".join(map(_closed, pieces)), f"p{i}"))
    line = "".join(_open(points) for points in contours.lines(0.5))
    samples = [
        Sample(
            float(across(x)),
            float(up(y)),
            int(label >= 0.5),  # noqa: PLR2004
            f"({x:g}, {y:g}): {found:.4f}, label {label:g}",
        )
        for x, y, label, found in zip(
            *problem.x, problem.y[0], _answers(run), strict=True
        )
    ]
    right = int((predict(_answers(run)) == predict(problem.y[0])).sum())
    alt = (
        f"{run.name} after training: {right} of {len(samples)} samples are on their side "
        f"of the line at which the probability is one half. "
        + "; ".join(sample.words for sample in samples[:4])
    )
    return Boundary(run.name, alt, tuple(shades), line, tuple(samples))


def _answers(run: Run) -> Array:
    final = np.asarray(run.final_a2)
    return final[0] if final.ndim == 2 and final.size else run.trace.a2[-1][0]  # noqa: PLR2004


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
    shares = np.array(
        [
            np.maximum.reduceat(_share(m.found, m.expected, m.bound), starts)
            for m in found
        ]
    )  # (lines, spans)
    lines = tuple(margin.line.quantity.replace("_", " ") for margin in found)
    shades = []
    for i, low in enumerate(SHARES):
        high = SHARES[i + 1] if i + 1 < len(SHARES) else np.inf
        within = (shares > low) & (shares <= high)
        cells = "".join(
            f"M{WIDE * column} {HIGH * row}h{WIDE}v{HIGH}h-{WIDE}z"
            for row, column in np.argwhere(within)
        )
        shades.append(Shade(cells, f"h{i}"))
    ticks = [
        (WIDE * int(np.searchsorted(starts, n)), f"{n:,}")
        for n in (0, 10, 100, 1_000, 10_000, 100_000)
        if n < problem.steps
    ]
    rows = [
        (
            line,
            f"{100 * row.max():.3g} %",
            f"{starts[np.argmax(row)]:,}",
            f"{100 * np.median(row):.3g} %",
        )
        for line, row in zip(lines, shares, strict=True)
    ]
    row, column = np.unravel_index(np.argmax(shares), shares.shape)
    alt = (
        f"The audit of {run.name}: the largest share of a bound is "
        f"{100 * shares[row, column]:.3g} percent, by {lines[row]}, in the steps from "
        f"{starts[column]:,} on."
    )
    table = Table(("line", "largest share", "from step", "median share"), tuple(rows))
    width, height = WIDE * len(starts), HIGH * len(lines)
    mark = (
        None
        if first is None
        else WIDE * int(np.searchsorted(starts, first + 1) - 1) + WIDE // 2
    )
    return HeatMap(
        run.name, alt, lines, tuple(shades), tuple(ticks), width, height, table, mark
    )


def _share(found: Array, expected: Array, bound: Array) -> Array:
    """Return the largest share of a bound in each step; NaN counts as infinite."""
    difference = abs(found - expected)
    share = np.where(difference == 0, 0, difference / bound)
    share = np.where(np.isnan(share), np.inf, share)
    largest: Array = share.reshape(len(share), -1).max(axis=1).astype(np.float64)
    return largest
