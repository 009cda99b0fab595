"""A sweep as a picture: shares of the bounds, drift, and the map of answers."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from compare.report.figure import picture, verbatim
from compare.sweep.plan import Setting
from compare.sweep.summary import ANSWERS, BINS, Summary

COLOURS = ("#ffffff", "#4c9f70", "#e3b23c", "#9a9a9a", "#5b2a86", "#c1272d")
"""Of no answer yet and of each answer; red and green also differ in lightness."""
COLUMNS = 1_000
"""Columns of the map at most: each is a pixel wide at least, beside long labels."""


def draw(summary: Summary, ending: str) -> bytes:
    """Draw a histogram of the use of bounds, drift against its bound, and the map.

    Args:
        summary: The sweep.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file in that format.
    """
    return picture(partial(_figure, summary), ending)


def _figure(summary: Summary) -> Figure:
    figure = Figure(figsize=(13, 8), layout="constrained")
    figure.suptitle(_title(summary))
    places = figure.add_gridspec(2, 2, height_ratios=(1, 1.2))
    _shares(figure.add_subplot(places[0, 0]), summary)
    _drifts(figure.add_subplot(places[0, 1]), summary)
    _map(figure.add_subplot(places[1, :]), summary)
    figure.legend(handles=_legend(summary), loc="outside lower center", ncols=5)
    return figure


def _title(summary: Summary) -> str:
    counts = summary.counts
    return ", ".join(f"{counts[a]:,} {a}" for a in ANSWERS if counts[a])


def _shares(axes: Axes, summary: Summary) -> None:
    for name, counts in summary.shares.items():
        label = f"bounds of {verbatim(name)}"
        axes.stairs(counts, BINS, label=label, linewidth=1.5)
    axes.axvline(1, color="k", linestyle="dotted")
    axes.set(
        xlabel="largest share of a bound", ylabel="seeds", title="Use of the bounds"
    )
    axes.legend()


def _drifts(axes: Axes, summary: Summary) -> None:
    drift, bound = np.array([*chain(*summary.drifts)]).reshape(-1, 2).T
    axes.loglog(bound, drift, ".", markersize=3, rasterized=True)
    if bound.size:
        ends = [bound.min(), bound.max()]
        axes.loglog(ends, ends, "k", label="drift = bound")
        axes.legend()
    more = f" (0 for {summary.equal:,} pairs: not drawn)" if summary.equal else ""
    title = f"Drift of the trained weights{more}"
    axes.set(xlabel="bound", ylabel="drift", title=title)


def _map(axes: Axes, summary: Summary) -> None:
    """Draw a row for each setting, by learning rate, and a column for each seed.

    Of many seeds, a column shows the worst answer of several.
    """
    settings = sorted(summary.answers, key=lambda s: (s.lr, s))
    seeds = summary.plan.seeds
    columns = worst_answers([summary.answers[setting] for setting in settings])
    axes.imshow(
        columns,
        cmap=ListedColormap(COLOURS),
        norm=BoundaryNorm(np.arange(len(COLOURS) + 1) - 0.5, len(COLOURS)),
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        extent=(seeds[0] - 0.5, seeds[-1] + 0.5, -0.5, len(settings) - 0.5),
    )
    varied = [
        name
        for name, *values in zip(Setting._fields, *settings, strict=True)
        if name != "lr" and len({*values}) > 1
    ]
    labels = [
        ", ".join([f"lr {s.lr:g}", *(str(getattr(s, n)) for n in varied)])
        for s in settings
    ]
    axes.set_yticks(range(len(settings)), labels)
    axes.set_frame_on(False)  # it would cover the first seed and the last
    of = -(-len(seeds) // columns.shape[1])
    more = f": the worst of up to {of:,} seeds in each column" if of > 1 else ""
    axes.set(xlabel="seed", title=f"Answers{more}")


def _legend(summary: Summary) -> list[Patch]:
    """Name the colours of the answers that occur."""
    counts = summary.counts
    return [
        Patch(facecolor=colour, label=answer)
        for colour, answer in zip(COLOURS[1:], ANSWERS, strict=True)
        if counts[answer]
    ]


def worst_answers(answers: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Divide the seeds into stretches, and find the worst answer in each.

    Args:
        answers: By setting, the place of the answer of each seed in `ANSWERS`.

    Returns:
        The place of the worst, by setting and stretch.
    """
    starts = np.unique(np.linspace(0, len(answers[0]), COLUMNS + 1, dtype=int)[:-1])
    return np.maximum.reduceat(np.array(answers), starts, axis=1)
