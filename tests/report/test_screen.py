"""A verdict on one screen."""

from io import StringIO

import pytest
from rich.console import Console

from compare.checks.check import Point
from compare.checks.verdict import Verdict
from compare.hosts.load import load
from compare.report.answer import share
from compare.report.as_json import Report
from compare.report.screen import to_text
from compare.training.compare import compare
from tests.helpers import BLACK_BOX, problem_of


def printed(verdict: Verdict) -> list[str]:
    """Print a verdict, and return its lines."""
    file = StringIO()
    Console(file=file, width=200, markup=False).print(to_text(Report("", verdict, {})))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_no_version_is_no_line() -> None:
    """What no environment states is not shown, as of objects in a notebook."""
    both = {"ours": load("numpy"), "other": load("torch")}

    assert printed(compare(problem_of(steps=20), both))[0].startswith("a2 after step")


def test_ours_need_no_remarks() -> None:
    """Nothing is said of runs that were judged line by line."""
    both = {"ours": load("numpy"), "other": load("torch")}

    screen = printed(compare(problem_of(steps=20), both))

    assert "MATCH  ours, other" in screen
    assert [line for line in screen if line.startswith(("ours: ", "other: "))] == []


def test_a_black_box_is_remarked_on() -> None:
    """A plain loop, absent intermediates and wider bounds are all stated."""
    both = {"ours": load("numpy"), "other": BLACK_BOX}

    screen = printed(compare(problem_of(steps=20), both))

    assert [line for line in screen if line.startswith(("ours: ", "other: "))] == [
        "other: has no train, so a plain loop trained it",
        "other: does not return z1, a1, z2, dz2, dz1",
        "other: a2, loss, dw2, dw1 judged end to end",
    ]


@pytest.mark.parametrize(
    ("difference", "bound", "text"),
    [
        (0.0, 1.0, "0 %"),
        (0.507, 1.0, "51 %"),
        (9.0, 1.0, "900 %"),
        (12.0, 1.0, "1e+01 x"),
        (1.0, 0.0, "inf x"),
        (0.0, 0.0, "0 %"),
        (1.0, float("inf"), "-"),
    ],
)
def test_the_share_of_a_bound(difference: float, bound: float, text: str) -> None:
    """Percent, or a factor where percent would be unreadable."""
    assert share(Point(0, (), difference, 0.0, difference, bound)) == text
