"""Numbers with error bars, on which the lines of the mathematics are evaluated.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), section 3.3. An operation passes on the bars of its operands, to first
order, and adds its own rounding, u times the magnitude of its result.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.numerics.equations import Step, lines, matmul, sigmoid, softplus
from impls.interface import Array, Problem, Weights

LIBRARY = 4
"""The error of a library's exp and log1p, in u: vendors state 4 ulp, 2 were seen."""


def unit_roundoff(dtype: np.dtype[np.floating]) -> float:
    """Return u, half the distance from 1 to the next number of a dtype."""
    return float(np.finfo(dtype).eps) / 2


@dataclass(frozen=True, eq=False)
class Bar:
    """Computed numbers, and how far from them the exact numbers may be, in units of u.

    An operand that is not a Bar is exact.

    Attributes:
        value: The numbers, any shape.
        bar: Their error bars, the same shape.
        floor: What a product may lose to underflow, in units of u.
    """

    value: Array
    bar: Array
    floor: float = 0.0

    __array_ufunc__ = None  # NumPy leaves array * bar to Bar.__rmul__

    def __add__(self, other: object) -> "Bar":
        """Errors add up."""
        o = as_bar(other)
        return self._rounded(self.value + o.value, self.bar + o.bar, o)

    def __sub__(self, other: object) -> "Bar":
        """Errors add up, also where values cancel."""
        return self + -as_bar(other)

    def __rsub__(self, other: object) -> "Bar":
        """See `__sub__`."""
        return as_bar(other) + -self

    def __neg__(self) -> "Bar":
        """Negation is exact."""
        return Bar(-self.value, self.bar, self.floor)

    def __mul__(self, other: object) -> "Bar":
        """Multiply each error by the other factor."""
        o = as_bar(other)
        passed_on = abs(self.value) * o.bar + self.bar * abs(o.value)
        return self._rounded(self.value * o.value, passed_on + self._floor(o), o)

    __rmul__ = __mul__

    def __truediv__(self, divisor: int) -> "Bar":
        """Divide by an exact number."""
        return self._rounded(
            self.value / divisor, self.bar / divisor + self.floor, self
        )

    def __matmul__(self, other: object) -> "Bar":
        """Round each product and each sum of two: as often as there are terms."""
        o, floor = as_bar(other), self._floor(as_bar(other))
        size, terms = abs(o.value), o.value.shape[-2]
        bar = matmul(abs(self.value), o.bar + terms * size) + terms * floor
        if self.bar.any():  # weights and inputs are exact
            bar += matmul(self.bar, size)
        return Bar(matmul(self.value, o.value), bar, floor)

    def sum(self, *, axis: tuple[int, ...]) -> "Bar":
        """Round once for each addition: one less than there are terms."""
        total = self.value.sum(axis=axis)
        sums = self.value.size // total.size - 1
        own = sums * abs(self.value).sum(axis=axis)
        return Bar(total, self.bar.sum(axis=axis) + own, self.floor)

    @property
    def mT(self) -> "Bar":  # noqa: N802
        """Transpose the last two axes."""
        return Bar(self.value.mT, self.bar.mT, self.floor)

    def _rounded(self, value: Array, bar: Array, other: "Bar") -> "Bar":
        return Bar(value, bar + abs(value), self._floor(other))

    def _floor(self, other: "Bar") -> float:
        return max(self.floor, other.floor)


def as_bar(number: object) -> Bar:
    """Return a Bar as it is, and any other number with an error bar of 0."""
    if isinstance(number, Bar):
        return number
    value = np.asarray(number)
    return Bar(value, np.zeros_like(value))


@sigmoid.register
def _(z: Bar) -> Bar:
    """The error of exp counts 1 - a times; the sum and the quotient round once each."""
    a = sigmoid(z.value)
    bar = a * (1 - a) * z.bar + a * (LIBRARY * (1 - a) + 2) + z.floor
    return Bar(a, bar, z.floor)


@softplus.register
def _(z: Bar) -> Bar:
    """The slope is sigmoid(z); exp, log1p and the sum round."""
    value, tail = softplus(z.value), np.exp(-abs(z.value))
    bar = sigmoid(z.value) * z.bar + 2 * LIBRARY * tail + value + z.floor
    return Bar(value, bar, z.floor)


@np.errstate(all="ignore")  # a number that is not finite fails a check later
def step_bars(
    problem: Problem,
    weights: Weights[Array],
    other_formulas: Collection[str] = (),
) -> Step[Bar]:
    """Evaluate the lines of a step on error bars, from weights taken as exact.

    Another formula for a1 or a2, such as (1 + tanh(z / 2)) / 2, rounds numbers of size
    1, however small its result is. So may a formula for dz2 of the cross-entropy, such
    as 1 - y - (1 - a2).

    Args:
        problem: Gives x, y, lr, loss and dtype.
        weights: w1, shape (N, n_h, n_x), and w2, shape (N, n_y, n_h): N steps at once.
        other_formulas: Those of a1, a2 and dz2 that another formula may compute.

    Returns:
        Every quantity of the steps, as a Bar in float64. The bar of the cross-entropy
        also covers softplus(z2) - y z2, whose terms cancel.
    """
    dtype, m = problem.x.dtype, problem.y.shape[-1]
    u, floor = unit_roundoff(dtype), float(np.finfo(dtype).tiny)
    x, y, w1, w2 = (a.astype(np.float64) for a in (problem.x, problem.y, *weights))
    lr, lr_error = problem.lr, abs(float(dtype.type(problem.lr)) - problem.lr)
    known: dict[str, Any] = {
        "x": as_bar(x),
        "y": y,
        "lr": Bar(np.asarray(lr), np.asarray(lr_error / u)),
        "w1": Bar(w1, np.zeros_like(w1), floor / u),
        "w2": Bar(w2, np.zeros_like(w2), floor / u),
    }
    of_one = {"a1": 1.0, "a2": 1.0, "dz2": 1 / m if problem.loss == "bce" else 0.0}
    for line in lines(problem.loss):
        result = line.formula(*(known[name] for name in line.inputs))
        if line.quantity in other_formulas:
            result = replace(result, bar=result.bar + of_one[line.quantity])
        known[line.quantity] = result
    if problem.loss == "bce":
        loss, z2 = known["loss"], known["z2"]
        cancelling = ((1 + y) * abs(z2.value)).sum(axis=(-2, -1)) / m
        known["loss"] = replace(loss, bar=loss.bar + cancelling)
    return Step(**known)


def values(step: Step[Bar]) -> Step[Array]:
    """Return the numbers of a step without their error bars."""
    return Step(
        **{name: getattr(bar, "value", bar) for name, bar in vars(step).items()}
    )
