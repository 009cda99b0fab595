"""Parity: two runs against each other, each comparison within its bound."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.parity import (
    compare_gradients,
    compare_paths,
    compare_predictions,
    path,
)
from compare.checks.run import Run
from compare.numerics.drift import Drift
from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar, step_bars
from compare.numerics.rounding import end_to_end_bound, end_to_end_bounds
from impls.interface import Array, Problem, Weights
from tests.checks.runs import changed, claims, failed, pair
from tests.helpers import drift, near


def bars_of(problem: Problem, *runs: Run) -> dict[str, Step[Bar]]:
    """Find the error bars along each run."""
    return {
        run.name: step_bars(problem, Weights(run.trace.w1, run.trace.w2))
        for run in runs
    }


def bounds_of(problem: Problem, *runs: Run) -> dict[str, dict[str, Array]]:
    """Bound the gradients along each run."""
    return {
        name: end_to_end_bounds(problem, bars, ("dw1", "dw2"))
        for name, bars in bars_of(problem, *runs).items()
    }


def drift_of(problem: Problem, run: Run) -> Drift:
    """Bound how far correct runs may be from a run."""
    return drift(problem, bars_of(problem, run)[run.name])


# Gradients at the same weights.


@pytest.mark.parametrize("carried", [False, True])
def test_claims_of_gradients(carried: bool) -> None:  # noqa: FBT001
    """Both gradients are compared at the weights of the first run."""
    problem, one, other = pair()
    other = replace(other, carried=carried)

    checks = compare_gradients(one, other, bounds_of(problem, one, other))

    how = ", carried from its own" if carried else ""
    assert claims(checks) == [
        ("parity", ("one", "other"), name, "in a step", "weights")
        for name in ("dw1", "dw2")
    ]
    assert [check.statement for check in checks] == [
        f"{name} at the weights of one{how}" for name in ("dw1", "dw2")
    ]
    assert [check.passed for check in checks] == [True, True]
    assert [check.count for check in checks] == [5 * 12, 5 * 8]


def with_gradient(run: Run, of: str, name: str, array: Any) -> Run:
    """Replace a gradient that a run gave at the weights of another."""
    return replace(run, replayed={of: {**run.replayed[of], name: array}})


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("name", ["dw1", "dw2"])
def test_bound_of_gradients_is_that_of_both(
    name: str,
    carried: bool,  # noqa: FBT001
) -> None:
    """It is the sum of the bounds where each gradient was evaluated."""
    problem, one, other = pair()
    far = changed(other, w1=1.5 * other.trace.w1, w2=1.5 * other.trace.w2)
    bars, bounds = bars_of(problem, one, far), bounds_of(problem, one, far)
    own, others = (
        end_to_end_bound(problem, name, bars[n])[:5] for n in ("one", "other")
    )
    bound = own + (others if carried else own)
    recorded = getattr(one.trace, name)

    def check(share: float) -> bool | None:
        moved = recorded.copy()
        moved[4, -1, -1] += share * bound[4, -1, -1]
        run = replace(with_gradient(far, "one", name, moved), carried=carried)
        (found,) = (
            c for c in compare_gradients(one, run, bounds) if c.quantity == name
        )
        assert found.largest.bound == near(bound[4, -1, -1], 1e-12)
        assert (found.largest.step, found.largest.value) == (4, recorded[4, -1, -1])
        return found.passed

    assert abs(others[4, -1, -1] / own[4, -1, -1] - 1) > 0.01
    assert [check(0.99), check(-0.99), check(1.01), check(-1.01)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("name", ["dw1", "dw2"])
@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1], lambda d: d.astype(np.float32), lambda _: None],
    ids=["shape", "dtype", "nothing"],
)
def test_gradient_of_another_form_is_not_compared(
    name: str, change: Callable[[Array], Any]
) -> None:
    """Its form is the failure, and the other gradient is compared."""
    problem, one, other = pair()
    wrong = change(other.replayed["one"][name])
    run = with_gradient(other, "one", name, wrong)

    checks = compare_gradients(one, run, bounds_of(problem, one, run))

    assert failed(checks) == [(name, "in a step")]
    (check,) = (check for check in checks if not check.passed)
    assert str(check.worst.reference).startswith("float64 (5, ")
    assert check.basis == "weights"


# Paths.


def test_path() -> None:
    """It has N losses, N + 1 weights, and the final a2 after those of the steps."""
    _, one, _ = pair()

    found = path(one)

    assert list(found) == ["loss", "w1", "w2", "a2"]
    assert found["loss"] is one.trace.loss
    assert found["w1"] is one.trace.w1
    assert found["w2"] is one.trace.w2
    assert found["a2"].shape == (6, 2, 10)
    assert np.array_equal(found["a2"][:-1], one.trace.a2)
    assert np.array_equal(found["a2"][-1], one.final_a2)


@pytest.mark.parametrize(
    ("other", "kind", "subject"),
    [("other", "parity", ("one", "other")), (None, "exact", ("one",))],
)
def test_claims_of_paths(
    other: str | None, kind: str, subject: tuple[str, ...]
) -> None:
    """The exact run has no name: its checks are about one run."""
    problem, one, two = pair()

    checks = compare_paths(one, other, path(two), drift_of(problem, one))

    assert claims(checks) == [
        (kind, subject, name, "in a step", "drift")
        for name in ("loss", "a2", "w1", "w2")
    ]
    assert [check.statement for check in checks] == [
        f"{name} at every step" for name in ("loss", "a2", "w1", "w2")
    ]
    assert {check.passed for check in checks} == {True}
    assert [check.count for check in checks] == [5, 6 * 20, 6 * 12, 6 * 8]


LAST = {"loss": (4,), "a2": (5, 1, 9), "w1": (5, 3, 2), "w2": (5, 1, 3)}


@pytest.mark.parametrize("quantity", LAST)
def test_paths_may_be_apart_by_the_drift(quantity: str) -> None:
    """The bound of each number is D of its own step."""
    problem, one, _ = pair()
    bounds = drift_of(problem, one)
    place = LAST[quantity]
    bound = {
        "loss": bounds.loss[4],
        "a2": bounds.a2[5, 1, 9],
        "w1": bounds.weights[5],
        "w2": bounds.weights[5],
    }[quantity]

    def check(share: float) -> bool | None:
        reference = {name: np.array(a, np.longdouble) for name, a in path(one).items()}
        reference[quantity][place] += share * bound
        checks = compare_paths(one, "x", reference, bounds)
        (found,) = (c for c in checks if c.quantity == quantity)
        assert found.largest.step == place[0]
        assert found.largest.index == place[1:]
        assert found.largest.bound == bound
        assert {c.passed for c in checks if c is not found} == {True}
        return found.passed

    assert [check(0.99), check(-0.99), check(1.01), check(-1.01)] == [
        True,
        True,
        False,
        False,
    ]


def past_1(bounds: Drift, step: int) -> Drift:
    """Let D exceed 1 at one step, for no reason, and be small again."""
    weights = bounds.weights.copy()
    weights[step] = 1.5
    return replace(bounds, weights=weights, expansion=np.ones(5))


@pytest.mark.parametrize(
    ("step", "unknown"),
    [
        (2, {"loss", "a2", "w1", "w2"}),
        (4, {"loss", "a2", "w1", "w2"}),
        (5, {"a2", "w1", "w2"}),
    ],
)
def test_drift_past_1_is_no_bound(step: int, unknown: set[str]) -> None:
    """The paths have no bound any more; the reason names the step."""
    problem, one, two = pair()

    checks = compare_paths(one, "x", path(two), past_1(drift_of(problem, one), step))

    assert {check.quantity for check in checks if check.passed is None} == unknown
    assert {(c.doubt, c.reason) for c in checks if c.passed is None} == {
        ("unstable", f"roundings can have grown past 1 by step {step}")
    }
    assert {check.passed for check in checks} <= {True, None}


@pytest.mark.parametrize(
    ("words", "doubt", "reason"),
    [
        (
            {"sharpness": np.array([1.0, 2.5, 1, 1, 1])},
            "unstable",
            "lr times sharpness is 2.50 at step 1",
        ),
        (
            {"expansion": np.array([1.1, 1.2, 1, 1, 1])},
            "unstable",
            "a saddle, where differences grow, in steps 0 to 1",
        ),
        (
            {"first_order": False},
            "no bound",
            "they may have moved z1 or z2 by more than 1",
        ),
    ],
    ids=["flip", "saddle", "unknown sigmoids"],
)
def test_paths_without_a_bound_say_why(
    words: dict[str, Any], doubt: str, reason: str
) -> None:
    """All quantities and the classes have the doubt and the reason of the drift."""
    problem, one, two = pair()
    bounds = replace(past_1(drift_of(problem, one), 3), **words)

    checks = compare_paths(one, "x", path(two), bounds)
    checks.append(compare_predictions(problem, one, two, bounds))

    assert {(c.doubt, c.reason) for c in checks} == {
        (doubt, f"roundings can have grown past 1 by step 3: {reason}")
    }
    assert {check.passed for check in checks} == {None}


@pytest.mark.parametrize(("row", "passed"), [(1, False), (2, None), (4, None)])
def test_differences_before_the_drift_passed_1_fail(row: int, passed: object) -> None:
    """Only from that step on is there no bound."""
    problem, one, _ = pair()
    reference = path(one) | {"loss": one.trace.loss.copy()}
    reference["loss"][row] += 1

    checks = compare_paths(one, "x", reference, past_1(drift_of(problem, one), 2))

    assert checks[0].passed is passed


# Predictions.


def test_doubt_about_classes_is_that_of_the_last_step() -> None:
    """A drift that passes 1 in the very last update is a reason of its own."""
    problem, one, other = pair()
    half = replace(other, final_a2=np.full((2, 10), 0.5))
    bounds = past_1(drift_of(problem, one), 5)

    assert compare_predictions(problem, one, half, bounds).doubt == "unstable"


def predictions(
    one: float, other: float, bound: float, weights: float = 0.1
) -> tuple[bool | None, float]:
    """Compare the class of one sample, the second of two, and give its bound."""
    problem, first, second = pair()
    a, b = (
        replace(run, final_a2=np.array([[0.9, p]]))
        for run, p in ((first, one), (second, other))
    )
    a2 = np.zeros((3, 1, 2))
    a2[1], a2[2, 0, 1] = np.inf, bound  # the last alone counts
    empty = np.zeros(0)
    path = np.array([0.0, 0.1, weights])
    distance = Drift(path, a2, np.zeros(3), empty, empty, first_order=True)
    check = compare_predictions(problem, a, b, distance)
    return check.passed, check.largest.bound


@pytest.mark.parametrize(
    ("one", "other", "bound", "passed"),
    [
        (0.7, 0.8, 0.1, True),
        (0.3, 0.2, 0.1, True),
        (0.7, 0.3, 0.1, False),
        (0.3, 0.7, 0.1, False),
        (0.5, 0.7, 0.0, None),
        (0.75, 0.9, 0.25, None),
        (0.75, 0.9, 0.24, True),
        (0.9, 0.75, 0.25, None),
        (0.25, 0.1, 0.25, None),
        (0.1, 0.25, 0.24, True),
        (0.45, 0.55, 0.1, None),
        (0.05, 0.1, 0.3, True),
        (0.1, 0.05, 0.3, True),
        (0.7, 0.8, np.inf, None),
        (0.7, np.nan, 0.1, None),
    ],
)
def test_classes_are_compared_where_they_are_sure(
    one: float, other: float, bound: float, passed: object
) -> None:
    """A probability nearer to 0.5 than its bound decides nothing, of either run."""
    assert predictions(one, other, bound)[0] is passed


def test_classes_after_chaos_are_unknown() -> None:
    """A saturated probability moves little, but the weights may be anywhere."""
    assert predictions(0.9, 0.9, 1e-9, weights=1.0)[0] is True
    assert predictions(0.9, 0.9, 1e-9, weights=1.1)[0] is None


def test_claim_of_predictions() -> None:
    """It is about both runs, after training, at the step after the last."""
    problem, one, other = pair()

    check = compare_predictions(problem, one, other, drift_of(problem, one))

    assert claims([check]) == [
        ("predictions", ("one", "other"), "classes", "after training", "drift")
    ]
    assert check.statement == "a2 >= 0.5 after training"
    assert (check.passed, check.count) == (True, 20)
    assert (check.worst.step, check.worst.bound) == (5, 0)


def test_unsure_class_has_a_reason() -> None:
    """It is another one than that of an unbounded step."""
    problem, one, other = pair()
    half = replace(other, final_a2=np.full((2, 10), 0.5))

    check = compare_predictions(problem, one, half, drift_of(problem, one))

    assert (check.passed, check.doubt) == (None, "near 0.5")
    assert check.reason == (
        "a probability may be nearer to 0.5 than roundings have moved it"
    )
