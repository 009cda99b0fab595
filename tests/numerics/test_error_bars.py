"""The error bars: they hold, and each operation adds what its rule says."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from compare.numerics.balls import split
from compare.numerics.equations import Step, lines, run_lines, sigmoid, softplus
from compare.numerics.error_bars import Bar, as_bar, step_bars, unit_roundoff, values
from compare.numerics.rounding import oracle_dtype
from impls.interface import Array, Loss, Problem, Weights
from tests.helpers import DTYPES, LOSSES, near, problem_of
from tests.numerics.oracles import SIZES, exact_step, points, random_problem

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(2, 500, 3, 3))
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "difference from a constant": lambda a, _: 1 - a,
    "product": lambda a, b: a * b,
    "quotient": lambda a, _: a / 3,
    "matrix product": lambda a, b: a @ b,
    "transpose": lambda a, b: (a.mT @ b) * a,
    "sum of all": lambda a, _: a.sum(axis=(-2, -1)),
    "sigmoid": lambda a, b: sigmoid(a @ b),
    "softplus": lambda a, b: softplus(a * b),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_error_bars_hold_in_float32(name: str) -> None:
    """What float32 makes of an operation lies within the bar around float64's."""
    operation = OPERATIONS[name]
    a, b = A.astype(SINGLE), B.astype(SINGLE)

    bar = operation(as_bar(a.astype(DOUBLE)), as_bar(b.astype(DOUBLE)))

    error = abs(operation(a, b) - bar.value)
    assert (error <= unit_roundoff(SINGLE) * bar.bar).all()
    assert (error > 0.05 * unit_roundoff(SINGLE) * bar.bar).any()


@pytest.mark.parametrize("name", OPERATIONS)
def test_error_bars_pass_on_what_went_in(name: str) -> None:
    """Operands at the ends of their bars move the result no further than its own."""
    operation, tiny = OPERATIONS[name], 1e-6
    a, b = Bar(A, abs(A)), Bar(B, abs(B))

    bar = operation(a, b)

    ends = operation(A * (1 + tiny), B * (1 - tiny))
    assert (abs(ends - bar.value) <= 1.01 * tiny * bar.bar).all()


def bar(value: object, error: object, floor: float = 0.0) -> Bar:
    """Create a Bar."""
    return Bar(np.array(value, float), np.array(error, float), floor)


THREE, MINUS_FIVE = bar([3], [0.5]), bar([-5], [0.25])
ROW, COLUMN = (
    bar([[2, -1, 4]], [[0.1, 0.2, 0.3]]),
    bar([[3], [5], [-7]], [[1], [2], [4]]),
)
BY_HAND = {
    "sum": (THREE + MINUS_FIVE, -2, 0.5 + 0.25 + 2),
    "sum with an exact number": (THREE + 4.0, 7, 0.5 + 7),
    "difference": (THREE - MINUS_FIVE, 8, 0.5 + 0.25 + 8),
    "difference from 1": (1 - THREE, -2, 0.5 + 2),
    "negation": (-THREE, -3, 0.5),
    "product": (THREE * MINUS_FIVE, -15, 3 * 0.25 + 0.5 * 5 + 15),
    "product with an exact number": (2 * MINUS_FIVE, -10, 2 * 0.25 + 10),
    "product with an array": (np.array([-2.0]) * THREE, -6, 2 * 0.5 + 6),
    "quotient": (MINUS_FIVE / 4, -1.25, 0.25 / 4 + 1.25),
    "matrix product": (
        ROW @ COLUMN,
        6 - 5 - 28,
        (2 * 1 + 1 * 2 + 4 * 4) + (0.1 * 3 + 0.2 * 5 + 0.3 * 7) + 3 * (6 + 5 + 28),
    ),
    "sum of three": (ROW.sum(axis=(-2, -1)), 5, 0.1 + 0.2 + 0.3 + 2 * (2 + 1 + 4)),
    "sum of one": (THREE.sum(axis=(0,)), 3, 0.5),
    "sigmoid of 0": (sigmoid(bar([0], [3])), 0.5, 3 / 4 + 4 / 4 + 2 / 2),
    "sigmoid of log 3": (
        sigmoid(bar([np.log(3)], [2])),
        0.75,
        2 * 3 / 16 + 0.75 * (4 / 4 + 2),
    ),
    "softplus of 0": (
        softplus(bar([0], [3])),
        np.log(2),
        3 / 2 + 2 * 4 + np.log(2),
    ),
    "softplus of log 3": (
        softplus(bar([np.log(3)], [2])),
        np.log(4),
        2 * 3 / 4 + 2 * 4 / 3 + np.log(4),
    ),
    "softplus of -log 3": (
        softplus(bar([-np.log(3)], [2])),
        np.log(4 / 3),
        2 / 4 + 2 * 4 / 3 + np.log(4 / 3),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_bars_by_hand(name: str) -> None:
    """Errors are passed on to first order, and each operation adds its roundings.

    The library's exp and log1p count 4 roundings each.
    """
    found, value, error = BY_HAND[name]

    assert found.value.ravel() == near([value], 1e-14)
    assert found.bar.ravel() == near([error], 1e-14)


def test_bars_are_fixed_results() -> None:
    """They can't be changed, and each equals itself alone."""
    with pytest.raises(FrozenInstanceError):
        THREE.value = np.array([4.0])  # type: ignore[misc]

    assert bar([3, 4], [0, 0]) != bar([3, 4], [0, 0])


def results_with(floor: float) -> dict[str, tuple[Bar, int]]:
    """Compute with numbers of a floor, and count the floors that each result loses."""
    exact, column = bar([7], [0]), np.array([[1.0], [2.0], [3.0]])
    low, lower = bar([3], [0], floor), bar([5], [0], floor / 2)
    row = bar([[2, -1, 4]], [[0, 0, 0]], floor)
    return {
        "sum": (low + lower, 0),
        "sum with an exact number": (exact + low, 0),
        "difference": (lower - low, 0),
        "difference from 1": (1 - low, 0),
        "negation": (-low, 0),
        "product": (low * lower, 1),
        "product the other way round": (lower * low, 1),
        "product with an exact number": (exact * low, 1),
        "quotient": (low / 4, 1),
        "matrix product": (row @ column, 3),
        "matrix product with an exact factor": (as_bar(column.T) @ row.mT, 3),
        "sum of three": (row.sum(axis=(-2, -1)), 0),
        "transpose": (row.mT, 0),
        "sigmoid": (sigmoid(low), 1),
        "softplus": (softplus(low), 1),
    }


@pytest.mark.parametrize("name", results_with(0.25))
def test_underflow_by_hand(name: str) -> None:
    """A product, a quotient or a function may lose the floor; a product of n, n times.

    No sum loses anything, and every result keeps the larger floor for what follows.
    """
    found, lost = results_with(0.25)[name]
    without, _ = results_with(0.0)[name]

    assert found.bar - without.bar == near(np.full_like(found.bar, lost * 0.25), 1e-13)
    assert found.floor == 0.25


def test_exact_numbers_lose_nothing() -> None:
    """A number that is no Bar has no floor, and neither has what is made of it."""
    assert as_bar(2.0).floor == 0
    assert (as_bar(2.0) * 3.0).floor == 0


def test_bars_are_transposed_with_their_values() -> None:
    """Value and bar keep to each other."""
    found = COLUMN.mT

    assert found.value[:, 1:].tolist() == [[5, -7]]
    assert found.bar[:, 1:].tolist() == [[2, 4]]


def test_sums_of_many_networks_are_counted_alone() -> None:
    """Leading axes are no terms of the sum."""
    found = Bar(np.ones((7, 2, 3)), np.zeros((7, 2, 3))).sum(axis=(-2, -1))

    assert found.bar.tolist() == [5 * 6] * 7


def test_as_bar() -> None:
    """A Bar stays as it is, and another number is exact."""
    exact = as_bar(np.array([2.0, -3.0]))

    assert as_bar(THREE) is THREE
    assert exact.value.tolist() == [2, -3]
    assert exact.bar.tolist() == [0, 0]


@pytest.mark.parametrize(("dtype", "u"), [(SINGLE, 2.0**-24), (DOUBLE, 2.0**-53)])
def test_unit_roundoff(dtype: np.dtype[np.floating], u: float) -> None:
    """It is what Higham's model has: the largest relative error of one rounding."""
    assert unit_roundoff(dtype) == u


def test_values() -> None:
    """Every quantity of a step comes without its bar, and the labels as they are."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)
    w1, w2 = problem.weights

    found = values(step_bars(problem, problem.weights))

    plain = run_lines("bce", x=problem.x, y=problem.y, lr=0.9, w1=w1, w2=w2)
    assert vars(found) == {n: near(array, 1e-15) for n, array in vars(plain).items()}


@pytest.mark.parametrize("quantity", ["w1", "w2", "x"])
def test_what_is_given_is_exact(quantity: str) -> None:
    """Inputs and weights have no error bars."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)

    given = getattr(step_bars(problem, problem.weights), quantity)

    assert not given.bar.any()


@pytest.mark.parametrize(
    ("dtype", "error"),
    [("float64", 0.0), ("float32", abs(float(np.float32(0.9)) - 0.9) * 2.0**24)],
)
def test_learning_rate_has_the_error_of_its_dtype(dtype: str, error: float) -> None:
    """In float32 the update multiplies by the nearest float32."""
    problem = problem_of(dtype)

    found = step_bars(problem, problem.weights)

    assert found.lr.value == problem.lr
    assert found.lr.bar == error
    assert found.new_w1.value.dtype == np.float64


@pytest.mark.parametrize("loss", LOSSES)
def test_cross_entropy_may_cancel(loss: Loss) -> None:
    """The bar of bce alone covers softplus(z2) - y z2: both terms count as |z2|."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    x, w1, w2 = map(as_bar, (problem.x, *problem.weights))
    plain = run_lines(loss, x=x, y=problem.y, lr=as_bar(0.9), w1=w1, w2=w2)

    found = step_bars(problem, problem.weights)

    z2 = found.z2.value
    terms = [(1 + y) * abs(z) for y, z in zip(problem.y.flat, z2.flat, strict=True)]
    added = sum(terms) / 5 if loss == "bce" else 0.0
    assert found.loss.value == plain.loss.value
    assert found.loss.bar == near(plain.loss.bar + added, 1e-14)


def long_step(problem: Problem, weights: Weights[Array]) -> Step[Array]:
    """Run one step with the oracle of the audit: the lines, in long double."""
    dtype = oracle_dtype(DOUBLE)
    x, y, w1, w2 = (a.astype(dtype) for a in (problem.x, problem.y, *weights))
    lr = dtype.type(problem.lr)
    return run_lines(problem.loss, x=x, y=y, lr=lr, w1=w1, w2=w2)


def assert_within_bars(
    problem: Problem, weights: Weights[Array], quantity: str
) -> None:
    """Hold a quantity in long double to the exact one, and a wrong one, too."""
    computed = getattr(long_step(problem, weights), quantity)
    exact = split(getattr(exact_step(problem, weights), quantity))
    error = getattr(step_bars(problem, weights), quantity).bar
    bound = 2 * unit_roundoff(oracle_dtype(DOUBLE)) * error + exact.radius
    assert (abs((computed - exact.hi) - exact.lo) <= bound).all()
    assert not (abs((computed * (1 + 1e-12) - exact.hi) - exact.lo) <= bound).all()


@pytest.mark.parametrize("quantity", [line.quantity for line in lines("bce")])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_oracle_of_the_audit(
    size: tuple[int, int, int, int], loss: Loss, quantity: str
) -> None:
    """Each quantity in long double is within its error bars of the exact one."""
    problem = random_problem(size, loss, 1)
    assert_within_bars(problem, problem.weights, quantity)


@pytest.mark.parametrize("quantity", ["dw1", "dw2"])
@pytest.mark.parametrize("loss", LOSSES)
def test_oracle_of_the_audit_along_a_run(loss: Loss, quantity: str) -> None:
    """The long-double gradient is the exact one at 100 steps."""
    problem = problem_of(loss=loss, steps=1000)
    path = Weights(*map(np.array, zip(*points(problem, every=10), strict=True)))
    assert len(path.w1) == 100
    assert_within_bars(problem, path, quantity)


@pytest.mark.parametrize("quantity", ["w1", "w2"])
@pytest.mark.parametrize(
    ("dtype", "floor"), [("float32", 2.0**-102), ("float64", 2.0**-969)]
)
def test_floor_is_the_smallest_normal_number(
    dtype: str, floor: float, quantity: str
) -> None:
    """It is given in units of u: 2^-126 is 2^-102 times 2^-24."""
    problem = problem_of(dtype)

    bars = step_bars(problem, problem.weights)

    assert getattr(bars, quantity).floor == floor
    assert bars.new_w1.floor == floor


def float32_of_huge_z1(w2: float) -> tuple[Problem, Step[Array]]:
    """Run the lines in float32 where a1 = exp(-88.9) becomes 0: exp overflows."""
    one = np.ones((1, 1), SINGLE)
    problem = Problem(one, one, Weights(-88.9 * one, w2 * one), 0.9, 1, "bce")
    w1, w2_ = problem.weights
    return problem, run_lines(
        "bce", x=one, y=one, lr=np.float32(0.9), w1=w1, w2=np.asarray(w2_)
    )


@pytest.mark.parametrize("quantity", ["a1", "z2", "dz1", "dw1"])
@pytest.mark.parametrize("w2", [-10.0, 1000.0])
def test_underflow_is_multiplied_by_the_weights(w2: float, quantity: str) -> None:
    """What a1 lost to underflow is as large as the next factor makes it."""
    problem, computed = float32_of_huge_z1(w2)
    bars = step_bars(problem, problem.weights)
    result = getattr(bars, quantity)

    error = abs(getattr(computed, quantity).astype(DOUBLE) - result.value)

    u, lost = unit_roundoff(SINGLE), 2.0**-126
    assert not computed.a1.any()
    assert (error > 0).all()
    assert (error <= u * result.bar).all()
    assert (u * result.bar <= 4 * max(abs(w2), 1) * lost).all()
    assert (error > lost).all() == (quantity != "a1" and abs(w2) >= 10)


# Other formulas.


def added_bars(loss: Loss, quantity: str, problem: Problem | None = None) -> Step[Bar]:
    """Return the bars of a step, of which one quantity is computed otherwise."""
    problem = problem or random_problem((3, 4, 2, 5), loss, 1)
    return step_bars(problem, problem.weights, (quantity,))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("quantity", "of_bce", "of_mse"),
    [("a1", 1.0, 1.0), ("a2", 1.0, 1.0), ("dz2", 1 / 5, 0.0)],
)
def test_other_formula_rounds_at_size_1(
    quantity: str, of_bce: float, of_mse: float, loss: Loss
) -> None:
    """A declared a1 or a2 gains 1 u, dz2 of the cross-entropy 1 u / m."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    plain = getattr(step_bars(problem, problem.weights), quantity)

    found = getattr(added_bars(loss, quantity), quantity)

    added = of_bce if loss == "bce" else of_mse
    assert np.array_equal(found.value, plain.value)
    assert np.array_equal(found.bar, plain.bar + added)
    assert found.floor == plain.floor


@pytest.mark.parametrize(
    ("quantity", "untouched"),
    [
        ("a1", {"z1"}),
        ("a2", {"z1", "a1", "z2", "loss"}),
        ("dz2", {"z1", "a1", "z2", "a2", "loss"}),
    ],
)
def test_other_formula_is_passed_on(quantity: str, untouched: set[str]) -> None:
    """What is computed from the quantity inherits the error, and nothing else does."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)
    plain, found = step_bars(problem, problem.weights), added_bars("bce", quantity)

    equal = {
        line.quantity
        for line in lines("bce")
        if np.array_equal(
            getattr(plain, line.quantity).bar, getattr(found, line.quantity).bar
        )
    }

    assert equal == untouched
    larger = {line.quantity for line in lines("bce")} - untouched
    assert all((getattr(found, q).bar > getattr(plain, q).bar).all() for q in larger)


def test_other_formula_of_a1_by_hand() -> None:
    """The bar of z2 gains the sum of the weights that a1 is multiplied by."""
    problem = random_problem((3, 4, 2, 5), "bce", 1)
    plain = step_bars(problem, problem.weights).z2.bar

    found = added_bars("bce", "a1").z2.bar

    gain = np.repeat(abs(problem.weights.w2).sum(axis=1)[:, None], 5, axis=1)
    assert found - plain == pytest.approx(gain, rel=0, abs=1e-13)


def test_sigmoid_by_tanh_needs_the_bar_of_another_formula() -> None:
    """(1 + tanh(z / 2)) / 2 in float32 is off by u of 1, at z from -16 to 16."""
    z = np.linspace(-16, 16, 1001, dtype=SINGLE)[None]
    one = np.ones((1, 1), SINGLE)
    problem = Problem(z, z / 100 % 1, Weights(one, one), 0.9, 1, "bce")
    by_tanh = (1 + np.tanh(z / 2)) / 2

    plain, found = (
        step_bars(problem, problem.weights, other).a1 for other in ((), ("a1",))
    )

    error = abs(by_tanh.astype(DOUBLE) - plain.value)
    assert by_tanh.dtype == SINGLE
    assert (error <= unit_roundoff(SINGLE) * found.bar).all()
    assert (error > 100 * unit_roundoff(SINGLE) * plain.bar).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_that_overflow_are_no_error(dtype: str) -> None:
    """A run that leaves the numbers gets bars without a warning."""
    problem = problem_of(dtype)
    huge = Weights(*(np.full((1, *w.shape), 1e308) for w in problem.weights))

    found = step_bars(problem, huge)

    assert not np.isfinite(found.z1.value).all()
