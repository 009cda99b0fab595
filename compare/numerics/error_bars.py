"""Numbers with error bars, on which the lines of the mathematics are evaluated.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), section 3.3. An operation passes on the bars of its operands, to first
order, and adds its own rounding, u times the magnitude of its result.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.numerics.equations import Step, run_lines, sigmoid, softplus
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
    """

    value: Array
    bar: Array

    __array_ufunc__ = None  # NumPy leaves array * bar to Bar.__rmul__

    def __add__(self, other: object) -> "Bar":
        """Errors add up."""
        o = as_bar(other)
        return self._rounded(self.value + o.value, self.bar + o.bar)

    def __sub__(self, other: object) -> "Bar":
        """Errors add up, also where values cancel."""
        return self + -as_bar(other)

    def __rsub__(self, other: object) -> "Bar":
        """See `__sub__`."""
        return as_bar(other) + -self

    def __neg__(self) -> "Bar":
        """Negation is exact."""
        return Bar(-self.value, self.bar)

    def __mul__(self, other: object) -> "Bar":
        """Multiply each error by the other factor."""
        o = as_bar(other)
        passed_on = abs(self.value) * o.bar + self.bar * abs(o.value)
        return self._rounded(self.value * o.value, passed_on)

    __rmul__ = __mul__

    def __truediv__(self, divisor: int) -> "Bar":
        """Divide by an exact number."""
        return self._rounded(self.value / divisor, self.bar / divisor)

    def __matmul__(self, other: object) -> "Bar":
        """Round each product and each sum of two: as often as there are terms."""
        o = as_bar(other)
        passed_on = abs(self.value) @ o.bar + self.bar @ abs(o.value)
        own = o.value.shape[-2] * (abs(self.value) @ abs(o.value))
        return Bar(self.value @ o.value, passed_on + own)

    def sum(self, *, axis: tuple[int, ...]) -> "Bar":
        """Round once for each addition: one less than there are terms."""
        total = self.value.sum(axis=axis)
        sums = self.value.size // total.size - 1
        own = sums * abs(self.value).sum(axis=axis)
        return Bar(total, self.bar.sum(axis=axis) + own)

    @property
    def mT(self) -> "Bar":  # noqa: N802
        """Transpose the last two axes."""
        return Bar(self.value.mT, self.bar.mT)

    def __getitem__(self, index: Any) -> "Bar":  # noqa: ANN401  # whatever NumPy takes
        """Select elements, as of a NumPy array."""
        return Bar(self.value[index], self.bar[index])

    def _rounded(self, value: Array, bar: Array) -> "Bar":
        return Bar(value, bar + abs(value))


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
    return Bar(a, a * (1 - a) * z.bar + a * (LIBRARY * (1 - a) + 2))


@softplus.register
def _(z: Bar) -> Bar:
    """The slope is sigmoid(z); exp, log1p and the sum round."""
    value, tail = softplus(z.value), np.exp(-abs(z.value))
    return Bar(value, sigmoid(z.value) * z.bar + 2 * LIBRARY * tail + value)


@np.errstate(all="ignore")  # a number that is not finite fails a check later
def step_bars(problem: Problem, weights: Weights[Array]) -> Step[Bar]:
    """Evaluate the lines of a step on error bars, from weights taken as exact.

    Args:
        problem: Gives x, y, lr, loss and dtype.
        weights: w1, shape (N, n_h, n_x), and w2, shape (N, n_y, n_h): N steps at once.

    Returns:
        Every quantity of the steps, as a Bar in float64. The bar of the cross-entropy
        also covers softplus(z2) - y z2, whose terms cancel.
    """
    dtype = problem.x.dtype
    lr_error = abs(float(dtype.type(problem.lr)) - problem.lr) / unit_roundoff(dtype)
    x, y, w1, w2 = (
        array.astype(np.float64) for array in (problem.x, problem.y, *weights)
    )
    step: Step[Bar] = run_lines(
        problem.loss,
        x=as_bar(x),
        y=y,
        lr=Bar(np.asarray(problem.lr), np.asarray(lr_error)),
        w1=as_bar(w1),
        w2=as_bar(w2),
    )
    if problem.loss == "bce":
        cancelling = ((1 + y) * abs(step.z2.value)).sum(axis=(-2, -1)) / y.shape[-1]
        loss = Bar(step.loss.value, step.loss.bar + cancelling)
        step = replace(step, loss=loss)
    return step


def values(step: Step[Bar]) -> Step[Array]:
    """Return the numbers of a step without their error bars."""
    return Step(
        **{name: getattr(bar, "value", bar) for name, bar in vars(step).items()}
    )
