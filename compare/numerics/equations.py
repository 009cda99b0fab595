"""The lines of the mathematics, once, for every kind of number they are run on.

A line says how one quantity of a step follows from others. The audit runs each line on
recorded inputs in higher precision; error bars run the same
lines one after the other. Nothing here is shared with `impls`: the equations of
`impls.interface` are written a second time, so that no mistake in one is in both.
"""

from collections.abc import Callable, Iterable
from functools import singledispatch
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from impls.interface import Loss

Number: TypeAlias = Any  # an array of floats, of long doubles, of error bars, ...
Row: TypeAlias = SimpleNamespace
"""The quantities of a step by name, with `x`, `y` and `lr`; steps are leading axes."""


@singledispatch
def sigmoid(z: Number) -> Number:
    """Compute 1 / (1 + exp(-z)), for any shape."""
    with np.errstate(over="ignore"):  # 1 / inf is 0
        return 1 / (1 + np.exp(-z))


@singledispatch
def softplus(z: Number) -> Number:
    """Compute log(1 + exp(z)), for any shape, without overflow."""
    return np.log1p(np.exp(-abs(z))) + np.maximum(z, 0)


def cross_entropy(r: Row) -> Number:
    """-log(a2) is softplus(-z2), -log(1 - a2) is softplus(z2), and nothing cancels."""
    losses = r.y * softplus(-r.z2) + (1 - r.y) * softplus(r.z2)
    return losses.sum(axis=(-2, -1)) / r.y.shape[-1]


class Line(NamedTuple):
    """A quantity, its formula in words, what that reads of a step, and the formula."""

    quantity: str
    words: str
    inputs: tuple[str, ...]
    value: Callable[[Row], Number]


_FORWARD = (
    Line("z1", "z1 = w1 @ x", ("w1",), lambda r: r.w1 @ r.x),
    Line("a1", "a1 = sigmoid(z1)", ("z1",), lambda r: sigmoid(r.z1)),
    Line("z2", "z2 = w2 @ a1", ("w2", "a1"), lambda r: r.w2 @ r.a1),
    Line("a2", "a2 = sigmoid(z2)", ("z2",), lambda r: sigmoid(r.z2)),
)
_LOSS = {
    "bce": (
        Line(
            "loss",
            "loss = mean(-y log(a2) - (1 - y) log(1 - a2))",
            ("z2",),
            cross_entropy,
        ),
        Line(
            "dz2",
            "dz2 = (a2 - y) / m",
            ("a2",),
            lambda r: (r.a2 - r.y) / r.y.shape[-1],
        ),
    ),
    "mse": (
        Line(
            "loss",
            "loss = mean((a2 - y)^2)",
            ("a2",),
            lambda r: ((r.a2 - r.y) * (r.a2 - r.y)).sum(axis=(-2, -1)) / r.y.size,
        ),
        Line(
            "dz2",
            "dz2 = 2 (a2 - y) * a2 * (1 - a2) / (m n_y)",
            ("a2",),
            lambda r: 2 * (r.a2 - r.y) * r.a2 * (1 - r.a2) / r.y.size,
        ),
    ),
}
_BACKWARD = (
    Line("dw2", "dw2 = dz2 @ a1.T", ("dz2", "a1"), lambda r: r.dz2 @ r.a1.mT),
    Line(
        "dz1",
        "dz1 = (w2.T @ dz2) * a1 * (1 - a1)",
        ("w2", "dz2", "a1"),
        lambda r: (r.w2.mT @ r.dz2) * r.a1 * (1 - r.a1),
    ),
    Line("dw1", "dw1 = dz1 @ x.T", ("dz1",), lambda r: r.dz1 @ r.x.mT),
    Line(
        "new_w1",
        "new w1 = w1 - lr dw1",
        ("w1", "dw1"),
        lambda r: r.w1 - r.lr * r.dw1,
    ),
    Line(
        "new_w2",
        "new w2 = w2 - lr dw2",
        ("w2", "dw2"),
        lambda r: r.w2 - r.lr * r.dw2,
    ),
)


def lines(loss: Loss) -> tuple[Line, ...]:
    """List the lines of one step, in the order in which they are computed."""
    return _FORWARD + _LOSS[loss] + _BACKWARD


def chain(lines: Iterable[Line], row: Row) -> Row:
    """Compute line after line from `w1`, `w2`, `x`, `y` and `lr` alone."""
    row = SimpleNamespace(**vars(row))
    for line in lines:
        setattr(row, line.quantity, line.value(row))
    return row
