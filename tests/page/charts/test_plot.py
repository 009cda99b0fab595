"""Scales and paths of the charts."""

import numpy as np
import pytest

from compare.page.charts.plot import (
    BOTTOM,
    TOP,
    Scale,
    label,
    path,
    share_of,
    spread,
    value_scale,
)
from tests.helpers import near


@pytest.mark.parametrize(
    ("logarithmic", "value", "place"),
    [(False, 1.0, 0.0), (False, 50.5, 50.0), (True, 10.0, 50.0), (True, 1000.0, 100.0)],
)
def test_a_scale_maps(logarithmic: bool, value: float, place: float) -> None:  # noqa: FBT001
    """Straight or logarithmic; what lies outside comes to the end."""
    scale = Scale(1, 100, 0, 100, logarithmic)

    assert float(scale(value)) == near(place, rel=1e-12)


def test_what_is_not_finite_has_no_place() -> None:
    """A path has a gap there, and a point alone is a line of length 0."""
    x, y = np.arange(5.0), np.array([0, 1, np.nan, 3, np.nan])

    assert path(x, y) == "M0.0 0.0h0L1.0 1.0M3.0 3.0h0"
    assert np.isnan(Scale(0, 1, 0, 1)(np.array([np.inf, np.nan]))).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1e-15, "10⁻¹⁵"), (2000, "2,000"), (-0.5, "−0.5"), (3e7, "3×10⁷")],
)
def test_a_label_is_short(value: float, text: str) -> None:
    """Powers of ten are written as such."""
    assert label(value) == text


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("values", [[1e-17, 2.0], [5.0, 5.0], [0.0, 0.0], [np.nan]])
def test_values_lie_within_their_scale(
    values: list[float],
    logarithmic: bool,  # noqa: FBT001
) -> None:
    """Whatever the numbers are, the frame holds them and its ticks."""
    scale = value_scale([np.array(values)], logarithmic=logarithmic)

    places = [place for place, _ in scale.ticks]

    assert scale.low < scale.high
    assert all(TOP <= place <= BOTTOM for place in places)


@pytest.mark.parametrize(("last", "expected"), [(0, [0]), (9, [0, 1, 2, 5, 9])])
def test_steps_are_spread(last: int, expected: list[int]) -> None:
    """The first and the last are among them, each once."""
    assert spread(last, 5) == expected


@pytest.mark.parametrize(
    ("difference", "bound", "share"),
    [(1.0, 4.0, 0.25), (0.0, 0.0, 0.0), (1.0, 0.0, np.inf), (np.nan, 1.0, np.inf)],
)
def test_the_share_of_a_bound(difference: float, bound: float, share: float) -> None:
    """A difference that is not a number uses more than all of its bound."""
    assert share_of(np.array([difference]), np.array([bound])) == [share]
