"""Correct programs that other bounds would accuse, and wrong ones beside them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Promise
from compare.checks.verdict import Verdict
from compare.contract.calls import rewired
from compare.hosts.load import OURS, load
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import rewritten, tanh_sigmoid
from compare.selftest.trial import beside_ours
from compare.training.compare import compare
from compare.training.problems import TABLES
from impls import numpy_manual as ours
from impls.interface import Array, Problem, Trace, Weights
from tests.helpers import DTYPES, problem_of, returning


def all_three(problem: Problem) -> Verdict:
    """Compare our own implementations."""
    return compare(problem, {name: load(name) for name in OURS})


def failures(verdict: Verdict) -> list[tuple[str, ...]]:
    """List the runs and the quantity of each check that failed."""
    return [(*c.subject, c.label) for c in verdict.checks if c.passed is False]


def doubts(verdict: Verdict) -> set[Any]:
    """List why checks can't tell."""
    return {check.doubt for check in verdict.checks if check.passed is None}


# Soft labels.


def soft(seed: int, dtype: str, steps: int = 100) -> Problem:
    """Draw a network of any sizes, inputs, and labels between 0 and 1."""
    random = np.random.RandomState(seed)
    n_x, n_h, n_y = random.randint(1, 6, size=3)
    m = random.randint(1, 12)
    x, y = random.randn(n_x, m), random.rand(n_y, m)
    w1, w2 = random.randn(n_h, n_x), random.randn(n_y, n_h)
    x, y, w1, w2 = (array.astype(dtype) for array in (x, y, w1, w2))
    return Problem(x, y, Weights(w1, w2), 0.9, steps, "bce")


def quarter(dtype: str, steps: int = 100) -> Problem:
    """Create a network of one weight in each layer, one sample, and the label 0.25."""
    one = np.ones((1, 1), dtype)
    return Problem(one, one / 4, Weights(one / 2, one / 2), 0.9, steps, "bce")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(4))
def test_soft_labels_match(seed: int, dtype: str) -> None:
    """Autodiff forms dz2 from two terms, which cancel as a2 nears its label."""
    verdict = all_three(soft(seed, dtype))

    assert failures(verdict) == []
    assert verdict.answer == "match"


@pytest.mark.parametrize("dtype", DTYPES)
def test_label_of_one_quarter_has_no_differences(dtype: str) -> None:
    """One weight in each layer is enough for a2 to come as near to y as it can."""
    problem = quarter(dtype)

    verdict = all_three(problem)

    a2, _, jax = (run.trace.a2 for run in verdict.runs)
    dz2: Any = (run.trace.dz2 for run in verdict.runs)
    by_hand, _, by_jax = dz2
    u = float(np.finfo(dtype).eps) / 2
    assert (abs(by_jax - by_hand) > 6 * u * abs(a2 - 0.25)).any()
    assert jax.dtype == dtype
    assert failures(verdict) == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "change",
    [
        lambda row, problem: (row.a2 - problem.y.round()) / problem.y.shape[-1],
        lambda row, problem: (row.a2 - problem.y) / (1 + problem.y.shape[-1]),
        lambda row, problem: (problem.y - row.a2) / problem.y.shape[-1],
    ],
    ids=["labels rounded", "mean of m + 1", "sign"],
)
def test_wrong_slope_at_soft_labels_differs(
    change: Callable[..., Array], dtype: str
) -> None:
    """The bound of two terms still finds a wrong dz2, at once."""
    problem = soft(1, dtype, steps=20)
    fault = Fault("", changes={"dz2": change})

    verdict = beside_ours(problem, plant(fault, ours))

    first = verdict.first_difference
    assert verdict.answer == "differ"
    assert first is not None
    assert first.first is not None
    assert (first.subject, first.quantity) == (("other",), "dz2")
    assert first.first.step == 0


# A sigmoid by tanh.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("table", TABLES)
def test_declared_tanh_sigmoid_matches(table: str, dtype: str) -> None:
    """Its error is u of 1: what is declared end to end may have that on every table."""
    other = rewritten("numpy", sigmoid=tanh_sigmoid)

    verdict = beside_ours(
        problem_of(dtype, table=table), rewired(other, end_to_end=("a1", "a2"))
    )

    assert failures(verdict) == []
    assert doubts(verdict) <= {"near 0.5"}  # a class of xnor after 300 steps
    assert verdict.answer == "match" or table == "xnor"


@pytest.mark.parametrize("table", ["and", "nor"])
def test_undeclared_tanh_sigmoid_differs(table: str) -> None:
    """Its own line has the bound of the sigmoid of the contract."""
    other = rewritten("numpy", sigmoid=tanh_sigmoid)

    verdict = beside_ours(problem_of(table=table, steps=1000), other)

    first = verdict.first_difference
    assert verdict.answer == "differ"
    assert first is not None
    assert (first.subject, first.quantity) == (("other",), "a2")


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("name", ["a1", "a2"])
def test_declaration_hides_no_mistake(name: str, dtype: str, error: float) -> None:
    """A declared sigmoid that is off by some hundred u of 1 differs."""
    wrong = rewritten("numpy", sigmoid=lambda z: tanh_sigmoid(z) + z.dtype.type(error))
    right = rewritten("numpy", sigmoid=tanh_sigmoid)
    problem = problem_of(dtype, table="and", steps=20)

    def train(given: Problem) -> Trace:
        trace, other = right.train(given), wrong.train(given)
        array = getattr(trace, name).copy()
        array[7] = getattr(other, name)[7]
        return replace(trace, **{name: array})

    verdict = beside_ours(problem, rewired(right, train=train, end_to_end=("a1", "a2")))

    first = verdict.first_difference
    assert verdict.answer == "differ"
    assert first is not None
    assert first.first is not None
    assert (first.quantity, first.basis, first.first.step) == (name, "weights", 7)


# Underflow.


def underflowing(steps: int = 1) -> Problem:
    """Create a network of one unit, whose a1 underflows in float32: exp overflows."""
    one = np.ones((1, 1), np.float32)
    weights = Weights(np.float32(-88.9) * one, np.float32(-10) * one)
    return Problem(one, one, weights, 0.9, steps, "bce")


@pytest.mark.parametrize("steps", [1, 20])
def test_underflow_is_no_difference(steps: int) -> None:
    """NumPy's a1 is 0, and should be 2.5e-39; w2 multiplies that by 10."""
    verdict = all_three(underflowing(steps))

    a1: Any = verdict.runs[0].trace.a1
    assert (a1 == 0).all()
    assert failures(verdict) == []
    assert doubts(verdict) == {"near 0.5"}  # a2 is 0.5


@pytest.mark.parametrize("quantity", ["a1", "z2", "dz1", "dw1"])
def test_mistake_larger_than_underflow_differs(quantity: str) -> None:
    """A number of 1e-35 where there should be next to none is a thousand times it."""
    wrong = returning(**{quantity: lambda array: array + np.float32(1e-35)})

    verdict = beside_ours(underflowing(), rewired(wrong, train=None))

    assert verdict.answer == "differ"
    assert ("other", quantity) in failures(verdict)


# A bound that is no evidence.


@pytest.mark.slow
@pytest.mark.parametrize("m", [2_000, 170_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_too_many_samples_are_no_match(sign: int, m: int) -> None:
    """In float32, with a sum of too many terms, no sign of dw1 is a match.

    The wrong one is found by a call with other inputs, where dw1 does not cancel.
    """
    random = np.random.RandomState(2)
    x = random.choice([-1.0, 1.0], size=(1, m)).astype(np.float32)
    y = random.randint(2, size=(1, m)).astype(np.float32)
    w1, w2 = np.full((2, 1, 1), [[[0.01]], [[0.5]]], np.float32)
    problem = Problem(x, y, Weights(w1, w2), 0.9, 1, "bce")
    flipped = returning(dw1=lambda dw1: sign * dw1)

    verdict = beside_ours(problem, rewired(flipped, train=None))

    right = "match" if m == 2_000 else "cannot tell"
    other = [c for c in verdict.checks if c.passed is False]
    assert verdict.answer == (right if sign == 1 else "differ")
    assert bool(doubts(verdict)) is (m == 170_000)
    assert "unstable" not in doubts(verdict)
    assert m == 2_000 or {c.promise for c in other} <= {Promise.OTHERS}
