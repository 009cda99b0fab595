"""The charts over the steps: losses, differences, distances, weights."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from compare.checks.parity import path as path_of
from compare.checks.verdict import Verdict
from compare.numerics.drift import Drift
from compare.numerics.rounding import per_step
from compare.page.charts.plot import (
    Chart,
    Curve,
    path,
    share_of,
    short,
    spread,
    step_scale,
    table_of,
    value_scale,
)
from compare.page.shown import mark_of, whole_runs
from impls.interface import Array

SPANS = 300
"""Into how many spans of steps a long run is divided, for a chart."""
MOST_WEIGHTS = 8
"""How many weights have a curve."""
ARRAYS = {"loss": ("loss",), "weights": ("w1", "w2")}
"""The arrays of each quantity that is compared over the steps."""
TITLES = {
    "difference": "Difference of each pair in {}, and its bound",
    "distance": "Distance of each run from the exact run, in {}",
}
CAPTIONS = {
    "difference": "Both on a logarithmic axis. The dashed line is how far apart two "
    "correct runs can be there, because they round. A line that ends has no bound, or "
    "no difference, from there on. For each group of steps, only the step nearest to "
    "its bound is drawn.",
    "distance": "The exact run is that of real arithmetic, without rounding.",
}


def charts_of(verdict: Verdict) -> tuple[Chart, ...]:
    """Draw what there is: losses, differences, distances, weights."""
    if not whole_runs(verdict):
        return ()
    return (_losses(verdict), *_comparisons(verdict), _weights(verdict))


def _losses(verdict: Verdict) -> Chart:
    runs = whole_runs(verdict)
    losses = {run.name: run.trace.loss for run in runs}
    last = verdict.problem.steps - 1
    x, y = step_scale(last), value_scale([*losses.values()])
    steps = np.unique(np.linspace(0, last, SPANS).astype(int))
    curves = tuple(
        Curve(name, path(x(steps), y(loss[steps])), f"s{i % 6}")
        for i, (name, loss) in enumerate(losses.items())
    )
    ends = ", ".join(f"{n} at {short(float(a[-1]))}" for n, a in losses.items())
    begin = short(float(runs[0].trace.loss[0]))
    return Chart(
        "losses",
        "Loss of each implementation",
        "The mean loss before each update. Curves that lie on one another are drawn "
        "with different widths, so that each stays visible.",
        f"The loss of each run over {last + 1:,} steps. It begins at {begin}, and "
        f"ends: {ends}.",
        x,
        y,
        "mean loss",
        curves,
        table_of(losses),
        mark_of(verdict),
    )


def _in_spans(difference: Array, bound: Array) -> tuple[Array, Array, Array]:
    """Choose in each span the step with the largest share of its bound.

    A step that exceeds its bound is so never left out.
    """
    share = share_of(difference, bound)
    starts = np.unique(np.linspace(0, len(share), SPANS, endpoint=False).astype(int))
    parts = np.split(np.arange(len(share)), starts[1:])
    steps = np.array([part[np.argmax(share[part])] for part in parts])
    return steps, difference[steps], bound[steps]


def _under_bounds(
    verdict: Verdict, quantity: str, differences: Mapping[str, Array], what: str
) -> Chart:
    """Draw differences, and their bound."""
    bound = _bound(verdict.drift, quantity)
    x = step_scale(verdict.problem.steps)
    y = value_scale([bound, *differences.values()], logarithmic=True)
    curves: list[Curve] = []
    nearest, drawn = [], []
    for i, (name, difference) in enumerate(differences.items()):
        steps, d, b = _in_spans(difference, bound)
        shown = np.where(d > 0, d, np.nan)  # no logarithm of 0
        curves.append(Curve(name, path(x(steps), y(shown)), f"s{i % 6} thin"))
        drawn.append(steps)
        n = int(np.argmax(share_of(d, b)))
        nearest.append(f"{name}: at step {steps[n]:,}, {d[n]:.1e} of {b[n]:.1e}")
    steps = np.unique(np.concatenate(drawn))
    curves.append(Curve("bound", path(x(steps), y(bound[steps])), "bound"))
    return Chart(
        key=f"{what}-{quantity}",
        title=TITLES[what].format(quantity),
        caption=CAPTIONS[what],
        alt=f"The {what} in {quantity} nearest to its bound. {'; '.join(nearest)}.",
        x=x,
        y=y,
        unit=f"{what} in {quantity}",
        curves=tuple(curves),
        table=table_of({**differences, "bound": bound}),
        mark=mark_of(verdict),
    )


def _bound(drift: Drift, quantity: str) -> Array:
    """Return the bound of a quantity; infinite where there is none."""
    bound = drift.loss[:-1] if quantity == "loss" else drift.weights
    return np.where(drift.is_valid[: len(bound)], bound, np.inf)


def _apart(a: Mapping[str, Array], b: Mapping[str, Array], quantity: str) -> Array:
    """Return the largest difference of each step, over all arrays of a quantity."""
    apart = (abs(a[n].astype(np.longdouble) - b[n]) for n in ARRAYS[quantity])
    largest = [per_step(np.maximum, each) for each in apart]
    found: Array = np.maximum.reduce(largest).astype(np.float64)
    return found


def _comparisons(verdict: Verdict) -> Iterator[Chart]:
    """Draw how far runs are apart, and how far from the exact run, if it is known."""
    paths = {run: path_of(run) for run in verdict.complete}
    exact = verdict.exact or {}
    for quantity in ARRAYS if len(paths) > 1 else ():
        pairs = {
            f"{a.name}, {b.name}": _apart(paths[a], paths[b], quantity)
            for a, b in combinations(paths, 2)
        }
        yield _under_bounds(verdict, quantity, pairs, "difference")
    for quantity in ARRAYS if exact and paths else ():
        runs = {r.name: _apart(p, exact, quantity) for r, p in paths.items()}
        yield _under_bounds(verdict, quantity, runs, "distance")


def _weights(verdict: Verdict) -> Chart:
    """Draw each weight over the steps, those of all runs on one another."""
    runs, last = whole_runs(verdict), verdict.problem.steps
    names = [
        (f"{w}[{', '.join(map(str, index))}]", w, index)
        for w in ("w1", "w2")
        for index in np.ndindex(getattr(runs[0].trace, w).shape[1:])
    ][:MOST_WEIGHTS]
    of = {
        name: [getattr(r.trace, w)[:, *index] for r in runs] for name, w, index in names
    }
    x = step_scale(last, logarithmic=True)
    y = value_scale([array for arrays in of.values() for array in arrays])
    steps = np.array(spread(last - 1, SPANS)) + 1
    curves = tuple(
        Curve(
            name if not j else "", path(x(steps), y(array[steps])), f"s{i % 6} run{j}"
        )
        for i, (name, arrays) in enumerate(of.items())
        for j, array in enumerate(arrays)
    )
    ends = ", ".join(f"{name} {short(float(a[0][-1]))}" for name, a in of.items())
    mark = mark_of(verdict)
    return Chart(
        "weights",
        "Path of the weights",
        "Each weight after so many updates, on a logarithmic axis of steps. The runs "
        "of all implementations are drawn on one another: the first is the widest.",
        f"The weights of {runs[0].name} from the first update to the last, where they "
        f"are: {ends}.",
        x,
        y,
        "weight",
        curves,
        table_of({name: arrays[0] for name, arrays in of.items()}),
        mark and mark._replace(step=max(mark.step, 1)),
    )
