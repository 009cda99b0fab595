"""A framework that none of us wrote: HIPS autograd, on the same checks."""

from types import SimpleNamespace
from typing import Any

import autograd.numpy as np
import pytest
from autograd import grad

from compare.training.compare import compare
from compare.training.problems import Experiment
from compare.training.load import load
from impls.interface import Array, Loss, Weights

framework = "autograd"


def forward(weights: Weights[Array], x: Array) -> SimpleNamespace:
    """Give the probabilities alone."""
    w1, w2 = weights
    a1 = 1 / (1 + np.exp(-(w1 @ x)))
    return SimpleNamespace(a2=1 / (1 + np.exp(-(w2 @ a1))))


def loss_of(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> Any:  # noqa: ANN401
    """Compute the loss, to be differentiated."""
    a2 = forward(weights, x).a2
    if loss == "bce":
        return -np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2)) / y.shape[-1]
    return np.mean((a2 - y) ** 2)


def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, SimpleNamespace]:
    """Leave the chain rule to autograd."""
    dw1, dw2 = grad(loss_of)(tuple(weights), x, y, loss)
    return loss_of(weights, x, y, loss), SimpleNamespace(dw1=dw1, dw2=dw2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_hips_autograd_matches(loss: Loss, dtype: str) -> None:
    """A stranger that gives loss, gradients and probabilities agrees with all three."""
    problem = Experiment(loss=loss, dtype=dtype, steps=500).problem()
    ours = {name: load(name) for name in ("numpy", "torch", "jax")}
    hips = SimpleNamespace(forward=forward, loss_and_gradients=loss_and_gradients)

    verdict = compare(problem, {**ours, "autograd": hips})

    assert verdict.answer == "match"
