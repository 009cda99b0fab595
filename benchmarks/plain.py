"""The plain script: what a notebook does, in each of the three frameworks.

Run as `OMP_NUM_THREADS=1 python benchmarks/plain.py`. Each loop trains the network of 2
inputs, 2 hidden units and 1 output on XOR with the cross-entropy, keeps the losses, and
checks and records nothing else. `benchmarks.speed` measures this project against it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]
Data = tuple[Array, Array, Array, Array]
"""x, y, w1 and w2."""

LR = 0.9
STEPS = 10_000


def xor(seed: int = 2) -> Data:
    """Return XOR, and the first weights."""
    random = np.random.RandomState(seed)
    w1, w2 = random.rand(2, 2), random.rand(1, 2)
    x = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    return x, np.array([[0.0, 1.0, 1.0, 0.0]]), w1, w2


def numpy_loop(data: Data, steps: int) -> Array:
    """Train as the notebook does: `np.dot`, a list, and the losses only."""
    x, y, w1, w2 = data
    m, losses = x.shape[1], []
    for _ in range(steps):
        z1 = np.dot(w1, x)
        a1 = 1 / (1 + np.exp(-z1))
        z2 = np.dot(w2, a1)
        a2 = 1 / (1 + np.exp(-z2))
        losses.append(-np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2)) / m)
        dz2 = a2 - y
        dw2 = np.dot(dz2, a1.T) / m
        dz1 = np.dot(w2.T, dz2) * a1 * (1 - a1)
        dw1 = np.dot(dz1, x.T) / m
        w2 = w2 - LR * dw2
        w1 = w1 - LR * dw1
    return np.array(losses)


def torch_loop(data: Data, steps: int) -> Array:
    """Train eagerly: the loss from its definition, `autograd.grad` and `item`."""
    x, y, w1, w2 = map(torch.tensor, data)
    w1.requires_grad_()
    w2.requires_grad_()
    losses = []
    for _ in range(steps):
        a2 = torch.sigmoid(w2 @ torch.sigmoid(w1 @ x))
        loss = -(y * torch.log(a2) + (1 - y) * torch.log(1 - a2)).mean()
        losses.append(loss.item())
        dw1, dw2 = torch.autograd.grad(loss, (w1, w2))
        with torch.no_grad():
            w1 -= LR * dw1
            w2 -= LR * dw2
    return np.array(losses)


def jax_loop(data: Data, steps: int) -> Array:
    """Train in one compiled `scan`, which gives the losses."""
    with jax.enable_x64(True):
        return np.array(scan(*map(jnp.array, data), jnp.arange(steps)))


@jax.jit
def scan(
    x: jax.Array, y: jax.Array, w1: jax.Array, w2: jax.Array, steps: jax.Array
) -> jax.Array:
    """Compute the losses of all steps, shape (N,)."""

    def cost(weights: tuple[jax.Array, jax.Array]) -> jax.Array:
        a2 = jax.nn.sigmoid(weights[1] @ jax.nn.sigmoid(weights[0] @ x))
        return -(y * jnp.log(a2) + (1 - y) * jnp.log(1 - a2)).mean()

    def step(
        weights: tuple[jax.Array, jax.Array], _: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        loss, (dw1, dw2) = jax.value_and_grad(cost)(weights)
        return (weights[0] - LR * dw1, weights[1] - LR * dw2), loss

    losses: jax.Array = jax.lax.scan(step, (w1, w2), steps)[1]
    return losses


LOOPS = {"numpy": numpy_loop, "torch": torch_loop, "jax": jax_loop}


def main() -> None:
    """Train three times, and print the last losses."""
    for name, loop in LOOPS.items():
        print(name, loop(xor(), STEPS)[-1])


if __name__ == "__main__":
    main()
