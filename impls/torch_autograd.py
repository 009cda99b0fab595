"""The network in PyTorch, differentiated by autograd.

While the forward pass runs, every operation on a tensor that requires gradients is
noted on a tape. `torch.autograd.grad` plays the tape backwards and applies the chain
rule for us. It serves whoever writes programs and wants derivatives: loops, prints and
branches may stand between, for the tape holds what really ran.
"""

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
    """Compute the activations, as `Implementation.forward` does, of tensors."""
    z1 = weights.w1 @ x  # (*runs, n_h, m)
    a1 = torch.sigmoid(z1)
    z2 = weights.w2 @ a1  # (*runs, n_y, m)
    a2 = torch.sigmoid(z2)
    return Activations(z1, a1, z2, a2)


def cost(
    z2: torch.Tensor, a2: torch.Tensor, y: torch.Tensor, loss: Loss
) -> torch.Tensor:
    """Compute the mean loss, shape (*runs,).

    PyTorch's own cross-entropy takes z2, so that no logarithm cancels.
    """
    if loss == "bce":
        y = y.expand_as(z2)
        terms = functional.binary_cross_entropy_with_logits(z2, y, reduction="none")
        count = y.shape[-1]
    else:
        terms = (a2 - y) ** 2
        count = y.numel()
    return terms.sum(dim=(-2, -1)) / count


def differentiate(
    weights: Weights[torch.Tensor], x: torch.Tensor, y: torch.Tensor, loss: Loss
) -> tuple[torch.Tensor, Activations[torch.Tensor], Gradients[torch.Tensor]]:
    """Compute the loss, the activations it came from, and its derivatives.

    Runs don't touch one another, so the gradient of their sum is each one's own.
    """
    w1, w2 = (w.detach().requires_grad_() for w in weights)  # a new tape
    z1, a1, z2, a2 = propagate(Weights(w1, w2), x)
    value = cost(z2, a2, y, loss)
    dz2, dw2, dz1, dw1 = torch.autograd.grad(value.sum(), (z2, w2, z1, w1))
    activations = Activations(z1.detach(), a1.detach(), z2.detach(), a2.detach())
    return value.detach(), activations, Gradients(dz2, dw2, dz1, dw1)


def tensor(array: Array) -> torch.Tensor:
    """Copy into a tensor: without `copy` the two would share their memory."""
    return torch.asarray(array.copy())


def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
    """See `Implementation.forward`."""
    activations = propagate(Weights(*map(tensor, weights)), tensor(x))
    return Activations(*(a.numpy(force=True) for a in activations))


def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """See `Implementation.loss_and_gradients`."""
    value, _, gradients = differentiate(
        Weights(*map(tensor, weights)), tensor(x), tensor(y), loss
    )
    return value.numpy(force=True), Gradients(*(d.numpy(force=True) for d in gradients))


def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    x, y, lr = tensor(problem.x), tensor(problem.y), problem.lr
    rows, path = [], [Weights(*map(tensor, problem.weights))]
    for _ in range(problem.steps):
        w1, w2 = path[-1]
        value, activations, gradients = differentiate(path[-1], x, y, problem.loss)
        rows.append((value, *activations, *gradients))
        path.append(Weights(w1 - lr * gradients.dw1, w2 - lr * gradients.dw2))
    columns = [*zip(*rows, strict=True), *zip(*path, strict=True)]
    return Trace(*(torch.stack(column).numpy(force=True) for column in columns))
