"""What widely used checks say of the same runs, called for real, with their defaults.

`numpy.testing.assert_allclose` and `torch.testing.assert_close` get every array of both
traces, all steps at once, which is more than they are usually given. `gradcheck` of
PyTorch and `check_grads` of JAX compare a gradient with differences of the loss, at
one point; they get loss and gradient as the implementation makes them, at the weights
of one step, and so can see nothing of the update, the record or the start.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.interface import Array, Trace, Weights


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the peers are shown of an implementation.

    Attributes:
        right: The trace of a correct run.
        other: The trace of the implementation.
        function: Loss and gradient at given weights, as the implementation has them.
        weights: Where those are looked at.
    """

    right: Trace
    other: Trace
    function: Callable[[Weights[Array]], tuple[Array, Weights[Array]]]
    weights: Weights[Array]


def allclose(evidence: Evidence) -> None:
    """Hold every array to that of the right trace, to 1e-7 of each element."""
    for name, steps in vars(evidence.right).items():
        np.testing.assert_allclose(getattr(evidence.other, name), steps)


def close(evidence: Evidence) -> None:
    """Do the same within what PyTorch finds right for the dtype."""
    import torch  # noqa: PLC0415

    for name, steps in vars(evidence.right).items():
        torch.testing.assert_close(
            *(torch.tensor(np.array(a)) for a in (getattr(evidence.other, name), steps))
        )


def gradcheck(evidence: Evidence) -> None:
    """Hold the gradient to differences of the loss, in all directions of the axes."""
    import torch  # noqa: PLC0415

    class Differentiated(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *weights: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
            with torch.enable_grad():  # autograd may be what the function uses
                loss, gradient = evidence.function(
                    Weights(*(w.detach().numpy() for w in weights))
                )
            ctx.save_for_backward(*(torch.tensor(d) for d in gradient))
            return torch.tensor(loss)

        @staticmethod
        def backward(ctx: Any, factor: torch.Tensor) -> Any:  # noqa: ANN401
            return tuple(factor * d for d in ctx.saved_tensors)

    weights = [torch.tensor(w, requires_grad=True) for w in evidence.weights]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that float32 is likely to fail: it is asked
        passes = torch.autograd.gradcheck(
            Differentiated.apply, weights, raise_exception=False
        )
    if not passes:
        raise AssertionError


def check_grads(evidence: Evidence) -> None:
    """Hold the gradient to differences of the loss, in a random direction."""
    import jax  # noqa: PLC0415
    from jax.test_util import check_grads  # noqa: PLC0415

    def numbers(weights: tuple[jax.Array, ...]) -> tuple[Array, Weights[Array]]:
        return evidence.function(Weights(*map(np.asarray, weights)))

    @jax.custom_jvp
    def differentiated(*weights: jax.Array) -> jax.Array:
        return jax.numpy.asarray(numbers(weights)[0])

    @differentiated.defjvp
    def _(weights: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:  # noqa: ANN401
        loss, gradient = numbers(weights)
        parts = [(d * t).sum() for d, t in zip(gradient, tangents, strict=True)]
        return jax.numpy.asarray(loss), parts[0] + parts[1]

    with jax.enable_x64(True):
        weights = tuple(map(jax.numpy.asarray, evidence.weights))
        check_grads(differentiated, weights, order=1)  # type: ignore[no-untyped-call]


PEERS: dict[str, Callable[[Evidence], None]] = {
    "assert_allclose": allclose,
    "assert_close": close,
    "gradcheck": gradcheck,
    "check_grads": check_grads,
}


def alarms(evidence: Evidence) -> frozenset[str]:
    """Name the peers that find fault with what they are shown."""

    def complains(peer: Callable[[Evidence], None]) -> bool:
        try:
            peer(evidence)
        except AssertionError:
            return True
        return False

    return frozenset(name for name, peer in PEERS.items() if complains(peer))
