"""Independent oracles and sample problems for the tests of `compare.numerics`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from flint import arb, arb_series, ctx

from compare.numerics.balls import BITS, Balls, ball_step, balls
from compare.numerics.equations import Step, run_lines
from impls import numpy_manual
from impls.interface import Array, Loss, Problem, Weights

NOTEBOOK_SIZE = (2, 2, 1, 4)  # n_x, n_h, n_y, m
SIZES = [NOTEBOOK_SIZE, (3, 4, 2, 5), (1, 3, 2, 3), (2, 1, 1, 1)]


def random_problem(
    size: tuple[int, int, int, int], loss: Loss, steps: int, dtype: str = "float64"
) -> Problem:
    """Draw inputs, labels between 0 and 1, and weights of a size."""
    n_x, n_h, n_y, m = size
    random = np.random.RandomState(sum(size))
    x, y = random.randn(n_x, m), random.rand(n_y, m)
    w1, w2 = random.randn(n_h, n_x), random.randn(n_y, n_h)
    x, y, w1, w2 = (array.astype(dtype) for array in (x, y, w1, w2))
    return Problem(x, y, Weights(w1, w2), 0.9, steps, loss)


def points(problem: Problem, every: int) -> list[Weights[Array]]:
    """Train by hand, and take the weights of every so many steps."""
    trace = numpy_manual.train(problem)
    return [
        Weights(*w) for w in zip(trace.w1[:-1:every], trace.w2[:-1:every], strict=True)
    ]


def flat(weights: Weights[Any]) -> list[Any]:
    """List all elements: w1, then w2."""
    return [*weights.w1.flat, *weights.w2.flat]


def overlap(left: Iterable[Any], right: Iterable[Any]) -> bool:
    """Return whether each pair of balls may hold the same number."""
    pairs = zip(left, right, strict=True)
    return all(a.is_finite() and b.is_finite() and a.overlaps(b) for a, b in pairs)


def off(numbers: Iterable[Any], relative: str) -> list[arb]:
    """Plant a relative error."""
    with ctx.workprec(1024):
        return [number * (1 + arb(relative)) for number in numbers]


def slopes(function: Callable[[Weights[Array]], Array], at: Weights[Array]) -> Array:
    """Differentiate by each of the P weights, by central differences: (..., P).

    The error is about 1e-10 of the largest derivative.
    """
    shape, cut = at.w1.shape, at.w1.size
    start = np.array(flat(at))
    h = 1e-5
    columns = []
    for step in h * np.eye(start.size):
        up, down = (
            function(Weights(w[:cut].reshape(shape), w[cut:].reshape(at.w2.shape)))
            for w in (start + step, start - step)
        )
        columns.append((up - down) / (2 * h))
    return np.stack(columns, axis=-1)


def float_step(problem: Problem) -> Step[Array]:
    """Run the lines on floats."""
    x, y, lr = problem.x, problem.y, problem.lr
    w1, w2 = problem.weights
    return run_lines(problem.loss, x=x, y=y, lr=lr, w1=w1, w2=w2)


def exact_step(
    problem: Problem, weights: Weights[Array], bits: int = BITS
) -> Step[Balls]:
    """Enclose every quantity of a step, from weights taken as exact."""
    with ctx.workprec(bits):
        return ball_step(problem, balls(weights.w1), balls(weights.w2))


def loss_alone(problem: Problem, w1: Balls, w2: Balls) -> Any:
    """Compute the loss as the contract states it, on balls or on power series."""
    x, y = balls(problem.x), balls(problem.y)
    a1 = 1 / (1 + np.exp(-(w1 @ x)))  # (n_h, m)
    a2 = 1 / (1 + np.exp(-(w2 @ a1)))  # (n_y, m)
    if problem.loss == "bce":
        return -(y * np.log(a2) + (1 - y) * np.log(1 - a2)).sum() / y.shape[-1]
    return ((a2 - y) * (a2 - y)).sum() / y.size


def loss_only_gradient(
    problem: Problem, weights: Weights[Array], bits: int = BITS
) -> Weights[Balls]:
    """Differentiate the loss without the chain rule.

    The loss at w + t e_k, as a power series in t, has d loss / d w_k as the coefficient
    of t: series are added, multiplied and put into exp and log, nothing is derived.

    Args:
        problem: Gives x, y and loss.
        weights: w1, shape (n_h, n_x), and w2, shape (n_y, n_h), taken as exact.
        bits: The precision, in bits. Where it does not tell a2 from 0 or from 1, the
            logarithm has no enclosure, and the derivatives are not finite.

    Returns:
        The derivatives, each in the place of its weight.
    """
    gradient = Weights(balls(weights.w1), balls(weights.w2))
    with ctx.workprec(bits):
        for place, derivatives in enumerate(gradient):
            for index in np.ndindex(derivatives.shape):
                moved = [balls(w) for w in weights]
                moved[place][index] = arb_series([moved[place].item(index), 1], 2)
                derivatives[index] = loss_alone(problem, *moved).item()[1]
    return gradient
