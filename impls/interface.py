"""The contract: what every implementation takes, gives and promises.

The network has one hidden layer, two sigmoids and no biases. Samples are columns.

    z1 = w1 @ x           a1 = sigmoid(z1)
    z2 = w2 @ a1          a2 = sigmoid(z2)

The loss is a mean, and every derivative is one of that mean; `*` is elementwise:

    bce: loss = mean over samples of the sum over outputs of
                -(y * log(a2) + (1 - y) * log(1 - a2))
    mse: loss = mean over all elements of (a2 - y)^2

    dz2 = (a2 - y) / m                              (bce)
    dz2 = 2 (a2 - y) * a2 * (1 - a2) / (m n_y)      (mse)
    dw2 = dz2 @ a1.T
    dz1 = (w2.T @ dz2) * a1 * (1 - a1)
    dw1 = dz1 @ x.T

    w1 <- w1 - lr dw1     w2 <- w2 - lr dw2

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating
errors", Nature 323 (1986), for these equations with the squared error; Bishop, "Pattern
Recognition and Machine Learning" (2006), section 5.2, for the cross-entropy.

Shapes: `n_x` inputs, `n_h` hidden units, `n_y` outputs, `m` samples. Weights, and all
that follows from them, may carry leading axes `*runs`, one network per entry; each
gives what it would give alone. Every array has the dtype of the problem, float64 or
float32.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Loss: TypeAlias = Literal["bce", "mse"]
T = TypeVar("T")
"""A framework's own array: the bundles below hold one kind of array each."""


class Weights(NamedTuple, Generic[T]):
    """The two weight matrices."""

    w1: T  # (*runs, n_h, n_x)
    w2: T  # (*runs, n_y, n_h)


class Activations(NamedTuple, Generic[T]):
    """What the forward pass computes, in its order."""

    z1: T  # (*runs, n_h, m)
    a1: T  # (*runs, n_h, m)
    z2: T  # (*runs, n_y, m)
    a2: T  # (*runs, n_y, m)


class Gradients(NamedTuple, Generic[T]):
    """What the backward pass computes, in its order; `dz2` is d loss / d z2."""

    dz2: T  # (*runs, n_y, m)
    dw2: T  # (*runs, n_y, n_h)
    dz1: T  # (*runs, n_h, m)
    dw1: T  # (*runs, n_h, n_x)


@dataclass(frozen=True, eq=False)
class Problem:
    """What to learn, from where, and how: everything a training run depends on.

    Attributes:
        x: The inputs, shape (n_x, m).
        y: The labels, shape (n_y, m), between 0 and 1.
        weights: Where training starts.
        lr: The learning rate.
        steps: How many updates to make, at least 1.
        loss: "bce", the cross-entropy, or "mse", the mean squared error.
    """

    x: Array
    y: Array
    weights: Weights[Array]
    lr: float
    steps: int
    loss: Loss

    def __post_init__(self) -> None:
        """Make a plain float of `lr`: a NumPy float64 would widen float32 arrays."""
        object.__setattr__(self, "lr", float(self.lr))


@dataclass(frozen=True, eq=False)
class Trace:
    """All that a training run of N steps computed; the step is the first axis.

    `loss[n]`, the activations and the derivatives of row n are taken at `w1[n]` and
    `w2[n]`, before update n; `w1[n + 1]` and `w2[n + 1]` follow from them. So there are
    N losses and N + 1 weights: the first are the problem's, the last the trained ones.
    """

    loss: Array  # (N, *runs)
    z1: Array | None  # (N, *runs, n_h, m)
    a1: Array | None  # (N, *runs, n_h, m)
    z2: Array | None  # (N, *runs, n_y, m)
    a2: Array  # (N, *runs, n_y, m)
    dz2: Array | None  # (N, *runs, n_y, m)
    dw2: Array  # (N, *runs, n_y, n_h)
    dz1: Array | None  # (N, *runs, n_h, m)
    dw1: Array  # (N, *runs, n_h, n_x)
    w1: Array  # (N + 1, *runs, n_h, n_x)
    w2: Array  # (N + 1, *runs, n_y, n_h)


class Implementation(Protocol):
    """The functions of a module that implements the network.

    All are pure: nothing given is written to, and nothing is remembered. NumPy arrays
    go in and new NumPy arrays come out, whatever happens between.

    A stranger's may know less. Results are read by their names alone, and `z1`, `a1`,
    `z2`, `dz2` and `dz1` may be missing or None. Without `train`, a plain loop trains;
    without leading axes, each network is computed by itself. What a missing quantity
    would prove is judged from the weights of its step alone, within a wider bound.

    A correct formula may have other intermediates than the equations above: a sigmoid
    by tanh, say. An implementation that uses one may name the quantities computed so,
    as `end_to_end = ("a1", "a2")`; they are judged in the same way. And it may name the
    package whose version belongs on record, as `framework = "autograd"`.
    """

    def forward(self, weights: Weights[Array], x: Array) -> Activations[Array]:
        """Compute the activations for the inputs `x`, shape (n_x, m)."""

    def loss_and_gradients(
        self, weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        """Compute the loss, shape (*runs,), and its derivatives.

        Finite wherever the mathematics is: also where `a2` has rounded to 0 or to 1.
        """

    def train(self, problem: Problem) -> Trace:
        """Descend the full-batch gradient, recording each of `problem.steps` steps."""


def predict(a2: Array) -> npt.NDArray[np.bool_]:
    """Turn probabilities, of any shape, into classes: true from 0.5 upwards."""
    return a2 >= 0.5  # noqa: PLR2004
