"""Draw the README's picture, light and dark: python docs/picture.py.

The network with the numbers of step 0, beside the loss curves of its three
implementations.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import StrMethodFormatter

from compare import Experiment, compare
from compare.checks.verdict import Verdict
from compare.report.figure import COLOURS, SETTINGS, draw_losses
from impls.interface import Array

SAMPLE = 3
"""The sample whose values stand on the units: both inputs are 1."""
LEFT, MIDDLE, RIGHT = 0.0, 4.4, 8.8
HEIGHT = 3.0
RADIUS = 0.75
GAP = 0.08
"""Between an edge and the numbers beside it."""
SCHEMES = {
    "light": {"ink": "#1f2328", "gradient": COLOURS[0], "fill": "#f0f3f6"},
    "dark": {"ink": "#e6edf3", "gradient": COLOURS[4], "fill": "#21262d"},
}
FOLDER = Path(__file__).parent


def picture(verdict: Verdict, scheme: str) -> bytes:
    """Draw the network and the loss curves, as SVG without a background."""
    colours = SCHEMES[scheme]
    ink = dict.fromkeys(
        (
            "text.color",
            "axes.labelcolor",
            "axes.edgecolor",
            "xtick.color",
            "ytick.color",
        ),
        colours["ink"],
    )
    settings: dict[Any, Any] = {**SETTINGS, **ink}
    content = BytesIO()
    with rc_context(settings):
        figure = Figure(figsize=(10, 3.6), layout="constrained")
        network, losses = figure.subplots(ncols=2, width_ratios=[1.25, 1])
        draw_network(network, verdict, colours)
        draw_losses(losses, verdict)
        losses.set(xlabel="step", facecolor="none")
        losses.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        losses.legend(frameon=False)
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return content.getvalue()


def draw_network(axes: Axes, verdict: Verdict, colours: dict[str, str]) -> None:
    """Draw units with their values, and edges with weights and gradients."""
    problem, trace = verdict.problem, verdict.runs[0].trace
    if trace.a1 is None:
        raise ValueError("the first implementation returns no a1")
    units = [
        *place("x", LEFT, problem.x[:, SAMPLE]),
        *place("a1", MIDDLE, trace.a1[0, :, SAMPLE]),
        *place("a2", RIGHT, trace.a2[0, :, SAMPLE]),
    ]
    at = {name: np.array(where) for name, where, _ in units}
    layers = (
        ("x", "a1", trace.w1[0], trace.dw1[0]),
        ("a1", "a2", trace.w2[0], trace.dw2[0]),
    )
    for source, target, weights, gradients in layers:
        for (i, j), weight in np.ndenumerate(weights):
            start, end = at[f"{source}[{j}]"], at[f"{target}[{i}]"]
            edge(axes, start, end, f"{weight:.3f}", f"{gradients[i, j]:.4f}", colours)
    for name, where, value in units:
        unit(axes, name, where, f"{value:.3g}", colours)
    label = problem.y[0, SAMPLE]
    axes.text(RIGHT, HEIGHT / 2 - 1.15, f"label {label:g}", ha="center", va="center")
    axes.set(xlim=(-1, RIGHT + 1), ylim=(-1.6, HEIGHT + 1.1), aspect="equal")
    axes.set_title("Step 0. Values: sample (1, 1). Gradients: of all four samples")
    axes.axis("off")
    axes.text(MIDDLE, -1.5, "weight", ha="right", va="bottom")
    axes.text(MIDDLE + 0.25, -1.5, "gradient", color=colours["gradient"], va="bottom")


def place(
    name: str, x: float, values: Array
) -> list[tuple[str, tuple[float, float], float]]:
    """Place the units of a layer, the first one at the top."""
    heights = [HEIGHT / 2] if len(values) == 1 else np.linspace(HEIGHT, 0, len(values))
    return [
        (f"{name}[{i}]", (x, float(y)), float(value))
        for i, (y, value) in enumerate(zip(heights, values, strict=True))
    ]


def unit(
    axes: Axes,
    name: str,
    where: tuple[float, float],
    value: str,
    colours: dict[str, str],
) -> None:
    """Draw a unit with its name and its value."""
    x, y = where
    circle = Circle(
        where, RADIUS, facecolor=colours["fill"], edgecolor=colours["ink"], zorder=2
    )
    axes.add_patch(circle)
    axes.text(x, y + 0.25, name, ha="center", va="center", fontsize=8)
    axes.text(x, y - 0.2, value, ha="center", va="center", fontweight="bold")


def edge(
    axes: Axes,
    start: Array,
    end: Array,
    weight: str,
    gradient: str,
    colours: dict[str, str],
) -> None:
    """Draw an edge, its weight above it and its gradient below it."""
    axes.plot(*np.stack([start, end]).T, color=colours["ink"], linewidth=0.8, zorder=1)
    along = (end - start) / np.hypot(*(end - start))
    across = GAP * np.array([-along[1], along[0]])
    at = start + 1.5 * along
    style: dict[str, Any] = {
        "ha": "center",
        "rotation": np.degrees(np.arctan2(along[1], along[0])),
        "rotation_mode": "anchor",
        "fontsize": 8,
    }
    (above, over), (below, under) = at + across, at - across
    axes.text(above, over, weight, va="bottom", **style)
    axes.text(below, under, gradient, va="top", color=colours["gradient"], **style)


def main() -> None:
    """Write both files beside this one."""
    verdict = compare(Experiment())
    for scheme in SCHEMES:
        (FOLDER / f"network-{scheme}.svg").write_bytes(picture(verdict, scheme))


if __name__ == "__main__":
    main()
