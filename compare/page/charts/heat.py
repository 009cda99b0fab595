"""The heat maps: where each line uses its bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from compare.checks.audit import margins
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.numerics.rounding import per_step
from compare.page.charts.plot import Shade, Table, share_of, spread
from compare.page.shown import whole_runs
from impls.interface import Array, Problem

SHARES = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0, np.inf)
"""Where the shades of a map of shares part; above 1, a bound is exceeded."""
SPANS = 60
WIDE, HIGH = 10, 12
"""The sides of a cell."""
TICKS = (0, 10, 100, 1_000, 10_000, 100_000)


@dataclass(frozen=True)
class HeatMap:
    """The share of each bound that a run uses, by line and span of steps."""

    name: str
    alt: str
    lines: tuple[str, ...]
    shades: tuple[Shade, ...]
    ticks: tuple[tuple[int, str], ...]
    last: int
    width: int
    height: int
    table: Table
    mark: int | None


@np.errstate(all="ignore")  # a number that is not finite uses more than its bound
def heat_maps_of(verdict: Verdict) -> tuple[HeatMap, ...]:
    """Draw how much of each bound the audit of each run used."""
    first = verdict.first_difference_step
    return tuple(_heat_map(verdict.problem, run, first) for run in whole_runs(verdict))


def _heat_map(problem: Problem, run: Run, first: int | None) -> HeatMap:
    starts = np.array(spread(problem.steps - 1, SPANS))
    found = margins(problem, run)
    of_lines = (share_of(abs(m.found - m.expected), m.bound) for m in found)
    used = [per_step(np.maximum, each) for each in of_lines]
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
        ticks=tuple((places[n], f"{n:,}") for n in TICKS if 2 * n < problem.steps),
        last=problem.steps - 1,
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
