"""How far apart two correct runs may be.

The error analysis of a recurrence (Higham, section 3.1), to first order: a step maps
the distance of two runs by I - lr H, where H is the Hessian of the loss, and the
roundings of both updates are added.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar, unit_roundoff, values
from compare.numerics.hessian import hessian, jacobian
from compare.numerics.rounding import end_to_end_bound, is_first_order
from impls.interface import Array, Problem

NUMBERS = 1_000_000
"""How many elements of Hessians are in memory at once, if one step has no more."""


@dataclass(frozen=True, eq=False)
class Drift:
    """D, how far apart two correct runs may be before each update and after the last.

    Attributes:
        weights: A bound on the 2-norm of the difference of all weights, (N + 1,).
        a2: A bound on the difference of each probability, (N + 1, n_y, m).
        loss: A bound on the difference of the loss, (N + 1,).
    """

    weights: Array
    a2: Array
    loss: Array

    @property
    def is_valid(self) -> npt.NDArray[np.bool_]:
        """True until D of the weights first exceeds 1, shape (N + 1,).

        Bounds of first order say nothing after that.
        """
        return np.logical_and.accumulate(self.weights <= 1)


def drift(problem: Problem, bars: Step[Bar]) -> Drift:
    """Bound the distance of two correct runs, near the weights of one of them.

    Args:
        problem: Gives x, y, lr, loss and dtype.
        bars: From `step_bars`, at the N + 1 weights of a run of N steps.
    """
    step = values(bars)
    weights = weight_drift(problem, bars)
    slope = step.a2 * (1 - step.a2) * np.linalg.norm(jacobian(step), axis=-1)
    descent = norm(step.dw1, step.dw2)
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable run has no bound
        a2 = slope * weights[:, None, None]
        loss = descent * weights
    return Drift(
        weights,
        a2 + 2 * end_to_end_bound(problem, "a2", bars),
        loss + 2 * end_to_end_bound(problem, "loss", bars),
    )


@np.errstate(over="ignore", invalid="ignore")  # an unstable run has no bound
def weight_drift(problem: Problem, bars: Step[Bar]) -> Array:
    """Follow the distance of the weights of two runs from step to step.

    The distance is bounded twice: as a number, which grows by the 2-norm of each step,
    and as an ellipsoid around the difference, which keeps its directions. The smaller
    bound counts.

    Args:
        problem: Gives x, y, lr, loss, dtype and the number of steps N.
        bars: From `step_bars`.

    Returns:
        The bounds before each step and after the last, shape (N + 1,).
    """
    rounding = 2 * update_error(problem, bars)
    size = sum(w.size for w in problem.weights)
    distances = [0.0]
    ellipsoid: Array = np.zeros((size, size))
    for n, (matrix, growth) in enumerate(update_jacobians(problem, values(bars))):
        stretched = growth * distances[-1] + rounding[n]
        ellipsoid = widen(matrix @ ellipsoid @ matrix.T, rounding[n])
        distances.append(np.fmin(stretched, np.sqrt(ellipsoid.trace())))
    return np.array(distances)


def update_error(problem: Problem, bars: Step[Bar]) -> Array:
    """Bound the 2-norm of the error of each update, shape (N + 1,)."""
    dtype = problem.x.dtype
    error = unit_roundoff(dtype) * norm(bars.new_w1.bar, bars.new_w2.bar)
    return np.where(is_first_order(bars, dtype), error, np.inf)


def update_jacobians(
    problem: Problem, step: Step[Array]
) -> Iterator[tuple[Array, float]]:
    """Differentiate each update w -> w - lr dw by the weights.

    Yields:
        I - lr H, shape (P, P), and its 2-norm.
    """
    size = sum(w.size for w in problem.weights)
    chunk = max(1, NUMBERS // size**2)
    for first in range(0, problem.steps, chunk):
        last = min(first + chunk, problem.steps)
        h = hessian(step[first:last], problem.loss)
        jacobians = np.eye(h.shape[-1]) - problem.lr * h
        norms = abs(np.linalg.eigvalsh(jacobians)).max(axis=-1)
        yield from zip(jacobians, norms, strict=True)


def widen(ellipsoid: Array, radius: float) -> Array:
    """Enclose all sums of a point of an ellipsoid and a point of a ball.

    An ellipsoid Q, shape (P, P), holds the points d with v.d <= sqrt(v.Q.v) for all v.
    Since (a + b)^2 <= (1 + p) a^2 + (1 + 1/p) b^2 for all p > 0, each of these holds
    the sums: (1 + p) Q + (1 + 1/p) r^2 I. This function takes the p that gives the
    least trace (Kurzhanski and Valyi, "Ellipsoidal Calculus for Estimation and
    Control", 1997, part II).
    """
    size = len(ellipsoid)
    a, b = np.sqrt(ellipsoid.trace()), radius * np.sqrt(size)
    widened = ellipsoid * (1 + b / a) if a else np.zeros_like(ellipsoid)
    widened.flat[:: size + 1] += (1 + a / b) * radius**2 if b else 0
    return widened


@np.errstate(over="ignore")  # a sum of squares may exceed all numbers: inf is right
def norm(w1: Array, w2: Array) -> Array:
    """Return the 2-norm of both weight arrays together, shape (N,)."""
    squares: Array = (w1**2).sum(axis=(-2, -1)) + (w2**2).sum(axis=(-2, -1))
    return np.sqrt(squares)
