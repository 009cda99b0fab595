"""The shares of the bounds, by line and span."""

import numpy as np
import pytest

from compare.hosts.load import load
from compare.page.charts.heat import heat_maps_of
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from tests.helpers import problem_of


@pytest.mark.parametrize(("fault", "lines"), [(None, []), ("dw1 transposed", ["dw1"])])
def test_the_exceeded_bounds_are_red(fault: str | None, lines: list[str]) -> None:
    """The last shade has the cells of the line with the mistake, and no others."""
    numpy = load("numpy")
    run = plant(fault_named(fault), numpy) if fault else numpy
    (heat,) = heat_maps_of(compare(problem_of(steps=50), {"run": run}))

    rows = {
        int(cell.split("h")[0].split()[1]) // 12
        for cell in heat.shades[-1].path.split("M")[1:]
    }

    assert [heat.lines[row] for row in rows] == lines
    assert (heat.mark is not None) == bool(lines)


def test_a_short_mistake_is_not_lost() -> None:
    """One wrong step in the middle of a long run marks its span."""
    planted = plant(fault_named("one element 1 % off in one step"), load("numpy"))

    (heat,) = heat_maps_of(compare(problem_of(), {"run": planted}))

    assert heat.shades[-1].path.count("M") == 1
    assert "dw1" in heat.alt


def test_shares_are_those_of_the_checks() -> None:
    """The largest share of each line is the worst point of its check."""
    verdict = compare(problem_of(steps=50), {"numpy": load("numpy")})
    (heat,) = heat_maps_of(verdict)
    checks = {
        c.quantity: c
        for c in verdict.checks
        if (c.kind, c.when) == ("audit", "in a step")
    }

    largest = {
        line.replace(" ", "_"): float(s.rstrip(" %")) for line, s, *_ in heat.table.rows
    }

    assert {*largest} == {*checks}
    assert [*largest.values()] == pytest.approx(
        [100 * checks[q].worst.use for q in largest], rel=1e-2, abs=0
    )
    assert np.isfinite([*largest.values()]).all()
