"""The verdict: right runs match, each fault is found, and nothing is no match."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check, Claim, Promise, agree
from compare.checks.verdict import Verdict, decide
from compare.hosts.load import OURS, load
from compare.numerics.drift import NO_DRIFT
from compare.numerics.exact_run import exact_run
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.training.compare import compare
from compare.training.problems import TABLES, Experiment, lopsided
from compare.training.record import record
from impls.interface import Implementation, Loss, Problem, Weights
from tests.checks.runs import changed, claims, pair
from tests.helpers import DTYPES, LOSSES, problem_of, replayed, returning


def judged(problem: Problem, **implementations: Implementation) -> Verdict:
    """Compare implementations, each by its name."""
    return compare(problem, implementations)


def all_three(problem: Problem) -> Verdict:
    """Compare our own implementations."""
    return judged(problem, **{name: load(name) for name in OURS})


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_notebooks_run_matches(dtype: str, loss: Loss) -> None:
    """Both losses and dtypes, for all 10,000 steps."""
    assert all_three(problem_of(dtype, loss, steps=10_000)).answer == "match"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "experiment",
    [
        *(Experiment(table=table, steps=1000) for table in TABLES if table != "xor"),
        Experiment(network="2-3-1", steps=1000),
        Experiment(lr=0.1, steps=1000),
        Experiment(lr=2.0, steps=500),
        Experiment(table="and", lr=2.0),
        Experiment(network="2-5-1"),
        Experiment(steps=1),
    ],
    ids=str,
)
def test_other_experiments_match(experiment: Experiment, dtype: str) -> None:
    """Other tables, sizes and learning rates, and a single step."""
    assert all_three(replace(experiment, dtype=dtype).problem()).answer == "match"


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_other_sizes_match(dtype: str, loss: Loss) -> None:
    """3-4-2 on ten generated samples, where no two sizes are the same."""
    problem = replace(lopsided(loss, dtype), steps=500)

    assert all_three(problem).answer == "match"


@pytest.mark.parametrize(
    ("fault", "dtype"),
    [
        pytest.param(fault, dtype, id=f"{fault.name}-{dtype}")
        for fault in FAULTS
        for dtype in DTYPES
        if dtype == "float64" or not fault.rounded_away
    ],
)
def test_every_fault_is_reported_by_its_check(fault: Fault, dtype: str) -> None:
    """The first difference is the check that the catalogue names, of the faulty run."""
    right = load("numpy")
    verdict = judged(
        problem_of(dtype, fault.loss or "bce", steps=100),
        right=right,
        wrong=plant(fault, right),
    )

    first = verdict.first_difference

    assert verdict.answer == "differ"
    assert first is not None
    assert first.subject == ("wrong",)
    assert (first.kind, first.when, first.quantity) == (
        fault.kind,
        fault.when,
        fault.quantity,
    )


@pytest.mark.parametrize(
    "fault",
    [f for f in FAULTS if f.rounded_away],
    ids=lambda fault: fault.name,
)
def test_what_float32_rounds_away_is_no_fault(fault: Fault) -> None:
    """What changes float32 numbers by less than their roundings is not reported."""
    right = load("numpy")

    verdict = judged(
        problem_of("float32", steps=100), right=right, wrong=plant(fault, right)
    )

    assert verdict.answer == "match"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_explained(fault: Fault) -> None:
    """The catalogue says in one sentence what people do."""
    assert fault.sentence.endswith(".")
    assert ". " not in fault.sentence


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("loss", LOSSES)
def test_planting_alone_is_no_fault(name: str, loss: Loss) -> None:
    """An implementation that is wrapped, with nothing changed, matches."""
    nothing = Fault("nothing", changes={"w": lambda row, _: row.w1})
    wrapped = plant(nothing, load(name))
    problem = problem_of(loss=loss, steps=100)

    verdict = judged(problem, right=load("numpy"), same=wrapped)

    assert verdict.answer == "match"


def test_gradients_at_the_same_weights_are_compared() -> None:
    """A gradient that training doesn't use is still compared, with the other's."""
    wrong = returning(dw1=lambda dw1: dw1 * (1 + 1e-9))

    verdict = judged(problem_of(), right=load("numpy"), wrong=wrong)

    first = verdict.first_difference

    assert first is not None
    assert (first.kind, first.quantity) == ("audit", "dw1")
    assert (first.subject, first.when) == (("wrong",), "in a replay")
    assert ("parity", ("right", "wrong"), "dw1") in {
        (c.kind, c.subject, c.quantity) for c in verdict.differences
    }


def test_forward_is_checked_at_the_last_weights() -> None:
    """Predictions come from `forward`, which training needn't use."""
    wrong = returning(a2=lambda a2: 1 - a2)

    verdict = judged(problem_of(), right=load("numpy"), wrong=wrong)

    failed = {(c.kind, c.subject, c.label) for c in verdict.checks if not c.passed}
    assert failed == {
        ("audit", ("wrong",), "final a2"),
        ("audit", ("wrong",), "replayed a2"),
        ("parity", ("right", "wrong"), "a2"),
        ("predictions", ("right", "wrong"), "final classes"),
    }


def test_drift_past_1_is_unstable() -> None:
    """Seed 71 passes a saddle in float32: D passes 1, and nothing else failed."""
    problem = problem_of("float32", seed=71, steps=3500)

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    unknown = [check for check in verdict.checks if check.passed is None]
    (reason,) = {check.reason for check in unknown}
    assert verdict.answer == "unstable"
    assert [c.quantity for c in unknown] == ["loss", "a2", "w1", "w2", "classes"]
    assert {check.doubt for check in unknown} == {"unstable"}
    assert SADDLE.fullmatch(reason)


SADDLE = re.compile(
    r"roundings can have grown past 1 by step \d+: "
    r"a saddle, where differences grow, in steps \d+ to \d+"
)


def test_flips_are_unstable() -> None:
    """At lr 2.0 two right runs part: sharpness passes 2, and each rounding grows."""
    problem = problem_of(lr=2.0, steps=1500)

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    a, b = (run.trace.a2 for run in verdict.runs)
    (reason,) = {check.reason for check in verdict.checks if check.passed is None}
    assert abs(a - b).max() > 1e-6
    assert verdict.answer == "unstable"
    assert reason.endswith(": lr times sharpness is 2.00 at step 586")
    assert {c.passed for c in verdict.checks if c.basis != "drift"} == {True}


def test_unknown_sigmoids_cannot_tell() -> None:
    """Where z1 may be off by more than 1, no bound of first order holds."""
    x, y = np.array([[1e17, 1e17], [1e17, 1e17], [1.0, 1.0]]), np.array([[1.0, 1.0]])
    weights = Weights(np.array([[0, 0, 5.0], [1, -1, 0]]), np.array([[30.0, 0.01]]))
    problem = Problem(x, y, weights, 1e-40, 20, "bce")

    verdict = judged(problem, one=load("numpy"), other=load("torch"))

    doubts = {check.doubt for check in verdict.checks if check.passed is None}
    assert verdict.answer == "cannot tell"
    assert "no bound" in doubts
    assert "unstable" not in doubts


def test_a_numpy_learning_rate_widens_nothing() -> None:
    """With a learning rate that is a NumPy float64, float32 stays float32."""
    problem = replace(problem_of("float32"), lr=np.float64(0.9))

    assert all_three(problem).answer == "match"


def test_exact_run_shows_a_mistake_of_both() -> None:
    """Two with the same wrong learning rate match each other, and not the exact run."""
    problem = problem_of()
    truth = exact_run(problem).path()
    wrong = replace(problem, lr=problem.lr * (1 + 1e-9))
    both = {"one": load("numpy"), "other": load("numpy")}
    recorded = [record(wrong, one, name) for name, one in both.items()]
    runs = replayed(wrong, both, recorded)

    among_themselves = decide(wrong, runs)
    with_truth = decide(wrong, runs, exact=truth)

    failed = {check.kind for check in with_truth.checks if check.passed is False}
    assert among_themselves.answer == "match"
    assert (with_truth.answer, failed) == ("differ", {"exact"})


def test_a_probability_of_one_half_cannot_tell() -> None:
    """With weights of zero, rounding alone decides each class."""
    problem = replace(
        problem_of(steps=1),
        weights=Weights(np.zeros((2, 2)), np.zeros((1, 2))),
    )

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    unknown = [(c.quantity, c.doubt) for c in verdict.checks if c.passed is None]
    assert (verdict.answer, unknown) == ("cannot tell", [("classes", "near 0.5")])


def test_a_lone_run_is_no_match() -> None:
    """A single implementation was compared with none."""
    verdict = judged(problem_of(), numpy=load("numpy"))

    assert verdict.answer == "cannot tell"


def test_no_runs_are_no_match() -> None:
    """Nothing compared is never a match."""
    assert decide(problem_of(), []).answer == "cannot tell"


# The answers.


def outcome(
    passed: bool | None,  # noqa: FBT001
    doubt: Any = None,
    kind: Any = "audit",
    promise: Promise | None = None,
) -> Check:
    """Create a check that came to something."""
    claim = Claim(kind, ("x",), "w1", "", promise=promise)
    return replace(agree(claim, "", ""), passed=passed, doubt=doubt)


RIGHT, PAIR = outcome(passed=True), outcome(passed=True, kind="parity")
WRONG, RAISED = outcome(passed=False), outcome(passed=False, promise=Promise.ANSWERS)
WRITES = outcome(passed=False, promise=Promise.INPUTS)
UNSTABLE, CLASS = outcome(None, "unstable"), outcome(None, "near 0.5")


@pytest.mark.parametrize(
    ("checks", "answer"),
    [
        ([], "cannot tell"),
        ([RIGHT], "cannot tell"),
        ([RIGHT, PAIR], "match"),
        ([RIGHT, PAIR, UNSTABLE], "unstable"),
        ([PAIR, UNSTABLE, UNSTABLE], "unstable"),
        ([PAIR, CLASS], "cannot tell"),
        ([PAIR, UNSTABLE, CLASS], "cannot tell"),
        ([PAIR, outcome(None, "no bound")], "cannot tell"),
        ([PAIR, outcome(None, "bound too large")], "cannot tell"),
        ([PAIR, outcome(None, "nothing compared")], "cannot tell"),
        ([PAIR, RAISED], "could not compare"),
        ([RAISED, UNSTABLE, CLASS], "could not compare"),
        ([PAIR, WRITES], "differ"),
        ([PAIR, WRONG], "differ"),
        ([WRONG, UNSTABLE, CLASS], "differ"),
        ([RAISED, WRONG], "differ"),
        ([WRONG, RAISED], "differ"),
        ([RAISED, WRITES], "differ"),
    ],
)
def test_answer_of_checks(checks: list[Check], answer: str) -> None:
    """A difference counts before a broken contract, and both before any doubt."""
    assert Verdict(problem_of(), (), (), tuple(checks), NO_DRIFT).answer == answer


# What is compared with what.


def test_checks_of_two_runs() -> None:
    """Each run is checked alone, then gradients both ways, and paths once."""
    problem, one, other = pair()
    stages: list[str] = []

    verdict = decide(problem, [one, other], stages.append)

    alone = {
        name: [c for c in verdict.checks if c.subject == (name,)]
        for name in ("one", "other")
    }
    both = list(verdict.checks[-9:])
    replays = list(verdict.checks[-9 - 4 * 9 : -9])
    alone = {
        name: [c for c in found if c not in replays] for name, found in alone.items()
    }
    assert stages == ["auditing one", "auditing other"]
    assert [*verdict.checks] == [*alone["one"], *alone["other"], *replays, *both]
    assert [(c.subject, c.path) for c in replays[::9]] == [
        ((name,), path) for name in ("one", "other") for path in ("one", "other")
    ]
    assert {(c.kind, c.when) for c in replays} == {("audit", "in a replay")}
    assert list(dict.fromkeys(check.kind for check in alone["one"])) == [
        "contract",
        "completeness",
        "audit",
    ]
    assert {check.when for check in alone["one"]} == {
        "before training",
        "at the start",
        "in a step",
        "after training",
    }
    there, back, pairs = ("one", "other"), ("other", "one"), []
    pairs += [("parity", there, q, "in a step", "weights") for q in ("dw1", "dw2")]
    pairs += [("parity", back, q, "in a step", "weights") for q in ("dw1", "dw2")]
    pairs += [
        ("parity", there, q, "in a step", "drift") for q in ("loss", "a2", "w1", "w2")
    ]
    pairs += [("predictions", there, "classes", "after training", "drift")]
    assert claims(both) == pairs
    assert verdict.runs == (one, other)
    assert verdict.problem is problem
    assert verdict.complete == (one, other)
    assert verdict.exact is None
    assert verdict.answer == "match"
    assert verdict.differences == ()
    assert verdict.first_difference is None


def test_paths_are_compared_within_the_drift() -> None:
    """The bound of each weight is D of its step."""
    problem, one, other = pair()

    verdict = decide(problem, [one, other])

    (check,) = (c for c in verdict.checks if c.basis == "drift" and c.quantity == "w1")
    bound = verdict.drift.weights
    assert check.largest.bound == bound[check.largest.step]
    assert len(bound) == problem.steps + 1


def test_drift_is_followed_near_a_run_that_is_right() -> None:
    """A wrong run says nothing about correct ones; it counts if there is no other."""
    problem, one, other = pair()
    w1 = np.array(other.trace.w1)
    w1[1:] += 1
    wrong = changed(other, w1=w1)

    expected, found, alone = (
        decide(problem, runs).drift.weights for runs in ([one], [wrong, one], [wrong])
    )

    assert np.array_equal(found, expected)
    assert not np.array_equal(alone, expected)


def test_exact_run_is_compared_with_every_run() -> None:
    """Four quantities of each run are compared with its path."""
    problem, one, other = pair()
    truth = exact_run(problem).path()

    verdict = decide(problem, [one, other], exact=truth)

    exact = [check for check in verdict.checks if check.kind == "exact"]
    assert [(check.subject, check.quantity) for check in exact] == [
        ((name,), q) for name in ("one", "other") for q in ("loss", "a2", "w1", "w2")
    ]
    assert verdict.exact is truth
    assert verdict.answer == "match"


def test_one_run_that_is_exact_is_no_match() -> None:
    """A match needs two runs that were compared with each other."""
    problem, one, _ = pair()

    verdict = decide(problem, [one], exact=exact_run(problem).path())

    assert {check.passed for check in verdict.checks} == {True}
    assert verdict.answer == "cannot tell"


def test_incomplete_run_is_audited_and_not_compared() -> None:
    """A run with a NaN fits its shapes: its lines are checked, and no other run is."""
    problem, one, other = pair()
    a2 = np.array(other.trace.a2)
    a2[3, 0, 0] = np.nan

    verdict = decide(problem, [one, changed(other, a2=a2)])

    kinds = [check.kind for check in verdict.checks if "other" in check.subject]
    assert {*kinds} == {"contract", "completeness", "audit"}
    assert verdict.complete == (one,)
    assert verdict.answer == "differ"


def test_run_without_an_array_is_not_audited() -> None:
    """A run that does not fit its shapes has no lines to check."""
    problem, one, other = pair()

    verdict = decide(problem, [one, changed(other, loss=other.trace.loss[:-1])])

    assert {c.kind for c in verdict.checks if c.subject == ("other",)} == {
        "contract",
        "completeness",
    }
    assert verdict.answer == "differ"


def test_run_of_a_broken_contract_is_not_audited() -> None:
    """Its arrays may have been overwritten, so that lines would fail that are right."""
    problem, one, other = pair()
    broken = agree(Claim("contract", ("other",), "x", "unchanged"), "changed", "same")

    verdict = decide(problem, [one, replace(other, contract=(broken,))])

    assert [c for c in verdict.checks if "other" in c.subject] == [broken]


def test_what_is_wrong_before_training_has_no_step() -> None:
    """The step of a difference is one of training."""
    nothing: Any = SimpleNamespace()

    verdict = judged(problem_of(steps=1), nothing=nothing)

    assert verdict.first_difference is not None
    assert verdict.first_difference.when == "before training"
    assert verdict.first_difference_step is None


def test_differences_are_in_the_order_of_steps() -> None:
    """The first is of the earliest step; at one step, the order is that of a step."""
    problem, _, other = pair()
    dw1, dw2, loss = (
        np.array(array)
        for array in (other.trace.dw1, other.trace.dw2, other.trace.loss)
    )
    dw1[1] *= 1.1
    dw2[1] *= 1.1
    loss[4] *= 1.1

    verdict = decide(problem, [changed(other, dw1=dw1, dw2=dw2, loss=loss)])

    found = [(c.first.step, c.quantity) for c in verdict.differences if c.first]
    assert found == [(1, "dw2"), (1, "dw1"), (1, "new_w1"), (1, "new_w2"), (4, "loss")]
    assert verdict.first_difference is verdict.differences[0]
    assert verdict.first_difference_step == 1
    assert {check.passed for check in verdict.differences} == {False}
