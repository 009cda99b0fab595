"""The verdict: right runs match, each mistake is named, and nothing is no match."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from compare.checks.check import Claim, judge
from compare.checks.completeness import presence
from compare.checks.parity import predictions, told
from compare.checks.verdict import Verdict, decide
from compare.numerics.exact_run import exact_run
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.training.compare import compare
from compare.training.problems import TABLES, Experiment, lopsided
from compare.training.record import record
from compare.training.load import OURS, load
from compare.training.replay import ask
from impls.interface import Implementation, Loss, Problem, Weights


def judged(problem: Problem, **implementations: Implementation) -> Verdict:
    """Compare implementations, each by its name."""
    return compare(problem, implementations)


def all_three(problem: Problem) -> Verdict:
    """Compare our own implementations."""
    return judged(problem, **{name: load(name) for name in OURS})


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_notebooks_run_matches(dtype: str, loss: Loss) -> None:
    """Both losses and dtypes, for all 10,000 steps."""
    assert all_three(Experiment(dtype=dtype, loss=loss).problem()).answer == "match"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "experiment",
    [
        *(Experiment(table=table, steps=1000) for table in TABLES),
        Experiment(hidden=5, steps=1000),
        Experiment(hidden=3, steps=1000),
        Experiment(lr=0.1, steps=1000),
        Experiment(lr=2.0, steps=500),
        Experiment(table="and", lr=2.0),
        Experiment(hidden=5),
        Experiment(steps=1),
    ],
    ids=str,
)
def test_other_experiments_match(experiment: Experiment, dtype: str) -> None:
    """All tables, other sizes and learning rates, and a single step."""
    assert all_three(replace(experiment, dtype=dtype).problem()).answer == "match"


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_sizes_match(dtype: str, loss: Loss) -> None:
    """3-4-2 on ten generated samples, where no two sizes are the same."""
    problem = replace(lopsided(loss, dtype), steps=500)

    assert all_three(problem).answer == "match"


@cache
def problem_of(dtype: str, loss: Loss) -> Problem:
    """Give a run long enough for every fault to happen."""
    return Experiment(dtype=dtype, loss=loss, steps=300).problem()


@pytest.mark.parametrize(
    ("fault", "dtype"),
    [
        pytest.param(fault, dtype, id=f"{fault.name}-{dtype}")
        for fault in FAULTS
        for dtype in ("float64", "float32")
        if dtype == "float64" or not fault.rounded_away
    ],
)
def test_every_fault_is_reported_by_its_check(fault: Fault, dtype: str) -> None:
    """The first difference names the faulty one, the kind of check and the quantity."""
    right = load("numpy")
    verdict = judged(
        problem_of(dtype, fault.loss or "bce"), right=right, wrong=plant(fault, right)
    )

    first = verdict.first_difference

    assert verdict.answer == "differ"
    assert first is not None
    assert (first.subject, first.kind, first.quantity) == (
        ("wrong",),
        fault.kind,
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
        problem_of("float32", "bce"), right=right, wrong=plant(fault, right)
    )

    assert verdict.answer == "match"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_explained(fault: Fault) -> None:
    """The catalogue says in one sentence what people do."""
    assert fault.sentence.endswith(".")
    assert ". " not in fault.sentence


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_planting_alone_is_no_fault(name: str, loss: Loss) -> None:
    """The wrapping itself is not what the faults are caught for."""
    nothing = Fault("nothing", "", changes={"w": lambda row, _: row.w1})
    wrapped = plant(nothing, load(name))

    verdict = judged(problem_of("float64", loss), right=load("numpy"), same=wrapped)

    assert verdict.answer == "match"


def wrong_gradients(change: Callable[[np.ndarray], np.ndarray]) -> Implementation:
    """Train as NumPy does, but give other gradients when asked."""
    module = load("numpy")

    class Wrong:
        forward = staticmethod(module.forward)
        train = staticmethod(module.train)

        @staticmethod
        def loss_and_gradients(*arguments: object) -> object:
            value, gradients = module.loss_and_gradients(*arguments)  # type: ignore[arg-type]
            return value, gradients._replace(dw1=change(gradients.dw1))

    return Wrong()  # type: ignore[return-value]


@pytest.mark.parametrize(
    "change",
    [lambda dw1: dw1 * (1 + 1e-9), lambda dw1: dw1.mT],
    ids=["a billionth", "transposed"],
)
def test_gradients_at_the_same_weights_are_compared(
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    """A gradient that training doesn't use is still compared, with the other's."""
    verdict = judged(
        problem_of("float64", "bce"), right=load("numpy"), wrong=wrong_gradients(change)
    )

    first = verdict.first_difference

    assert first is not None
    assert (first.kind, first.quantity) == ("parity", "dw1")
    assert first.subject == ("right", "wrong")


def test_forward_is_checked_at_the_last_weights() -> None:
    """Predictions come from `forward`, which training needn't use."""
    module = load("numpy")

    class Wrong:
        loss_and_gradients = staticmethod(module.loss_and_gradients)
        train = staticmethod(module.train)

        @staticmethod
        def forward(*arguments: object) -> object:
            activations = module.forward(*arguments)  # type: ignore[arg-type]
            return activations._replace(a2=1 - activations.a2)

    verdict = judged(
        problem_of("float64", "bce"),
        right=module,
        wrong=Wrong(),  # type: ignore[arg-type]
    )

    failed = {(c.kind, c.subject, c.quantity) for c in verdict.checks if not c.passed}
    assert failed == {
        ("audit", ("wrong",), "final a2"),
        ("parity", ("right", "wrong"), "a2"),
        ("predictions", ("right", "wrong"), "classes"),
    }


def test_useless_drift_cannot_tell() -> None:
    """Seed 71 passes a saddle in float32: D passes 1, and nothing else failed."""
    problem = Experiment(dtype="float32", seed=71).problem()

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    unknown = {check.quantity for check in verdict.checks if check.passed is None}
    assert verdict.answer == "cannot tell"
    assert unknown == {"loss", "w1", "w2", "a2", "classes"}


def test_chaos_cannot_tell() -> None:
    """At lr 2.0 right runs go separate ways: each rounding grows past 1."""
    problem = Experiment(lr=2.0, steps=5000).problem()

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    a, b = (run.trace.a2 for run in verdict.runs)
    assert abs(a - b).max() > 0.5
    assert verdict.answer == "cannot tell"
    assert {c.passed for c in verdict.checks if c.kind in ("audit", "continuity")} == {
        True
    }


def test_sigmoids_of_anything_cannot_tell() -> None:
    """Where z1 may be off by more than 1, no bound of first order holds."""
    x, y = np.array([[1e17, 1e17], [1e17, 1e17], [1.0, 1.0]]), np.array([[1.0, 1.0]])
    weights = Weights(np.array([[0, 0, 5.0], [1, -1, 0]]), np.array([[30.0, 0.01]]))
    problem = Problem(x, y, weights, 1e-40, 20, "bce")

    verdict = judged(problem, one=load("numpy"), other=load("torch"))

    assert verdict.answer == "cannot tell"


def test_a_numpy_learning_rate_widens_nothing() -> None:
    """A float64 of NumPy's is a float, too, and float32 stays float32."""
    problem = replace(problem_of("float32", "bce"), lr=np.float64(0.9))

    assert all_three(problem).answer == "match"


def test_the_exact_run_knows_a_common_mistake() -> None:
    """Two that agree on a wrong learning rate agree with each other, not with it."""
    problem = problem_of("float64", "bce")
    truth = exact_run(problem).path()
    wrong = replace(problem, lr=problem.lr * (1 + 1e-9))
    both = {"one": load("numpy"), "other": load("numpy")}
    runs = replay(wrong, both, [record(wrong, one, name) for name, one in both.items()])

    among_themselves = decide(wrong, runs)
    with_truth = decide(wrong, runs, exact=truth)

    failed = {check.kind for check in with_truth.checks if check.passed is False}
    assert among_themselves.answer == "match"
    assert (with_truth.answer, failed) == ("differ", {"exact"})


def test_drift_once_past_1_stays_unknown() -> None:
    """What shrinks below 1 again has left the reach of first order all the same."""
    assert told(np.array([0.0, 0.5, 1.5, 0.2])).tolist() == [True, True, False, False]


def test_classes_after_chaos_cannot_tell() -> None:
    """A saturated probability moves little, but who knows where the weights are."""
    problem = problem_of("float64", "bce")
    verdict = judged(problem, one=load("numpy"), other=load("numpy"))
    one, other = verdict.runs
    drift = verdict.drifts["one"]
    lost = replace(drift.budget, weights=drift.budget.weights + 2)

    check = predictions(problem, one, other, replace(drift, budget=lost))

    assert check.passed is None


def test_a_final_nan_is_told_of_the_last_step() -> None:
    """What `forward` gives at the last weights belongs to the step after them."""
    problem = problem_of("float64", "bce")

    run = record(problem, load("numpy"), "x")
    a2 = np.array([[0.5, 0.5, np.nan, 0.5]])

    check, *_ = check_answers(problem, replace(run, final_a2=a2))

    assert check.first is not None
    assert (check.first.step, check.first.index) == (300, (0, 2))


def test_a_probability_of_one_half_cannot_tell() -> None:
    """With weights of zero each class is a matter of rounding, and it is said so."""
    problem = replace(
        Experiment(steps=1).problem(),
        weights=Weights(np.zeros((2, 2)), np.zeros((1, 2))),
    )

    verdict = judged(problem, numpy=load("numpy"), jax=load("jax"))

    unknown = [check.quantity for check in verdict.checks if check.passed is None]
    assert (verdict.answer, unknown) == ("cannot tell", ["classes"])


def test_a_lone_run_is_no_match() -> None:
    """A single implementation agrees with nobody."""
    verdict = judged(problem_of("float64", "bce"), numpy=load("numpy"))

    assert verdict.answer == "cannot tell"


def test_no_runs_are_no_match() -> None:
    """Nothing compared is never a match."""
    assert decide(problem_of("float64", "bce"), []).answer == "cannot tell"


WHAT = Claim("audit", ("x",), "w1", "w1 = w1")


@pytest.mark.parametrize(
    ("value", "reference", "bound", "passed"),
    [
        ([1.0], [1.0], 0.0, True),
        ([1.0], [1.5], 0.5, True),
        ([1.0], [1.5], 0.25, False),
        ([np.nan], [1.0], 9.0, False),
        ([np.nan], [np.nan], 9.0, False),
        ([np.inf], [np.inf], 9.0, False),
        ([np.inf], [1.0], np.inf, None),
        ([1.0], [1.0], np.nan, False),
        ([], [], 0.0, None),
        ([1.0], [1.0, 1.0], 9.0, False),
    ],
)
def test_judge(
    value: list[float], reference: list[float], bound: float, passed: object
) -> None:
    """A difference passes if it is `<=` its bound; NaN and nothing never do."""
    check = judge(WHAT, np.array(value), np.array(reference), bound)

    assert check.passed is passed


def test_judge_points_at_first_worst_and_largest() -> None:
    """Three points: where it failed first, used most of its bound, was furthest off."""
    value = np.array([[0.0, 2.0], [0.0, 3.0], [9.0, 0.0]])

    bound = np.array([[1.0], [0.1], [20.0]])

    check = judge(WHAT, value, np.zeros((3, 2)), bound, (5, 10, 15))

    assert check.first is not None
    assert (check.first.step, check.first.index) == (5, (1,))
    assert (check.worst.step, check.worst.index) == (10, (1,))
    assert (check.largest.step, check.largest.index) == (15, (0,))
    assert check.count == 6
