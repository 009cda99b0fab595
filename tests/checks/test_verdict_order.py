"""The order of differences: what a run recorded, what it returns, then pairs."""

from compare.checks.verdict import Verdict
from compare.contract.calls import rewired
from compare.diagnosis.story import stories_of, story_of
from compare.hosts.load import load
from compare.selftest.plant import Fault, plant
from compare.selftest.trial import beside_ours
from tests.helpers import problem_of, returning

LATE = Fault(
    "dw1 negative from step 50 on",
    "dw1",
    changes={"dw1": lambda s, _: -s.dw1},
    happens=lambda n, _: n >= 50,
)


def verdict_on_two_mistakes() -> Verdict:
    """Train wrongly from step 50 on, with functions that are wrong everywhere."""
    train = plant(LATE, load("numpy")).train
    wrong = rewired(returning(dw1=lambda dw1: 2 * dw1), train=train)
    return beside_ours(problem_of(steps=60), wrong)


def test_the_audit_comes_before_a_replay_and_a_replay_before_a_pair() -> None:
    """A mistake shows where it was made, even if pairs show it at an earlier step."""
    differences = verdict_on_two_mistakes().differences
    places = [(c.when, len(c.subject)) for c in differences]
    first = differences[0].first

    assert first is not None
    assert (places[0], first.step) == (("in a step", 1), 50)
    assert ("in a replay", 1) in places
    pairs = [n for n, (_, runs) in enumerate(places) if runs > 1]
    assert pairs
    assert pairs == [*range(pairs[0], len(places))]


def test_the_first_story_is_that_of_the_audit() -> None:
    """It has the name of what the training does."""
    story, *_ = stories_of(verdict_on_two_mistakes())

    assert (story.step, story.cause) == (50, "the wrong sign")


def test_a_pair_has_the_cause_of_the_run_that_fails_by_itself() -> None:
    """Gradients that differ are named as in the run that computes them wrongly."""
    wrong = returning(dw1=lambda dw1: 2 * dw1)

    verdict = beside_ours(problem_of(steps=20), wrong)

    pair = next(c for c in verdict.differences if c.subject == ("numpy", "other"))

    assert pair.quantity == "dw1"
    assert story_of(verdict, pair).cause == "twice as large"
