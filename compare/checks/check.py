"""What a check found: the words in which audit and parity answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from impls.interface import Array

Kind: TypeAlias = Literal[
    "contract", "continuity", "audit", "parity", "predictions", "exact"
]


@dataclass(frozen=True)
class Point:
    """One comparison of two numbers, or of two descriptions where there are no numbers.

    Attributes:
        step: The step, counted from 0; of a weight, the number of updates before it.
        index: The element, after the step.
        value: What was found.
        reference: What it was held against.
        difference: The magnitude of what lies between them; NaN if they have none.
        bound: How large that may be.
    """

    step: int
    index: tuple[int, ...]
    value: float | str
    reference: float | str
    difference: float
    bound: float

    @property
    def use(self) -> float:
        """The share of the bound that was used: infinite where there is none left."""
        if self.difference == 0:
            return 0.0
        if np.isnan(self.difference) or self.bound == 0:
            return float("inf")
        return self.difference / self.bound


@dataclass(frozen=True)
class Check:
    """One quantity, held to its bounds at every step and in every element.

    Attributes:
        kind: The family of the check.
        subject: The name of the implementation, or of both of a pair.
        quantity: What was compared.
        words: The line of the mathematics, or what else was asked.
        count: How many numbers were compared.
        worst: Where most of the bound was used.
        largest: Where the difference was largest.
        first: The earliest comparison that failed, if one did.
        passed: True, False, or None: cannot tell.
        reason: Why not true, in words; empty otherwise.
    """

    kind: Kind
    subject: tuple[str, ...]
    quantity: str
    words: str
    count: int
    worst: Point
    largest: Point
    first: Point | None = None
    passed: bool | None = True
    reason: str = ""


class What(NamedTuple):
    """What a check is about: see `Check`."""

    kind: Kind
    subject: tuple[str, ...]
    quantity: str
    words: str


def broken(checks: Iterable[Check]) -> bool:
    """Say whether any of them did not pass."""
    return not all(check.passed for check in checks)


def judge(
    what: What,
    value: Array,
    reference: Array,
    bound: Array | float,
    steps: Sequence[int] | None = None,
    unbounded: str = "roundings may have moved z1 or z2 by more than 1",
) -> Check:
    """Hold `value` to `reference`: a difference passes if it is `<=` its bound.

    Shapes are compared before numbers. NaN passes nothing, and a comparison of nothing
    can't tell. A bound of infinity says that there is none: a check that passes but has
    one of those can't tell either.

    Args:
        what: What the check is about.
        value: What was found; the step is the first axis.
        reference: What it should be.
        bound: How far it may be off; it broadcasts to the shape of the reference.
        steps: The step of each row: from 0 on, if not given.
        unbounded: What a bound of infinity means, in words.
    """
    if value.shape != reference.shape:
        return misfit(what, f"shape {value.shape}", f"shape {reference.shape}")
    if not value.size:
        nothing = Point(0, (), "nothing", "numbers", float("nan"), 0.0)
        return Check(*what, 0, nothing, nothing, None, None, "nothing was compared")
    with np.errstate(all="ignore"):
        difference = abs(value - reference)
        bound = np.broadcast_to(bound, difference.shape)
        within = difference <= bound
        use = np.where(difference == 0, 0, difference / bound)

    def point(flat: np.intp) -> Point:
        row, *index = (int(i) for i in np.unravel_index(flat, value.shape))
        numbers = (float(a.flat[flat]) for a in (value, reference, difference, bound))
        return Point(steps[row] if steps else row, tuple(index), *numbers)

    passed: bool | None = bool(within.all())
    first = None if passed else point(np.argmin(within))
    reason = "" if passed else "outside its bound"
    if passed and np.isinf(bound).any():
        passed, reason = None, unbounded
    worst, largest = (
        point(np.argmax(np.where(np.isnan(a), np.inf, a))) for a in (use, difference)
    )
    return Check(*what, value.size, worst, largest, first, passed, reason)


def misfit(what: What, found: str, expected: str) -> Check:
    """Fail because what was found can't be compared with what was expected."""
    point = Point(0, (), found, expected, float("nan"), 0.0)
    return Check(*what, 1, point, point, point, passed=False, reason="not comparable")


def agree(what: What, found: str, expected: str) -> Check:
    """Compare two descriptions: nothing but the same will do."""
    if found != expected:
        return misfit(what, found, expected)
    point = Point(0, (), found, expected, 0.0, 0.0)
    return Check(*what, 1, point, point)


def form(array: object) -> str:
    """Describe what kind of thing was found where an array should be."""
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {array.shape}"
    return "nothing" if array is None else f"a {type(array).__name__}"


def well_formed(
    what: What,
    array: Array | None,
    shape: tuple[int, ...],
    dtype: np.dtype[np.floating],
    steps: Sequence[int] | None = None,
) -> Check:
    """Check shape, dtype and that all is finite: only a finite number equals itself."""
    if array is None or form(array) != f"{dtype} {shape}":
        return misfit(what, form(array), f"{dtype} {shape}")
    return judge(what, array, array, 0.0, steps)


def where(check: Check, point: Point) -> str:
    """Name an element: the quantity, and the index if it has one."""
    element = f"[{', '.join(map(str, point.index))}]" if point.index else ""
    return f"{check.quantity}{element}"
