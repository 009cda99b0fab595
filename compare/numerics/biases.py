"""Biases, read off the probabilities of a network that should have none."""

import numpy as np

from compare.numerics.equations import sigmoid
from impls.interface import Array, Weights

ITERATIONS = 200
STARTS = 16
"""From so many biases a fit is tried: from most of them it ends in a local minimum."""
LARGEST_BIAS = 10.0
"""A unit with a larger one is nearly constant: it may be masked instead."""
SMALLEST, LARGEST = 1e-18, 1e18
"""The damping stays between these, relative to the diagonal."""


def is_identifiable(weights: Weights[Array], x: Array) -> bool:
    """Return whether there are more probabilities than biases, so that a fit proves."""
    n_y, n_h = weights.w2.shape
    return bool(n_y * x.shape[-1] > n_h + n_y)


@np.errstate(all="ignore")  # a number that is not finite fits nothing
def with_fitted_biases(weights: Weights[Array], x: Array, a2: Array) -> Array:
    """Return the probabilities of the network with the biases that fit `a2` best.

    If the network has biases, the same in all steps, the result is `a2` to rounding,
    unless only local minima were found.

    Args:
        weights: w1, shape (*steps, n_h, n_x), and w2, shape (*steps, n_y, n_h).
        x: The inputs, shape (n_x, m).
        a2: The probabilities, shape (*steps, n_y, m).
    """
    w1, w2, x, a2 = (a.astype(np.float64) for a in (*weights, x, a2))
    network: Weights[Array] = Weights(w1, w2)
    units = np.arange(sum(w2.shape[-2:]))
    starts = (np.sin(k * (1 + units)) for k in range(STARTS))
    fits = [_fit(network, x, np.log(a2) - np.log1p(-a2), start) for start in starts]
    return min(fits, key=lambda fitted: float(abs(fitted - a2).max()))


def _fit(weights: Weights[Array], x: Array, logits: Array, start: Array) -> Array:
    """Fit biases to logits by Levenberg and Marquardt's method, from a start.

    Source: Nocedal and Wright, "Numerical Optimization" (2nd edition, 2006), section
    10.3.
    """
    (w1, w2), m = weights, x.shape[-1]
    *steps, n_y, n_h = w2.shape

    def network(biases: Array) -> tuple[Array, Array]:
        a1 = sigmoid(w1 @ x + biases[:n_h, None])
        return a1, w2 @ a1 + biases[n_h:, None]

    biases, damping = start, 1e-3
    a1, z2 = network(biases)
    own = np.broadcast_to(np.eye(n_y)[:, None, :], (*steps, n_y, m, n_y))
    for _ in range(ITERATIONS if np.isfinite(logits).all() else 0):
        slope = w2[..., None, :] * (a1 * (1 - a1)).mT[..., None, :, :]
        jacobian = np.concatenate([slope, own], axis=-1).reshape(-1, n_h + n_y)
        misfit = (logits - z2).ravel()
        size = np.sqrt(damping * ((jacobian**2).sum(axis=0) + np.finfo(float).tiny))
        rows = np.concatenate([jacobian, np.diag(size)])
        target = np.concatenate([misfit, np.zeros(n_h + n_y)])
        change, *_ = np.linalg.lstsq(rows, target)
        tried = network(biases + change)
        nearer = ((logits - tried[1]) ** 2).sum() < (misfit**2).sum()
        if nearer and abs(biases + change).max() <= LARGEST_BIAS:
            biases = biases + change
            a1, z2 = tried
            damping = max(damping / 10, SMALLEST)
        elif damping == LARGEST:
            break
        else:
            damping = min(damping * 10, LARGEST)
    fitted: Array = sigmoid(z2)
    return fitted
