"""D, how far two correct runs may be apart: by hand, and along real runs."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from functools import cache
from itertools import accumulate

import numpy as np
import pytest

from compare.numerics import drift as module
from compare.numerics.balls import split
from compare.numerics.drift import (
    Drift,
    Updates,
    drifts,
    enclose_sums,
    follow_ellipsoid,
    norm,
    root_of_trace,
    update_error,
    update_jacobians,
    weight_drift,
)
from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar, step_bars, values
from compare.numerics.exact_run import ExactRun, exact_run
from compare.numerics.hessian import hessian
from compare.numerics.rounding import end_to_end_bound
from impls import numpy_manual
from impls.interface import Array, Loss, Problem, Trace, Weights
from tests.helpers import LOSSES, drift, near, problem_of
from tests.numerics.oracles import flat, random_problem, slopes

SIZE = (3, 4, 2, 7)  # n_x, n_h, n_y, m: no two are equal


def trained(problem: Problem) -> tuple[Trace, Step[Bar]]:
    """Train as NumPy does, and find the error bars at all weights."""
    trace = numpy_manual.train(problem)
    return trace, step_bars(problem, Weights(trace.w1, trace.w2))


def vectors(trace: Trace) -> Array:
    """List all weights of each step: shape (N + 1, P)."""
    steps = len(trace.w1)
    return np.hstack((trace.w1.reshape(steps, -1), trace.w2.reshape(steps, -1)))


def weights_at(trace: Trace, n: int) -> Weights[Array]:
    """Return the weights before update n."""
    return Weights(trace.w1[n], trace.w2[n])


def update_by_differences(problem: Problem, at: Weights[Array]) -> Array:
    """Differentiate one update by the weights, without a second derivative."""

    def updated(weights: Weights[Array]) -> Array:
        one = replace(problem, weights=weights, steps=1)
        new: Array = vectors(numpy_manual.train(one))[-1]
        return new

    return slopes(updated, at)


def updates_of(problem: Problem, step: Step[Array]) -> Updates:
    """Differentiate the updates of one run; the step is the first axis."""
    blocks = update_jacobians(problem, [step])
    return Updates(*(np.concatenate(of)[:, 0] for of in zip(*blocks, strict=True)))


def errors_by_hand(bars: Step[Bar], u: float) -> list[float]:
    """Add up the squares of the error bars of each update."""
    return [
        u * float(np.sqrt(np.sum(np.square(flat(Weights(w1, w2))))))
        for w1, w2 in zip(bars.new_w1.bar, bars.new_w2.bar, strict=True)
    ]


# One step.


@pytest.mark.parametrize("loss", LOSSES)
def test_jacobians_are_those_of_the_update(loss: Loss) -> None:
    """Small changes of the weights become what the matrix says, and no more."""
    problem = random_problem(SIZE, loss, 3)
    trace, bars = trained(problem)

    found = updates_of(problem, values(bars))

    truth = [update_by_differences(problem, weights_at(trace, n)) for n in range(3)]
    assert len(found.jacobian) == 3
    assert found.jacobian == pytest.approx(np.array(truth), rel=1e-8, abs=1e-9)
    assert found.norm == near([np.linalg.norm(matrix, 2) for matrix in truth], 1e-8)
    extremes = np.stack((found.smallest, found.largest), axis=1)
    spectra = [np.linalg.eigvalsh((matrix + matrix.T) / 2) for matrix in truth]
    assert extremes == near([[s.min(), s.max()] for s in spectra], 1e-8)


def test_growth_of_a_step_that_turns_directions_round() -> None:
    """At a large learning rate the norm is of a negative eigenvalue."""
    problem = replace(random_problem(SIZE, "bce", 1), lr=200.0)
    trace, bars = trained(problem)

    update = updates_of(problem, values(bars))

    truth = update_by_differences(problem, weights_at(trace, 0))
    eigenvalues = np.linalg.eigvalsh((truth + truth.T) / 2)
    assert -eigenvalues.min() > eigenvalues.max() > 0
    assert update.norm == near([-eigenvalues.min()], 1e-7)
    assert update.norm == near([np.linalg.norm(update.jacobian[0], 2)], 1e-12)


@pytest.mark.parametrize("numbers", [1, 36 * 7, 36 * 300 + 1])
def test_jacobians_do_not_depend_on_how_many_are_in_memory(
    numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step at a time gives the bits that all steps at once give."""
    problem = problem_of(steps=300)
    step = values(trained(problem)[1])
    together = updates_of(problem, step)

    monkeypatch.setattr(module, "NUMBERS", numbers)
    found = updates_of(problem, step)

    assert len(found.jacobian) == len(together.jacobian) == 300
    assert all(map(np.array_equal, found, together))


@pytest.mark.parametrize(
    ("numbers", "sizes"),
    [(1, [1] * 5), (36 * 2, [2, 2, 1]), (36 * 2 + 35, [2, 2, 1]), (36 * 5, [5])],
)
def test_memory_is_limited(
    numbers: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many Hessians of 6 by 6 are made at once as NUMBERS allows, at least one."""
    problem = problem_of(steps=5)
    made = []

    def counted(step: Step[Array], loss: Loss) -> Array:
        made.append(len(step.a2))
        return hessian(step, loss)

    monkeypatch.setattr(module, "NUMBERS", numbers)
    monkeypatch.setattr(module, "hessian", counted)

    assert len(updates_of(problem, values(trained(problem)[1])).jacobian) == 5
    assert made == sizes


@pytest.mark.parametrize(("dtype", "u"), [("float64", 2.0**-53), ("float32", 2.0**-24)])
def test_error_of_an_update_by_hand(dtype: str, u: float) -> None:
    """It is u times the 2-norm of the error bars of all new weights."""
    problem = random_problem(SIZE, "mse", 3, dtype)
    _, bars = trained(problem)

    assert update_error(problem, bars) == near(errors_by_hand(bars, u), 1e-12)


def test_norm() -> None:
    """It is of both weights together, and infinite where a square overflows."""
    w1 = np.array([[[1.0, 2.0], [4.0, 0.0]], [[1e200, 0], [0, 0]]])
    w2 = np.array([[[2.0, 12.0]], [[1.0, 1.0]]])

    assert norm(w1, w2).tolist() == [13.0, np.inf]


# Ellipsoids.


def some_ellipsoids(count: int) -> Array:
    """Draw ellipsoids of four dimensions."""
    roots = np.random.default_rng(1).normal(size=(count, 4, 4))
    return roots @ roots.mT


DIRECTIONS = np.random.default_rng(2).normal(size=(4, 1000))
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=0)


def reach(ellipsoid: Array) -> Array:
    """Return how far an ellipsoid reaches in each of the directions."""
    squares: Array = np.einsum("in,ij,jn->n", DIRECTIONS, ellipsoid, DIRECTIONS)
    return np.sqrt(squares)


@pytest.mark.parametrize("radius", [0.0, 0.3, 50.0])
def test_sums_are_enclosed(radius: float) -> None:
    """In each direction it reaches as far as both together, and not much further."""
    first, second = some_ellipsoids(2)
    second *= radius

    found = reach(enclose_sums(first, second))
    both = reach(first) + reach(second)
    assert (found >= both * (1 - 1e-12)).all()
    assert (found <= both * 2).all()


def test_the_enclosure_has_the_least_trace() -> None:
    """The root of the trace is the sum of both roots, and no p gives less."""
    first, second = some_ellipsoids(2)

    found = enclose_sums(first, second)

    traces = [
        ((1 + p) * first + (1 + 1 / p) * second).trace()
        for p in np.logspace(-5, 5, 1001)
    ]
    both = np.sqrt(first.trace()) + np.sqrt(second.trace())
    assert found.trace() == near(both**2, 1e-12)
    assert root_of_trace(found) == near(both, 1e-12)
    assert found.trace() <= min(traces) * (1 + 1e-12)
    assert found.trace() >= min(traces) * (1 - 1e-3)


def test_a_point_adds_nothing() -> None:
    """The other ellipsoid is left as it is, on both sides."""
    ellipsoid, point = np.diag([4.0, 9.0]), np.zeros((2, 2))

    assert enclose_sums(ellipsoid, point) == near(ellipsoid, 1e-15)
    assert enclose_sums(point, ellipsoid) == near(ellipsoid, 1e-15)
    assert enclose_sums(point, point).tolist() == [[0, 0], [0, 0]]


def test_ellipsoids_are_enclosed_one_by_one() -> None:
    """Each of several runs has its own."""
    first, second = some_ellipsoids(6).reshape(2, 3, 4, 4)

    alone = [enclose_sums(*each) for each in zip(first, second, strict=True)]

    assert np.array_equal(enclose_sums(first, second), alone)


def random_updates(steps: int) -> tuple[Array, Array]:
    """Draw updates of two runs, most of which stretch some directions, and radii."""
    random = np.random.default_rng(3)
    updates = np.eye(4) + 0.1 * random.normal(size=(steps, 2, 4, 4))
    return updates, random.uniform(size=(steps, 2))


def follow_step_by_step(updates: Array, radii: Array) -> Array:
    """Return the roots of the traces after each update of one run."""
    ellipsoid: Array = np.zeros((4, 4))
    roots = []
    for j, radius in zip(updates, radii, strict=True):
        ellipsoid = enclose_sums(j @ ellipsoid @ j.T, radius**2 * np.eye(4))
        roots.append(np.sqrt(ellipsoid.trace()))
    return np.array(roots)


def farthest_points(updates: Array, radii: Array) -> Array:
    """Return how far the sum of all balls, each mapped on, reaches in each direction.

    A ball reaches as far in a direction v as its radius times the length of J.T v.
    """
    reached, backwards = np.zeros(DIRECTIONS.shape[1]), DIRECTIONS
    for j, radius in zip(updates[::-1], radii[::-1], strict=True):
        reached += radius * np.linalg.norm(backwards, axis=0)
        backwards = j.T @ backwards
    return reached


def follow_blocks(updates: Array, radii: Array, length: int) -> tuple[Array, Array]:
    """Follow two runs in blocks; return the roots and the last ellipsoids."""
    ellipsoid: Array = np.zeros((2, 4, 4))
    roots = []
    for first in range(0, len(updates), length):
        part = slice(first, first + length)
        found, ellipsoid = follow_ellipsoid(ellipsoid, updates[part], radii[part])
        roots.append(found)
    return np.concatenate(roots), ellipsoid


@pytest.mark.parametrize("run", [0, 1])
def test_stretches_of_one_step_are_the_plain_loop(
    run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then each update, and each ball, comes by itself."""
    monkeypatch.setattr(module, "STRETCH", 1)
    updates, radii = random_updates(50)

    roots, _ = follow_ellipsoid(np.zeros((2, 4, 4)), updates, radii)

    expected = follow_step_by_step(updates[:, run], radii[:, run])
    assert roots[:, run] == near(expected, 1e-12)
    assert roots[:, run] != near(1.001 * expected, 1e-12)


@pytest.mark.parametrize("run", [0, 1])
def test_an_ellipsoid_holds_all_points_after_many_stretches(run: int) -> None:
    """The farthest point, in each of many directions; and the root is little larger."""
    updates, radii = random_updates(250)
    farthest = farthest_points(updates[:, run], radii[:, run])

    roots, ellipsoids = follow_ellipsoid(np.zeros((2, 4, 4)), updates, radii)

    assert (reach(ellipsoids[run]) >= farthest * (1 - 1e-9)).all()
    assert roots[-1, run] == near(np.sqrt(ellipsoids[run].trace()), 1e-9)
    assert roots[-1, run] <= 3 * farthest.max()


def test_blocks_of_whole_stretches_are_followed_alike() -> None:
    """Each goes on where the last one ended."""
    updates, radii = random_updates(250)

    whole, last = follow_blocks(updates, radii, 250)
    parts, last_of_parts = follow_blocks(updates, radii, 100)

    assert np.array_equal(parts, whole)
    assert np.array_equal(last_of_parts, last)


# The weights of a run.


@pytest.mark.parametrize("loss", LOSSES)
def test_weight_drift_of_two_steps_by_hand(loss: Loss) -> None:
    """D is 0, then twice the first error, then that, stretched, and twice the next."""
    problem = random_problem(SIZE, loss, 2)
    trace, bars = trained(problem)
    first, second, _ = errors_by_hand(bars, 2.0**-53)
    growth = np.linalg.norm(update_by_differences(problem, weights_at(trace, 1)), 2)
    expected = near([0, 2 * first, growth * 2 * first + 2 * second], 1e-7)

    found = drift(problem, bars).weights

    assert found == expected
    assert expected != np.zeros(3)
    assert expected != 100 * found


def follow(errors: list[float], *matrices: Array) -> list[float]:
    """Follow D through given errors, twice each, and given matrices."""
    norms = np.array([[np.linalg.norm(m, 2)] for m in matrices])
    updates = Updates(np.array(matrices)[:, None], 0 * norms, norms)
    found, *_ = weight_drift([updates], 2 * np.array(errors)[:, None])
    distances: list[float] = found[:, 0].tolist()
    return distances


SHEAR = np.eye(6) + np.diag([40.0, 30, 20, 10, 5], 1)


def test_ellipsoid_keeps_its_directions() -> None:
    """What one step stretches and the next shrinks is as before: no norm sees that.

    The root of the trace of a ball of radius 2 in six dimensions is 2 sqrt(6).
    """
    found = follow([1, 0, 0, 9], 5 * np.eye(6), SHEAR, np.linalg.inv(SHEAR))

    stretched = min(2 * np.linalg.norm(SHEAR, 2), 2 * np.linalg.norm(SHEAR))
    assert found == near([0, 2, stretched, 2 * np.sqrt(6)], 1e-9)


def test_ellipsoid_is_widened_at_each_step() -> None:
    """Its root of trace is the stretched one, plus sqrt(6) times twice the error."""
    found = follow([1, 0, 3, 9], np.eye(6), SHEAR, np.linalg.inv(SHEAR))

    assert found[-1] == near((2 + 6) * np.sqrt(6), 1e-9)


def test_smaller_bound_counts() -> None:
    """Steps that only double each error keep to the number: D is the sum."""
    found = follow([1, 2, 3, 9], *[2 * np.eye(6)] * 3)

    assert found == near([0, 2, 2 * 2 + 4, 8 * 2 + 6], 1e-12)


def test_number_goes_on_from_the_smaller_bound() -> None:
    """After the ellipsoid was smaller, the number grows from there."""
    matrices = (np.eye(6), SHEAR, np.linalg.inv(SHEAR), 2 * np.eye(6))

    found = follow([1, 0, 0, 0, 9], *matrices)

    assert found[-1] == near(2 * 2 * np.sqrt(6), 1e-9)


def test_one_update_is_enough() -> None:
    """A run of one step has two bounds: 0, and twice the error of its update."""
    assert follow([3, 9], np.eye(6)) == near([0, 6], 1e-12)


def test_each_update_has_an_error() -> None:
    """Errors of fewer steps are no bounds of the run."""
    with pytest.raises(ValueError, match="shorter"):
        follow([1, 1], np.eye(6), np.eye(6))


def test_a_hessian_that_overflows_leaves_no_bound() -> None:
    """Products of inputs of 1e160 are infinite, though all runs are finite."""
    problem = problem_of(steps=5)
    problem = replace(problem, x=1e160 * problem.x)

    assert drift(problem, trained(problem)[1]).is_valid.tolist() == [True, *5 * [False]]


def test_infinite_errors_stay() -> None:
    """A step without a bound leaves none after it, and no warning."""
    found = follow([1, np.inf, 1, 9], *[np.eye(6)] * 3)

    assert found == [0, 2, np.inf, np.inf]


@pytest.mark.parametrize("factors", [Weights(1e17, 1.0), Weights(1e-3, 1e20)])
def test_no_drift_is_bounded_where_a_sigmoid_is_anything(
    factors: Weights[float],
) -> None:
    """If z1 or z2 may be off by 1, two runs can be anywhere after the update."""
    problem = problem_of(steps=2)
    weights = Weights(
        *(
            np.repeat(w[None] * factor, 3, axis=0)
            for w, factor in zip(problem.weights, factors, strict=True)
        )
    )
    bars = step_bars(problem, weights)

    found = drift(problem, bars)

    assert np.isinf(update_error(problem, bars)).all()
    assert found.weights.tolist() == [0, np.inf, np.inf]
    assert found.is_valid.tolist() == [True, False, False]
    assert not np.isfinite(found.a2).any()
    assert not np.isfinite(found.loss).any()


# Real runs.


@cache
def single() -> tuple[Problem, Trace, Drift, ExactRun]:
    """Train 300 steps in float32, and enclose the exact run of the same problem."""
    problem = problem_of("float32")
    trace, bars = trained(problem)
    return problem, trace, drift(problem, bars), exact_run(problem)


def test_half_the_drift_holds_a_run_and_the_exact_one() -> None:
    """One run rounds, the exact one does not: half of D, and no tenth of that."""
    _, trace, found, truth = single()
    w1, w2 = split(truth.w1), split(truth.w2)
    errors = Weights((trace.w1 - w1.hi) - w1.lo, (trace.w2 - w2.hi) - w2.lo)
    apart = np.array(
        [np.linalg.norm(flat(Weights(*e))) for e in zip(*errors, strict=True)]
    )

    assert (apart <= found.weights / 2 * (1 + 1e-4)).all()
    assert (apart > found.weights / 40).any()


@pytest.mark.parametrize("quantity", ["a2", "loss"])
def test_half_the_drift_holds_what_follows_from_the_weights(quantity: str) -> None:
    """Probabilities and losses, too, are within half of their D of the exact ones."""
    _, trace, found, truth = single()
    bound, exact = getattr(found, quantity)[:-1], split(getattr(truth, quantity)[:-1])

    error = abs((getattr(trace, quantity) - exact.hi) - exact.lo)

    assert (error <= bound / 2 * (1 + 1e-4)).all()
    assert (error > bound / 100).any()


def test_ellipsoid_is_what_bounds_an_oscillating_run() -> None:
    """At lr 2.0 it keeps D far below what the norms alone give."""
    problem = problem_of(lr=2.0, steps=1000)
    _, bars = trained(problem)

    found = drift(problem, bars).weights

    norms = updates_of(problem, values(bars)).norm
    pairs = zip(norms, 2 * update_error(problem, bars)[:-1], strict=True)
    alone = [*accumulate(pairs, lambda d, pair: pair[0] * d + pair[1], initial=0.0)]
    assert (found <= np.array(alone) * (1 + 1e-12)).all()
    assert found[-1] < alone[-1] / 1e30


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("loss", LOSSES)
def test_drift_of_a2_and_loss_by_hand(loss: Loss, sign: int) -> None:
    """Each is its slope times D of the weights, plus two bounds of its own."""
    problem = random_problem(SIZE, loss, 2)
    w1, w2 = problem.weights
    problem = replace(problem, weights=Weights(w1, sign * w2))
    trace, bars = trained(problem)

    found = drift(problem, bars)

    def outputs(weights: Weights[Array]) -> Array:
        return numpy_manual.forward(weights, problem.x).a2

    def loss_of(weights: Weights[Array]) -> Array:
        return numpy_manual.loss_and_gradients(weights, problem.x, problem.y, loss)[0]

    at = [weights_at(trace, n) for n in range(3)]
    reach, *_ = weight_drift(
        update_jacobians(problem, [values(bars)]),
        2 * update_error(problem, bars)[:, None],
    )
    d = reach[:, 0]
    a2 = [np.linalg.norm(slopes(outputs, w), axis=-1) for w in at]
    loss_slopes = [np.linalg.norm(slopes(loss_of, w)) for w in at]
    own = {q: 2 * end_to_end_bound(problem, q, bars) for q in ("a2", "loss")}
    assert np.array_equal(found.weights, d)
    assert found.a2 - own["a2"] == pytest.approx(
        np.array(a2) * d[:, None, None], rel=1e-6, abs=1e-26
    )
    assert found.loss - own["loss"] == pytest.approx(
        loss_slopes * d, rel=1e-6, abs=1e-26
    )
    assert np.array_equal(found.a2[0], own["a2"][0])
    assert found.loss[0] == own["loss"][0]


def test_drift_of_a_run_that_overflows_is_no_error() -> None:
    """A run that leaves the numbers has no bound, and gives no warning."""
    problem = problem_of(lr=1e300, steps=5)
    with np.errstate(all="ignore"):
        _, bars = trained(problem)

        found = drift(problem, bars)

    assert not found.is_valid[2:].any()


def test_drift_is_a_fixed_result() -> None:
    """It can't be changed, and equals itself alone: arrays have no one equality."""
    one, other = (drift_of([0.0, 0.0]) for _ in range(2))

    with pytest.raises(FrozenInstanceError):
        one.weights = np.ones(2)  # type: ignore[misc]

    assert one != other


def drift_of(
    weights: list[float],
    sharpness: Sequence[float] = (),
    expansion: Sequence[float] = (),
    *,
    first_order: bool = True,
) -> Drift:
    """Create a Drift of given numbers, without those of a2 and the loss."""
    empty = np.zeros(0)
    numbers = (np.array(weights), empty, empty, np.array(sharpness))
    return Drift(*numbers, np.array(expansion), first_order)


@pytest.mark.parametrize(
    ("weights", "valid"),
    [
        ([0.0, 0.5, 1.0, 0.2], [True, True, True, True]),
        ([0.0, 0.5, 1.5, 0.2], [True, True, False, False]),
        ([0.0, np.nan, 0.1], [True, False, False]),
        ([0.0, np.inf, np.inf], [True, False, False]),
    ],
)
def test_drift_past_1_is_never_valid_again(
    weights: list[float], valid: list[bool]
) -> None:
    """What shrinks below 1 again has left the reach of first order all the same."""
    assert drift_of(weights).is_valid.tolist() == valid


@pytest.mark.parametrize(
    ("weights", "step"),
    [([0.0, 1.0, 1.0], None), ([0.0, 1.1, 0.2], 1), ([0.0, 0.5, np.nan], 2)],
)
def test_first_invalid_step(weights: list[float], step: int | None) -> None:
    """It is the first step at which D exceeds 1, or is no number."""
    assert drift_of(weights).first_invalid_step == step


# Why there is no bound.


NEVER, AT_3 = [0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.1, 0.2, 3.0, 9.0]
FLAT, STILL = [1.0, 1.0, 1.0, 1.0], [0.9, 0.9, 0.9, 0.9]


def test_valid_drift_has_no_reason() -> None:
    """Neither sharpness nor a saddle is a reason if D never exceeds 1."""
    assert drift_of(NEVER, [3.0] * 4, [1.5] * 4).reason == ""


@pytest.mark.parametrize(
    ("sharpness", "expansion", "cause"),
    [
        ([1.9, 2.034, 2.5, 1.0], STILL, ": lr times sharpness is 2.03 at step 1"),
        ([2.25, 1.0, 1.0, 1.0], STILL, ": lr times sharpness is 2.25 at step 0"),
        ([1.0, 1.0, 2.01, 1.0], [1.1] * 4, ": lr times sharpness is 2.01 at step 2"),
        ([1.0, 1.0, 1.0, 2.5], STILL, ""),
        ([2.0, 2.0, 2.0, 2.0], STILL, ""),
        (
            FLAT,
            [1.0, 1.2, 1.1, 1.3],
            ": a saddle, where differences grow, in steps 1 to 2",
        ),
        (
            FLAT,
            [1.2, 0.9, 1.1, 1.3],
            ": a saddle, where differences grow, in steps 0 to 2",
        ),
        (
            FLAT,
            [1.2, 1.1, 1.3, 1.0],
            ": a saddle, where differences grow, in steps 0 to 2",
        ),
        ([1.0, 1.0, 1.0, 9.0], [1.0, 1.0, 1.0, 9.0], ""),
    ],
    ids=[
        "sharpness passes 2",
        "it does so at once",
        "sharpness counts before a saddle",
        "sharpness after D has exceeded 1",
        "sharpness of 2 exactly",
        "a saddle",
        "a saddle with a gap",
        "a saddle of three steps",
        "all after D has exceeded 1",
    ],
)
def test_reason_of_an_unstable_run(
    sharpness: list[float], expansion: list[float], cause: str
) -> None:
    """The first step with a sharpness above 2 is named, else the steps of a saddle."""
    found = drift_of(AT_3, sharpness, expansion)

    assert found.reason == f"roundings can have grown past 1 by step 3{cause}"
    assert found.doubt == "unstable"


def test_unknown_z_is_no_instability() -> None:
    """Where z1 or z2 may be off by 1, sharpness is no reason."""
    found = drift_of(AT_3, [3.0] * 4, [1.5] * 4, first_order=False)

    assert found.doubt == "no bound"
    assert found.reason == (
        "roundings can have grown past 1 by step 3: "
        "they may have moved z1 or z2 by more than 1"
    )


def test_sharpness_is_lr_times_the_largest_eigenvalue_of_the_hessian() -> None:
    """Gradients at two places give the Hessian; expansion is 1 - its smallest."""
    problem = replace(random_problem(SIZE, "mse", 3), lr=5.0)
    trace, bars = trained(problem)

    found = drift(problem, bars)

    def gradient(weights: Weights[Array]) -> Array:
        arguments = (weights, problem.x, problem.y, problem.loss)
        _, gradients = numpy_manual.loss_and_gradients(*arguments)
        return np.array(flat(Weights(gradients.dw1, gradients.dw2)))

    hessians = [slopes(gradient, weights_at(trace, n)) for n in range(3)]
    spectra = [np.linalg.eigvalsh((h + h.T) / 2) for h in hessians]
    assert min(s.max() for s in spectra) > 0.01
    assert max(s.min() for s in spectra) < -0.001
    assert found.sharpness == near([5 * s.max() for s in spectra], 1e-6)
    assert found.expansion == near([1 - 5 * s.min() for s in spectra], 1e-6)


@pytest.mark.parametrize(
    ("factors", "first_order"),
    [(Weights(1e17, 1.0), False), (Weights(1e-3, 1e20), False), (Weights(1, 1), True)],
)
def test_drift_says_whether_z_is_known(
    factors: Weights[float],
    first_order: bool,  # noqa: FBT001
) -> None:
    """One step at which z1 or z2 may be off by 1 is enough."""
    problem = problem_of(steps=2)
    weights = Weights(
        *(
            np.stack((w, w * factor, w))
            for w, factor in zip(problem.weights, factors, strict=True)
        )
    )

    found = drift(problem, step_bars(problem, weights))

    assert found.first_order is first_order


# Many runs at once.


def are_equal(a: Drift, b: Drift) -> bool:
    """Compare two drifts bit for bit."""
    return all(map(np.array_equal, vars(a).values(), vars(b).values()))


def test_drifts_of_a_batch_are_those_of_each_problem_alone() -> None:
    """Bit for bit, whatever else is in the batch."""
    problems = [problem_of(seed=seed, lr=2.0, steps=700) for seed in (2, 3, 4)]
    batch = [trained(p)[1] for p in problems]

    together = list(drifts(problems[0], batch))

    alone = [drift(*each) for each in zip(problems, batch, strict=True)]
    assert all(map(are_equal, together, alone))
    assert not are_equal(together[0], together[1])
