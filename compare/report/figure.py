"""A verdict as a picture: the loss curves, their differences and the bounds."""

from collections.abc import Mapping
from io import BytesIO
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.checks.run import fits
from compare.checks.verdict import Verdict
from compare.report.as_json import Report
from compare.training.problems import describe_problem
from impls.interface import Array

STYLES = ("solid", "dashed", "dotted")
"""In turn, so that curves that lie on one another are all visible."""


def draw(report: Report, ending: str) -> bytes:
    """Draw the loss curves and, below on a log axis, their differences and bounds.

    Args:
        report: The report.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file in that format.
    """
    verdict = report.verdict
    panels = 3 if verdict.exact else 2
    figure = Figure(figsize=(8, 3.5 * panels), layout="constrained")
    axes = figure.subplots(panels, sharex=True)
    about = f"{report.about}: " if report.about else ""
    figure.suptitle(f"{verdict.answer}, {about}{describe_problem(verdict.problem)}")
    _curves(axes[0], verdict)
    whole = [run for run in verdict.runs if run.name in verdict.drifts]
    between = {
        f"{a.name} and {b.name}": a.trace.loss - b.trace.loss.astype(np.float64)
        for a, b in combinations(whole, 2)
    }
    _differences(axes[1], verdict, "Between each two", between)
    if exact := verdict.exact:
        errors = {run.name: run.trace.loss - exact["loss"] for run in whole}
        _differences(axes[2], verdict, "From the exact run", errors)
    axes[-1].set_xlabel("epoch")
    content = BytesIO()
    figure.savefig(content, format=ending, dpi=150)
    return content.getvalue()


def _curves(axes: Axes, verdict: Verdict) -> None:
    for i, run in enumerate(verdict.runs):
        whole = fits(verdict.problem, run)
        loss = run.trace.loss if whole else np.empty(0)
        axes.plot(
            loss,
            label=run.name if whole else f"{run.name}: no whole trace",
            linestyle=STYLES[i % len(STYLES)],
            linewidth=1.5 * (len(verdict.runs) - i),  # each within the one before
        )
    axes.set(ylabel="loss value", title="Loss of each")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _differences(
    axes: Axes, verdict: Verdict, title: str, differences: Mapping[str, Array]
) -> None:
    for name, difference in differences.items():
        size = abs(difference)
        shown = np.where(size > 0, size, np.nan)  # no logarithm of 0
        label = name if size.any() else f"{name}: 0"
        axes.plot(shown, ".", markersize=1.5, rasterized=True, label=label)
    for i, drift in enumerate(verdict.drifts.values()):  # which hardly differ
        bound = np.where(drift.is_valid, drift.loss, np.nan)[:-1]
        axes.plot(bound, "k", label="" if i else "bound")
    axes.set(ylabel="difference of loss", yscale="log", title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=6)
