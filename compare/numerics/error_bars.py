"""Numbers with error bars, on which the lines of the mathematics run unchanged.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), section 3.3. An operation passes on the bars of its operands, to first
order, and adds its own rounding, u times the magnitude of its result.
"""

from dataclasses import dataclass

import numpy as np

from compare.numerics.equations import Number, sigmoid, softplus
from impls.interface import Array

LIBRARY = 4
"""Error of a library's exp and log1p, in u: vendors state up to 4 ulp, 2 are seen."""


@dataclass(frozen=True, eq=False)
class Bar:
    """Numbers as computed, and how far exact ones may be, in units of u.

    An operand that is no Bar is exact.

    Attributes:
        value: The numbers, any shape.
        bar: Their error bars, the same shape.
    """

    value: Array
    bar: Array

    __array_ufunc__ = None  # array * bar is left to Bar

    def __add__(self, other: Number) -> "Bar":
        """Errors add up."""
        o = exact(other)
        return self._rounded(self.value + o.value, self.bar + o.bar)

    def __sub__(self, other: Number) -> "Bar":
        """Errors add up, also where values cancel."""
        return self + -exact(other)

    def __rsub__(self, other: Number) -> "Bar":
        """See `__sub__`."""
        return exact(other) + -self

    def __neg__(self) -> "Bar":
        """Exact."""
        return Bar(-self.value, self.bar)

    def __mul__(self, other: Number) -> "Bar":
        """Each error counts as much as the other factor."""
        o = exact(other)
        passed_on = abs(self.value) * o.bar + self.bar * abs(o.value)
        return self._rounded(self.value * o.value, passed_on)

    __rmul__ = __mul__

    def __truediv__(self, divisor: int) -> "Bar":
        """Divide by an exact number."""
        return self._rounded(self.value / divisor, self.bar / divisor)

    def __matmul__(self, other: Number) -> "Bar":
        """Round each product and each sum of two: as often as there are terms."""
        o = exact(other)
        passed_on = abs(self.value) @ o.bar + self.bar @ abs(o.value)
        own = o.value.shape[-2] * (abs(self.value) @ abs(o.value))
        return Bar(self.value @ o.value, passed_on + own)

    def sum(self, axis: tuple[int, ...]) -> "Bar":
        """Round once for each addition: one less than there are terms."""
        total = self.value.sum(axis=axis)
        sums = self.value.size // total.size - 1
        own = sums * abs(self.value).sum(axis=axis)
        return Bar(total, self.bar.sum(axis=axis) + own)

    @property
    def mT(self) -> "Bar":  # noqa: N802
        """Transpose the last two axes."""
        return Bar(self.value.mT, self.bar.mT)

    def _rounded(self, value: Array, bar: Array) -> "Bar":
        return Bar(value, bar + abs(value))


def exact(number: Number) -> Bar:
    """Give a number a bar of length zero, unless it has one."""
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
