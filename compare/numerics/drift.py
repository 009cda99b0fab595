"""How far apart two correct runs may be.

The error analysis of a recurrence (Higham, section 3.1), to first order: a step maps
the distance of two runs by I - lr H, where H is the Hessian of the loss, and the
roundings of both updates are added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar, unit_roundoff, values
from compare.numerics.hessian import hessian, jacobian
from compare.numerics.rounding import end_to_end_bound, is_first_order
from impls.interface import Array, Problem

NUMBERS = 1_000_000
"""How many elements of Hessians are in memory at once, if one step has no more."""


FLIP = 2.0
"""Sharpness above which 1 - sharpness is below -1, so that a difference grows."""


class Update(NamedTuple):
    """The derivative of an update by the weights, and its extreme eigenvalues."""

    jacobian: Array  # I - lr H, (P, P)
    smallest: float
    largest: float

    @property
    def norm(self) -> float:
        """The 2-norm of the symmetric matrix."""
        return max(abs(self.smallest), abs(self.largest))


@dataclass(frozen=True, eq=False)
class Drift:
    """D, how far apart two correct runs may be before each update and after the last.

    Attributes:
        weights: A bound on the 2-norm of the difference of all weights, (N + 1,).
        a2: A bound on the difference of each probability, (N + 1, n_y, m).
        loss: A bound on the difference of the loss, (N + 1,).
        sharpness: lr times the largest eigenvalue of the Hessian, (N,). Above 2, a step
            leads farther up the other side of a valley: differences flip and grow.
        expansion: The largest eigenvalue of I - lr H, (N,). Above 1 the loss bends
            downwards in a direction, as at a saddle: differences grow along it.
        first_order: Whether bounds of first order hold at every step.
    """

    weights: Array
    a2: Array
    loss: Array
    sharpness: Array
    expansion: Array
    first_order: bool

    @property
    def is_valid(self) -> npt.NDArray[np.bool_]:
        """True until D of the weights first exceeds 1, shape (N + 1,).

        Bounds of first order say nothing after that.
        """
        return np.logical_and.accumulate(self.weights <= 1)

    @property
    def first_invalid_step(self) -> int | None:
        """The first step at which D of the weights exceeds 1; None if it never does."""
        return None if self.is_valid.all() else int(np.argmin(self.is_valid))

    @property
    def doubt(self) -> Literal["no bound", "unstable"]:
        """Why there is no bound after the first invalid step.

        "unstable" if training amplifies rounding, step by step, beyond all bounds.
        """
        return "unstable" if self.first_order else "no bound"

    @property
    def reason(self) -> str:
        """The same as text, with the step and the cause; "" if D is always valid.

        Source: Cohen, Kaur, Li, Kolter and Talwalkar, "Gradient descent on neural
        networks typically occurs at the edge of stability", ICLR 2021.
        """
        last = self.first_invalid_step
        if last is None:
            return ""
        head = f"roundings can have grown past 1 by step {last}"
        if not self.first_order:
            return f"{head}: they may have moved z1 or z2 by more than 1"
        flips = np.flatnonzero(self.sharpness[:last] > FLIP)
        if flips.size:
            step = int(flips[0])
            value = self.sharpness[step]
            return f"{head}: lr times sharpness is {value:.2f} at step {step}"
        saddle = np.flatnonzero(self.expansion[:last] > 1)
        if saddle.size:
            steps = f"steps {saddle[0]} to {saddle[-1]}"
            return f"{head}: a saddle, where differences grow, in {steps}"
        return head


def drift(problem: Problem, bars: Step[Bar]) -> Drift:
    """Bound the distance of two correct runs, near the weights of one of them.

    Args:
        problem: Gives x, y, lr, loss and dtype.
        bars: From `step_bars`, at the N + 1 weights of a run of N steps.
    """
    step = values(bars)
    updates = [*update_jacobians(problem, step)]
    weights = weight_drift(updates, 2 * update_error(problem, bars))
    slope = step.a2 * (1 - step.a2) * np.linalg.norm(jacobian(step), axis=-1)
    descent = norm(step.dw1, step.dw2)
    with np.errstate(over="ignore", invalid="ignore"):  # an unstable run has no bound
        a2 = slope * weights[:, None, None]
        loss = descent * weights
    return Drift(
        weights,
        a2 + 2 * end_to_end_bound(problem, "a2", bars),
        loss + 2 * end_to_end_bound(problem, "loss", bars),
        np.array([1 - update.smallest for update in updates]),
        np.array([update.largest for update in updates]),
        bool(is_first_order(bars, problem.x.dtype).all()),
    )


@np.errstate(over="ignore", invalid="ignore")  # an unstable run has no bound
def weight_drift(updates: Sequence[Update], rounding: Array) -> Array:
    """Follow the distance of the weights of two runs from step to step.

    The distance is bounded twice: as a number, which grows by the 2-norm of each step,
    and as an ellipsoid around the difference, which keeps its directions. The smaller
    bound counts.

    Args:
        updates: The derivative of each update.
        rounding: What the roundings of both updates add, shape (N + 1,).

    Returns:
        The bounds before each step and after the last, shape (N + 1,).
    """
    distances = [0.0]
    ellipsoid: Array = np.zeros_like(updates[0].jacobian)
    for update, radius in zip(updates, rounding[:-1], strict=True):
        stretched = update.norm * distances[-1] + radius
        ellipsoid = widen(update.jacobian @ ellipsoid @ update.jacobian.T, radius)
        distances.append(np.fmin(stretched, np.sqrt(ellipsoid.trace())))
    return np.array(distances)


def update_error(problem: Problem, bars: Step[Bar]) -> Array:
    """Bound the 2-norm of the error of each update, shape (N + 1,)."""
    dtype = problem.x.dtype
    error = unit_roundoff(dtype) * norm(bars.new_w1.bar, bars.new_w2.bar)
    return np.where(is_first_order(bars, dtype), error, np.inf)


def update_jacobians(problem: Problem, step: Step[Array]) -> Iterator[Update]:
    """Differentiate each update w -> w - lr dw by the weights."""
    size = sum(w.size for w in problem.weights)
    chunk = max(1, NUMBERS // size**2)
    for first in range(0, problem.steps, chunk):
        last = min(first + chunk, problem.steps)
        h = hessian(step[first:last], problem.loss)
        jacobians = np.eye(h.shape[-1]) - problem.lr * h
        eigenvalues = np.linalg.eigvalsh(jacobians)  # in ascending order
        yield from map(Update, jacobians, eigenvalues[:, 0], eigenvalues[:, -1])


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
