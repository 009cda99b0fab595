"""Numbers as digits: cut where they begin to differ, and summarised."""

import numpy as np
import pytest
from flint import arb

from compare.explain.digits import aligned, matrix, significant_digits
from tests.helpers import DTYPES


def test_numbers_are_cut_where_they_begin_to_differ() -> None:
    """The root of 2 is 1.41421356237...; the last two digits are always there."""
    found = {"a": 1.41421356, "b": 1.41421353, "c": 1.41421356}

    assert aligned(arb(2).sqrt(), found, 9) == [
        "exact 1.414213|56237",
        "a …56",
        "b …53",
        "c …56",
    ]


def test_numbers_that_are_far_apart_are_whole() -> None:
    """Where little is in common, nothing is left out."""
    assert aligned(arb("0.25"), {"a": 0.5}, 9) == [
        "exact 0.250000000000",
        "a 0.500000000",
    ]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1.5e-9, "1.50000000e-9"),
        (-12345.6789, "-12345.6789"),
        (0.0, "0.00000000"),
        (float("nan"), "NaN"),
        (1e20, "1.00000000e+20"),
        (-1.5e300, "-1.50000000e+300"),
        (123456789.0, "123456789"),
    ],
)
def test_every_size_of_number_is_written(number: float, written: str) -> None:
    """Small numbers have an exponent; a number need not be finite."""
    exact = arb(number) if np.isfinite(number) else arb(1)

    assert aligned(exact, {"a": number, "b": 2.0}, 9)[1] == f"a {written}"


def test_a_number_of_another_size_is_written_in_full() -> None:
    """A planted mistake may be as large as a float can be."""
    _, huge = aligned(arb("0.25"), {"a": 1e308}, 9)

    assert len(huge) == len("a ") + 309 + len(".000000000")


@pytest.mark.parametrize(
    ("exact", "written"),
    [
        (arb(-1e30).exp(), "exact 0.000000|00000"),
        (arb(1e30).exp(), "exact Infinity"),
        (arb("nan"), "exact NaN"),
    ],
    ids=["smaller", "larger", "unknown"],
)
def test_an_exact_number_beyond_all_floats_is_written(exact: arb, written: str) -> None:
    """Balls have no such range."""
    assert aligned(exact, {"a": 0.0}, 9)[0] == written


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_digits_tell_neighbours_apart(dtype: str) -> None:
    """Two numbers next to each other are not written alike."""
    kind = np.dtype(dtype)
    one = kind.type(0.1)
    other = np.nextafter(one, kind.type(1))
    digits = significant_digits(kind)
    _, a, b = aligned(arb(float(one)), {"a": float(one), "b": float(other)}, digits)

    assert a[1:] != b[1:]


def test_a_matrix_is_aligned() -> None:
    """Four significant digits; whole numbers are written as such."""
    assert matrix(np.array([[0.5, -1.25e-5], [0, 12.3456]])) == [
        "     0.5000 -1.250e-05",
        "          0      12.35",
    ]
    assert matrix(np.array([[0, 1.0], [1, 0]])) == [" 0 1", " 1 0"]


def test_a_large_matrix_is_summarised() -> None:
    """Four rows and columns are shown, and that there are more."""
    rows = matrix(np.ones((5, 6)))

    assert rows == [" 1 1 1 1 …"] * 4 + ["         …"]


def test_a_blank_matrix_has_no_numbers() -> None:
    """It is to be filled in."""
    assert matrix(np.ones((1, 2)), cell="____") == [" ____ ____"]


def test_columns_have_a_least_width() -> None:
    """So that they stand below their names."""
    assert matrix(np.array([[1, -2.5]]), width=6) == ["  1.000 -2.500"]
    assert matrix(np.array([[1, 2.0]]), width=6) == ["      1      2"]
