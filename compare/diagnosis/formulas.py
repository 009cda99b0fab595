"""Formulas of mistakes: what a line gives if it is computed wrongly."""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import Line, Step, line_of, sigmoid
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import (
    line_bound,
    line_roundings,
    magnitude,
    oracle_factor,
)
from impls.interface import Array, Loss, Problem

ENOUGH = 3
"""In so many steps at least, a rounding must show in a number that is not 0."""
LOWEST_LOG = -100
LEAST_SLOPE = float(np.float32(1e-12))
"""The limits with which PyTorch's BCELoss takes logarithms of 0 and divides by it."""


class Failure(NamedTuple):
    """A line that failed, in the oracle's dtype; the step is the first axis."""

    problem: Problem
    line: Line
    step: Step[Array]  # the inputs of the line, as recorded
    found: Array
    value: Array  # the right value
    bound: Array  # how far `found` may be from it
    steps: npt.NDArray[np.bool_]  # whether it is farther, (N,)

    @property
    def u(self) -> float:
        """The unit roundoff of the problem's dtype."""
        return unit_roundoff(self.problem.x.dtype)


Formula: TypeAlias = Callable[[Failure], tuple[Array, Array]]
"""What a line gives if computed wrongly, and how far `found` may be from it. NaN where
the record is silent, as before the first step."""


def by_step(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay out all elements of a step in a row."""
    return values.reshape(len(values), -1)


# From the right values.


def constantly(value: Array, bound: Array) -> Formula:
    """Return numbers that are known already."""
    return lambda _: (value, bound)


def scaled(factor: Callable[[Step[Array]], Array]) -> Formula:
    """Multiply the right value; its roundings grow as much."""
    return lambda f: (f.value * factor(f.step), f.bound * abs(factor(f.step)))


def times(factor: npt.ArrayLike) -> Formula:
    """Multiply by numbers that are the same in every step."""
    return scaled(lambda _: np.asarray(factor))


def rearranged(move: Callable[[Array], Array]) -> Formula:
    """Put the right values in other places."""
    return lambda f: (move(f.value), move(f.bound))


def evaluated(
    f: Failure, line: Line, step: Step[Array], factor: float = 1
) -> tuple[Array, Array]:
    """Compute a line, with the bound that `checks.audit` gives it, and multiply."""
    value, dtype = line.value(step), f.problem.x.dtype
    bound = oracle_factor(dtype) * line_bound(line, f.problem, step, value, dtype)
    return value * factor, bound * factor


def from_inputs(
    change: Callable[[Array], Array], *names: str, factor: float = 1
) -> Formula:
    """Compute the right line with some of its inputs changed, and multiply."""

    def formula(f: Failure) -> tuple[Array, Array]:
        inputs = {name: change(getattr(f.step, name)) for name in names}
        return evaluated(f, f.line, replace(f.step, **inputs), factor)

    return formula


def in_place_of(right: str, wrong: str) -> Formula:
    """Compute the right line with another quantity as one of its inputs."""
    return lambda f: evaluated(
        f, f.line, replace(f.step, **{right: getattr(f.step, wrong)})
    )


def through(kind: npt.DTypeLike) -> Callable[[Array], Array]:
    """Cast to a dtype, and back."""
    return lambda array: array.astype(kind).astype(array.dtype)


def other_loss(f: Failure) -> tuple[Array, Array]:
    """Compute the line of the other loss."""
    other: Loss = "mse" if f.problem.loss == "bce" else "bce"
    return evaluated(f, line_of(other, f.line.quantity), f.step)


def against_all_labels(f: Failure) -> tuple[Array, Array]:
    """Pair each prediction with the labels of all samples, as (m, 1) - (m,) does.

    Both losses then have the mean label in place of each, and the squared error has the
    variance of the labels besides. A sum of m times as many terms may round m times as
    much.
    """
    y = f.step.y
    mean = np.broadcast_to(y.mean(axis=-1, keepdims=True), y.shape)
    value, bound = evaluated(f, f.line, replace(f.step, y=mean))
    is_square = f.problem.loss == "mse" and f.line.quantity == "loss"
    return value + is_square * y.var(), bound * y.shape[-1]


def logarithms(epsilon: float = 0, factor: float = 1) -> Formula:
    """Take the logarithms of a2 as rounded, plus epsilon, and multiply.

    Source of the lowest logarithm: `torch.nn.BCELoss`. Without it, one of 0 is not
    finite.
    """

    def formula(f: Failure) -> tuple[Array, Array]:
        y, a2 = f.step.y, f.step.a2
        log_a2 = np.maximum(np.log(a2 + epsilon), LOWEST_LOG)
        log_rest = np.maximum(np.log(1 - a2 + epsilon), LOWEST_LOG)
        terms = y * log_a2 + (1 - y) * log_rest
        return -terms.sum(axis=(-2, -1)) / y.shape[-1] * factor, f.bound * factor

    return formula


def through_a2(factor: float = 1) -> Formula:
    """Divide by a2 (1 - a2), or by a limit where that is less, and multiply again.

    Source: the derivative of `torch.nn.BCELoss`, before that of a sigmoid.
    """

    def formula(f: Failure) -> tuple[Array, Array]:
        a2 = f.step.a2
        share = factor * np.minimum(1, a2 * (1 - a2) / LEAST_SLOPE)
        return f.value * share, f.bound * share + 8 * f.u * abs(f.value) * share

    return formula


def activation(function: Callable[[Array], Array]) -> Formula:
    """Put another function in place of a sigmoid; it may round numbers of size 1."""

    def formula(f: Failure) -> tuple[Array, Array]:
        value = function(getattr(f.step, f.line.inputs[0]))
        return value, f.bound + 6 * f.u * (1 + abs(value))

    return formula


def logits_twice(factor: float) -> Formula:
    """Give a2 to a loss of logits, which applies the sigmoid again."""

    def formula(f: Failure) -> tuple[Array, Array]:
        a2 = f.step.a2
        step = replace(f.step, z2=a2, a2=sigmoid(a2))
        value, bound = evaluated(f, f.line, step)
        if f.line.quantity == "dz2":  # of a2: the chain rule leads on to z2
            value = value * a2 * (1 - a2)
            bound = 20 * f.u * (abs(value) + a2 / a2.shape[-1])
        return value * factor, (bound + f.bound) * factor

    return formula


def adam(epsilon: float) -> Formula:
    """Update as Adam does, with its default decay rates.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (ICLR 2015),
    algorithm 1. Each step rounds both averages four times, and an error lasts for 1 /
    (1 - beta) steps; the root halves that of the second.
    """
    beta1, beta2 = 0.9, 0.999

    def formula(f: Failure) -> tuple[Array, Array]:
        w, lr, dw = (getattr(f.step, name) for name in f.line.inputs)
        rate = lr / (np.sqrt(averaged(dw * dw, beta2)) + epsilon)
        size = rate * averaged(abs(dw), beta1)
        roundings = 4 / (1 - beta1) + 2 / (1 - beta2)
        return w - rate * averaged(dw, beta1), f.bound + roundings * f.u * size

    return formula


def averaged(values: Array, beta: float) -> Array:
    """Average over a step and those before it, with weights that decay by beta."""
    start = np.zeros_like(values[0])
    sums = accumulate(values, lambda a, b: beta * a + (1 - beta) * b, initial=start)
    weight = 1 - beta ** np.arange(1, len(values) + 1)
    mean: Array = np.array([*sums][1:]) / weight[:, None, None]
    return mean


# What the numbers that were found show by themselves.


def added_up(f: Failure) -> tuple[Array, Array]:
    """Add the gradient to that of the step before, as `.grad` does in PyTorch."""
    value = later(f.found) + f.value
    return value, f.bound + f.u * abs(value)


def repeated(f: Failure) -> tuple[Array, Array]:
    """Return the very numbers of the step before; the first step has none."""
    value, bound = later(f.found), np.zeros_like(f.bound)
    value[:1], bound[:1] = f.value[:1], -1
    return value, bound


def shifted_alike(f: Failure) -> tuple[Array, Array]:
    """Add a number to each unit, the same in all samples and steps: what one shows."""
    found, value, bound = (a[f.steps.argmax()] for a in (f.found, f.value, f.bound))
    shift = np.take_along_axis(found - value, bound.argmin(-1)[:, None], -1)
    rounding = bound.min(-1)[:, None] + 4 * f.u * (abs(f.value) + abs(shift))
    return f.value + shift, f.bound + rounding


def narrow(kind: type[np.floating]) -> Formula:
    """Compute in a narrower dtype: all results are numbers of that dtype."""
    u = unit_roundoff(np.dtype(kind))
    floor = float(np.finfo(kind).smallest_subnormal)

    def formula(f: Failure) -> tuple[Array, Array]:
        size = magnitude(f.line, f.step, f.value)
        bound = line_roundings(f.line, f.problem) * (u * size + floor)
        return _if_shown(f, f.found.astype(kind) == f.found, bound, floor)

    return formula


def rounded(decimals: int) -> Formula:
    """Round to decimals: all results are round numbers."""
    half = 0.5 * 10.0**-decimals

    def formula(f: Failure) -> tuple[Array, Array]:
        error = abs(np.round(f.found, decimals) - f.found)
        return _if_shown(f, error <= 2 * f.u * abs(f.found), f.bound + half, half)

    return formula


def _if_shown(
    f: Failure, seen: npt.NDArray[np.bool_], bound: Array, smallest: float
) -> tuple[Array, Array]:
    """Explain nothing where no rounding shows.

    A zero shows none: it explains a value that would be rounded to 0, beside several
    wrong numbers that are not 0.
    """
    wrong = (abs(f.found - f.value) > f.bound) & (f.found != 0)
    shows = by_step(wrong).any(axis=1) & f.steps
    zero = (f.found == 0) & (abs(f.value) <= smallest)
    shown = seen & ((f.found != 0) | (f.value == 0) | zero)
    return f.value, np.where(shown & (shows.sum() >= ENOUGH), bound, -1)


def later(values: Array, by: Literal[1, -1] = 1) -> Array:
    """Put the values of each step one step later, or earlier; NaN if there are none."""
    moved = np.roll(values, by, axis=0)
    moved[0 if by == 1 else -1] = np.nan
    return moved
