"""The second derivatives of the loss by the weights, for the growth of a drift.

With s = a1 (1 - a1), the derivatives of an output's z2_i for one sample are

    d z2_i / d w2_ij = a1_j
    d z2_i / d w1_jl = w2_ij s_j x_l
    d2 z2_i / d w2_ij d w1_jl = s_j x_l
    d2 z2_i / d w1_jl d w1_jp = w2_ij s_j (1 - 2 a1_j) x_l x_p

and all others are zero. The chain rule, applied twice to the loss as a function of z2,
gives H = sum of J^T J d2 loss / d z2^2 + sum of dz2 d2 z2. Weights are in the order w1,
w2, each row by row.
"""

from typing import Any

import numpy as np

from compare.numerics.equations import Step, matmul
from impls.interface import Array, Loss


def jacobian(step: Step[Any]) -> Array:
    """Differentiate z2 by all P weights: shape (N, n_y, m, P)."""
    s = step.a1 * (1 - step.a1)  # (N, n_h, m)
    by_z1 = step.w2[:, :, None] * s.mT[:, None]  # (N, n_y, m, n_h)
    by_w1 = by_z1[..., None] * step.x.T[:, None]  # (N, n_y, m, n_h, n_x)
    head, outputs = by_z1.shape[:3], np.arange(len(step.y))
    by_w2 = np.zeros_like(by_z1, shape=(*head, len(step.y), s.shape[1]))
    by_w2[:, outputs, :, outputs] = step.a1.mT  # each output has its own row of w2
    return np.concatenate((by_w1.reshape(*head, -1), by_w2.reshape(*head, -1)), axis=-1)


def hessian(step: Step[Any], loss: Loss) -> Array:
    """Compute the Hessian at each of N steps.

    Args:
        step: Of N steps, in floats or in balls.
        loss: Which loss.

    Returns:
        Shape (N, P, P).
    """
    slope = step.a2 * (1 - step.a2)  # (N, n_y, m)
    if loss == "bce":
        bend = slope / step.y.shape[-1]
    else:
        bend = (
            2 * slope * (slope + (step.a2 - step.y) * (1 - 2 * step.a2)) / step.y.size
        )
    j = jacobian(step)
    steps, weights = len(j), j.shape[-1]
    flat = j.reshape(steps, -1, weights)
    h: Array = flat.mT @ (bend.reshape(steps, -1, 1) * flat)

    s = step.a1 * (1 - step.a1)  # (N, n_h, m)
    bent = (step.w2.mT @ step.dz2) * s * (1 - 2 * step.a1)
    n_h, n_x, n_y = s.shape[1], len(step.x), len(step.y)
    n1, units = n_h * n_x, np.arange(n_h)
    squares = (step.x[:, None] * step.x).reshape(n_x * n_x, -1)  # x_l x_p
    # Weights of two hidden units have no second derivative of z2: of both axes of
    # units, only the diagonal is not zero.
    h11 = np.zeros_like(h, shape=(steps, n_h, n_x, n_h, n_x))
    h12 = np.zeros_like(h, shape=(steps, n_h, n_x, n_y, n_h))
    h11[:, units, :, units] = (
        matmul(bent, squares.T).reshape(steps, n_h, n_x, n_x).swapaxes(0, 1)
    )
    h12[:, units, :, :, units] = (
        matmul(s[:, :, None] * step.dz2[:, None], step.x.T)
    ).transpose(1, 0, 3, 2)
    h12 = h12.reshape(steps, n1, -1)
    h[:, :n1, :n1] += h11.reshape(steps, n1, n1)
    h[:, :n1, n1:] += h12
    h[:, n1:, :n1] += h12.mT
    return h
