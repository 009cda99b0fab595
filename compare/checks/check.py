"""One comparison: what it claims, what it found, whether it passed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from compare.checks.printable import printable
from compare.numerics.rounding import per_step
from impls.interface import Array

Kind: TypeAlias = Literal[
    "contract", "completeness", "audit", "parity", "predictions", "exact"
]
When: TypeAlias = Literal[
    "before training", "at the start", "in a step", "after training", "in a replay"
]
"""A replay calls the functions at weights that a run recorded."""
Basis: TypeAlias = Literal["equality", "line", "weights", "drift"]
"""What a bound is derived from: nothing, for numbers that must be equal; the roundings
of one line; the error bars of a step, from its weights; how far runs may be apart."""


Doubt: TypeAlias = Literal[
    "nothing compared", "no bound", "bound too large", "near 0.5", "unstable"
]
"""Why a check cannot tell; "unstable": training amplifies rounding beyond its bound."""


class Promise(Enum):
    """The promises of the contract; see `impls.interface.Implementation`."""

    EXISTS = "is there, and can be called"
    ARGUMENTS = "takes the arguments of the contract"
    QUANTITIES = "names quantities only"
    ANSWERS = "returns without an error"
    PAIR = "returns the loss and the gradients, a pair"
    ARRAYS = "returns an array of this dtype and shape"
    FINITE = "returns finite numbers"
    INPUTS = "leaves its inputs unchanged"
    OUTPUTS = "leaves its earlier results unchanged"
    REPEATS = "returns the same when called again"
    CLEARED = "starts each gradient at zero"
    UNBIASED = "adds no bias to w1 @ x and w2 @ a1"
    OTHERS = "is right for other arguments, too"
    COPIED = "records copies"
    LASTS = "returns the same after training as before"
    TRAINS = "trains to the end"
    LIVES = "leaves its process running"
    IN_TIME = "answers in time"

    @property
    def precedes_numbers(self) -> bool:
        """Whether there is no number to compare if the promise is broken."""
        return self in {
            Promise.EXISTS,
            Promise.ARGUMENTS,
            Promise.QUANTITIES,
            Promise.ANSWERS,
            Promise.PAIR,
            Promise.TRAINS,
            Promise.LIVES,
            Promise.IN_TIME,
        }


NO_BOUND: tuple[Doubt, str] = (
    "no bound",
    "roundings may have moved z1 or z2 by more than 1",
)


@dataclass(frozen=True)
class Point:
    """One comparison of two numbers, or of two descriptions where there are no numbers.

    Attributes:
        step: The step, counted from 0; of a weight, the number of updates before it.
        index: The element, after the step.
        value: What was found.
        reference: What it was compared with.
        difference: The magnitude of the difference; NaN if there is none.
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
        """The share of the bound that was used: infinite where the bound is 0."""
        if self.difference == 0:
            return 0.0
        if np.isnan(self.difference) or self.bound == 0:
            return float("inf")
        return self.difference / self.bound


@dataclass(frozen=True)
class Claim:
    """What a check is about. Code reads the typed fields; `statement` is for people.

    Attributes:
        kind: The family of the check.
        subject: The name of the implementation, or both names of a pair.
        quantity: What was compared.
        statement: The line of the mathematics, or another promise, as text.
        when: At which time of a run.
        basis: What the bound is derived from.
        promise: The promise of the contract, if it is one.
        path: The run whose weights the functions were called at, in a replay.
    """

    kind: Kind
    subject: tuple[str, ...]
    quantity: str
    statement: str
    when: When = "in a step"
    basis: Basis = "equality"
    promise: Promise | None = None
    path: str = ""

    @property
    def label(self) -> str:
        """The quantity and when it was compared, as text: "first w1", "final a2"."""
        prefix = {
            "at the start": "first ",
            "after training": "final ",
            "in a replay": "replayed ",
        }
        return prefix.get(self.when, "") + self.quantity


class Resolution(NamedTuple):
    """A relative error, at the worst step and at the median step.

    Of an even number of steps, the median is the upper of the two in the middle.
    """

    worst: float
    median: float


@dataclass(frozen=True, kw_only=True)
class Check(Claim):
    """One quantity, compared with its bounds at every step and in every element.

    Attributes:
        count: How many numbers were compared.
        resolution: The smallest relative error that would surely have been reported, at
            the worst step and at the median step; infinite for numbers that are 0. None
            if the numbers must be equal, or are none.
        worst: Where most of the bound was used.
        largest: Where the difference was largest.
        first: The earliest comparison that failed, if one did.
        passed: True, False, or None: cannot tell.
        doubt: Why the check cannot tell, if `passed` is None.
        reason: Why `passed` is not True, as text; empty otherwise.
        advice: What to write instead, as text; empty if that is unknown.
    """

    count: int
    worst: Point
    largest: Point
    first: Point | None = None
    passed: bool | None = True
    doubt: Doubt | None = None
    reason: str = ""
    advice: str = ""
    resolution: Resolution | None = None


def has_failure(checks: Iterable[Check]) -> bool:
    """Return whether any check did not pass."""
    return not all(check.passed for check in checks)


def judge(
    claim: Claim,
    value: Array,
    reference: Array,
    bound: Array | float,
    first_step: int = 0,
    unbounded: tuple[Doubt, str] = NO_BOUND,
) -> Check:
    """Compare numbers with their reference: a difference passes if it is <= its bound.

    Shapes are compared before numbers. NaN fails; an empty comparison gives None. An
    infinite bound means that there is no bound: the check can then fail, but not pass.

    Args:
        claim: What the check is about.
        value: What was found; the step is the first axis.
        reference: What it should be, the same shape.
        bound: How far it may be off; it broadcasts to that shape.
        first_step: The step of row 0.
        unbounded: What an infinite bound means, and the same as text.
    """
    if value.shape != reference.shape:
        return mismatch(claim, f"shape {value.shape}", f"shape {reference.shape}")
    if not value.size:
        return _empty(claim)
    with np.errstate(all="ignore"):
        difference = abs(value - reference)
        bound = np.broadcast_to(bound, difference.shape)
        within = difference <= bound
        difference = difference.astype(np.float64, copy=False)  # long double is slow
        use = difference / bound

    def point(flat: np.intp) -> Point:
        row, *index = place = [int(i) for i in np.unravel_index(flat, value.shape)]
        numbers = (float(a[*place]) for a in (value, reference, difference, bound))
        return Point(first_step + row, tuple(index), *numbers)

    passed, doubt, reason = _outcome(within, bound, unbounded)
    return Check(
        **vars(claim),
        count=value.size,
        worst=point(_argmax(use, difference)),
        largest=point(_argmax(difference, difference)),
        first=point(np.argmin(within)) if passed is False else None,
        passed=passed,
        doubt=doubt,
        reason=reason,
        resolution=None if claim.basis == "equality" else _resolution(reference, bound),
    )


def _resolution(reference: Array, bound: Array) -> Resolution:
    """Return the relative errors of which twice the bound is evidence, step by step.

    An error of twice the bound exceeds it, even if rounding takes away one bound.
    """
    with np.errstate(all="ignore"):
        share = bound / abs(reference.astype(np.float64, copy=False))
    steps = 2 * per_step(np.fmin, share)
    steps[np.isnan(steps)] = np.inf  # 0 / 0
    half = len(steps) // 2
    median = np.partition(steps, half)[half]  # np.median takes several times as long
    return Resolution(float(steps.max()), float(median))


def _outcome(
    within: npt.NDArray[np.bool_], bound: Array, unbounded: tuple[Doubt, str]
) -> tuple[bool | None, Doubt | None, str]:
    """Return whether a check passed, and why not."""
    if not within.all():
        return False, None, "outside its bound"
    if bound.max() == np.inf:
        return None, *unbounded
    return True, None, ""


def _argmax(numbers: Array, difference: Array) -> np.intp:
    """Find the largest number; NaN is larger than all, if there is a difference."""
    largest = np.argmax(numbers)  # the first NaN, if there is one
    if not np.isnan(numbers.flat[largest]):
        return largest
    numbers = np.where(difference == 0, 0, numbers)  # 0 / 0 uses nothing
    return np.argmax(np.where(np.isnan(numbers), np.inf, numbers))


def _empty(claim: Claim) -> Check:
    point = Point(0, (), "nothing", "numbers", float("nan"), 0.0)
    return Check(
        **vars(claim),
        count=0,
        worst=point,
        largest=point,
        passed=None,
        doubt="nothing compared",
        reason="nothing was compared",
    )


def mismatch(claim: Claim, found: str, expected: str, advice: str = "") -> Check:
    """Fail because what was found can't be compared with what was expected.

    Args:
        claim: What the check is about.
        found: What was found, as text.
        expected: What was expected, as text.
        advice: What to write instead, if that is known.
    """
    point = Point(0, (), printable(found), expected, float("nan"), 0.0)
    return Check(
        **vars(claim),
        count=1,
        worst=point,
        largest=point,
        first=point,
        passed=False,
        reason="not comparable",
        advice=advice,
    )


def agree(claim: Claim, found: str, expected: str) -> Check:
    """Compare two descriptions, which must be equal."""
    if found != expected:
        return mismatch(claim, found, expected)
    point = Point(0, (), found, expected, 0.0, 0.0)
    return Check(**vars(claim), count=1, worst=point, largest=point)


def is_array(
    found: object, shape: tuple[int, ...], dtype: np.dtype[np.floating]
) -> TypeGuard[Array]:
    """Return whether something is an array of this shape and dtype."""
    return (
        isinstance(found, np.ndarray) and found.shape == shape and found.dtype == dtype
    )


@dataclass(frozen=True)
class Unreadable:
    """What stands in a run in place of a result that is no array of numbers.

    Attributes:
        description: Of that result; see `describe`.
    """

    description: str


def describe(array: object) -> str:
    """Describe an array by dtype and shape, and anything else by its type."""
    if isinstance(array, Unreadable):
        return array.description
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {array.shape}"
    return "nothing" if array is None else f"a {type(array).__name__}"


def well_formed(
    claim: Claim,
    array: Array | None,
    shape: tuple[int, ...],
    dtype: np.dtype[np.floating],
) -> Check:
    """Check shape and dtype, and that all numbers are finite.

    A number that is not finite minus itself is NaN, which fails.
    """
    if not is_array(array, shape, dtype):
        return mismatch(claim, describe(array), f"{dtype} {shape}")
    if not array.size or not np.isfinite(array).all():
        return judge(claim, array, array, 0.0)
    number = float(array.flat[0])
    point = Point(0, (0,) * (array.ndim - 1), number, number, 0.0, 0.0)
    return Check(**vars(claim), count=array.size, worst=point, largest=point)


def element(check: Check, point: Point) -> str:
    """Name an element: the quantity, and the index if it has one."""
    index = f"[{', '.join(map(str, point.index))}]" if point.index else ""
    return f"{check.label}{index}"
