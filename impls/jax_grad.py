"""The network in JAX, differentiated by `jax.grad`.

`jax.grad` takes a function and returns a new function that computes its gradient. It
calls the given function with tracers in place of arrays. These record the operations,
and JAX applies the chain rule to each of them. `jax.jit` calls a function once for each
shape and dtype, with tracers that hold no numbers, and compiles what they have
recorded. `jax.lax.scan` makes a loop part of it, so that all of the training is one
program.

JAX suits programs that are written like mathematics: pure functions of arrays, which
change nothing in place.

JAX computes in float32 by default. `jax.enable_x64` switches float64 on while a
function of this module runs. The global setting would also change what other modules
of the process compute.
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
    z1_offset: jax.Array | float = 0.0,
    z2_offset: jax.Array | float = 0.0,
) -> Activations[jax.Array]:
    """Compute the activations: the forward pass.

    The offsets are added to z1 and z2, and are 0. JAX differentiates a function by its
    arguments only, and z1 and z2 are not arguments. The derivative by an offset of z1
    is the derivative by z1.

    Arguments and results have the shapes of those of `numpy_manual.propagate`; an
    offset has the shape of what it is added to.
    """
    z1 = weights.w1 @ x + z1_offset  # (*runs, n_h, m)
    a1 = jax.nn.sigmoid(z1)  # (*runs, n_h, m)
    z2 = weights.w2 @ a1 + z2_offset  # (*runs, n_y, m)
    a2 = jax.nn.sigmoid(z2)  # (*runs, n_y, m)
    return Activations(z1, a1, z2, a2)


def cost(z2: jax.Array, a2: jax.Array, y: jax.Array, loss: Loss) -> jax.Array:
    """Compute the mean loss of each run, shape (*runs,).

    Arguments have the shapes of those of `numpy_manual.cost`.
    """
    if loss == "bce":
        # JAX differentiates these logarithms to a2 - y. It differentiates the logaddexp
        # of `numpy_manual` to another formula, which has other rounding errors.
        # log(a2) - log(1 - a2) is z2, so one logarithm is enough: that of the larger of
        # a2 and 1 - a2, which is never 0.
        positive = z2 > 0  # where a2 > 1 - a2
        log_larger = jnp.log(jnp.where(positive, a2, 1 - a2))
        log_a2 = log_larger + jnp.where(positive, 0, z2)
        log_1_minus_a2 = log_larger - jnp.where(positive, z2, 0)
        terms = -(y * log_a2 + (1 - y) * log_1_minus_a2)
        count = y.shape[-1]  # m
    else:
        terms = (a2 - y) ** 2
        count = y.size  # m n_y
    return terms.sum(axis=(-2, -1)) / count


@partial(jax.jit, static_argnames="loss")
def differentiate(
    weights: Weights[jax.Array], x: jax.Array, y: jax.Array, loss: Loss
) -> tuple[jax.Array, Activations[jax.Array], Gradients[jax.Array]]:
    """Compute the mean loss, the activations, and the derivatives of the loss.

    `jax.grad` differentiates the loss, so the loss is computed as well. Arguments and
    results have the shapes of those of `numpy_manual.differentiate`; the loss has the
    shape (*runs,).
    """

    def total(
        weights: Weights[jax.Array], z1_offset: jax.Array, z2_offset: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, Activations[jax.Array]]]:
        """Compute the number to differentiate, and what else is to be kept."""
        activations = propagate(weights, x, z1_offset, z2_offset)
        value = cost(activations.z2, activations.a2, y, loss)
        return value.sum(), (value, activations)

    # `grad` differentiates one number. The loss of a run depends on the weights of that
    # run alone, so the gradient of the sum over runs holds the gradient of each.
    gradient = jax.grad(total, argnums=(0, 1, 2), has_aux=True)
    shapes = jax.eval_shape(propagate, weights, x)  # computes no numbers
    z1_offset, z2_offset = jnp.zeros_like(shapes.z1), jnp.zeros_like(shapes.z2)
    derivatives, (value, activations) = gradient(weights, z1_offset, z2_offset)
    (dw1, dw2), dz1, dz2 = derivatives  # one for each argument of `total`
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


def train(problem: Problem) -> Trace:
    """See `Implementation.train`."""
    with jax.enable_x64(True):
        x, y, lr = jnp.array(problem.x), jnp.array(problem.y), problem.lr
        weights = Weights(*map(jnp.array, problem.weights))
        rows, path = descend(weights, x, y, lr, problem.steps, problem.loss)
        return Trace(*map(np.array, (*rows, *path)))


@partial(jax.jit, static_argnames=("steps", "loss"))
def descend(
    weights: Weights[jax.Array],
    x: jax.Array,
    y: jax.Array,
    lr: float,
    steps: int,
    loss: Loss,
) -> tuple[tuple[jax.Array, ...], Weights[jax.Array]]:
    """Run the training loop: N steps, in one compiled program.

    Returns:
        The columns of the trace from `loss` to `dw1`, each of shape (N, ...), and the
        weights, each of shape (N + 1, ...).
    """

    def step(
        weights: Weights[jax.Array], _: None
    ) -> tuple[Weights[jax.Array], tuple[tuple[jax.Array, ...], Weights[jax.Array]]]:
        """Make one step: the new weights go on, and the row is kept."""
        value, activations, gradients = differentiate(weights, x, y, loss)
        weights = Weights(
            weights.w1 - lr * gradients.dw1, weights.w2 - lr * gradients.dw2
        )
        return weights, ((value, *activations, *gradients), weights)

    _, (rows, path) = jax.lax.scan(step, weights, length=steps)
    pairs = zip(weights, path, strict=True)  # path begins after the first step
    return rows, Weights(*(jnp.concat([first[None], later]) for first, later in pairs))
