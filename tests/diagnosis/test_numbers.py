"""The numbers of a failure: all that there are, in full digits, and the exact one."""

from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pytest

from compare.contract.calls import rewired
from compare.diagnosis.numbers import numbers_of
from compare.hosts.load import load
from compare.training.compare import compare
from impls.interface import Problem, Trace
from tests.diagnosis.stories import (
    BILLIONTH,
    exact_dw1,
    right_trace,
    story_about,
    wrong_trace,
)
from tests.helpers import first_story, near, problem_of, returning


def test_exact_is_nearer_than_any_float() -> None:
    """The exact number has more digits than a float, and each of them is right."""
    exact = story_about(BILLIONTH).numbers["exact"]

    apart = Fraction(exact) - exact_dw1(wrong_trace(BILLIONTH), 150)
    assert abs(apart) <= 1e-24 * abs(float(exact))
    assert len(exact) > 25


Numbers: TypeAlias = Callable[[Trace, Trace], dict[str, object]]


@pytest.mark.parametrize(
    ("name", "element", "numbers"),
    [
        (
            "another seed",
            "first w1[0, 0]",
            lambda w, r: {"wrong": w.w1[0, 0, 0], "given": r.w1[0, 0, 0]},
        ),
        (
            "one step short",
            "w1",
            lambda w, r: {
                "wrong": f"float64 {w.w1.shape}",
                "expected": f"float64 {r.w1.shape}",
            },
        ),
        (
            "NaN in the last gradient",
            "dw1[0, 0]",
            lambda w, _: {"wrong": w.dw1[-1, 0, 0]},
        ),
        (
            "stale gradient",
            "new_w1[0, 0]",
            lambda w, r: {"wrong": w.w1[2, 0, 0], "right": r.w1[2, 0, 0]},
        ),
        (
            "loss of the sum, not of the mean",
            "loss",
            lambda w, r: {"wrong": w.loss[0], "right": r.loss[0]},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_fit_the_check(name: str, element: str, numbers: Numbers) -> None:
    """Each kind of failure shows the numbers that there are, under their owners."""
    story = story_about(name)

    shown = {owner: n for owner, n in story.numbers.items() if owner != "exact"}
    expected = numbers(wrong_trace(name), right_trace())
    assert story.element == element
    assert list(shown.items()) == [(owner, str(n)) for owner, n in expected.items()]


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("NaN in the last gradient", lambda trace: trace.dw1[-1, 0, 0]),
        ("stale gradient", lambda trace: trace.w1[2, 0, 0]),
        ("loss of the sum, not of the mean", lambda trace: trace.loss[0]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_exact_number_is_the_right_one(
    name: str, right: Callable[[Trace], float]
) -> None:
    """The exact number is what the run without the fault has, to its roundings."""
    exact = story_about(name).numbers["exact"]

    assert float(exact) == near(right(right_trace()), 1e-12)


def test_a_number_that_is_not_finite_is_expected_to_be() -> None:
    """Where the inputs are not finite either, there is no exact number to show."""
    problem, ours = problem_of(steps=5), load("numpy")

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        trace.w1[3] = np.nan
        trace.dw1[3] = np.nan
        return trace

    verdict = compare(problem, {"right": ours, "wrong": rewired(ours, train=train)})

    (late,) = (
        c
        for c in verdict.differences
        if c.quantity == "dw1" and c.kind == "completeness"
    )

    assert late.first is not None
    assert numbers_of(verdict, late, late.first) == {
        "wrong": "nan",
        "expected": "a finite number",
    }


def test_a_result_of_another_shape_has_no_number_beside_it() -> None:
    """There is no element in whose place the other run has one."""
    problem = problem_of(steps=5)
    there = load("numpy").train(problem).w1[3]
    wrong = returning(
        lambda w: w.w1.shape != there.shape or np.array_equal(w.w1, there),
        dz1=lambda dz1: dz1[None],
    )

    story = first_story(compare(problem, {"right": load("numpy"), "wrong": wrong}))

    assert story is not None
    assert story.rows()[1:] == [
        "wrong float64 (1, 2, 4), expected float64 (5, 2, 4)",
        "not comparable: the two must be equal",
    ]
