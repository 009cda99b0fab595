"""The network in JAX, differentiated by `jax.value_and_grad`.

A function goes in and the function of its derivatives comes out: JAX traces the forward
pass once, with symbols for arrays, and rewrites it backwards. `jit` compiles the result
and `lax.scan` the loop around it, so that the whole training is one program. It serves
whoever writes mathematics: pure functions of arrays, nothing updated in place.

JAX computes in float32 unless told. `jax.enable_x64` tells it for the length of a call,
where the global setting would change the process of whoever imports this module.
"""

from functools import partial

import jax
import jax.numpy as jnp
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


@jax.jit
def propagate(
    weights: Weights[jax.Array],
    x: jax.Array,
    nudges: tuple[jax.Array | float, jax.Array | float] = (0.0, 0.0),
) -> Activations[jax.Array]:
    """Compute the activations, as `Implementation.forward` does, of JAX arrays.

    `nudges` are added to z1 and z2: JAX differentiates by the inputs of a function
    alone, and the derivative by a nudge of zero is the one by z.
    """
    z1 = weights.w1 @ x + nudges[0]  # (*runs, n_h, m)
    a1 = jax.nn.sigmoid(z1)
    z2 = weights.w2 @ a1 + nudges[1]  # (*runs, n_y, m)
    a2 = jax.nn.sigmoid(z2)
    return Activations(z1, a1, z2, a2)


def cost(z2: jax.Array, a2: jax.Array, y: jax.Array, loss: Loss) -> jax.Array:
    """Compute the mean loss, shape (*runs,).

    The logarithms are those of `numpy_manual.cost`. Choosing before the logarithm, not
    after it, keeps the derivative of the branch not taken, 0 / 0, out of the gradient.
    """
    if loss == "bce":
        b2 = 1 - a2
        log_a2 = jnp.log(jnp.where(z2 > -1, a2, b2)) + jnp.where(z2 > -1, 0, z2)
        log_b2 = jnp.log(jnp.where(z2 < 1, b2, a2)) - jnp.where(z2 < 1, 0, z2)
        terms, count = -(y * log_a2 + (1 - y) * log_b2), y.shape[-1]
    else:
        terms, count = (a2 - y) ** 2, y.size
    return terms.sum(axis=(-2, -1)) / count


@partial(jax.jit, static_argnames="loss")
def differentiate(
    weights: Weights[jax.Array], x: jax.Array, y: jax.Array, loss: Loss
) -> tuple[jax.Array, Activations[jax.Array], Gradients[jax.Array]]:
    """Compute the loss, the activations it came from, and its derivatives.

    Runs don't touch one another, so the gradient of their sum is each one's own.
    """

    def total(
        weights: Weights[jax.Array], nudges: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, tuple[jax.Array, Activations[jax.Array]]]:
        activations = propagate(weights, x, nudges)
        value = cost(activations.z2, activations.a2, y, loss)
        return value.sum(), (value, activations)

    shapes = propagate(weights, x)
    nudges = jnp.zeros_like(shapes.z1), jnp.zeros_like(shapes.z2)
    gradient = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)
    (_, (value, activations)), ((dw1, dw2), (dz1, dz2)) = gradient(weights, nudges)
    return value, activations, Gradients(dz2, dw2, dz1, dw1)


def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
    """See `Implementation.forward`."""
    with jax.enable_x64(True):
        activations = propagate(Weights(*map(jnp.array, weights)), jnp.array(x))
        return Activations(*map(np.array, activations))


def loss_and_gradients(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """See `Implementation.loss_and_gradients`."""
    with jax.enable_x64(True):
        value, _, gradients = differentiate(
            Weights(*map(jnp.array, weights)), jnp.array(x), jnp.array(y), loss
        )
        return np.array(value), Gradients(*map(np.array, gradients))


@partial(jax.jit, static_argnames=("steps", "loss"))
def descend(
    weights: Weights[jax.Array],
    x: jax.Array,
    y: jax.Array,
    lr: float,
    steps: int,
    loss: Loss,
) -> tuple[tuple[jax.Array, ...], Weights[jax.Array]]:
    """Compute the rows of a trace, and the path of the weights after the first ones."""

    def step(
        weights: Weights[jax.Array], _: None
    ) -> tuple[Weights[jax.Array], tuple[tuple[jax.Array, ...], Weights[jax.Array]]]:
        w1, w2 = weights
        value, activations, gradients = differentiate(weights, x, y, loss)
        updated = Weights(w1 - lr * gradients.dw1, w2 - lr * gradients.dw2)
        return updated, ((value, *activations, *gradients), updated)

    return jax.lax.scan(step, weights, length=steps)[1]


def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    with jax.enable_x64(True):
        weights = Weights(*map(jnp.array, problem.weights))
        x, y, lr = jnp.array(problem.x), jnp.array(problem.y), problem.lr
        rows, path = descend(weights, x, y, lr, problem.steps, problem.loss)
        paths = [jnp.concat([w[None], ws]) for w, ws in zip(weights, path, strict=True)]
        return Trace(*map(np.array, (*rows, *paths)))
