"""How far a correct floating-point line, or step, may be from the mathematics.

Running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms" (2nd
edition, 2002), chapters 2 and 3. In the model of its section 2.2, each operation
returns its exact result times 1 + d with |d| <= u, the unit roundoff: 2^-53 for
float64, 2^-24 for float32. Bounds are of first order in u.
"""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.numerics.equations import (
    Line,
    Step,
    cross_entropy,
    cross_entropy_slope,
    lines,
    softplus,
)
from compare.numerics.error_bars import Bar, unit_roundoff
from impls.interface import Array, Gradients, Problem

FORMULAS = 4
"""Error bars allowed to a quantity: other correct formulas round differently."""


DERIVATIVES = frozenset(Gradients._fields)
FIRST_ORDER = 0.01
"""n u up to which n roundings have bounds of first order: 1 % is neglected."""


def oracle_dtype(dtype: np.dtype[np.floating]) -> np.dtype[np.floating]:
    """Return the oracle's dtype: float64 for float32, long double for float64."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


def oracle_factor(dtype: np.dtype[np.floating]) -> int:
    """Return by how much bounds grow because the oracle rounds, too: 1 or 2.

    On some systems long double is no wider than float64.
    """
    return 1 if np.finfo(oracle_dtype(dtype)).eps < np.finfo(dtype).eps else 2


# One line, from its own inputs.


def roundings(terms: int) -> int:
    """Return the tolerance of a line, in roundings: 6; n + 3 for sums of n > 4 terms.

    A sum of n products, in any order, is within n u of the sum of their magnitudes
    (Higham, section 3.1), and a line has up to three operations more: n + 3. Six is
    what 1 / (1 + exp(-z)) takes: two, and the library's four. Six also covers the lines
    of up to four terms, where a division by four is exact. The cross-entropy alone
    calls the library twice; that six is enough for it was measured.
    """
    return 6 if terms <= 4 else terms + 3  # noqa: PLR2004


def line_roundings(line: Line, problem: Problem) -> int:
    """Return the tolerance of a line at the sizes of a problem, in roundings."""
    (n_x, m), (n_y, n_h) = problem.x.shape, problem.weights.w2.shape[-2:]
    terms = {
        "z1": n_x,
        "z2": n_h,
        "loss": n_y * m,
        "dz1": n_y + 1,
        "dw1": m,
        "dw2": m,
    }
    return roundings(terms.get(line.quantity, 1))


def magnitude(line: Line, step: Step[Any], value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum of the magnitudes of a line's terms.

    Where the terms are products, that is the line itself, evaluated on magnitudes. The
    cross-entropy may be summed as log(1 + exp(z2)) - y z2, so |z2| counts as a term.
    Its derivative may be formed as (1 - y) a2 - y (1 - a2), whose terms cancel where
    the label is neither 0 nor 1.

    Args:
        line: The line.
        step: Its inputs, in floats or balls.
        value: Its exact value; the result has the same shape.
    """
    match line.quantity:
        case "z1" | "z2" | "dw2" | "dw1":
            inputs = (abs(getattr(step, name)) for name in line.inputs)
            size: npt.NDArray[Any] = line.formula(*inputs)
        case "dz1":  # a mistake may have recorded an a1 that is not between 0 and 1
            passed_back = abs(step.w2).mT @ abs(step.dz2)
            size = passed_back * abs(step.a1) * abs(1 - step.a1)
        case "new_w1":
            size = abs(value) + abs(step.lr * step.dw1)
        case "new_w2":
            size = abs(value) + abs(step.lr * step.dw2)
        case "loss" if line.formula is cross_entropy:
            terms = softplus(step.z2) + (1 + step.y) * abs(step.z2)
            size = terms.sum(axis=(-2, -1)) / step.y.shape[-1]
        case "dz2" if line.formula is cross_entropy_slope:
            size = slope_terms(step.a2, step.y)
        case _:
            size = abs(value)
    return size


def magnitude_statement(line: Line) -> str:
    """Write the formula of `magnitude`; |a| holds the magnitudes of the elements."""
    formula = line.statement.partition(" = ")[2]
    match line.quantity:
        case "z1" | "z2" | "dw2" | "dz1" | "dw1":
            inputs = "|".join(line.inputs)
            return re.sub(rf"(?<!- )\b({inputs})\b(\.T)?", r"|\1\2|", formula)
        case "new_w1" | "new_w2":
            return f"|{line.statement.partition(' = ')[0]}| + |lr {line.inputs[-1]}|"
        case "loss" if line.formula is cross_entropy:
            return "mean(log(1 + exp(z2)) + (1 + y) |z2|)"
        case "dz2" if line.formula is cross_entropy_slope:
            return "((1 - y) a2 + y (1 - a2)) / m"
        case quantity:
            return f"|{quantity}|"


def slope_terms(a2: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum of the magnitudes of (1 - y) a2 and y (1 - a2), divided by m."""
    size: npt.NDArray[Any] = ((1 - y) * abs(a2) + y * abs(1 - a2)) / y.shape[-1]
    return size


def line_bound(
    line: Line,
    problem: Problem,
    step: Step[Array],
    value: Array,
    dtype: np.dtype[np.floating],
) -> Array:
    """Bound the error of a line that is computed from the exact inputs in `step`.

    Below the smallest normal number, precision is absolute: each operation may lose
    that much. The bound is infinite where n roundings are too many for bounds of first
    order, which neglect (n u)^2 beside n u: in Higham, section 3.1, the bound is
    gamma_n = n u / (1 - n u).

    Args:
        line: The line.
        problem: Gives the sizes.
        step: The inputs of the line.
        value: Its exact value; the result has the same shape.
        dtype: The dtype in which it is computed.
    """
    u, floor = unit_roundoff(dtype), float(np.finfo(dtype).tiny)
    count = line_roundings(line, problem)
    if count * u > FIRST_ORDER:
        return np.full_like(value, np.inf)
    return count * (u * magnitude(line, step, value) + floor)


# One step, from its weights.


def end_to_end_bound(problem: Problem, quantity: str, bars: Step[Bar]) -> Array:
    """Bound the error of one quantity; see `end_to_end_bounds`."""
    return end_to_end_bounds(problem, bars, (quantity,))[quantity]


def end_to_end_bounds(
    problem: Problem, bars: Step[Bar], quantities: Collection[str]
) -> dict[str, Array]:
    """Bound the errors of quantities that are computed from the weights of their step.

    The bounds hold for every correct formula. They are infinite where z1 or z2 is known
    so badly that bounds of first order say nothing.

    Args:
        problem: Gives loss and dtype.
        bars: The error bars of the steps, from `step_bars`.
        quantities: The names of the quantities.
    """
    dtype = problem.x.dtype
    u, floor = unit_roundoff(dtype), float(np.finfo(dtype).tiny)
    forms = problem.loss == "bce" and not DERIVATIVES.isdisjoint(quantities)
    added = other_roundings(bars) if forms else {}
    unknown = ~is_first_order(bars, dtype)
    bounds = {}
    for quantity in quantities:
        bar = getattr(bars, quantity).bar
        bound = FORMULAS * u * (bar + added.get(quantity, 0.0)) + floor
        if quantity not in ("z1", "z2"):
            bound[unknown] = np.inf
        bounds[quantity] = bound
    return bounds


def other_roundings(bars: Step[Bar]) -> dict[str, Array]:
    """Return what other forms of the loss add to the error bars.

    Its gradient may be formed as exp(z2 - softplus(z2)) - y, whose exponent rounds at
    |z2|, or as (1 - y) a2 - y (1 - a2). The bar of dz2, made for a2 - y, covers
    neither. The derivatives computed from dz2 inherit both.

    Returns:
        An addition in units of u for each of dz2, dw2, dz1 and dw1.
    """
    size = {
        "x": abs(bars.x.value),
        "w2": abs(bars.w2.value),
        "a1": bars.a1.value,
        "dz2": abs(bars.a2.value * bars.z2.value) / bars.y.shape[-1]
        + slope_terms(bars.a2.value, bars.y),
    }
    for line in lines("bce"):
        if line.quantity in DERIVATIVES - {"dz2"}:
            size[line.quantity] = line.formula(*(size[name] for name in line.inputs))
    return {name: size[name] for name in DERIVATIVES}


def is_first_order(
    bars: Step[Bar], dtype: np.dtype[np.floating]
) -> npt.NDArray[np.bool_]:
    """Say for each step whether z1 and z2 are known to 1: bounds then hold, shape (N,).

    The sigmoid bends on a scale of 1, so beyond that its slope bounds nothing.
    """
    largest = (per_step(np.maximum, z.bar) for z in (bars.z1, bars.z2))
    known: npt.NDArray[np.bool_] = unit_roundoff(dtype) * np.maximum(*largest) <= 1
    return known


def per_step(extreme: np.ufunc, numbers: Array) -> Array:
    """Find an extreme number of each step, shape (N,).

    NumPy finds the extremes of long rows, not of many short ones, with the vector units
    of a processor.
    """
    rows = np.ascontiguousarray(numbers.reshape(len(numbers), -1).T)
    found: Array = extreme.reduce(rows)
    return found
