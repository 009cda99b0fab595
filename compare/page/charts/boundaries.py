"""The boundaries: what each network answers over the plane of its two inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from contourpy import ContourGenerator, contour_generator

from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.numerics.equations import sigmoid
from compare.page.charts.plot import Scale, Shade
from compare.page.shown import whole_runs
from impls.interface import Array, Problem, predict

SIDE = 220
"""The side of a map, in the units of its viewBox."""
LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Where the shades of a map of probabilities part."""
GRID = 81


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
