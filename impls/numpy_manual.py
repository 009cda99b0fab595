"""The network in NumPy, differentiated by hand.

Nobody does the work for us: the chain rule is applied on paper, one equation of the
forward pass after the other, from the loss back to the weights. Each line of
`differentiate` that begins with d is one such application. Read this file first: in the
other two a framework does what is done by hand here.
"""

import numpy as np

from impls.interface import (
    Activations,
    Array,
    Gradients,
    Loss,
    Problem,
    Trace,
    Weights,
)


def sigmoid(z: Array) -> Array:
    """Compute 1 / (1 + exp(-z)), for any shape."""
    with np.errstate(over="ignore"):  # exp becomes inf, and 1 / inf is right: 0
        a: Array = 1 / (1 + np.exp(-z))
    return a


def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
    """See `Implementation.forward`."""
    z1 = weights.w1 @ x  # (*runs, n_h, m)
    a1 = sigmoid(z1)
    z2 = weights.w2 @ a1  # (*runs, n_y, m)
    a2 = sigmoid(z2)
    return Activations(z1, a1, z2, a2)


def cost(z2: Array, a2: Array, y: Array, loss: Loss) -> Array:
    """Compute the mean loss, shape (*runs,).

    1 - a2 cancels as a2 nears 1, and log(1 - a2) is -inf once a2 has rounded to 1.
    There log(a2) - z2 is the same number, since a2 / (1 - a2) = exp(z2), and does not
    cancel. Likewise log(a2) is log(1 - a2) + z2 as a2 nears 0.
    """
    if loss == "bce":
        b2 = 1 - a2
        log_a2 = np.log(np.where(z2 > -1, a2, b2)) + np.where(z2 > -1, 0, z2)
        log_b2 = np.log(np.where(z2 < 1, b2, a2)) - np.where(z2 < 1, 0, z2)
        terms, count = -(y * log_a2 + (1 - y) * log_b2), y.shape[-1]
    else:
        terms, count = (a2 - y) ** 2, y.size
    value: Array = terms.sum(axis=(-2, -1)) / count
    return value


def differentiate(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Activations[Array], Gradients[Array]]:
    """Compute the loss, the activations it came from, and its derivatives.

    Three facts do it all. For a = sigmoid(z), da/dz = exp(-z) / (1 + exp(-z))^2, which
    is a (1 - a). For z = w @ a, that is z_ij = sum_k w_ik a_kj, the chain rule gives
    dw_ik = sum_j dz_ij a_kj, which is dz @ a.T, and da_kj = sum_i w_ik dz_ij, which is
    w.T @ dz. And the loss begins it: (a - y)^2 has the derivative 2 (a - y), and
    -y log(a) - (1 - y) log(1 - a) has -y / a + (1 - y) / (1 - a), which is
    (a - y) / (a (1 - a)).
    """
    _, a1, z2, a2 = activations = forward(weights, x)
    if loss == "bce":  # dz2 is da2 * a2 * (1 - a2); with da2 of bce that cancels
        dz2 = (a2 - y) / y.shape[-1]  # da2 = (a2 - y) / (a2 * (1 - a2)) / m
    else:
        dz2 = 2 * (a2 - y) * a2 * (1 - a2) / y.size  # da2 = 2 * (a2 - y) / (m n_y)
    dw2 = dz2 @ a1.mT  # (*runs, n_y, n_h), from z2 = w2 @ a1
    da1 = weights.w2.mT @ dz2  # (*runs, n_h, m), from z2 = w2 @ a1
    dz1 = da1 * a1 * (1 - a1)  # (*runs, n_h, m), from a1 = sigmoid(z1)
    dw1 = dz1 @ x.mT  # (*runs, n_h, n_x), from z1 = w1 @ x
    return cost(z2, a2, y, loss), activations, Gradients(dz2, dw2, dz1, dw1)


def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """See `Implementation.loss_and_gradients`."""
    value, _, gradients = differentiate(weights, x, y, loss)
    return value, gradients


def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    x, y, lr = problem.x, problem.y, problem.lr
    rows, path = [], [problem.weights]
    for _ in range(problem.steps):
        w1, w2 = path[-1]
        value, activations, gradients = differentiate(path[-1], x, y, problem.loss)
        rows.append((value, *activations, *gradients))
        path.append(Weights(w1 - lr * gradients.dw1, w2 - lr * gradients.dw2))
    columns = [*zip(*rows, strict=True), *zip(*path, strict=True)]
    return Trace(*(np.array(column) for column in columns))
