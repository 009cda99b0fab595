"""The charts over the steps."""

import re
from dataclasses import replace

import numpy as np
import pytest

from compare.hosts.load import load
from compare.numerics.exact_run import exact_run
from compare.page.charts.curves import charts_of
from compare.page.charts.plot import BOTTOM, Chart
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from tests.helpers import problem_of

PAIR = ("numpy", "torch")


def heights(chart: Chart, curve: int) -> list[float]:
    """Return the vertical places of a curve."""
    return [
        float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", chart.curves[curve].path)
    ]


def test_differences_lie_under_their_bounds() -> None:
    """In a match, every point of a difference is below every point of its bound."""
    verdict = compare(problem_of(), {name: load(name) for name in PAIR})
    charts = {chart.key: chart for chart in charts_of(verdict)}

    difference, bound = (heights(charts["difference-loss"], i) for i in (0, 1))

    assert min(difference) > max(bound)  # places grow downwards
    assert max(bound) <= BOTTOM


def test_a_difference_leaves_its_bound() -> None:
    """With a mistake, the largest difference is above its bound."""
    planted = plant(fault_named("dw1 transposed"), load("numpy"))
    verdict = compare(problem_of(), {"numpy": load("numpy"), "planted": planted})
    charts = {chart.key: chart for chart in charts_of(verdict)}

    difference, bound = (heights(charts["difference-weights"], i) for i in (0, 1))

    assert min(difference) < min(bound)
    assert {chart.mark.step for chart in charts.values() if chart.mark} == {0, 1}
    assert all(chart.mark for chart in charts.values())


@pytest.mark.parametrize(("exact", "count"), [(False, 0), (True, 2)])
def test_the_exact_run_is_drawn_if_it_is_known(exact: bool, count: int) -> None:  # noqa: FBT001
    """The distance from it has charts of its own, for the loss and for the weights."""
    problem = problem_of(steps=20)
    verdict = compare(problem, {name: load(name) for name in PAIR})
    truth = exact_run(problem).path() if exact else None

    charts = charts_of(replace(verdict, exact=truth))

    assert sum(chart.key.startswith("distance-") for chart in charts) == count


def test_the_table_has_the_numbers() -> None:
    """The losses of the table are those of the trace."""
    verdict = compare(problem_of(steps=20), {name: load(name) for name in PAIR})
    losses = next(chart for chart in charts_of(verdict) if chart.key == "losses")

    rows = {int(step): (float(a), float(b)) for step, a, b in losses.table.rows}

    loss = verdict.runs[0].trace.loss
    assert {0, 19} <= {*rows}
    assert all(
        np.isclose(a, loss[step], rtol=1e-5, atol=0) for step, (a, _) in rows.items()
    )
