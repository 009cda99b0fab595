"""The exact run: where real arithmetic, which rounds nothing, would have gone.

Running the steps on balls fails: a box around the weights, turned by each step and
boxed again, grows without need (the wrapping effect). Lohner's method keeps the set of
possible errors in a frame that turns with them. With F for one step, w -> w - lr dw,
and I - lr H for its derivative, enclosed on all of the set,

    F(mid + frame e) is in F(mid) + (I - lr H) frame e      (mean value theorem)

and the next frame is the orthogonal factor of (I - lr H) frame. Each term is computed
in ball arithmetic, so the enclosure is proved: in any frame, and in this it is tight.

Sources: Lohner, "Enclosing the solutions of ordinary initial and boundary value
problems", in "Computerarithmetic" (1987); Nedialkov, Jackson and Corliss, "Validated
solutions of initial value problems for ordinary differential equations", Applied
Mathematics and Computation 105 (1999), section 6; Tucker, "Validated Numerics" (2011).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb_mat, ctx

from compare.numerics.balls import BITS, Balls, above, ball_step, split
from compare.numerics.equations import Step
from compare.numerics.hessian import hessian
from impls.interface import Array, Problem

TARGET = 1e-28
"""How far from the truth an exact run may be, anywhere."""
LIMIT = 1024
"""The highest precision tried, in bits."""


class PrecisionLimitError(ArithmeticError):
    """The exact run is not known as well as was asked for."""


@dataclass(frozen=True, eq=False)
class ErrorSet:
    """All mid + frame @ e with e in the box; P weights in the order w1, w2, by rows.

    Attributes:
        mid: Exact, shape (P, 1).
        frame: Exact and invertible, shape (P, P).
        box: Balls about 0, shape (P, 1).
    """

    mid: arb_mat
    frame: arb_mat
    box: arb_mat


@dataclass(frozen=True, eq=False)
class ExactRun:
    """Enclosures along the exact run of N steps; the step is the first axis.

    Index n is before update n, as in `Trace`; index N is after the last update. The
    loss and the probabilities are known there too: one row more than a trace has.
    `numerics.balls.split` turns balls into floats.
    """

    w1: Balls  # (N + 1, n_h, n_x)
    w2: Balls  # (N + 1, n_y, n_h)
    a2: Balls  # (N + 1, n_y, m)
    loss: Balls  # (N + 1,)
    bits: int
    radius: float  # of the widest ball

    def path(self) -> dict[str, Array]:
        """Round to long doubles, laid out as `checks.parity.path` lays out a run."""
        loss = self.loss[:-1].view(Balls)
        steps = {"loss": loss, "w1": self.w1, "w2": self.w2, "a2": self.a2}
        halves = {name: split(balls) for name, balls in steps.items()}
        return {name: s.hi.astype(np.longdouble) + s.lo for name, s in halves.items()}


def start(problem: Problem) -> ErrorSet:
    """Begin at the problem's weights, which are exact."""
    flat = np.concatenate([w.ravel() for w in problem.weights])
    size = len(flat)
    identity = arb_mat(np.eye(size).tolist())
    return ErrorSet(arb_mat(size, 1, flat.tolist()), identity, arb_mat(size, 1))


def orthonormal(spread: arb_mat) -> arb_mat:
    """Choose the next frame: near-orthogonal directions, by QR in floats."""
    columns = np.array(spread.tolist(), np.float64)
    return arb_mat(np.linalg.qr(columns / abs(columns).max()).Q.tolist())


def advance(old: ErrorSet, image: arb_mat, slope: arb_mat) -> ErrorSet:
    """Enclose F(w) for all w in a set.

    Args:
        old: The set.
        image: Encloses F(mid), shape (P, 1).
        slope: Encloses I - lr H on the whole set, shape (P, P).
    """
    mid, spread = image.mid(), slope * old.frame
    frame = orthonormal(spread)
    inverse = frame.inv()
    box = (inverse * spread) * old.box + inverse * (image - mid)
    return ErrorSet(mid, frame, box)


def radius(quantity: Balls) -> float:
    """Find the widest radius in an array of any shape; infinite if one is unknown."""
    return max(above(ball.rad()) for ball in np.ravel(quantity))


def evaluate(problem: Problem, errors: ErrorSet) -> Step[Balls]:
    """Run the lines twice at once: leading index 0 is `mid`, 1 is the whole set."""
    points = errors.mid.entries(), (errors.mid + errors.frame * errors.box).entries()
    flat = np.array(points).view(Balls)  # (2, P)
    w1, w2 = problem.weights
    return ball_step(
        problem,
        flat[:, : w1.size].reshape(2, *w1.shape).view(Balls),
        flat[:, w1.size :].reshape(2, *w2.shape).view(Balls),
    )


def follow(problem: Problem, errors: ErrorSet, step: Step[Balls]) -> ErrorSet:
    """Make one step with a whole set; `step` is the result of `evaluate` for it."""
    h = hessian(step[1:], problem.loss)[0]
    image = [*step.new_w1[0].flat, *step.new_w2[0].flat]
    slope = np.eye(len(image)) - step.lr * h
    return advance(errors, arb_mat(len(image), 1, image), arb_mat(slope.tolist()))


def enclose(
    problem: Problem, bits: int, target: float, notify: Callable[[int], object]
) -> ExactRun:
    """Enclose the run at one precision, or give up where it is not enough."""
    columns = []
    widest = 0.0
    with ctx.workprec(bits):
        errors = start(problem)
        for step in range(problem.steps + 1):
            at = evaluate(problem, errors)
            known = at.w1[1], at.w2[1], at.a2[1], at.loss[1]
            widest = max(widest, *(radius(quantity) for quantity in known))
            if widest > target:
                message = (
                    f"at step {step}, {bits} bits give the exact run to within"
                    f" {widest:.1e} only, and {target:.1e} was asked for"
                )
                raise PrecisionLimitError(message)
            columns.append(known)
            errors = follow(problem, errors, at)
            notify(step)
    w1, w2, a2, loss = (np.array(c).view(Balls) for c in zip(*columns, strict=True))
    return ExactRun(w1, w2, a2, loss, bits, widest)


def exact_run(
    problem: Problem,
    *,
    target: float = TARGET,
    notify: Callable[[int], object] = lambda _: None,
) -> ExactRun:
    """Enclose the exact run, with twice the bits as often as it takes.

    Args:
        problem: One network, without leading axes. Its numbers are taken as exact; for
            the learning rate see `numerics.balls.ball_step`.
        target: The widest radius allowed, at any step, for any weight, probability or
            loss.
        notify: Called with the number of each step reached: from 0 to N, and from 0
            again when the precision rises.

    Raises:
        PrecisionLimitError: Even `LIMIT` bits leave a wider radius than `target`.
    """
    bits = BITS
    while True:
        try:
            return enclose(problem, bits, target, notify)
        except PrecisionLimitError:
            bits *= 2
            if bits > LIMIT:
                raise
