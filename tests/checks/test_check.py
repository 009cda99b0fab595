"""One comparison: what passes, what fails, what is in doubt, and where."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import (
    Check,
    Claim,
    Point,
    Promise,
    Resolution,
    agree,
    element,
    has_failure,
    judge,
    mismatch,
    well_formed,
)
from impls.interface import Array
from tests.helpers import near

CLAIM = Claim(
    "contract",
    ("x",),
    "w1",
    "w1 = w1",
    when="before training",
    basis="weights",
    promise=Promise.ARRAYS,
    path="y",
)
DOUBLE = np.dtype(np.float64)


def claim_of(check: Check) -> Claim:
    """Return the claim of a check, without what was found."""
    return Claim(**{name: getattr(check, name) for name in vars(CLAIM)})


@pytest.mark.parametrize(
    ("value", "reference", "bound", "passed"),
    [
        ([1.0], [1.0], 0.0, True),
        ([1.0], [1.5], 0.5, True),
        ([1.0], [1.5], 0.25, False),
        ([1.5], [1.0], 0.25, False),
        ([np.nan], [1.0], 9.0, False),
        ([np.nan], [np.nan], 9.0, False),
        ([np.nan], [np.nan], np.inf, False),
        ([np.inf], [np.inf], 9.0, False),
        ([np.inf], [1.0], np.inf, None),
        ([1.0], [1.0], np.inf, None),
        ([1.0], [1.0], np.nan, False),
        ([], [], 0.0, None),
        ([1.0], [1.0, 1.0], 9.0, False),
    ],
)
def test_judge(
    value: list[float], reference: list[float], bound: float, passed: object
) -> None:
    """A difference passes if it is `<=` its bound; NaN and nothing never do."""
    check = judge(CLAIM, np.array(value), np.array(reference), bound)

    assert check.passed is passed
    assert (check.first is not None) == (passed is False)
    assert (check.reason == "") == (passed is True)
    assert claim_of(check) == CLAIM


@pytest.mark.parametrize(
    ("bound", "passed"), [([9.0, np.inf], None), ([0.1, np.inf], False), ([9, 9], True)]
)
def test_one_number_without_a_bound_is_enough(
    bound: list[float], passed: object
) -> None:
    """A check with an infinite bound can fail in another element, but not pass."""
    check = judge(CLAIM, np.array([1.0, 1.0]), np.array([2.0, 1.0]), np.array(bound))

    assert check.passed is passed


def test_judge_points_at_first_worst_and_largest() -> None:
    """It gives where it failed first, used most of a bound, and was furthest off."""
    value = np.array([[0.0, 2.0], [0.0, 3.0], [9.0, 0.0]])
    reference = np.array([[0.0, -1.0], [0.0, 1.0], [1.0, 0.0]])
    bound = np.array([[1.0], [0.1], [20.0]])

    check = judge(CLAIM, value, reference, bound, 5)

    assert check.first == Point(5, (1,), 2.0, -1.0, 3.0, 1.0)
    assert check.worst == Point(6, (1,), 3.0, 1.0, 2.0, 0.1)
    assert check.largest == Point(7, (0,), 9.0, 1.0, 8.0, 20.0)
    assert check.count == 6
    assert check.reason == "outside its bound"


def test_nan_is_the_largest_difference() -> None:
    """It is further off than any number, also than infinity after it."""
    check = judge(CLAIM, np.array([5.0, np.nan, np.inf]), np.zeros(3), 9.0)

    assert check.first is not None
    assert (check.first.step, check.worst.step, check.largest.step) == (1, 1, 1)


def test_equal_numbers_use_none_of_a_bound_of_0() -> None:
    """0 of 0 is no share: the worst is the difference that used some."""
    check = judge(CLAIM, np.array([1.0, 1.0]), np.array([1.0, 1.5]), np.array([0, 2.0]))

    assert check.worst.step == 1


@pytest.mark.parametrize(
    ("words", "doubt", "reason"),
    [
        ({}, "no bound", "roundings may have moved z1 or z2 by more than 1"),
        ({"unbounded": ("unstable", "b")}, "unstable", "b"),
    ],
)
def test_infinite_bound_has_a_reason(
    words: dict[str, Any], doubt: str, reason: str
) -> None:
    """The caller may say what it means."""
    check = judge(CLAIM, np.ones(1), np.ones(1), np.inf, **words)

    assert (check.doubt, check.reason) == (doubt, reason)
    assert check.passed is None


@pytest.mark.parametrize("bound", [0.5, np.inf])
def test_only_a_check_that_cannot_tell_has_a_doubt(bound: float) -> None:
    """A check that passed or failed has none, also if another bound is infinite."""
    words: Any = {"unbounded": ("unstable", "b")}
    bounds = np.array([0.5, bound])

    passed = judge(CLAIM, np.ones(2), np.ones(2), 0.5, **words)
    failed = judge(CLAIM, np.zeros(2), np.ones(2), bounds, **words)

    assert (passed.passed, passed.doubt, passed.reason) == (True, None, "")
    assert (failed.passed, failed.doubt) == (False, None)
    assert failed.reason == "outside its bound"
    assert mismatch(CLAIM, "a", "b").doubt is None
    assert agree(CLAIM, "a", "a").doubt is None


# Resolution.


@pytest.mark.parametrize(
    ("reference", "bound", "worst", "median"),
    [
        ([[4.0]], [[1.0]], 0.5, 0.5),
        ([[-4.0]], [[1.0]], 0.5, 0.5),
        ([[4.0, 1.0]], [[1.0, 1.0]], 0.5, 0.5),
        ([[4.0, 1.0]], [[8.0, 1.0]], 2.0, 2.0),
        ([[4.0, 0.0]], [[1.0, 1.0]], 0.5, 0.5),
        ([[0.0, 0.0]], [[1.0, 0.0]], np.inf, np.inf),
        ([[0.0, 0.0]], [[0.0, 0.0]], np.inf, np.inf),
        ([[4.0, 0.0]], [[1.0, 0.0]], 0.5, 0.5),
        ([[4.0, 1.0]], [[np.inf, 1.0]], 2.0, 2.0),
        ([[4.0]], [[np.inf]], np.inf, np.inf),
        ([[4.0]], [[0.0]], 0.0, 0.0),
        ([4.0, 1.0, 8.0], [1.0, 1.0, 1.0], 2.0, 0.5),
        ([4.0, 1.0, 8.0], [1.0, np.inf, 1.0], np.inf, 0.5),
        ([[4.0, 9.0], [1.0, 0.1], [8.0, 0.1]], np.ones((3, 2)), 2.0, 0.25),
    ],
    ids=[
        "twice the bound",
        "of a negative number",
        "the best element of a step",
        "the best is not the largest number",
        "a number that is 0 shows none",
        "only zeros",
        "only zeros, exactly",
        "a zero, exactly, shows none",
        "an element without a bound shows none",
        "no bound",
        "equality",
        "the worst and the median step",
        "a step without a bound",
        "steps of several elements",
    ],
)
def test_resolution(reference: Any, bound: Any, worst: float, median: float) -> None:
    """It is twice the bound, relative, in the best element of a step."""
    numbers = np.array(reference)

    check = judge(CLAIM, numbers, numbers, np.array(bound))

    assert check.resolution == Resolution(worst, median)


@pytest.mark.parametrize(
    "check",
    [
        agree(CLAIM, "", ""),
        mismatch(CLAIM, "", "x"),
        judge(CLAIM, np.empty(0), np.empty(0), 1.0),
    ],
    ids=["agree", "mismatch", "nothing"],
)
def test_no_numbers_have_no_resolution(check: Check) -> None:
    """Descriptions, and nothing at all, have no relative error."""
    assert check.resolution is None


@pytest.mark.parametrize(("share", "passed"), [(1.01, False), (0.99, True)])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("step", [0, 1])
def test_error_just_above_the_resolution_is_reported(
    step: int,
    sign: float,
    share: float,
    passed: bool,  # noqa: FBT001
) -> None:
    """An error of the tensor above it fails, even if rounding took away one bound.

    The numbers use up their bounds to the other side before the error is planted, so
    that an error just below the resolution of its step passes.
    """
    reference = np.array([[4.0, 0.5, -3.0], [4.0, 0.5, -3.0]])
    bound = np.array([[0.1, 0.01, 0.05], [0.2, 0.01, 0.15]])
    value = reference - sign * 0.9999 * bound * np.sign(reference)
    found = judge(CLAIM, reference, reference, bound).resolution
    alone = judge(CLAIM, reference[[step]], reference[[step]], bound[[step]]).resolution
    assert found is not None
    assert alone is not None

    value[step] += sign * share * alone.worst * reference[step]

    check = judge(CLAIM, value, reference, bound)
    assert found.worst == near(0.04, 1e-15)
    assert alone.worst == near([1 / 30, 0.04][step], 1e-15)
    assert check.passed is passed
    assert check.first is None or (check.first.step, check.first.index) == (
        step,
        (2 - step,),
    )


# Promises.


@pytest.mark.parametrize(
    ("promise", "precedes"),
    [
        (Promise.EXISTS, True),
        (Promise.ARGUMENTS, True),
        (Promise.QUANTITIES, True),
        (Promise.ANSWERS, True),
        (Promise.PAIR, True),
        (Promise.ARRAYS, False),
        (Promise.FINITE, False),
        (Promise.INPUTS, False),
        (Promise.OUTPUTS, False),
        (Promise.REPEATS, False),
        (Promise.CLEARED, False),
        (Promise.UNBIASED, False),
        (Promise.OTHERS, False),
        (Promise.LASTS, False),
        (Promise.TRAINS, True),
    ],
    ids=str,
)
def test_promises_that_precede_numbers(
    promise: Promise,
    precedes: bool,  # noqa: FBT001
) -> None:
    """Where one is broken there is no number; the others are broken by numbers."""
    assert promise.precedes_numbers is precedes


def test_other_shapes_are_not_comparable() -> None:
    """Broadcasting never hides a shape."""
    check = judge(CLAIM, np.ones((4, 1)), np.ones((1, 4)), np.inf)

    point = check.worst
    assert check.passed is False
    assert (point.value, point.reference) == ("shape (4, 1)", "shape (1, 4)")


def test_nothing_is_compared() -> None:
    """No number at all is neither right nor wrong."""
    check = judge(CLAIM, np.empty((0, 2)), np.empty((0, 2)), 1.0)

    assert check.doubt == "nothing compared"

    assert (check.count, check.passed, check.first) == (0, None, None)
    assert check.worst == check.largest
    assert (check.worst.step, check.worst.index) == (0, ())
    assert np.isnan(check.worst.difference)
    assert check.worst.bound == 0
    assert check.reason == "nothing was compared"


def test_mismatch() -> None:
    """It is a failure of one comparison, at step 0, with both descriptions."""
    check = mismatch(CLAIM, "a list", "a number")

    point = check.first
    assert point is not None
    assert check.worst == check.largest == point
    assert (point.step, point.index) == (0, ())
    assert (point.value, point.reference) == ("a list", "a number")
    assert np.isnan(point.difference)
    assert point.bound == 0
    assert (check.count, check.passed) == (1, False)
    assert check.reason == "not comparable"
    assert claim_of(check) == CLAIM


@pytest.mark.parametrize(("found", "passed"), [("2", True), ("3", False)])
def test_agree(found: str, passed: object) -> None:
    """Two descriptions pass only if they are equal."""
    check = agree(CLAIM, found, "2")

    assert check.passed is passed
    assert (check.first is None) == passed
    assert (check.count, check.worst.value, check.worst.reference) == (1, found, "2")
    assert check.worst.use == (0 if passed else np.inf)
    assert claim_of(check) == CLAIM


def test_two_that_agree_differ_by_0() -> None:
    """The point is of step 0, and nothing of a bound of 0 is used."""
    check = agree(CLAIM, "2", "2")

    assert check.worst == check.largest == Point(0, (), "2", "2", 0.0, 0.0)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (None, "nothing"),
        (np.zeros((3, 2)), "float64 (3, 2)"),
        (np.zeros((2, 3), np.float32), "float32 (2, 3)"),
        ([[0.0]], "a list"),
    ],
)
def test_not_well_formed(array: Array | None, found: str) -> None:
    """Another shape, another dtype, a list and nothing are described."""
    check = well_formed(CLAIM, array, (2, 3), DOUBLE)

    assert check.passed is False
    assert check.worst.value == found
    assert check.worst.reference == "float64 (2, 3)"
    assert claim_of(check) == CLAIM


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_well_formed_numbers_are_finite(number: float) -> None:
    """A number that is not finite is found where it is."""
    array = np.ones((2, 3))
    good = well_formed(CLAIM, array, (2, 3), DOUBLE)
    array[1, 2] = number

    check = well_formed(CLAIM, array, (2, 3), DOUBLE)

    assert good.passed is True
    assert (good.count, good.worst.bound) == (6, 0)
    assert check.passed is False
    assert check.first is not None
    assert (check.first.step, check.first.index) == (1, (2,))


@pytest.mark.parametrize(
    ("difference", "bound", "use"),
    [
        (0.0, 0.0, 0.0),
        (0.0, np.inf, 0.0),
        (1.0, 4.0, 0.25),
        (8.0, 4.0, 2.0),
        (1.0, 0.0, np.inf),
        (1.0, np.inf, 0.0),
        (np.nan, 4.0, np.inf),
    ],
)
def test_use(difference: float, bound: float, use: float) -> None:
    """It is the share of the bound, infinite where there is none to use."""
    assert Point(0, (), 0.0, 0.0, difference, bound).use == use


@pytest.mark.parametrize(
    ("index", "text"),
    [((), "first w1"), ((3,), "first w1[3]"), ((0, 1), "first w1[0, 1]")],
)
def test_element(index: tuple[int, ...], text: str) -> None:
    """The index follows the label, if there is one."""
    check = agree(replace(CLAIM, when="at the start"), "", "")

    assert element(check, replace(check.worst, index=index)) == text


def test_has_failure() -> None:
    """A doubt is no pass, either; no checks are no failure."""
    right, wrong = agree(CLAIM, "", ""), mismatch(CLAIM, "", "x")
    unknown = judge(CLAIM, np.ones(1), np.ones(1), np.inf)

    assert not has_failure([])
    assert not has_failure([right, right])
    assert has_failure([right, wrong])
    assert has_failure([unknown, right])
