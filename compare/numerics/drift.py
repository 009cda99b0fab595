"""How far apart two correct runs may be.

The error analysis of a recurrence (Higham, section 3.1), to first order: a step maps
the distance of two runs by I - lr H, where H is the Hessian of the loss, and the
roundings of both updates are added.
"""

from collections.abc import Iterable, Iterator, Sequence
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
"""How many elements of Hessians are in memory at once, if one stretch has no more."""
STRETCH = 100
"""The length of a stretch of steps: the root of the steps of a usual run."""
FLIP = 2.0
"""Sharpness above which 1 - sharpness is below -1, so that a difference grows."""


class Updates(NamedTuple):
    """The derivatives of B updates of R runs, and their extreme eigenvalues.

    Attributes:
        jacobian: I - lr H, shape (B, R, P, P).
        smallest: The smallest eigenvalue of each, shape (B, R).
        largest: The largest eigenvalue of each, shape (B, R).
    """

    jacobian: Array
    smallest: Array
    largest: Array

    @property
    def norm(self) -> Array:
        """The 2-norms of these symmetric matrices, shape (B, R)."""
        return np.maximum(abs(self.smallest), abs(self.largest))


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


_NONE = np.empty(0)
NO_DRIFT = Drift(_NONE, _NONE, _NONE, _NONE, _NONE, first_order=True)
"""The drift of no steps."""


def drifts(problem: Problem, batch: Sequence[Step[Bar]]) -> Iterator[Drift]:
    """Bound the drift near the runs of many problems: the loop over steps is made once.

    Args:
        problem: One of them: they differ in their weights only.
        batch: For each problem, the error bars of a run, at all of its weights.
    """
    steps = [values(bars) for bars in batch]
    error = [2 * update_error(problem, bars) for bars in batch]
    followed = weight_drift(update_jacobians(problem, steps), np.stack(error, axis=1))
    columns = (rows.T.copy() for rows in followed)
    for run in zip(batch, steps, *columns, strict=True):
        yield _drift_of(problem, *run)


@np.errstate(over="ignore", invalid="ignore")  # an unstable run has no bound
def _drift_of(
    problem: Problem,
    bars: Step[Bar],
    step: Step[Array],
    weights: Array,
    smallest: Array,
    largest: Array,
) -> Drift:
    """Follow from the distance of the weights to those of a2 and of the loss."""
    slope = step.a2 * (1 - step.a2) * np.linalg.norm(jacobian(step), axis=-1)
    descent = norm(step.dw1, step.dw2)
    return Drift(
        weights,
        slope * weights[:, None, None] + 2 * end_to_end_bound(problem, "a2", bars),
        descent * weights + 2 * end_to_end_bound(problem, "loss", bars),
        1 - smallest,
        largest,
        bool(is_first_order(bars, problem.x.dtype).all()),
    )


@np.errstate(all="ignore")  # an unstable run has no bound
def weight_drift(
    blocks: Iterable[Updates], rounding: Array
) -> tuple[Array, Array, Array]:
    """Follow the distances of the weights of two runs from step to step.

    A distance is bounded twice: as a number, which grows by the 2-norm of each step,
    and as an ellipsoid around the difference, which keeps its directions. The smaller
    bound counts.

    Args:
        blocks: The N updates of R runs, in blocks.
        rounding: What the roundings of both updates add, shape (N + 1, R).

    Returns:
        The bounds before each step and after the last, shape (N + 1, R), and those of
        the eigenvalues of each update, smallest and largest, shape (N, R).
    """
    distances, smallest, largest = [np.zeros(rounding.shape[1])], [], []
    ellipsoid: Array | None = None
    for block in blocks:
        smallest.append(block.smallest)
        largest.append(block.largest)
        if ellipsoid is None:
            ellipsoid = np.zeros_like(block.jacobian[0])
        radii = rounding[len(distances) - 1 : -1][: len(block.jacobian)]
        roots, ellipsoid = follow_ellipsoid(ellipsoid, block.jacobian, radii)
        for growth, radius, root in zip(block.norm, radii, roots, strict=True):
            distances.append(np.fmin(growth * distances[-1] + radius, root))
    return np.array(distances), np.concatenate(smallest), np.concatenate(largest)


def follow_ellipsoid(
    start: Array, jacobian: Array, radius: Array
) -> tuple[Array, Array]:
    """Follow ellipsoids through B updates, each of which adds a ball.

    An ellipsoid Q, shape (P, P), holds the points d with v.d <= sqrt(v.Q.v) for all v.
    An update J maps it to J Q J.T. No point of it is longer than the root of its trace.

    The updates are cut into stretches. The balls are followed from the beginning of
    each stretch, in all stretches at once; then the ellipsoid, from stretch to stretch.
    Two short loops take less time than a long one.

    Args:
        start: The ellipsoids of R runs before the updates, shape (R, P, P).
        jacobian: The derivatives of the updates, shape (B, R, P, P).
        radius: The radii of the balls, shape (B, R).

    Returns:
        The root of the trace after each update, shape (B, R), and the last ellipsoids.
    """
    identity = np.eye(jacobian.shape[-1])
    length = min(stretch(len(identity)), len(jacobian))
    updates = _stretches(length, jacobian, identity)
    radii = _stretches(length, radius, 0)
    product, balls = identity, np.zeros_like(start)
    products, roots = [], []
    for j, r in zip(updates, radii, strict=True):
        product = j @ product
        balls = enclose_sums(j @ balls @ j.mT, r[..., None, None] ** 2 * identity)
        products.append(product)
        roots.append(root_of_trace(balls))
    found = []
    for moves, root, ball in zip(
        np.stack(products, axis=1), np.stack(roots, axis=1), balls, strict=True
    ):
        moved = moves @ start @ moves.mT
        found.append(root_of_trace(moved) + root)
        start = enclose_sums(moved[-1], ball)
    return np.concatenate(found)[: len(jacobian)], start


def stretch(weights: int) -> int:
    """Return how many steps are a stretch, for P weights: fewer for large networks.

    It does not depend on how many runs there are, so that each has the same bits alone.
    """
    return max(1, min(STRETCH, NUMBERS // (10 * weights**2)))


def _stretches(length: int, steps: Array, rest: Array | float) -> Array:
    """Cut steps into stretches of one length, and fill the last one up.

    Returns:
        Shape (length, stretches, ...): the first steps of all stretches, and so on.
    """
    filled = np.empty((-(-len(steps) // length) * length, *steps.shape[1:]))
    filled[: len(steps)], filled[len(steps) :] = steps, rest
    return filled.reshape(-1, length, *steps.shape[1:]).swapaxes(0, 1)


def enclose_sums(first: Array, second: Array) -> Array:
    """Enclose all sums of a point of one ellipsoid and a point of another.

    Since (a + b)^2 <= (1 + p) a^2 + (1 + 1/p) b^2 for all p > 0, each of these holds
    the sums: (1 + p) Q + (1 + 1/p) R. Let a^2 and b^2 be the traces of Q and R. Then
    p = b / a gives (a + b) (Q / a + R / b), whose trace is the least: (a + b)^2 (see
    Kurzhanski and Valyi, "Ellipsoidal Calculus for Estimation and Control", 1997, part
    II).

    Args:
        first: Ellipsoids, shape (..., P, P).
        second: Ellipsoids of the same shape.
    """
    a, b = (root_of_trace(each)[..., None, None] for each in (first, second))
    least = np.finfo(a.dtype).tiny  # the root is 0 where all numbers are
    both: Array = first / np.fmax(a, least) + second / np.fmax(b, least)
    return (a + b) * both


def root_of_trace(ellipsoid: Array) -> Array:
    """Bound the distance of the farthest point of ellipsoids from 0: (..., P, P)."""
    root: Array = np.sqrt(np.einsum("...ii->...", ellipsoid))
    return root


def update_error(problem: Problem, bars: Step[Bar]) -> Array:
    """Bound the 2-norm of the error of each update, shape (N + 1,)."""
    dtype = problem.x.dtype
    error = unit_roundoff(dtype) * norm(bars.new_w1.bar, bars.new_w2.bar)
    return np.where(is_first_order(bars, dtype), error, np.inf)


def update_jacobians(
    problem: Problem, batch: Sequence[Step[Array]]
) -> Iterator[Updates]:
    """Differentiate each update w -> w - lr dw by the weights, as many as NUMBERS says.

    Args:
        problem: Gives lr, loss and the sizes.
        batch: The steps of a run of each problem.
    """
    size = sum(w.size for w in problem.weights)
    length = stretch(size)
    chunk = max(1, NUMBERS // (len(batch) * size**2 * length)) * length
    for first in range(0, problem.steps, chunk):
        part = slice(first, min(first + chunk, problem.steps))
        hessians = [hessian(step[part], problem.loss) for step in batch]
        jacobian = -problem.lr * np.stack(hessians, axis=1)
        np.einsum("nrii->nri", jacobian)[:] += 1  # I - lr H
        finite = np.isfinite(jacobian).all(axis=(-2, -1), keepdims=True)
        eigenvalues = np.linalg.eigvalsh(np.where(finite, jacobian, 0))  # ascending
        eigenvalues[~finite[..., 0, 0]] = np.nan  # no bound follows from them
        yield Updates(jacobian, eigenvalues[..., 0], eigenvalues[..., -1])


@np.errstate(over="ignore")  # a sum of squares may exceed all numbers: inf is right
def norm(w1: Array, w2: Array) -> Array:
    """Return the 2-norm of both weight arrays together, shape (N,)."""
    squares: Array = (w1**2).sum(axis=(-2, -1)) + (w2**2).sum(axis=(-2, -1))
    return np.sqrt(squares)
