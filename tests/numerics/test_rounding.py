"""The bounds: they hold for what is right, and are not larger than they say."""

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from compare.numerics.equations import Step, line_of, lines
from compare.numerics.error_bars import Bar, step_bars
from compare.numerics.rounding import (
    end_to_end_bound,
    is_first_order,
    line_bound,
    line_roundings,
    magnitude,
    magnitude_statement,
    oracle_dtype,
    oracle_factor,
    other_roundings,
    roundings,
    slope_terms,
)
from impls.interface import Array, Loss, Problem, Weights
from tests.helpers import DTYPES, LOSSES, near, problem_of
from tests.numerics.oracles import float_step, random_problem

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
SIZE = (3, 4, 2, 7)  # n_x, n_h, n_y, m: no two are equal
QUANTITIES = [line.quantity for line in lines("bce")]


# The oracle.


def test_oracle_is_wider_where_it_can_be() -> None:
    """The audit computes in float64 for float32, and in long double for float64."""
    assert oracle_dtype(SINGLE) == DOUBLE
    assert oracle_dtype(DOUBLE) == np.longdouble


def test_oracle_of_float32_rounds_nothing_that_counts() -> None:
    """Float64 is wider than float32 on every system."""
    assert oracle_factor(SINGLE) == 1


@pytest.mark.parametrize(("oracle", "factor"), [(DOUBLE, 2), (SINGLE, 2)])
def test_oracle_that_is_no_wider_counts_twice(
    oracle: np.dtype[np.floating], factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where long double is 64 bits, the oracle makes as large errors as the line."""
    monkeypatch.setattr("compare.numerics.rounding.oracle_dtype", lambda _: oracle)

    assert oracle_factor(DOUBLE) == factor


@pytest.mark.skipif(
    bool(np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps),
    reason="long double is no wider than float64 here",
)
def test_wider_long_double_counts_once() -> None:
    """The errors of a long double are too small to count."""
    assert oracle_factor(DOUBLE) == 1


# One line, from its own inputs.


@pytest.mark.parametrize(
    ("terms", "count"), [(1, 6), (2, 6), (4, 6), (5, 8), (100, 103)]
)
def test_roundings_are_counted(terms: int, count: int) -> None:
    """Six for the notebook's sizes, and one for each term beyond four."""
    assert roundings(terms) == count


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("quantity", "count"),
    [
        ("z1", 9 + 3),
        ("a1", 6),
        ("z2", 8 + 3),
        ("a2", 6),
        ("loss", 5 * 7 + 3),
        ("dz2", 6),
        ("dw2", 7 + 3),
        ("dz1", 5 + 1 + 3),
        ("dw1", 7 + 3),
        ("new_w1", 6),
        ("new_w2", 6),
    ],
)
def test_roundings_of_a_line(quantity: str, count: int, loss: Loss) -> None:
    """The terms of a sum are counted by its sizes: 9-8-5 on 7 samples."""
    problem = random_problem((9, 8, 5, 7), loss, 1)

    assert line_roundings(line_of(loss, quantity), problem) == count


def test_roundings_of_many_networks_are_those_of_one() -> None:
    """Leading axes of the weights are no terms of a sum."""
    problem = random_problem((9, 8, 5, 7), "bce", 1)
    w1, w2 = (np.stack([w] * 3) for w in problem.weights)
    many = replace(problem, weights=Weights(w1, w2))

    found = [line_roundings(line, many) for line in lines("bce")]

    assert found == [line_roundings(line, problem) for line in lines("bce")]


MAGNITUDES: dict[str, Callable[[Step[Array]], Array]] = {
    "z1": lambda s: np.einsum("ij,jk->ik", abs(s.w1), abs(s.x)),
    "a1": lambda s: s.a1,
    "z2": lambda s: np.einsum("ij,jk->ik", abs(s.w2), s.a1),
    "a2": lambda s: s.a2,
    "dz2": lambda s: abs(s.dz2),  # of mse
    "dw2": lambda s: np.einsum("ij,kj->ik", abs(s.dz2), s.a1),
    "dz1": lambda s: np.einsum("ij,ik->jk", abs(s.w2), abs(s.dz2)) * s.a1 * (1 - s.a1),
    "dw1": lambda s: np.einsum("ij,kj->ik", abs(s.dz1), abs(s.x)),
    "new_w1": lambda s: abs(s.new_w1) + 0.9 * abs(s.dw1),
    "new_w2": lambda s: abs(s.new_w2) + 0.9 * abs(s.dw2),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("quantity", MAGNITUDES)
def test_magnitude_is_that_of_all_terms(quantity: str, loss: Loss) -> None:
    """No term of a line cancels another in its magnitude."""
    step, line = float_step(random_problem(SIZE, loss, 1)), line_of(loss, quantity)
    expected = MAGNITUDES[quantity](step)
    if (quantity, loss) == ("dz2", "bce"):
        expected = (step.a2 - step.y * step.a2 + step.y - step.y * step.a2) / 7

    found = magnitude(line, step, line.value(step))

    assert found == near(expected, 1e-13)


def test_magnitude_of_the_losses() -> None:
    """The cross-entropy counts log(1 + exp(z2)), z2 and y z2, a square only itself."""
    bce, mse = (float_step(random_problem(SIZE, loss, 1)) for loss in LOSSES)
    terms = np.log(1 + np.exp(bce.z2)) + abs(bce.z2) + abs(bce.y * bce.z2)

    found = [
        magnitude(line_of(loss, "loss"), step, step.loss)
        for loss, step in zip(LOSSES, (bce, mse), strict=True)
    ]

    assert found == near([terms.sum() / 7, mse.loss], 1e-13)


def test_terms_of_a_hard_label_are_the_slope_itself() -> None:
    """With labels 0 and 1 the size of the terms is |a2 - y| / m: nothing cancels."""
    a2, y = np.array([[0.25, 0.25, 1.0]]), np.array([[0.0, 1.0, 1.0]])

    assert slope_terms(a2, y) == near(abs(a2 - y) / 3, 1e-15)


def test_terms_of_a_soft_label_do_not_cancel() -> None:
    """Where a2 is y, dz2 is 0 and its terms are y (1 - y) each."""
    a2 = y = np.array([[0.25, 0.5]])

    assert slope_terms(a2, y) == near([[2 * 3 / 16 / 2, 2 / 4 / 2]], 1e-15)


@pytest.mark.parametrize("a", [2.0, -1.0])
def test_terms_count_outside_of_a_sigmoid(a: float) -> None:
    """A mistake may record a2 = 2 or a1 = -1: |a| |1 - a| is 2 for both."""
    y = np.array([[0.0, 1.0, 0.5]])
    known = {"w2": np.ones((1, 1, 1)), "dz2": -np.ones((1, 1, 1))}
    step = SimpleNamespace(**known, a1=np.full((1, 1, 1), a))
    dz1 = line_of("bce", "dz1")

    assert slope_terms(np.full((1, 3), a), y) == near(
        [[abs(a) / 3, abs(1 - a) / 3, 0.5]], 1e-15
    )
    assert magnitude(dz1, cast("Any", step), np.array([[[-2.0]]])) == near([[[2.0]]], 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_slope_of_a_soft_label_formed_from_two_terms(dtype: str) -> None:
    """(1 - y) a2 - y (1 - a2), as autodiff forms it, is within the bound of dz2.

    6 u |a2 - y| / m, the bound of a2 - y alone, would not hold.
    """
    y = np.linspace(0.05, 0.95, 2000, dtype=dtype)[None]
    a2 = y + np.asarray(1e-4, dtype) * np.sin(1e4 * y).astype(dtype)
    problem = replace(problem_of(dtype), y=y, x=np.ones((2, 2000), dtype))
    wide = oracle_dtype(np.dtype(dtype))
    line = line_of("bce", "dz2")
    exact = line.formula(a2.astype(wide), y.astype(wide))
    step = replace(float_step(problem), a2=a2.astype(DOUBLE), y=y.astype(DOUBLE))
    one = y.dtype.type(1)

    found = ((one - y) * a2 - y * (one - a2)) / 2000

    error = abs(found - exact).astype(DOUBLE)
    bound = line_bound(line, problem, step, exact.astype(DOUBLE), y.dtype)
    u = float(np.finfo(dtype).eps) / 2
    assert found.dtype == dtype
    assert (error <= bound).all()
    assert (error > 10 * 6 * u * abs(exact).astype(DOUBLE)).any()
    assert (error > bound / 20).any()


@pytest.mark.parametrize(
    ("dtype", "u", "tiny"),
    [(SINGLE, 2.0**-24, 2.0**-126), (DOUBLE, 2.0**-53, 2.0**-1022)],
)
def test_bound_of_a_line_by_hand(
    dtype: np.dtype[np.floating], u: float, tiny: float
) -> None:
    """It is the roundings times u times the magnitude: seven terms count ten."""
    problem = random_problem(SIZE, "bce", 1)
    step, line = float_step(problem), line_of("bce", "dw1")

    found = line_bound(line, problem, step, step.dw1, dtype)

    size = np.einsum("ij,kj->ik", abs(step.dz1), abs(step.x))
    assert found == near(10 * (u * size + tiny), 1e-13)


@pytest.mark.parametrize(("dtype", "tiny"), [(SINGLE, 2.0**-126), (DOUBLE, 2.0**-1022)])
@pytest.mark.parametrize(
    ("quantity", "zero", "count"), [("z1", {"x": np.zeros((3, 7))}, 6), ("dw1", {}, 10)]
)
def test_floor_of_a_line(
    quantity: str,
    zero: dict[str, Array],
    count: int,
    dtype: np.dtype[np.floating],
    tiny: float,
) -> None:
    """Where all terms are 0, each operation may lose the smallest normal number."""
    problem = random_problem(SIZE, "bce", 1)
    line = line_of("bce", quantity)
    zero = zero or {"dz1": np.zeros((4, 7))}
    step = replace(float_step(problem), **zero)

    found = line_bound(line, problem, step, line.value(step), dtype)

    assert (found == count * tiny).all()


def of_samples(m: int, dtype: str = "float32") -> Problem:
    """Create a network of one unit in each layer, and m samples."""
    return random_problem((1, 1, 1, m), "bce", 1, dtype)


def bound_of(problem: Problem, quantity: str) -> Array:
    """Bound a line of a problem."""
    step, line = float_step(problem), line_of("bce", quantity)
    return line_bound(line, problem, step, line.value(step), problem.x.dtype)


@pytest.mark.parametrize(("m", "bounded"), [(167_769, True), (167_770, False)])
@pytest.mark.parametrize("quantity", ["dw1", "dw2", "loss"])
def test_too_many_terms_have_no_bound(
    quantity: str,
    m: int,
    bounded: bool,  # noqa: FBT001
) -> None:
    """Bounds of first order end where n + 3 roundings are more than 1 %: n u > 0.01."""
    found = bound_of(of_samples(m), quantity)

    assert ((m + 3) * 2.0**-24 <= 0.01) is bounded
    assert np.isfinite(found).all() is np.bool_(bounded)
    assert np.isinf(found).all() is np.bool_(not bounded)


@pytest.mark.parametrize("quantity", ["z1", "a2", "dz2", "dz1", "new_w1"])
def test_lines_without_many_terms_keep_their_bounds(quantity: str) -> None:
    """The number of samples does not count where no line sums over them."""
    assert np.isfinite(bound_of(of_samples(167_770), quantity)).all()


def test_many_terms_are_few_in_float64() -> None:
    """The same sum has a bound in double precision."""
    assert np.isfinite(bound_of(of_samples(167_770, "float64"), "dw1")).all()


MATHEMATICS: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "log": np.log,
    "mean": lambda a: a.sum(axis=(-2, -1)) / a.shape[-1],
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_statement_of_a_magnitude_is_its_formula(loss: Loss, quantity: str) -> None:
    """The text is evaluated: products by `*` or `@`, and |a| as abs(a)."""
    problem = random_problem(SIZE, loss, 1)
    step = float_step(problem)
    line = line_of(loss, quantity)
    text = magnitude_statement(line).replace(".T", ".mT").replace("lr ", "lr * ")
    text = re.sub(r"\|([^|]+)\|", r"abs(\1)", text.replace("new w", "new_w"))
    text = re.sub(r"\) (?=\w)|\by (?=\()", r"\g<0>* ", text)
    known = {**vars(step), **MATHEMATICS, "m": problem.y.shape[-1]}

    size = eval(text, {}, known)  # noqa: S307  # our own text
    assert size == near(magnitude(line, step, line.value(step)), rel=1e-14)


# One step, from its weights.


@pytest.mark.parametrize(
    ("dtype", "u", "tiny"),
    [("float32", 2.0**-24, 2.0**-126), ("float64", 2.0**-53, 2.0**-1022)],
)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_bound_of_a_quantity_by_hand(
    quantity: str, loss: Loss, dtype: str, u: float, tiny: float
) -> None:
    """Four error bars; for the derivatives of bce, those of other forms are added."""
    problem = random_problem(SIZE, loss, 1, dtype)
    bars = step_bars(problem, Weights(*(w[None] for w in problem.weights)))
    error = getattr(bars, quantity).bar
    derivative = loss == "bce" and quantity in ("dz2", "dw2", "dz1", "dw1")

    found = end_to_end_bound(problem, quantity, bars)

    added = other_roundings(bars)[quantity] if derivative else 0.0
    assert found == near(4 * u * (error + added) + tiny, 1e-14)


def test_floor_of_a_quantity() -> None:
    """Where all terms are 0, underflow is left: four times that of three products."""
    problem = random_problem(SIZE, "bce", 1)
    zero = Problem(0 * problem.x, problem.y, problem.weights, 0.9, 1, "bce")
    bars = step_bars(zero, Weights(*(w[None] for w in zero.weights)))

    assert end_to_end_bound(zero, "z1", bars) == near(
        np.full((1, 4, 7), (4 * 3 + 1) * 2.0**-1022), 1e-14
    )


def test_other_forms_of_the_cross_entropy_round_at_their_terms() -> None:
    """dz2 gains |a2 z2| / m and (1 - y) a2 + y (1 - a2); the others inherit that."""
    problem = random_problem(SIZE, "bce", 1)
    bars = step_bars(problem, problem.weights)
    step = float_step(problem)

    found = other_roundings(bars)

    y, a2 = step.y, step.a2
    dz2 = (abs(a2 * step.z2) + (1 - y) * a2 + y * (1 - a2)) / 7
    dz1 = np.einsum("ij,ik->jk", abs(step.w2), dz2) * step.a1 * (1 - step.a1)
    assert found["dz2"] == near(dz2, 1e-13)
    assert found["dw2"] == near(np.einsum("ij,kj->ik", dz2, step.a1), 1e-13)
    assert found["dz1"] == near(dz1, 1e-13)
    assert found["dw1"] == near(np.einsum("ij,kj->ik", dz1, abs(step.x)), 1e-13)


def with_z_bars(problem: Problem, z1: float, z2: float) -> Step[Bar]:
    """Give one element of z1, and one of z2, at the second of three steps, a bar."""
    weights = Weights(*(np.repeat(w[None], 3, axis=0) for w in problem.weights))
    bars = step_bars(problem, weights)
    errors = [np.zeros_like(bars.z1.bar), np.zeros_like(bars.z2.bar)]
    for error, largest in zip(errors, (z1, z2), strict=True):
        error[1, -1, 2] = largest
    return replace(
        bars,
        z1=Bar(bars.z1.value, errors[0]),
        z2=Bar(bars.z2.value, errors[1]),
    )


@pytest.mark.parametrize(
    ("dtype", "units"), [("float32", 2.0**24), ("float64", 2.0**53)]
)
@pytest.mark.parametrize(
    ("z1", "z2", "known"),
    [(1, 1, True), (1.01, 0, False), (0, 1.01, False), (0.99, 0.99, True)],
)
def test_sigmoids_need_z_to_1(
    z1: float, z2: float, known: object, dtype: str, units: float
) -> None:
    """One z1 or one z2 that may be off by more than 1 is too much, in its step."""
    problem = random_problem(SIZE, "bce", 1, dtype)
    bars = with_z_bars(problem, z1 * units, z2 * units)

    assert is_first_order(bars, np.dtype(dtype)).tolist() == [True, known, True]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_bound_is_left_where_z_is_unknown(quantity: str, loss: Loss) -> None:
    """In that step every bound is infinite, but for those of z1 and z2 themselves."""
    problem = random_problem(SIZE, loss, 1)
    bars = with_z_bars(problem, 1.01 * 2.0**53, 0)

    found = end_to_end_bound(problem, quantity, bars)

    assert np.isinf(found[1]).all() == (quantity not in ("z1", "z2"))
    assert np.isfinite(found[[0, 2]]).all()
    assert np.isfinite(found[1]).all() == (quantity in ("z1", "z2"))
