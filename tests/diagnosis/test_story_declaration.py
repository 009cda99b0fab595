"""A story says what to declare, where another correct formula was used."""

from dataclasses import replace

import pytest

from compare.contract.calls import rewired
from compare.diagnosis.story import Story
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.selftest.rewrites import REWRITES, Rewrite
from compare.selftest.trial import beside_ours
from impls.interface import Implementation, Problem, Weights
from tests.helpers import DTYPES, first_story, problem_of

pytestmark = pytest.mark.slow
OTHER_FORMULAS = [rewrite for rewrite in REWRITES if rewrite.end_to_end]


def confident_problem(dtype: str = "float64") -> Problem:
    """Create a problem with probabilities near 0, where other formulas cancel."""
    problem = problem_of(dtype, steps=20, lr=0.01)
    w1, w2 = problem.weights
    return replace(problem, weights=Weights(-w1, -60 * w2))


def story_about(problem: Problem, implementation: Implementation) -> Story:
    """Tell the first difference, which must be there."""
    story = first_story(beside_ours(problem, implementation))
    assert story is not None
    return story


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "rewrite", OTHER_FORMULAS, ids=lambda rewrite: f"{rewrite.base}, {rewrite.name}"
)
def test_another_formula_is_told_what_to_declare(rewrite: Rewrite, dtype: str) -> None:
    """The declaration is part of the rewrite's own, and it removes the failure."""
    problem = confident_problem(dtype)
    undeclared = rewired(rewrite.implementation(), end_to_end=())

    story = story_about(problem, undeclared)

    assert story.end_to_end
    assert {*story.end_to_end} <= {*rewrite.end_to_end}
    declared = rewired(undeclared, end_to_end=story.end_to_end)
    assert beside_ours(problem, declared).answer == "match"


def test_the_declaration_follows_the_bound() -> None:
    """It can be copied as it is, and `gradparity check` prints it, too."""
    softplus = next(r for r in OTHER_FORMULAS if r.end_to_end == ("dz2",))
    undeclared = rewired(softplus.implementation(), end_to_end=())

    *_, last = story_about(confident_problem(), undeclared).rows()

    assert last == 'another correct formula? declare end_to_end = ("dz2",)'


@pytest.mark.parametrize(
    "name",
    [
        "gradient of the sum, 1/m missing",
        "float32 in the sigmoid",
        "one element off by a billionth in one step",
        "learning rate 0.1 % off",
        "NaN in the last gradient",
        "another seed",
    ],
)
def test_a_mistake_has_nothing_to_declare(name: str) -> None:
    """Numbers that are outside their bounds from the weights are a mistake."""
    wrong = plant(fault_named(name), load("numpy"))

    story = story_about(problem_of(), wrong)

    assert story.end_to_end == ()
    assert len(str(story).splitlines()) == 4


@pytest.mark.parametrize("declared", [("a1", "a2"), ("a1", "a2", "dz2", "dw2", "dw1")])
def test_a_declared_mistake_has_nothing_to_declare(declared: tuple[str, ...]) -> None:
    """What is declared already is not said again, if it does not help."""
    fault = fault_named("dw1 with the wrong sign")
    wrong = rewired(plant(fault, load("numpy")), end_to_end=declared)

    assert story_about(problem_of(steps=20), wrong).end_to_end == ()
