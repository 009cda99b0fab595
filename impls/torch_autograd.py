"""The network in PyTorch, differentiated by autograd.

PyTorch runs the forward pass and records each operation on a tensor that requires
gradients. `torch.autograd.grad` goes back through this record, from the loss to the
weights, and applies the chain rule to each operation.

Autograd suits programs whose operations depend on the data. The record holds the
operations that were run, so loops, branches and prints may stand between them.
"""

import numpy as np
import torch
from torch.nn import functional

from impls.interface import (
    Activations,
    Array,
    Gradients,
    Loss,
    Problem,
    Trace,
    Weights,
)


def propagate(
    weights: Weights[torch.Tensor], x: torch.Tensor
) -> Activations[torch.Tensor]:
    """Compute the activations: the forward pass.

    Arguments and results have the shapes of those of `numpy_manual.propagate`.
    """
    z1 = weights.w1 @ x  # (*runs, n_h, m)
    a1 = torch.sigmoid(z1)  # (*runs, n_h, m)
    z2 = weights.w2 @ a1  # (*runs, n_y, m)
    a2 = torch.sigmoid(z2)  # (*runs, n_y, m)
    return Activations(z1, a1, z2, a2)


def cost(
    z2: torch.Tensor, a2: torch.Tensor, y: torch.Tensor, loss: Loss
) -> torch.Tensor:
    """Compute the mean loss of each run, shape (*runs,).

    Arguments have the shapes of those of `numpy_manual.cost`.
    """
    if loss == "bce":
        # "With logits" means: computed from z2, not from a2. So it is finite where a2
        # has been rounded to 0 or 1. Labels must have the shape of z2, runs included.
        labels = y.expand_as(z2)
        terms = functional.binary_cross_entropy_with_logits(
            z2, labels, reduction="none"
        )
        count = y.shape[-1]  # m
    else:
        terms = (a2 - y) ** 2
        count = y.numel()  # m n_y
    return terms.sum(dim=(-2, -1)) / count


def differentiate(
    weights: Weights[torch.Tensor], x: torch.Tensor, y: torch.Tensor, loss: Loss
) -> tuple[torch.Tensor, Activations[torch.Tensor], Gradients[torch.Tensor]]:
    """Compute the mean loss, the activations, and the derivatives of the loss.

    Autograd differentiates the loss, so the loss is computed as well. Arguments and
    results have the shapes of those of `numpy_manual.differentiate`; the loss has the
    shape (*runs,).
    """
    # A detached tensor has no history: the record begins anew at these weights.
    w1, w2 = (w.detach().requires_grad_() for w in weights)
    z1, a1, z2, a2 = propagate(Weights(w1, w2), x)
    value = cost(z2, a2, y, loss)
    # `grad` differentiates one number. The loss of a run depends on the weights of that
    # run alone, so the gradient of the sum over runs holds the gradient of each.
    dz2, dw2, dz1, dw1 = torch.autograd.grad(value.sum(), (z2, w2, z1, w1))
    return value, Activations(z1, a1, z2, a2), Gradients(dz2, dw2, dz1, dw1)


def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
    """See `Implementation.forward`."""
    activations = propagate(Weights(*map(tensor, weights)), tensor(x))
    return Activations(*map(array, activations))


def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """See `Implementation.loss_and_gradients`."""
    value, _, gradients = differentiate(
        Weights(*map(tensor, weights)), tensor(x), tensor(y), loss
    )
    return array(value), Gradients(*map(array, gradients))


def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    x, y, lr = tensor(problem.x), tensor(problem.y), problem.lr
    weights = Weights(*map(tensor, problem.weights))
    rows, path = [], [tuple(map(array, weights))]
    for _ in range(problem.steps):
        value, activations, gradients = differentiate(weights, x, y, problem.loss)
        weights = Weights(
            weights.w1 - lr * gradients.dw1, weights.w2 - lr * gradients.dw2
        )
        # Rows of arrays: Python's garbage collector would scan kept tensors, again and
        # again, which takes longer than the copies.
        rows.append(tuple(map(array, (value, *activations, *gradients))))
        path.append(tuple(map(array, weights)))
    columns = [*zip(*rows, strict=True), *zip(*path, strict=True)]
    return Trace(*map(np.array, columns))


def tensor(array: Array) -> torch.Tensor:
    """Copy an array into a tensor: without a copy the two share their memory."""
    return torch.asarray(array.copy())


def array(tensor: torch.Tensor) -> Array:
    """Copy a tensor into an array: without a copy the two share their memory."""
    copy: Array = tensor.numpy(force=True).copy()
    return copy
