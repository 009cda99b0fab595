"""The charts over the steps: losses, differences, distances, weights."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np

from compare.checks.parity import path as path_of
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.page.plot import (
    Chart,
    Curve,
    Table,
    largest,
    path,
    share_of,
    spread,
    step_scale,
    value_scale,
)
from compare.page.shown import mark_of, whole_runs
from impls.interface import Array

SPANS = 300
"""Into how many spans of steps a long run is divided, for a chart."""
ROWS = 16
"""How many steps a table shows."""
MOST_WEIGHTS = 8
"""How many weights have a curve."""


def charts_of(verdict: Verdict) -> tuple[Chart, ...]:
    """Draw what there is: a chart without a curve is left out."""
    if not whole_runs(verdict):
        return ()
    made = [_losses(verdict), *_differences(verdict), *_distances(verdict)]
    return (*(chart for chart in made if chart.curves), _weights(verdict))


def _number(value: float) -> str:
    return format(value, ".6g") if np.isfinite(value) else "–"


def _table(columns: Mapping[str, Array]) -> Table:
    """Lay out the columns at some steps, evenly on a logarithmic axis."""
    last = min(len(column) for column in columns.values()) - 1
    rows = [
        (f"{step:,}", *(_number(float(column[step])) for column in columns.values()))
        for step in spread(last, ROWS)
    ]
    return Table(("step", *columns), tuple(rows))


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
    ends = ", ".join(f"{n} at {_number(float(a[-1]))}" for n, a in losses.items())
    begin = _number(float(runs[0].trace.loss[0]))
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
        _table(losses),
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
    verdict: Verdict, of: Mapping[str, tuple[Array, Array]], **words: str
) -> Chart:
    """Draw differences, and each bound in the style of its difference."""
    x = step_scale(verdict.problem.steps)
    y = value_scale([a for pair in of.values() for a in pair], logarithmic=True)
    curves = []
    for i, (name, (difference, bound)) in enumerate(of.items()):
        steps, d, b = _in_spans(difference, bound)
        shown = np.where(d > 0, d, np.nan)  # no logarithm of 0
        curves += [
            Curve(name, path(x(steps), y(shown)), f"s{i % 6} thin"),
            Curve("", path(x(steps), y(b)), f"s{i % 6} bound"),
        ]
    columns = {
        title: array
        for name, (difference, bound) in of.items()
        for title, array in ((name, difference), (f"bound of {name}", bound))
    }
    return Chart(
        **words,
        x=x,
        y=y,
        curves=tuple(curves),
        table=_table(columns),
        mark=mark_of(verdict),
    )


def _bound(verdict: Verdict, run: Run, quantity: str) -> Array:
    """Return the drift bound of a quantity; infinite where there is none."""
    drift = verdict.drifts[run.name]
    bound = drift.loss[:-1] if quantity == "loss" else drift.weights
    return np.where(drift.is_valid[: len(bound)], bound, np.inf)


SEEN: Mapping[str, Callable[[Run], tuple[Array, ...]]] = {
    "loss": lambda run: (path_of(run)["loss"],),
    "weights": lambda run: (path_of(run)["w1"], path_of(run)["w2"]),
}


def _apart(a: tuple[Array, ...], b: tuple[Array, ...]) -> Array:
    """Return the largest difference of each step, over all arrays."""
    parts = [largest(u.astype(np.longdouble) - v) for u, v in zip(a, b, strict=True)]
    apart: Array = np.maximum.reduce(parts).astype(np.float64)
    return apart


def _complete(verdict: Verdict) -> list[Run]:
    return [run for run in verdict.runs if run.name in verdict.drifts]


def _differences(verdict: Verdict) -> Iterator[Chart]:
    """Draw how far each pair of runs is apart."""
    for quantity, arrays in SEEN.items():
        of = {
            f"{a.name}, {b.name}": (
                _apart(arrays(a), arrays(b)),
                _bound(verdict, a, quantity),
            )
            for a, b in combinations(_complete(verdict), 2)
        }
        if of:
            yield _under_bounds(
                verdict,
                of,
                key=f"differences-{quantity}",
                title=f"Difference of each pair in {quantity}, and its bound",
                caption="Both on a logarithmic axis. The dashed line is how far apart "
                "two correct runs can be there, because they round. A line that ends "
                "has no bound, or no difference, from there on; where two bounds are "
                "equal, one hides the other. Of each span of steps, the one nearest to "
                "its bound is drawn.",
                alt=_alt(of, f"difference in {quantity}"),
                unit=f"difference of {quantity}",
            )


def _distances(verdict: Verdict) -> Iterator[Chart]:
    """Draw how far each run is from the exact one, if that is known."""
    exact = verdict.exact
    if not exact:
        return
    truth = {"loss": (exact["loss"],), "weights": (exact["w1"], exact["w2"])}
    for quantity, arrays in SEEN.items():
        of = {
            run.name: (
                _apart(arrays(run), truth[quantity]),
                _bound(verdict, run, quantity),
            )
            for run in _complete(verdict)
        }
        if of:
            yield _under_bounds(
                verdict,
                of,
                key=f"exact-{quantity}",
                title=f"Distance of each run from the exact run, in {quantity}",
                caption="The exact run is that of real arithmetic, without rounding.",
                alt=_alt(of, f"distance from the exact run in {quantity}"),
                unit=f"distance in {quantity}",
            )


def _alt(of: Mapping[str, tuple[Array, Array]], what: str) -> str:
    words = []
    for name, (difference, bound) in of.items():
        step = int(np.argmax(share_of(difference, bound)))
        size, limit = f"{difference[step]:.1e}", f"{bound[step]:.1e}"
        words.append(f"{name}: at step {step:,}, {size} where the bound is {limit}")
    return f"The {what} that is nearest to its bound, {'; '.join(words)}."


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
    ends = ", ".join(f"{name} {_number(float(a[0][-1]))}" for name, a in of.items())
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
        _table({name: arrays[0] for name, arrays in of.items()}),
        mark and mark._replace(step=max(mark.step, 1)),
    )
