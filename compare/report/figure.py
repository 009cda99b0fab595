"""A verdict as a picture: losses, differences with their bounds, decision boundaries.

Curves that lie on one another stay visible: each is narrower than the one below it, and
has other dashes. The colours are those of Okabe and Ito, "Color Universal Design"
(2008), which colour-blind readers tell apart.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from compare.checks.run import Run, fits
from compare.checks.verdict import Verdict
from compare.numerics.drift import Drift
from compare.numerics.equations import sigmoid
from compare.report.answer import answer_lines
from compare.report.as_json import Report
from impls.interface import Array, Problem

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gradparity",
    "font.size": 9,
}
"""Text stays text. All else is as matplotlib has it by default, not as the user has set
it: the same picture has the same bytes."""
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1, 1, 1)))
MARK = "#d55e00"
STRETCHES = 500
"""A curve of differences shows the largest in each of so many stretches of steps."""
GRID = 101
"""Points along each side of the grid that a decision boundary is found on."""
MARGIN = 0.5
"""What a decision boundary is drawn on beyond the samples."""


def draw(report: Report, ending: str) -> bytes:
    """Draw the losses, their differences and bounds, and the decision boundaries.

    Args:
        report: The report.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file in that format.
    """
    return picture(partial(_figure, report), ending)


def _figure(report: Report) -> Figure:
    verdict = report.verdict
    bounded = is_plane(verdict.problem) and verdict.complete
    heights = [2.6, 2.6, *([2.6] if verdict.exact else []), *([3.6] if bounded else [])]
    figure = Figure(figsize=(8, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    figure.suptitle(verbatim(f"{verdict.answer}, {next(answer_lines(report))}"))
    draw_losses(axes[0], verdict)
    drift = verdict.drift
    title = "Difference of each pair, and its bound"
    draw_differences(axes[1], title, pairs(verdict), drift)
    if verdict.exact:
        title = "Distance from the exact run, and its bound"
        draw_differences(axes[2], title, exact(verdict), drift)
    for ax in axes[: len(axes) - bool(bounded)]:
        count_steps(ax, verdict)
    if bounded:
        draw_boundaries(axes[-1], verdict.problem, verdict.complete)
    return figure


def look(i: int, count: int) -> dict[str, Any]:
    """Choose colour, dashes and width of curve i of so many."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": DASHES[i % len(DASHES)],
        "linewidth": 1.2 + 1.3 * (count - 1 - i),
    }


def draw_losses(axes: Axes, verdict: Verdict) -> None:
    """Draw the loss of each run before each update."""
    for i, run in enumerate(verdict.runs):
        whole = fits(verdict.problem, run)
        more = "" if whole else ": no whole trace"
        axes.plot(
            run.trace.loss if whole else np.empty(0),
            label=f"loss of {verbatim(run.name)}{more}",
            **look(i, len(verdict.runs)),
        )
    axes.set(ylabel="loss", title="Loss of each implementation")


def pairs(verdict: Verdict) -> Iterator[tuple[str, Array]]:
    """Yield the difference of the losses of each pair of complete runs."""
    for a, b in combinations(verdict.complete, 2):
        difference = a.trace.loss - b.trace.loss.astype(np.float64)
        yield f"{a.name} and {b.name}", difference


def exact(verdict: Verdict) -> Iterator[tuple[str, Array]]:
    """Yield the error of the losses of each complete run."""
    if verdict.exact:
        for run in verdict.complete:
            error = run.trace.loss - verdict.exact["loss"]
            yield f"{run.name} and exact", error


def draw_differences(
    axes: Axes, title: str, differences: Iterator[tuple[str, Array]], drift: Drift
) -> None:
    """Draw differences as lines, and their bound as dashes."""
    drawn = [*differences]
    for i, (name, difference) in enumerate(drawn):
        starts = np.unique(np.linspace(0, len(difference), STRETCHES, dtype=int)[:-1])
        size = np.maximum.reduceat(abs(difference), starts)
        shown = np.where(size > 0, size, np.nan)  # no logarithm of 0
        label = f"difference of {verbatim(name)}{'' if size.any() else ': 0'}"
        style = look(i, len(drawn)) | {"linestyle": "-", "marker": ".", "ms": 1}
        axes.plot(starts, shown, **style, label=label)
    if drawn:
        bound = np.where(drift.is_valid, drift.loss, np.nan)[:-1]
        axes.plot(bound, "--", color="black", label="bound")
    axes.set(ylabel="difference of loss", yscale="log", title=title)


def count_steps(axes: Axes, verdict: Verdict) -> None:
    """Write steps as whole numbers, mark the first difference, and name the curves."""
    axes.set(xlabel="step", xlim=(0, verdict.problem.steps))
    axes.xaxis.set_major_locator(
        MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    check, step = verdict.first_difference, verdict.first_difference_step
    if check and step is not None:
        label = f"first difference: {check.label}, step {step:,}"
        axes.axvline(step, color=MARK, linewidth=1, linestyle=":", label=label)
    _name_curves(axes)


def _name_curves(axes: Axes) -> None:
    """Put the names beside the curves, if there are any."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def is_plane(problem: Problem) -> bool:
    """Return whether the network has two inputs and one output."""
    return len(problem.x) == 2 and len(problem.y) == 1  # noqa: PLR2004


def draw_boundaries(axes: Axes, problem: Problem, runs: Sequence[Run]) -> None:
    """Draw where a2 is 0.5 after training, for a network that `is_plane`."""
    (left, bottom), (right, top) = problem.x.min(1) - MARGIN, problem.x.max(1) + MARGIN
    across, up = np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)
    points = np.stack([a.ravel() for a in np.meshgrid(across, up)])  # (2, GRID^2)
    for i, run in enumerate(runs):
        hidden = sigmoid(run.trace.w1[-1] @ points)
        a2 = sigmoid(run.trace.w2[-1] @ hidden).reshape(GRID, GRID)
        style = look(i, len(runs))
        if a2.min() < 0.5 < a2.max():  # noqa: PLR2004  # otherwise there is none
            axes.contour(
                across,
                up,
                a2,
                [0.5],
                colors=[style["color"]],
                linestyles=[style["linestyle"]],
                linewidths=[style["linewidth"]],
            )
        axes.plot([], [], **style, label=f"a2 = 0.5, {verbatim(run.name)}")
    for label, fill in ((0, "white"), (1, "black")):
        chosen = problem.x[:, problem.y[0] == label]
        axes.plot(*chosen, "ok", markerfacecolor=fill, label=f"label {label}")
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set(xlabel="first input", ylabel="second input")
    axes.set_title("Decision boundary of each after training")
    _name_curves(axes)


def picture(figure: Callable[[], Figure], ending: str) -> bytes:
    """Draw a figure.

    Args:
        figure: Creates it.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file in that format.
    """
    content = BytesIO()
    metadata = {"Date": None} if ending == "svg" else {}
    with context(["default", SETTINGS]):
        figure().savefig(content, format=ending, dpi=150, metadata=metadata)
    return content.getvalue()


def verbatim(text: str) -> str:
    """Escape the dollar signs: between two of them, matplotlib reads a formula."""
    return text.replace("$", r"\$")
