"""Independent oracles: one step in balls, and gradients from the loss alone."""

from typing import Any

import numpy as np
from flint import arb_series, ctx

from compare.numerics.balls import BITS, Balls, ball_step, balls
from compare.numerics.equations import Step
from impls.interface import Array, Problem, Weights


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
