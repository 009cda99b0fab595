"""The story of where two runs part."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import TypeAlias, cast

import numpy as np
import pytest

from compare.diagnosis.story import Story, stories_of, story_of
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from compare.training.load import load
from impls.interface import Activations, Array, Implementation, Problem, Trace, Weights
from tests.helpers import first_story, near, problem_of

BILLIONTH = "one element off by a billionth in one step"


@cache
def right_trace() -> Trace:
    """Train NumPy without a fault."""
    return load("numpy").train(problem_of())


@cache
def wrong_trace(name: str) -> Trace:
    """Train NumPy with a fault."""
    return plant(fault_named(name), load("numpy")).train(problem_of())


@cache
def story_about(name: str) -> Story:
    """Return the first story of a planted fault."""
    wrong = plant(fault_named(name), load("numpy"))
    story = first_story(compare(problem_of(), {"right": load("numpy"), "wrong": wrong}))
    assert story is not None
    return story


def terms_of_dw1(trace: Trace, step: int) -> Array:
    """Multiply what the first element of dw1 sums: the inputs are 0 or 1."""
    assert trace.dz1 is not None
    terms: Array = trace.dz1[step, 0] * problem_of().x[0]
    return terms


def exact_dw1(trace: Trace, step: int) -> Fraction:
    """Compute the first element of dw1 from the recorded dz1, in rational numbers."""
    return sum(map(Fraction, terms_of_dw1(trace, step)), Fraction(0))


def test_story_of_a_line() -> None:
    """All four lines: place, numbers with the exact one, bound, aftermath."""
    wrong, right = wrong_trace(BILLIONTH), right_trace()
    story = story_about(BILLIONTH)

    exact = exact_dw1(wrong, 150)
    apart = abs(float(Fraction(wrong.dw1[150, 0, 0]) - exact))
    size = abs(terms_of_dw1(wrong, 150)).sum()
    bound = f"{6 * 2**-53 * size:.3g}: 6 roundings of 1.11e-16 times {size:.3g}"
    numbers = (
        f"wrong {wrong.dw1[150, 0, 0]}, right {right.dw1[150, 0, 0]}, "
        f"exact {story.numbers['exact']}"
    )
    assert str(story).splitlines() == [
        "first difference: step 150, dw1 = dz1 @ x.T, dw1[0, 0]; cause unknown",
        f"  {numbers}",
        f"  {apart:.3g} apart, bound {bound}",
        "  then: dw1 of right and wrong at step 150",
    ]
    assert story.difference == near(apart, 1e-6)
    assert story.bound == near(6 * 2**-53 * size, 1e-6)


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


def test_each_wrong_run_has_a_story() -> None:
    """Each story lists what its own run did; the first difference comes first."""
    names = ["gradient of the sum, 1/m missing", "stale gradient"]
    wrong = {name: plant(fault_named(name), load("numpy")) for name in names}
    both = {"right": load("numpy"), **dict(reversed(wrong.items()))}

    stories = stories_of(compare(problem_of(), both))

    assert [(s.step, s.cause) for s in stories] == [
        (0, "m = 4 times: 1/m missing"),
        (1, "gradient of the step before"),
    ]
    assert all(s.before == () for s in stories)
    assert [w for w in stories[0].aftermath if w.startswith("new_w1 of stale")] == []


def test_a_match_has_no_story() -> None:
    """Without a difference there is nothing to describe."""
    both = {"one": load("numpy"), "other": load("numpy")}

    assert first_story(compare(problem_of(steps=5), both)) is None


def test_a_later_difference_says_what_came_first() -> None:
    """The story of a later difference names the first one."""
    fault = fault_named("loss of the sum, not of the mean")
    both = {"right": load("numpy"), "wrong": plant(fault, load("numpy"))}
    verdict = compare(problem_of(steps=5), both)
    first, later = verdict.differences

    story = story_of(verdict, later)

    assert str(story).startswith("difference: step 0, loss at every step, loss;")
    assert str(story).endswith("  first came: loss of wrong at step 0")
    assert str(story_of(verdict, first)).startswith("first difference: step 0, loss = ")


def test_a_check_that_passed_has_no_story() -> None:
    """A story is of a failure: asking for another is an error."""
    both = {"one": load("numpy"), "other": load("numpy")}
    verdict = compare(problem_of(steps=5), both)

    with pytest.raises(ValueError, match="did not fail"):
        story_of(verdict, verdict.checks[0])


def test_story_of_a_broken_promise() -> None:
    """A write into an input is shown by the numbers before and after."""
    ours = load("numpy")

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        x += 0.5
        return ours.forward(weights, x)

    functions = {n: getattr(ours, n) for n in ("loss_and_gradients", "train")}
    wrong = SimpleNamespace(**functions, forward=forward)
    both = {"right": ours, "wrong": cast("Implementation", wrong)}

    story = first_story(compare(problem_of(steps=5), both))

    promise, breach = "leaves its inputs unchanged", "it writes into its inputs"
    assert str(story).splitlines() == [
        f"first difference: contract, {promise}, x[0, 0]; cause: {breach}",
        "  wrong 0.5, expected 0.0",
        "  0.5 apart, bound 0: the two must be equal",
        "  then: nothing else is compared",
    ]


def test_a_number_that_is_not_finite_is_expected_to_be() -> None:
    """Where the inputs are not finite either, there is no exact number to show."""
    problem, ours = problem_of(steps=5), load("numpy")

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        trace.w1[3] = np.nan
        trace.dw1[3] = np.nan
        return trace

    functions = {n: getattr(ours, n) for n in ("loss_and_gradients", "forward")}
    wrong = SimpleNamespace(**functions, train=train)
    both = {"right": ours, "wrong": cast("Implementation", wrong)}
    verdict = compare(problem, both)

    (late,) = (
        c
        for c in verdict.differences
        if c.quantity == "dw1" and c.kind == "completeness"
    )

    assert story_of(verdict, late).numbers == {
        "wrong": "nan",
        "expected": "a finite number",
    }
