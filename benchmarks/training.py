"""How long `train` takes, in units of a plain loop that keeps its losses only.

Run as `OMP_NUM_THREADS=1 python benchmarks/training.py`, on a machine that does nothing
else. The plain loops, one for each framework, stand below: they are what a notebook
does. The two sides of a row take turns in one process, so that a machine whose speed
changes changes it for both. In the rows "again" both sides are the same plain loop:
their ratios show what is noise.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import torch

from compare.training.problems import Experiment
from impls import jax_grad, numpy_manual, torch_autograd
from impls.interface import Array, Problem

ROUNDS = 11

Train: TypeAlias = Callable[[Problem], Any]


def numpy_loop(problem: Problem) -> Array:
    """Train as the notebook does: `np.dot`, a list, and the losses only."""
    (w1, w2), x, y = problem.weights, problem.x, problem.y
    m, losses = x.shape[1], []
    for _ in range(problem.steps):
        z1 = np.dot(w1, x)
        a1 = 1 / (1 + np.exp(-z1))
        z2 = np.dot(w2, a1)
        a2 = 1 / (1 + np.exp(-z2))
        losses.append(-np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2)) / m)
        dz2 = a2 - y
        dw2 = np.dot(dz2, a1.T) / m
        dz1 = np.dot(w2.T, dz2) * a1 * (1 - a1)
        dw1 = np.dot(dz1, x.T) / m
        w2 = w2 - problem.lr * dw2
        w1 = w1 - problem.lr * dw1
    return np.array(losses)


def torch_loop(problem: Problem) -> Array:
    """Train eagerly: the loss from its definition, `autograd.grad` and `item`."""
    x, y, w1, w2 = (
        torch.tensor(a, dtype=torch.float64)
        for a in (problem.x, problem.y, *problem.weights)
    )
    w1.requires_grad_()
    w2.requires_grad_()
    losses = []
    for _ in range(problem.steps):
        a2 = torch.sigmoid(w2 @ torch.sigmoid(w1 @ x))
        loss = -(y * torch.log(a2) + (1 - y) * torch.log(1 - a2)).mean()
        losses.append(loss.item())
        dw1, dw2 = torch.autograd.grad(loss, (w1, w2))
        with torch.no_grad():
            w1 -= problem.lr * dw1
            w2 -= problem.lr * dw2
    return np.array(losses)


def jax_loop(problem: Problem) -> Array:
    """Train in one compiled `scan`, which gives the losses."""
    with jax.enable_x64(True):
        x, y = jnp.array(problem.x), jnp.array(problem.y)
        weights = jnp.array(problem.weights.w1), jnp.array(problem.weights.w2)
        return np.array(scan(weights, x, y, problem.lr, jnp.arange(problem.steps)))


@jax.jit
def scan(
    weights: tuple[jax.Array, jax.Array],
    x: jax.Array,
    y: jax.Array,
    lr: float,
    steps: jax.Array,
) -> jax.Array:
    """Compute the losses of all steps, shape (N,)."""

    def cost(weights: tuple[jax.Array, jax.Array]) -> jax.Array:
        a2 = jax.nn.sigmoid(weights[1] @ jax.nn.sigmoid(weights[0] @ x))
        return -(y * jnp.log(a2) + (1 - y) * jnp.log(1 - a2)).mean()

    def step(
        weights: tuple[jax.Array, jax.Array], _: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        loss, (dw1, dw2) = jax.value_and_grad(cost)(weights)
        return (weights[0] - lr * dw1, weights[1] - lr * dw2), loss

    losses: jax.Array = jax.lax.scan(step, weights, steps)[1]
    return losses


def compiling(train: Train) -> Train:
    """Make JAX trace and compile whatever it is given."""

    def first_call(problem: Problem) -> object:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        return train(problem)

    return first_call


def seconds(train: Train, problem: Problem) -> float:
    """Time one training."""
    start = perf_counter()
    train(problem)
    return perf_counter() - start


def main() -> None:
    """Check that all train the same network, then print a line for each row."""
    problem = Experiment().problem()
    pairs: list[tuple[str, Train, Train]] = [
        ("numpy", numpy_loop, numpy_manual.train),
        ("torch", torch_loop, torch_autograd.train),
        ("jax", jax_loop, jax_grad.train),
    ]
    rows = []
    for name, loop, train in pairs:
        np.testing.assert_allclose(train(problem).loss, loop(problem), rtol=1e-9)
        rows += [(name, loop, train), (f"{name}, again", loop, loop)]
    rows += [
        ("jax, compiling", compiling(jax_loop), compiling(jax_grad.train)),
        ("jax, compiling, again", compiling(jax_loop), compiling(jax_loop)),
    ]
    print(f"{problem.steps:,} steps, {ROUNDS} rounds; us: the plain loop, a step")
    print(f"{'':22} {'us':>6} {'ratio':>6} {'least':>6} {'most':>6}")
    for name, loop, train in rows:
        times = [
            (seconds(loop, problem), seconds(train, problem)) for _ in range(ROUNDS)
        ]
        ratios = [ours / plain for plain, ours in times]
        each = 1e6 * median(plain for plain, _ in times) / problem.steps
        print(
            f"{name:22} {each:6.1f} {median(ratios):6.2f} {min(ratios):6.2f} "
            f"{max(ratios):6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
