"""The bounds: they hold for what is right, and are not larger than they say."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from compare.checks.audit import audit, recorded
from compare.checks.run import Run
from compare.numerics.equations import chain, lines, sigmoid, softplus
from compare.numerics.error_bars import Bar, exact
from compare.numerics.hessian import hessian
from compare.numerics.rounding import (
    allowed,
    drift,
    line_bound,
    oracle_dtype,
    roundings,
    step_bars,
    stretch,
    unit,
    end_to_end_bound,
    widen,
)
from compare.training.problems import Experiment
from impls import jax_grad, numpy_manual
from impls.interface import Loss, Problem, Weights

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

    bar = operation(exact(a.astype(DOUBLE)), exact(b.astype(DOUBLE)))

    error = abs(operation(a, b) - bar.value)
    assert (error <= unit(SINGLE) * bar.bar).all()
    assert (error > 0.05 * unit(SINGLE) * bar.bar).any()


@pytest.mark.parametrize("name", OPERATIONS)
def test_error_bars_pass_on_what_went_in(name: str) -> None:
    """Operands at the ends of their bars move the result no further than its own."""
    operation, tiny = OPERATIONS[name], 1e-6
    a, b = Bar(A, abs(A)), Bar(B, abs(B))

    bar = operation(a, b)

    ends = operation(A * (1 + tiny), B * (1 - tiny))
    assert (abs(ends - bar.value) <= 1.01 * tiny * bar.bar).all()


@pytest.mark.parametrize(
    ("terms", "count"), [(1, 6), (2, 6), (4, 6), (5, 8), (100, 103)]
)
def test_roundings_are_counted(terms: int, count: int) -> None:
    """Six for the notebook's sizes, and one for each term beyond four."""
    assert roundings(terms) == count


def moved(problem: Problem, units: float) -> set[bool | None]:
    """Put the last number of each line so many units of its scale off, and audit."""
    trace, dtype = numpy_manual.train(problem), problem.x.dtype
    row = recorded(problem, Run("", trace), oracle_dtype(dtype))
    outcomes = set()
    for line in lines(problem.loss):
        value = line.value(row)
        off = value + units / roundings(1) * line_bound(line, row, value, dtype)
        name = line.quantity.removeprefix("new_")
        field = np.array(getattr(trace, name))
        field[-1] = off[-1]
        wrong = replace(trace, **{name: field})
        outcomes |= {
            check.passed
            for check in audit(problem, Run("moved", wrong))
            if check.quantity == line.quantity
        }
    return outcomes


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_twelve_roundings_are_always_seen(dtype: str, loss: Loss) -> None:
    """A recorded number 12.1 units of its line's scale off is beyond doubt."""
    assert moved(Experiment(dtype=dtype, loss=loss, steps=50).problem(), 12.1) == {
        False
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nothing_moved_is_nothing_seen(dtype: str) -> None:
    """The test above fails for no other reason than its move."""
    assert moved(Experiment(dtype=dtype, steps=50).problem(), 0.0) == {True}


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_hessian_is_the_one_that_jax_finds(loss: Loss) -> None:
    """Written by hand here, differentiated twice by JAX there: no size the same."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(3, 7)), random.integers(0, 2, size=(2, 7)).astype(float)
    w1, w2 = random.normal(size=(4, 3)), random.normal(size=(2, 4))
    row = SimpleNamespace(x=x, y=y, lr=1.0, w1=w1[None], w2=w2[None])

    def cost(flat: jax.Array) -> jax.Array:
        weights = Weights(flat[:12].reshape(4, 3), flat[12:].reshape(2, 4))
        activations = jax_grad.propagate(weights, jax.numpy.array(x))
        return jax_grad.cost(activations.z2, activations.a2, jax.numpy.array(y), loss)

    with jax.enable_x64(True):
        truth = jax.hessian(cost)(jax.numpy.array([*w1.ravel(), *w2.ravel()]))

    assert hessian(chain(lines(loss), row), loss)[0] == pytest.approx(
        np.asarray(truth), rel=1e-10, abs=1e-13
    )


def test_a_stretch_follows_the_steps_between() -> None:
    """A small difference becomes what the matrix of three steps says."""
    problem = Experiment(steps=3).problem()
    nudge = 1e-6 * np.random.default_rng(0).normal(size=(2, 2))
    there = replace(
        problem, weights=problem.weights._replace(w1=problem.weights.w1 + nudge)
    )
    a, b = numpy_manual.train(problem), numpy_manual.train(there)

    found = stretch(problem, Weights(a.w1[:1], a.w2[:1]), 3)

    apart = np.concatenate([(b.w1 - a.w1)[-1].ravel(), (b.w2 - a.w2)[-1].ravel()])
    start = np.concatenate([nudge.ravel(), [0, 0]])
    assert apart == pytest.approx(found.matrix[0] @ start, rel=1e-4, abs=0)
    assert np.linalg.norm(found.matrix[0], 2) <= found.factor[0]
    assert found.reached.w1[0] == pytest.approx(a.w1[-1], rel=1e-14, abs=0)


@pytest.mark.parametrize("radius", [0.0, 0.3, 50.0])
def test_a_widened_ellipsoid_holds_all_sums(radius: float) -> None:
    """In each direction it reaches as far as both together, and not much further."""
    random = np.random.default_rng(1)
    root, directions = random.normal(size=(4, 4)), random.normal(size=(1000, 4))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    ellipsoid = root @ root.T

    wide = widen(ellipsoid, radius)

    reach = np.sqrt(np.einsum("ni,ij,nj->n", directions, wide, directions))
    both = np.linalg.norm(directions @ root, axis=1) + radius
    assert (reach >= both * (1 - 1e-12)).all()
    assert (reach <= both * 2).all()


def test_drift_holds_for_runs_that_start_apart() -> None:
    """A start moved by delta grows as the recursion says: no further, nor far less."""
    problem = Experiment(steps=3000).problem()
    delta = 1e-9
    there = replace(
        problem, weights=problem.weights._replace(w1=problem.weights.w1 + delta)
    )
    a, b = numpy_manual.train(problem), numpy_manual.train(there)

    factor = stretch(problem, Weights(a.w1, a.w2), 1).factor

    squares = ((a.w1 - b.w1) ** 2).sum(axis=(1, 2)) + ((a.w2 - b.w2) ** 2).sum(
        axis=(1, 2)
    )
    apart = np.sqrt(squares)
    grown = 2 * delta * np.cumprod([1.0, *factor[:-1]])
    assert (apart <= grown * 1.001).all()
    assert (apart > grown / 10).any()


def test_drift_follows_its_recursion() -> None:
    """The first two steps of D and R, written out."""
    problem = Experiment(steps=2).problem()
    trace = numpy_manual.train(problem)
    bars = step_bars(problem, trace.w1, trace.w2)
    squares = (bars.new_w1.bar**2).sum(axis=(1, 2)) + (bars.new_w2.bar**2).sum(
        axis=(1, 2)
    )
    e = unit(DOUBLE) * np.sqrt(squares)
    factor = stretch(problem, Weights(trace.w1, trace.w2), 1).factor

    found = drift(problem, bars)

    assert found.budget.weights == pytest.approx(
        [0, 2 * e[0], factor[1] * 2 * e[0] + 2 * e[1]], rel=1e-6, abs=0
    )
    assert found.typical.weights**2 == pytest.approx(
        [0, 2 * e[0] ** 2 / 3, factor[1] ** 2 * 2 * e[0] ** 2 / 3 + 2 * e[1] ** 2 / 3],
        rel=1e-6,
        abs=0,
    )


def test_a_long_double_no_wider_doubles_the_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where long double is 64 bits, the oracle rounds too, and the bound says so."""
    problem = Experiment(steps=50).problem()
    trace = numpy_manual.train(problem)
    assert trace.z1 is not None
    trace.z1[-1, 0, 3] += 2 * np.spacing(trace.z1[-1, 0, 3])  # more than it rounds
    wide = audit(problem, Run("wide", trace))

    monkeypatch.setattr("compare.checks.audit.oracle_dtype", lambda _: DOUBLE)
    monkeypatch.setattr("compare.numerics.rounding.oracle_dtype", lambda _: DOUBLE)
    narrow = audit(problem, Run("narrow", trace))

    assert [check.passed for check in narrow] == [True] * 11
    assert narrow[0].worst.step == wide[0].worst.step
    assert narrow[0].worst.index == wide[0].worst.index == (0, 3)
    assert narrow[0].worst.bound == pytest.approx(
        2 * wide[0].worst.bound, rel=1e-12, abs=0
    )


@pytest.mark.parametrize("moved", [Weights(1e17, 1.0), Weights(1e-3, 1e20)])
def test_no_bound_of_first_order_is_left_where_a_sigmoid_is_anything(
    moved: Weights[float],
) -> None:
    """If z1 or z2 may be off by 1, only they have bounds, and runs go anywhere."""
    problem = Experiment(steps=2).problem()
    w1, w2 = (
        w[None] * factor for w, factor in zip(problem.weights, moved, strict=True)
    )

    bars = step_bars(problem, *(np.repeat(w, 3, axis=0) for w in (w1, w2)))

    lost = {name for name in vars(bars) if isinstance(getattr(bars, name), Bar)}
    lost -= {"x", "w1", "w2", "lr", "new_w1", "new_w2"}
    infinite = {n for n in lost if np.isinf(end_to_end_bound(problem, n, bars)).all()}
    assert infinite == lost - {"z1", "z2"}
    assert np.isinf(drift(problem, bars).budget.weights[1:]).all()


def test_a_sum_over_hidden_units_may_round_for_each() -> None:
    """Eight terms of z2: three roundings more."""
    (line,) = (line for line in lines("bce") if line.quantity == "z2")

    assert allowed(line, SimpleNamespace(w2=np.zeros((5, 1, 8)))) == 11
