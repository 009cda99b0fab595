"""The story of where two runs part."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from compare.contract.calls import rewired
from compare.diagnosis.story import stories_of, story_of
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.selftest.rewrites import rewritten, tanh_sigmoid
from compare.selftest.trial import beside_ours
from compare.training.compare import compare
from compare.training.problems import tails
from impls.interface import Activations, Array, Weights
from tests.diagnosis.ports import changed_line, last_in_each, silent
from tests.diagnosis.stories import (
    BILLIONTH,
    exact_dw1,
    right_trace,
    story_about,
    terms_of_dw1,
    wrong_trace,
)
from tests.helpers import first_story, near, problem_of


def test_story_of_a_line() -> None:
    """All lines: place, numbers with the exact one, bound, aftermath."""
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
        f"  {apart:.3g} from exact, bound {bound}",
        "  then: dw1 of right and wrong at step 150",
    ]
    assert story.difference == near(apart, 1e-6)
    assert story.bound == near(6 * 2**-53 * size, 1e-6)


def test_the_same_mistake_twice_is_from_exact_and_has_no_aftermath() -> None:
    """Its numbers are equal: the difference is not between them."""
    wrong = plant(fault_named("sigmoid's derivative left out"), load("numpy"))
    verdict = compare(problem_of(steps=5), {"one": wrong, "other": wrong})

    story, other = stories_of(verdict)

    assert story.numbers["one"] == story.numbers["other"]
    assert story.from_exact
    assert str(story).splitlines()[-1].startswith("  0.0467 from exact, bound ")
    assert str(other).splitlines()[-1].startswith("  0.0467 from exact, bound ")


def test_the_runs_of_a_pair_are_apart() -> None:
    """The difference is between the two, though the exact number is known."""
    fault = fault_named("loss of the sum, not of the mean")
    both = {"right": load("numpy"), "wrong": plant(fault, load("numpy"))}
    verdict = compare(problem_of(steps=5), both)
    pair = next(c for c in verdict.differences if len(c.subject) > 1)

    assert " apart, bound " in str(story_of(verdict, pair))


def test_each_wrong_run_has_a_story() -> None:
    """Each story lists what its own run did; the first difference comes first."""
    names = ["gradient of the sum, 1/m missing", "stale gradient"]
    wrong = {name: plant(fault_named(name), load("numpy")) for name in names}
    both = {"right": load("numpy"), **dict(reversed(wrong.items()))}

    stories = stories_of(compare(problem_of(), both))

    assert [(s.step, s.cause) for s in stories] == [
        (0, "4 times too large: the sum over samples, not the mean"),
        (1, "gradient of the step before"),
    ]
    assert all(s.before == () for s in stories)
    assert [w for w in stories[0].aftermath if w.startswith("new_w1 of stale")] == []


def test_a_difference_of_rounding_has_advice_and_no_cause() -> None:
    """a1 - a1 a1 cancels, in float32 always alike: nearly a factor of some elements."""
    weights = Weights([[0.9, 0.9], [8.2, 8.2]], [[-42.3, 34.0]])
    problem = replace(
        problem_of("float32", "mse", steps=100),
        weights=Weights(*(np.array(w, np.float32) for w in weights)),
    )
    cancelling = changed_line("dz1", lambda s: (s.w2.mT @ s.dz2) * (s.a1 - s.a1 * s.a1))

    story = first_story(beside_ours(problem, cancelling))

    assert story is not None
    assert story.cause is None
    assert story.end_to_end == ("dz1",)


@pytest.mark.parametrize(
    ("sigmoid", "advice"),
    [
        (tanh_sigmoid, ("a1", "a2")),
        (lambda z: 1 - 1 / (1 + np.exp(z)), ("a1", "a2")),
        (lambda z: tanh_sigmoid(z) * (1 + 1e-9), ()),
    ],
    ids=["of tanh", "of 1 - a", "wrong"],
)
def test_another_sigmoid_that_returns_a2_alone_has_advice(
    sigmoid: Callable[[Array], Array], advice: tuple[str, ...]
) -> None:
    """It names a1, too: without intermediates, what a1 rounds is only seen in a2."""
    problem = tails("bce", "float64")
    other = silent(rewritten("numpy", sigmoid=sigmoid))

    story = first_story(beside_ours(problem, other))

    assert story is not None
    assert story.end_to_end == advice
    declared = rewired(other, end_to_end=("a1", "a2"))
    assert (beside_ours(problem, declared).answer == "match") == bool(advice)


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

    both = {"right": ours, "wrong": rewired(ours, forward=forward)}

    story = first_story(compare(problem_of(steps=5), both))

    breach = "it writes into its inputs"
    assert str(story).splitlines() == [
        f"first difference: contract, x[0, 0]: {breach}",
        "  wrong 0.5, expected 0.0",
        "  0.5 apart, bound 0: the two must be equal",
        "  then: nothing else is compared",
    ]


def test_story_of_a_record_that_is_overwritten() -> None:
    """It says what to write, and nothing that follows from its rows."""
    both = {"right": load("numpy"), "wrong": last_in_each("w1")}

    story = first_story(compare(problem_of(steps=5), both))

    place, _, bound = str(story).splitlines()
    assert place.endswith("cause: overwritten in place: recorded without .copy()")
    assert bound.endswith(
        ": record a copy of w1 before each update, which writes into it"
    )
