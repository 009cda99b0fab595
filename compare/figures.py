"""A verdict as a picture: the loss curves, and what lies between them."""

from io import BytesIO
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.problems import Experiment
from compare.verdict import Verdict

STYLES = ("solid", "dashed", "dotted")
"""One after the other, so that curves that lie on one another all show."""


def draw(experiment: Experiment, verdict: Verdict, ending: str) -> bytes:
    """Draw the loss curves and, below on a log axis, their differences and bounds.

    Args:
        experiment: What was asked, for the title.
        verdict: What was found.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file of that format.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    e, (n_y, _) = experiment, verdict.problem.y.shape
    figure.suptitle(
        f"{verdict.answer}: {e.table} {len(verdict.problem.x)}-{e.hidden}-{n_y}, "
        f"{e.loss}, {e.dtype}, seed {e.seed}, lr {e.lr}"
    )
    _curves(above, verdict)
    _differences(below, verdict)
    lines, names = below.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, markerscale=6)
    content = BytesIO()
    figure.savefig(content, format=ending, dpi=150)
    return content.getvalue()


def _curves(axes: Axes, verdict: Verdict) -> None:
    for i, run in enumerate(verdict.runs):
        axes.plot(
            run.trace.loss,
            label=run.name,
            linestyle=STYLES[i % len(STYLES)],
            linewidth=4 - i % len(STYLES),
        )
    axes.set(ylabel="loss value", title="Loss of each")
    axes.legend()


def _differences(axes: Axes, verdict: Verdict) -> None:
    whole = [run for run in verdict.runs if run.name in verdict.drifts]
    for a, b in combinations(whole, 2):
        difference = abs(a.trace.loss.astype(np.float64) - b.trace.loss)
        shown = np.where(difference > 0, difference, np.nan)  # no logarithm of 0
        axes.plot(
            shown, ".", markersize=1.5, rasterized=True, label=f"{a.name} and {b.name}"
        )
    for run in whole[:1]:
        bound = verdict.drifts[run.name].budget.loss[:-1]
        axes.plot(bound, "k", label="bound")
    axes.set(
        xlabel="epoch",
        ylabel="difference",
        yscale="log",
        title="Between each two",
    )
