"""The network in NumPy, differentiated by hand.

NumPy computes with arrays and knows nothing about derivatives. Here the chain rule is
applied on paper. It starts at the loss and goes back to the weights, one equation of
the forward pass at a time. `differentiate` has one line for each of these equations,
and the reason for a line stands above it.

This file shows how backpropagation works. Read it first: `torch_autograd` and
`jax_grad` have the same functions in the same order, and in their `differentiate` a
framework does what is done by hand here.
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
    """Compute 1 / (1 + exp(-z)), for an array of any shape.

    For a large negative z, exp(-z) overflows to inf. Then the result is 0, as it should
    be. The functions that others call switch off NumPy's warning of the overflow.
    """
    a: Array = 1 / (1 + np.exp(-z))
    return a


def propagate(weights: Weights[Array], x: Array) -> Activations[Array]:
    """Compute the activations: the forward pass.

    Args:
        weights: `w1`, shape (*runs, n_h, n_x), and `w2`, shape (*runs, n_y, n_h).
        x: The inputs, shape (n_x, m).

    Returns:
        `z1` and `a1`, shape (*runs, n_h, m); `z2` and `a2`, shape (*runs, n_y, m).
    """
    z1 = weights.w1 @ x  # (*runs, n_h, m)
    a1 = sigmoid(z1)  # (*runs, n_h, m)
    z2 = weights.w2 @ a1  # (*runs, n_y, m)
    a2 = sigmoid(z2)  # (*runs, n_y, m)
    return Activations(z1, a1, z2, a2)


@np.errstate(invalid="ignore")  # np.logaddexp warns where z2 is NaN: the loss is, too
def cost(z2: Array, a2: Array, y: Array, loss: Loss) -> Array:
    """Compute the mean loss.

    Args:
        z2: The input of the last sigmoid, shape (*runs, n_y, m).
        a2: The output of the last sigmoid, shape (*runs, n_y, m).
        y: The labels, shape (n_y, m).
        loss: "bce" or "mse".

    Returns:
        The loss of each run, shape (*runs,).
    """
    if loss == "bce":
        # -log(a2) is log(1 + exp(-z2)), and -log(1 - a2) is log(1 + exp(z2)).
        # np.logaddexp(0, z) computes log(1 + exp(z)) and does not overflow. The
        # logarithm of 1 - a2 itself is -inf where a2 has been rounded to 1.
        terms = y * np.logaddexp(0, -z2) + (1 - y) * np.logaddexp(0, z2)
        count = y.shape[-1]  # m
    else:
        terms = (a2 - y) ** 2
        count = y.size  # m n_y
    value: Array = terms.sum(axis=(-2, -1)) / count
    return value


def differentiate(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Activations[Array], Gradients[Array]]:
    """Compute the activations, then the derivatives of the mean loss.

    `dz2` holds the derivative of the loss by each element of `z2`, and has the shape of
    `z2`. `dw2`, `da1`, `dz1` and `dw1` are the same for the other arrays. The value of
    the loss is not needed: its derivative was found on paper.

    Args:
        weights: `w1`, shape (*runs, n_h, n_x), and `w2`, shape (*runs, n_y, n_h).
        x: The inputs, shape (n_x, m).
        y: The labels, shape (n_y, m).
        loss: "bce" or "mse".

    Returns:
        The activations and the derivatives, each with the shape of its array.
    """
    z1, a1, z2, a2 = propagate(weights, x)

    # a2 = sigmoid(z2) = 1 / (1 + exp(-z2)) has the derivative
    # exp(-z2) / (1 + exp(-z2))^2 = a2 * (1 - a2), so dz2 = da2 * a2 * (1 - a2).
    if loss == "bce":
        # The loss of a sample is -y log(a2) - (1 - y) log(1 - a2). Its derivative by a2
        # is -y / a2 + (1 - y) / (1 - a2) = (a2 - y) / (a2 (1 - a2)). In dz2, this
        # denominator and the factor a2 * (1 - a2) cancel. The mean divides by m.
        dz2 = (a2 - y) / y.shape[-1]  # (*runs, n_y, m)
    else:
        # The loss of an element is (a2 - y)^2. Its derivative by a2 is 2 (a2 - y). The
        # mean divides by the number of elements, m n_y.
        dz2 = 2 * (a2 - y) * a2 * (1 - a2) / y.size  # (*runs, n_y, m)

    # z2_ij = sum_k w2_ik a1_kj: unit i, sample j, hidden unit k. The weight w2_ik acts
    # on all samples j, each time multiplied by a1_kj: dw2_ik = sum_j dz2_ij a1_kj.
    # That is a matrix product, with a1 transposed: .mT swaps the last two axes.
    dw2 = dz2 @ a1.mT  # (n_y, m) @ (m, n_h): (*runs, n_y, n_h)

    # In the same sum, a1_kj acts on all outputs i, each time multiplied by w2_ik:
    # da1_kj = sum_i w2_ik dz2_ij.
    da1 = weights.w2.mT @ dz2  # (n_h, n_y) @ (n_y, m): (*runs, n_h, m)

    # a1 = sigmoid(z1), so its derivative is a1 * (1 - a1), as above.
    dz1 = da1 * a1 * (1 - a1)  # (*runs, n_h, m)

    # z1_kj = sum_l w1_kl x_lj: as for dw2, dw1_kl = sum_j dz1_kj x_lj.
    dw1 = dz1 @ x.mT  # (n_h, m) @ (m, n_x): (*runs, n_h, n_x)

    return Activations(z1, a1, z2, a2), Gradients(dz2, dw2, dz1, dw1)


@np.errstate(over="ignore")  # see `sigmoid`
def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
    """See `Implementation.forward`."""
    return propagate(weights, x)


@np.errstate(over="ignore")  # see `sigmoid`
def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """See `Implementation.loss_and_gradients`."""
    activations, gradients = differentiate(weights, x, y, loss)
    return cost(activations.z2, activations.a2, y, loss), gradients


@np.errstate(over="ignore")  # see `sigmoid`
def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    x, y, lr = problem.x, problem.y, problem.lr
    weights = problem.weights
    rows, path = [], [weights]
    for _ in range(problem.steps):
        activations, gradients = differentiate(weights, x, y, problem.loss)
        weights = Weights(
            weights.w1 - lr * gradients.dw1, weights.w2 - lr * gradients.dw2
        )
        rows.append((*activations, *gradients))
        path.append(weights)
    columns = [*zip(*rows, strict=True), *zip(*path, strict=True)]
    z1, a1, z2, a2, *others = map(np.array, columns)
    value = cost(z2, a2, y, problem.loss)  # (N, *runs): all steps at once
    return Trace(value, z1, a1, z2, a2, *others)
