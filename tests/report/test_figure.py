"""The figure: what it draws, in which colours, and that its bytes are the same."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from compare.checks.verdict import Verdict
from compare.hosts.load import load
from compare.numerics.exact_run import exact_run
from compare.report import figure
from compare.report.answer import answer_lines
from compare.report.as_json import Report
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from tests.helpers import problem_of

FAULT = fault_named("one element 1 % off in one step")


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """Compare two right runs and one with a mistake in step 30 of 60."""
    problem = problem_of(steps=60)
    planted = plant(FAULT, load("numpy"))
    implementations = {"numpy": load("numpy"), "torch": load("torch"), "bad": planted}
    return compare(problem, implementations)


def svg_of(verdict: Verdict) -> str:
    """Draw as SVG."""
    return figure.draw(Report("xor, seed 2", verdict, {}), "svg").decode()


def axes_of(draw: Callable[[Axes], object]) -> Axes:
    """Draw on axes of their own."""
    axes = Figure().subplots()
    draw(axes)
    return axes


def test_its_text_is_text(verdict: Verdict) -> None:
    """Titles, labels and the place of the first difference can be searched for."""
    found = set(re.findall(r">([^<>]+)</text>", svg_of(verdict)))

    assert found >= {
        "Loss of each implementation",
        "Difference of each pair, and its bound",
        "Decision boundary of each after training",
        "step",
        "bound",
        "first difference: dw1, step 30",
    }


@pytest.mark.parametrize("name", ["_mine", r"a$\foo$", r"a\$\foo$"])
def test_a_name_stands_as_it_is(name: str) -> None:
    """An underscore does not hide it, and dollar signs do not begin a formula."""
    problem = problem_of(steps=3)
    runs = {name: load("numpy"), "other": load("numpy")}
    verdict = compare(problem, runs, exact=exact_run(problem).path())

    content = figure.draw(Report(name, verdict, {}), "svg").decode()

    texts = set(re.findall(r">([^<>]+)</text>", content))
    assert {text for text in texts if name in text} == {
        f"match, {next(answer_lines(Report(name, verdict, {})))}",
        f"loss of {name}",
        f"difference of {name} and other: 0",
        f"difference of {name} and exact",
        f"a2 = 0.5, {name}",
    }


def test_the_same_picture_has_the_same_bytes(verdict: Verdict) -> None:
    """Nothing in it depends on the time or on chance."""
    first = svg_of(verdict)

    assert first == svg_of(verdict)
    assert "dc:date" not in first


@pytest.mark.parametrize("setting", [{"text.usetex": True}, {"axes.grid": True}])
def test_a_picture_has_no_setting_of_the_user(
    verdict: Verdict, setting: dict[Any, Any]
) -> None:
    """LaTeX may be absent, and the same picture has the same bytes."""
    ours = svg_of(verdict)

    with rc_context(setting):
        assert svg_of(verdict) == ours


def test_curves_that_coincide_are_told_apart(verdict: Verdict) -> None:
    """Each has its own colour and dashes, and is narrower than the one before."""
    axes = axes_of(lambda axes: figure.draw_losses(axes, verdict))
    widths = [line.get_linewidth() for line in axes.lines]

    assert widths == sorted({*widths}, reverse=True)
    assert len({to_hex(line.get_color()) for line in axes.lines}) == 3
    assert len({str(figure.look(i, 3)["linestyle"]) for i in range(3)}) == 3


def test_the_bound_has_a_colour_of_its_own(verdict: Verdict) -> None:
    """Three pairs and one bound: four colours."""
    pairs, drift = figure.pairs(verdict), verdict.drift
    axes = axes_of(lambda axes: figure.draw_differences(axes, "", pairs, drift))
    *_, bound = axes.lines

    assert len({to_hex(line.get_color()) for line in axes.lines}) == 4
    assert bound.get_label() == "bound"
    assert np.array_equal(bound.get_ydata(), drift.loss[:-1])


def test_without_a_pair_there_is_no_bound(verdict: Verdict) -> None:
    """One run alone has no difference, and so nothing that a bound would be of."""
    alone = replace(verdict, complete=verdict.complete[:1])
    pairs, drift = figure.pairs(alone), alone.drift
    axes = axes_of(lambda axes: figure.draw_differences(axes, "", pairs, drift))

    assert not axes.lines


def test_a_difference_in_one_step_is_not_lost() -> None:
    """A curve of 10,000 steps shows the largest difference of each stretch."""
    verdict = compare(problem_of(steps=2000), {"a": load("numpy"), "b": load("numpy")})
    ((name, difference),) = figure.pairs(verdict)
    difference = difference.copy()
    difference[1234] = 0.5
    drawn, drift = iter([(name, difference)]), verdict.drift
    axes = axes_of(lambda axes: figure.draw_differences(axes, "", drawn, drift))

    assert np.nanmax(axes.lines[0].get_ydata()) == 0.5
    assert np.size(axes.lines[0].get_xdata()) < 2000


@pytest.mark.parametrize("steps", [1, 3])
def test_steps_are_whole_numbers(steps: int) -> None:
    """A short run has no tick at half a step."""
    verdict = compare(problem_of(steps=steps), {"numpy": load("numpy")})
    axes = axes_of(lambda axes: figure.count_steps(axes, verdict))
    ticks = axes.get_xticks()

    assert axes.get_xlabel() == "step"
    assert ticks.tolist() == ticks.round().tolist()


def test_with_an_exact_run_there_is_a_panel_more() -> None:
    """The distance of each run from the exact one is drawn."""
    problem = problem_of(steps=20)
    exact = exact_run(problem).path()
    verdict = compare(problem, {"a": load("numpy")}, exact=exact)

    assert "Distance from the exact run, and its bound" in svg_of(verdict)


@pytest.mark.parametrize("network", ["3-2-1", "2-2-2"])
def test_only_a_plane_has_a_decision_boundary(network: str) -> None:
    """Three inputs, or two outputs, are not drawn."""
    problem = problem_of(steps=3, network=network)
    verdict = compare(problem, {"a": load("numpy"), "b": load("torch")})

    assert "Decision boundary" not in svg_of(verdict)


def test_the_boundary_separates_the_classes() -> None:
    """After 5,000 steps, XOR's points lie on the right sides."""
    verdict = compare(problem_of(steps=5000), {"numpy": load("numpy")})
    problem, (run,) = verdict.problem, verdict.runs
    axes = axes_of(lambda axes: figure.draw_boundaries(axes, problem, [run]))
    contours = [c for c in axes.collections if isinstance(c, ContourSet)]
    lines = contours[0].get_paths()[0].to_polygons(closed_only=False)
    low, high = sorted(np.asarray(line).sum(axis=1).mean() for line in lines)

    assert 0 < low < 1 < high < 2
