"""The contract: what every implementation takes, returns and guarantees.

The network has one hidden layer, two sigmoids and no biases. Samples are columns.

    z1 = w1 @ x           a1 = sigmoid(z1)
    z2 = w2 @ a1          a2 = sigmoid(z2)

The loss is a mean. Every derivative is a derivative of this mean. `@` is the product of
matrices, and `*` multiplies element by element:

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

Shapes: there are `n_x` inputs, `n_h` hidden units, `n_y` outputs and `m` samples.
Weights may have leading axes `*runs`, with one network per entry. Then everything that
is computed from the weights has these axes, too, and each network gives the results
that it gives alone. Every array has the dtype of the problem, float64 or float32.
"""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Loss: TypeAlias = Literal["bce", "mse"]
T = TypeVar("T")
"""The type of array: NumPy's, PyTorch's or JAX's. A tuple below holds one type."""


class Weights(NamedTuple, Generic[T]):
    """The two weight matrices."""

    w1: T  # (*runs, n_h, n_x)
    w2: T  # (*runs, n_y, n_h)


class Activations(NamedTuple, Generic[T]):
    """The results of the forward pass, in the order in which it computes them."""

    z1: T  # (*runs, n_h, m)
    a1: T  # (*runs, n_h, m)
    z2: T  # (*runs, n_y, m)
    a2: T  # (*runs, n_y, m)


class Gradients(NamedTuple, Generic[T]):
    """The results of the backward pass, in its order; `dz2` is d loss / d z2."""

    dz2: T  # (*runs, n_y, m)
    dw2: T  # (*runs, n_y, n_h)
    dz1: T  # (*runs, n_h, m)
    dw1: T  # (*runs, n_h, n_x)


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that a training run depends on.

    Attributes:
        x: The inputs, shape (n_x, m).
        y: The labels, shape (n_y, m), between 0 and 1.
        weights: The weights at the start, `w1` of shape (*runs, n_h, n_x) and `w2` of
            shape (*runs, n_y, n_h).
        lr: The learning rate.
        steps: The number of updates, at least 1.
        loss: "bce", the cross-entropy, or "mse", the mean squared error.
    """

    x: Array
    y: Array
    weights: Weights[Array]
    lr: float
    steps: int
    loss: Loss

    def __post_init__(self) -> None:
        """Convert `lr` to a Python float: a NumPy float64 makes float32 wider."""
        object.__setattr__(self, "lr", float(self.lr))


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything that a training run of N steps computed; the step is the first axis.

    Row n of the loss, of the activations and of the derivatives is computed from
    `w1[n]` and `w2[n]`. Update n then gives `w1[n + 1]` and `w2[n + 1]`. So there are N
    losses and N + 1 weights. The first weights are those of the problem, and the last
    weights are the trained ones.
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

    All functions are pure: they do not write to their arguments, and they keep nothing
    between calls. They take NumPy arrays and return new NumPy arrays. The results of a
    third-party implementation may be anything that NumPy reads without changing a
    value, in the dtype of the problem: a detached tensor, or a float as the loss.

    A third-party implementation may return less. Results are read by name, and `z1`,
    `a1`, `z2`, `dz2` and `dz1` may be missing or None. Without `train`, a plain loop
    trains it. Without leading axes, each network is computed separately. A line that
    reads a missing quantity can't be checked by itself. Then its result is compared
    with the result that follows from the weights of the step, within a wider bound. So
    are `loss`, `dz2`, `dw2` and `dz1` where their line does not hold, if intermediates
    or `train` are missing: a plain loop calls two functions, which may round otherwise.

    A correct formula may have other intermediates than the equations above: a sigmoid
    computed from tanh, for example. Such an implementation may list the quantities it
    computes in another way, as `end_to_end = ("a1", "a2")`. They are compared with the
    results that follow from the weights, too. It may also name the package whose
    version is recorded, as `framework = "autograd"`.
    """

    def forward(self, weights: Weights[Array], x: Array) -> Activations[Array]:
        """Compute the activations for the inputs `x`, shape (n_x, m)."""

    def loss_and_gradients(
        self, weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        """Compute the loss, shape (*runs,), and its derivatives.

        Results are finite wherever the mathematical results are, also where `a2` has
        been rounded to 0 or to 1.
        """

    def train(self, problem: Problem) -> Trace:
        """Train by full-batch gradient descent, and record each of the steps."""


def predict(a2: Array) -> npt.NDArray[np.bool_]:
    """Convert probabilities, of any shape, to classes: true from 0.5 upwards."""
    return a2 >= 0.5  # noqa: PLR2004
