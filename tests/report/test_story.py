"""The story of where two runs part."""

from types import SimpleNamespace
from typing import cast

import pytest

from compare.report.story import Story, tell, tell_all
from compare.selftest.faults import FAULTS
from compare.selftest.plant import plant
from compare.training.compare import compare
from compare.training.problems import Experiment
from compare.training.load import load
from impls.interface import Activations, Array, Implementation, Weights


def story_of(name: str) -> Story:
    """Plant a fault, and tell what comes of it."""
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    problem = Experiment(steps=300).problem()
    both = {"right": load("numpy"), "wrong": plant(fault, load("numpy"))}
    story = tell(compare(problem, both))
    assert story is not None
    return story


def test_story_of_a_line() -> None:
    """All four lines: place, numbers with the exact one, bound, aftermath."""
    story = story_of("one element off by a billionth in one step")

    numbers = story.numbers
    apart = abs(float(numbers["wrong"]) - float(numbers["right"]))
    assert str(story).splitlines() == [
        "first difference: step 150, dw1 = dz1 @ x.T, dw1[0, 0]; cause unknown",
        "  "
        + ", ".join(f"{who} {numbers[who]}" for who in ("wrong", "right", "exact")),
        f"  {apart:.3g} apart, bound {story.bound:.3g}: {story.origin}",
        "  then: dw1 of right and wrong at step 150",
    ]
    assert story.origin.startswith("6 roundings of 1.11e-16 times 0.00")


def test_exact_is_nearer_than_any_float() -> None:
    """The right number is the exact one to its last digits, the wrong one isn't."""
    numbers = story_of("one element off by a billionth in one step").numbers

    right, wrong = float(numbers["right"]), float(numbers["wrong"])
    exact = float(numbers["exact"])
    assert right == pytest.approx(exact, rel=1e-12, abs=0)
    assert wrong == pytest.approx(exact * (1 + 1e-9), rel=1e-12, abs=0)
    assert len(numbers["exact"]) > 25


@pytest.mark.parametrize(
    ("name", "element", "numbers"),
    [
        ("another seed", "first w1[0, 0]", {"wrong", "given"}),
        ("one step short", "w1", {"wrong", "expected"}),
        ("NaN in the last gradient", "dw1[0, 0]", {"wrong", "exact"}),
        ("stale gradient", "new_w1[0, 0]", {"wrong", "right", "exact"}),
        ("loss of the sum, not of the mean", "loss", {"wrong", "right", "exact"}),
    ],
)
def test_numbers_fit_the_check(name: str, element: str, numbers: set[str]) -> None:
    """Each kind of failure shows the numbers that there are."""
    story = story_of(name)

    assert (story.element, set(story.numbers)) == (element, numbers)


def test_each_wrong_run_has_a_story() -> None:
    """Of what it did itself, whoever else is wrong, and the first comes first."""
    names = ["gradient of the sum, 1/m missing", "stale gradient"]
    faults = {fault.name: fault for fault in FAULTS}
    wrong = {name: plant(faults[name], load("numpy")) for name in names}
    both = {"right": load("numpy"), **dict(reversed(wrong.items()))}

    verdict = compare(Experiment(steps=300).problem(), both)

    stories = tell_all(verdict)
    assert [story.cause for story in stories] == [faults[name].cause for name in names]
    assert stories[0] == tell(verdict)
    assert all(s.before == () for s in stories)
    assert [w for w in stories[0].aftermath if w.startswith("new_w1 of stale")] == []


def test_a_match_has_no_story() -> None:
    """Nothing is told where nothing parts."""
    problem = Experiment(steps=5).problem()
    both = {"one": load("numpy"), "other": load("numpy")}

    assert tell(compare(problem, both)) is None


def test_a_later_difference_says_what_came_first() -> None:
    """Whoever reads of one of many is led to the first."""
    (fault,) = (f for f in FAULTS if f.name == "loss of the sum, not of the mean")
    both = {"right": load("numpy"), "wrong": plant(fault, load("numpy"))}
    verdict = compare(Experiment(steps=5).problem(), both)
    first, later = verdict.differences

    story = tell(verdict, later)

    assert story is not None
    assert str(story).startswith("difference: step 0, loss at every step, loss;")
    assert str(story).endswith("  first came: loss of wrong at step 0")
    assert str(tell(verdict, first)) == str(tell(verdict))


def test_story_of_a_broken_promise() -> None:
    """Who writes into what it is given is told the numbers before and after."""
    ours = load("numpy")

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        x += 0.5
        return ours.forward(weights, x)

    functions = {n: getattr(ours, n) for n in ("loss_and_gradients", "train")}
    wrong = SimpleNamespace(**functions, forward=forward)
    both = {"right": ours, "wrong": cast("Implementation", wrong)}

    story = tell(compare(Experiment(steps=5).problem(), both))

    promise = "leaves what it is given as it was"
    breach = "it writes into what it is given"
    assert str(story).splitlines() == [
        f"first difference: contract, {promise}, x[0, 0]; cause: {breach}",
        "  wrong 0.5, expected 0.0",
        "  0.5 apart, bound 0: nothing but the same will do",
        "  then: nothing of it was compared",
    ]
