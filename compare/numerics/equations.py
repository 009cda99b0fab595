"""The lines of the mathematics, written once for every kind of number.

A line computes one quantity of a training step from other quantities. The audit
evaluates each line on its recorded inputs, in higher precision. Error bars
(`numerics.error_bars`) and balls (`numerics.balls`) evaluate the same lines one after
the other, from the weights of a step. Nothing here is shared with `impls`: the
equations of `impls.interface` are written a second time, so that a mistake in one is
not in both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from impls.interface import Array, Loss

T = TypeVar("T")
"""An array of one kind of number: floats, long doubles, error bars or balls."""


Labels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Step(Generic[T]):
    """All quantities of a training step; the leading axes `*steps` hold many steps.

    `new_w1` and `new_w2` are the weights after the update. The shapes of the other
    quantities are those of `impls.interface`.
    """

    x: T  # (n_x, m)
    y: Labels  # (n_y, m), exact in every arithmetic
    lr: Any  # a number, not an array
    w1: T
    w2: T
    z1: T
    a1: T
    z2: T
    a2: T
    loss: T
    dz2: T
    dw2: T
    dz1: T
    dw1: T
    new_w1: T
    new_w2: T

    def __getitem__(self, steps: int | slice) -> "Step[T]":
        """Select steps: `x`, `y` and `lr` are the same in all of them."""
        constant = ("x", "y", "lr")
        return Step(
            **{
                name: array if name in constant else array[steps]
                for name, array in vars(self).items()
            }
        )


@singledispatch
def sigmoid(z: Any) -> Any:  # noqa: ANN401  # the kind of number decides
    """Compute 1 / (1 + exp(-z)), for any shape."""
    with np.errstate(over="ignore"):  # 1 / inf is 0
        return 1 / (1 + np.exp(-z))


@singledispatch
def softplus(z: Any) -> Any:  # noqa: ANN401  # the kind of number decides
    """Compute log(1 + exp(z)), for any shape, without overflow."""
    return np.log1p(np.exp(-abs(z))) + np.maximum(z, 0)


@singledispatch
def matmul(a: Any, b: Any) -> Any:  # noqa: ANN401  # the kind of number decides
    """Multiply matrices, as `a @ b`."""
    return a @ b


@matmul.register
def _(a: np.ndarray, b: Array) -> Array:
    """Multiply the rows of all steps at once, if b is one matrix for all of them.

    NumPy calls the BLAS for each step, which takes ten times as long.
    """
    if b.ndim > 2:  # noqa: PLR2004
        return a @ b
    rows: Array = a.reshape(-1, a.shape[-1]) @ b
    return rows.reshape(*a.shape[:-1], b.shape[-1])


# The formulas are annotated for floats. Error bars and balls have the same operations.


def product(w: Array, a: Array) -> Array:
    """Compute z1 from w1 and x, or z2 from w2 and a1."""
    z: Array = matmul(w, a)
    return z


def cross_entropy(z2: Array, y: Labels) -> Array:
    """Compute the loss from z2: -log(a2) is softplus(-z2), -log(1 - a2) softplus(z2).

    Neither cancels, and neither overflows.
    """
    terms: Array = y * softplus(-z2) + (1 - y) * softplus(z2)
    mean: Array = terms.sum(axis=(-2, -1)) / y.shape[-1]
    return mean


def squared_error(a2: Array, y: Labels) -> Array:
    """Compute the mean of the squares over all elements."""
    mean: Array = ((a2 - y) * (a2 - y)).sum(axis=(-2, -1)) / y.size
    return mean


def cross_entropy_slope(a2: Array, y: Labels) -> Array:
    """Compute dz2 of the cross-entropy."""
    slope: Array = (a2 - y) / y.shape[-1]
    return slope


def squared_error_slope(a2: Array, y: Labels) -> Array:
    """Compute dz2 of the squared error."""
    return 2 * (a2 - y) * a2 * (1 - a2) / y.size


def weight_gradient(dz: Array, a: Array) -> Array:
    """Compute dw2 from dz2 and a1, or dw1 from dz1 and x."""
    dw: Array = matmul(dz, a.mT)
    return dw


def hidden_gradient(w2: Array, dz2: Array, a1: Array) -> Array:
    """Compute dz1."""
    return (w2.mT @ dz2) * a1 * (1 - a1)


def update(w: Array, lr: Array, dw: Array) -> Array:
    """Compute the weights after one step of gradient descent."""
    return w - lr * dw


class Line(NamedTuple):
    """One line of the mathematics.

    Attributes:
        quantity: The quantity that it computes, a field of `Step`.
        statement: The formula, as text.
        inputs: The quantities that it reads, in the order of `formula`'s arguments.
        formula: The formula, for every kind of number.
    """

    quantity: str
    statement: str
    inputs: tuple[str, ...]
    formula: Callable[..., Any]

    def value(self, step: Step[T]) -> T:
        """Evaluate the line on the quantities of a step."""
        value: T = self.formula(*(getattr(step, name) for name in self.inputs))
        return value


_FORWARD = (
    Line("z1", "z1 = w1 @ x", ("w1", "x"), product),
    Line("a1", "a1 = sigmoid(z1)", ("z1",), sigmoid),
    Line("z2", "z2 = w2 @ a1", ("w2", "a1"), product),
    Line("a2", "a2 = sigmoid(z2)", ("z2",), sigmoid),
)
_LOSS = {
    "bce": (
        Line(
            "loss",
            "loss = mean(-y log(a2) - (1 - y) log(1 - a2))",
            ("z2", "y"),
            cross_entropy,
        ),
        Line("dz2", "dz2 = (a2 - y) / m", ("a2", "y"), cross_entropy_slope),
    ),
    "mse": (
        Line("loss", "loss = mean((a2 - y)^2)", ("a2", "y"), squared_error),
        Line(
            "dz2",
            "dz2 = 2 (a2 - y) * a2 * (1 - a2) / (m n_y)",
            ("a2", "y"),
            squared_error_slope,
        ),
    ),
}
_BACKWARD = (
    Line("dw2", "dw2 = dz2 @ a1.T", ("dz2", "a1"), weight_gradient),
    Line(
        "dz1",
        "dz1 = (w2.T @ dz2) * a1 * (1 - a1)",
        ("w2", "dz2", "a1"),
        hidden_gradient,
    ),
    Line("dw1", "dw1 = dz1 @ x.T", ("dz1", "x"), weight_gradient),
    Line("new_w1", "new w1 = w1 - lr dw1", ("w1", "lr", "dw1"), update),
    Line("new_w2", "new w2 = w2 - lr dw2", ("w2", "lr", "dw2"), update),
)


def lines(loss: Loss) -> tuple[Line, ...]:
    """List the lines of one step, in the order of computation."""
    return _FORWARD + _LOSS[loss] + _BACKWARD


def line_of(loss: Loss, quantity: str) -> Line:
    """Find the line that computes a quantity."""
    return next(line for line in lines(loss) if line.quantity == quantity)


def run_lines(loss: Loss, *, x: T, y: Labels, lr: object, w1: T, w2: T) -> Step[T]:
    """Evaluate all lines of a step, each from the lines before it.

    Args:
        loss: Which loss.
        x: The inputs, shape (n_x, m).
        y: The labels, shape (n_y, m).
        lr: The learning rate, a number of the same kind.
        w1: The weights, shape (*steps, n_h, n_x).
        w2: The weights, shape (*steps, n_y, n_h).
    """
    known: dict[str, Any] = {"x": x, "y": y, "lr": lr, "w1": w1, "w2": w2}
    for line in lines(loss):
        inputs = (known[name] for name in line.inputs)
        known[line.quantity] = line.formula(*inputs)
    return Step(**known)
