"""Harmless rewrites: other correct programs, which must match.

Each is one of our implementations with one thing written another way. A function is
replaced in a private copy of the module, so that the original stays as it is. A rewrite
that computes other lines than the contract's declares them as `end_to_end`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import util
from types import ModuleType
from typing import Any, cast

import numpy as np

from compare.contract.calls import rewired
from compare.hosts.load import load
from compare.selftest.plant import Change, Fault, plant
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Trace,
    Weights,
)


@dataclass(frozen=True)
class Rewrite:
    """Another correct program.

    Attributes:
        name: What is written differently, in a few words.
        base: The implementation that is rewritten.
        build: Builds the rewritten one; frameworks are imported then, not before.
        end_to_end: The quantities that it computes by another formula.
        losses: The losses that it implements.
        most_steps: The most steps to run it for: it may be slow.
    """

    name: str
    base: str
    build: Callable[[], Implementation]
    end_to_end: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ("bce", "mse")
    most_steps: int = 10_000

    def implementation(self) -> Implementation:
        """Build it, with its declaration."""
        return rewired(self.build(), end_to_end=self.end_to_end)


def rewritten(base: str, **functions: Callable[..., Any]) -> Implementation:
    """Load a module a second time, and replace functions in that copy."""
    spec = cast("ModuleType", load(base)).__spec__
    if spec is None or spec.loader is None:
        raise ImportError(f"{base!r} is no module that can be loaded twice")
    copy = util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    vars(copy).update(functions)
    return cast("Implementation", copy)


# NumPy: other sigmoids, other orders of summation, another rounding of the update.


def tanh_sigmoid(z: Array) -> Array:
    """Cancels for small results: the error is u, not u times the result."""
    a: Array = (1 + np.tanh(z / 2)) / 2
    return a


def two_sided_sigmoid(z: Array) -> Array:
    """Take exp(z) / (1 + exp(z)) where z < 0, so that exp never overflows."""
    small = np.exp(-abs(z))
    a: Array = np.where(z < 0, small, 1) / (1 + small)
    return a


def samples_backwards() -> Implementation:
    """Reverse the samples on the way in and out: sums over them run backwards."""
    base = vars(load("numpy"))

    def flip(array: Array) -> Array:
        return array[..., ::-1]

    def cost(z2: Array, a2: Array, y: Array, loss: Loss) -> Any:  # noqa: ANN401
        return base["cost"](flip(z2), flip(a2), flip(y), loss)

    def differentiate(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Activations[Array], Gradients[Array]]:
        activations, d = base["differentiate"](weights, flip(x), flip(y), loss)
        gradients = d._replace(dz2=flip(d.dz2), dz1=flip(d.dz1))
        return Activations(*map(flip, activations)), gradients

    return rewritten("numpy", cost=cost, differentiate=differentiate)


def one_sample_at_a_time() -> Implementation:
    """Loop over the samples, and take the mean of their losses and gradients."""
    of_batch, mean = (vars(load("numpy"))[name] for name in ("differentiate", "cost"))

    def cost(z2: Array, a2: Array, y: Array, loss: Loss) -> Array:
        columns = [np.s_[..., [j]] for j in range(y.shape[-1])]
        values: Array = sum(mean(z2[j], a2[j], y[j], loss) for j in columns)
        return values / len(columns)

    def differentiate(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Activations[Array], Gradients[Array]]:
        m = y.shape[-1]
        activations, gradients = zip(
            *(of_batch(weights, x[:, [j]], y[:, [j]], loss) for j in range(m)),
            strict=True,
        )
        z1, a1, z2, a2 = (np.concat(a, axis=-1) for a in zip(*activations, strict=True))
        dz2, dw2, dz1, dw1 = zip(*gradients, strict=True)
        dz2, dz1 = (np.concat(dz, axis=-1) / m for dz in (dz2, dz1))
        dw2, dw1 = sum(dw2) / m, sum(dw1) / m
        return Activations(z1, a1, z2, a2), Gradients(dz2, dw2, dz1, dw1)

    return rewritten("numpy", cost=cost, differentiate=differentiate)


def updated_by(base: str, update: Callable[[Array, Array, float], Array]) -> Any:  # noqa: ANN401
    """Put another update in place, as faults are planted: this one is right."""
    changes: dict[str, Change] = {
        "new_w1": lambda r, _: update(r.w1, r.dw1, r.lr),
        "new_w2": lambda r, _: update(r.w2, r.dw2, r.lr),
    }
    return plant(Fault("another update", changes=changes), load(base))


def fused(w: Array, dw: Array, lr: float) -> Array:
    """Round once, as a fused multiply-add does; long double stands in for it."""
    return (w - np.longdouble(lr) * dw.astype(np.longdouble)).astype(w.dtype)


def sgd(w: Array, dw: Array, lr: float) -> Array:
    """Leave the update to PyTorch's own optimiser."""
    import torch  # noqa: PLC0415

    parameter = torch.nn.Parameter(torch.from_numpy(w.copy()))
    parameter.grad = torch.from_numpy(dw.copy())
    torch.optim.SGD([parameter], lr=lr).step()
    updated: Array = parameter.detach().numpy()
    return updated


# PyTorch: probabilities instead of logits, other sums, another sigmoid, a batch.


def with_terms(base: str, terms: Callable[[Any, Any, Any], Any]) -> Implementation:
    """Compute the cross-entropy from other terms of z2, a2 and y."""

    def cost(z2: Any, a2: Any, y: Any, _: Loss) -> object:  # noqa: ANN401
        return terms(z2, a2, y).sum((-2, -1)) / y.shape[-1]

    return rewritten(base, cost=cost)


def torch_probabilities() -> Implementation:
    """Give PyTorch's cross-entropy the probabilities, not the logits."""
    from torch.nn.functional import binary_cross_entropy as bce  # noqa: PLC0415

    return with_terms(
        "torch", lambda _, a2, y: bce(a2, y.expand_as(a2), reduction="none")
    )


def torch_logarithms() -> Implementation:
    """Write the cross-entropy as the textbook does."""
    return with_terms(
        "torch", lambda _, a2, y: -(y * a2.log() + (1 - y) * (1 - a2).log())
    )


def torch_propagating(product: str, sigmoid: str) -> Implementation:
    """Rewrite the products or the sigmoids of the forward pass."""
    import torch  # noqa: PLC0415

    ways: dict[str, Callable[..., Any]] = {
        "@": torch.matmul,
        "einsum": partial(torch.einsum, "...ij,...jk->...ik"),
        "sigmoid": torch.sigmoid,
        "tanh": lambda z: (1 + torch.tanh(z / 2)) / 2,
    }

    def propagate(weights: Weights[Any], x: object) -> Activations[Any]:
        z1 = ways[product](weights.w1, x)
        a1 = ways[sigmoid](z1)
        z2 = ways[product](weights.w2, a1)
        return Activations(z1, a1, z2, ways[sigmoid](z2))

    return rewritten("torch", propagate=propagate)


def in_a_batch() -> Implementation:
    """Train three networks at once, and record the second."""
    base = load("torch")

    def train(problem: Problem) -> Trace:
        weights = Weights(*(np.stack([-w, w, 2 * w]) for w in problem.weights))
        trace = base.train(replace(problem, weights=weights))
        return Trace(**{name: steps[:, 1] for name, steps in vars(trace).items()})

    return rewritten("torch", train=train)


# JAX: another loss, and nothing compiled.


def jax_softplus() -> Implementation:
    """Write the cross-entropy as softplus(z2) - y z2: one term, no a2."""
    import jax  # noqa: PLC0415

    return with_terms("jax", lambda z2, _, y: jax.nn.softplus(z2) - y * z2)


def jax_eager() -> Implementation:
    """Compile nothing: every operation is run as it comes."""
    import jax  # noqa: PLC0415

    base = load("jax")

    def train(problem: Problem) -> Trace:
        with jax.disable_jit():
            return base.train(problem)

    return rewritten("jax", train=train)


REWRITES = (
    Rewrite(
        "sigmoid from exp(-|z|)",
        "numpy",
        partial(rewritten, "numpy", sigmoid=two_sided_sigmoid),
    ),
    Rewrite(
        "sigmoid from tanh",
        "numpy",
        partial(rewritten, "numpy", sigmoid=tanh_sigmoid),
        end_to_end=("a1", "a2"),
    ),
    Rewrite("samples in reverse order", "numpy", samples_backwards),
    Rewrite("one sample at a time", "numpy", one_sample_at_a_time),
    Rewrite(
        "fused multiply-add in the update", "numpy", partial(updated_by, "numpy", fused)
    ),
    Rewrite("torch.optim.SGD", "torch", partial(updated_by, "torch", sgd)),
    Rewrite(
        "binary_cross_entropy of probabilities",
        "torch",
        torch_probabilities,
        losses=("bce",),
    ),
    Rewrite("logarithms of a2 and 1 - a2", "torch", torch_logarithms, losses=("bce",)),
    Rewrite("einsum for @", "torch", partial(torch_propagating, "einsum", "sigmoid")),
    Rewrite(
        "sigmoid from torch.tanh",
        "torch",
        partial(torch_propagating, "@", "tanh"),
        end_to_end=("a1", "a2", "dz2", "dz1"),
    ),
    Rewrite("in a batch of networks", "torch", in_a_batch),
    Rewrite(
        "softplus(z2) - y z2",
        "jax",
        jax_softplus,
        end_to_end=("dz2",),
        losses=("bce",),
    ),
    Rewrite("eager, without jit", "jax", jax_eager, most_steps=50),
)
BY_NAME = {rewrite.name: rewrite for rewrite in REWRITES}
