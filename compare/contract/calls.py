"""Calls of an implementation of which nothing is known yet."""

import importlib
import os
import sysconfig
import traceback
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from compare.checks.check import Unreadable, describe
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Problem,
    Weights,
)

ThirdParty: TypeAlias = Any
"""An implementation, or a result of one, of which nothing is known yet."""

ARGUMENTS = {
    "forward": ("weights", "x"),
    "loss_and_gradients": ("weights", "x", "y", "loss"),
    "train": ("problem",),
}
FAILURES = (Exception, SystemExit)
"""What third-party code may raise without ending the comparison."""
_AUTOGRAPH = "__autograph_generated_file"
"""TensorFlow writes generated code to files that begin so."""
_MACHINERY = (
    f"{Path(__file__).parents[1]}{os.sep}",
    f"{Path(importlib.__file__).parent}{os.sep}",
    "<",
)
"""Where frames of ours and of the import system are; generated code has no file."""
_LIBRARIES = tuple(
    sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")
)


def rewired(implementation: object, **changes: object) -> Implementation:
    """Wrap the functions and declarations of an implementation, with some changed."""
    names = (*ARGUMENTS, "end_to_end", "plain_losses")
    kept = {n: getattr(implementation, n) for n in names if hasattr(implementation, n)}
    return cast("Implementation", SimpleNamespace(**kept | changes))


def observe(
    implementation: ThirdParty, problem: Problem, *, backward_first: bool = False
) -> dict[str, Any]:
    """Call both functions, and return all quantities of a step; see `call`."""
    results = call(implementation, problem, backward_first=backward_first)
    return quantities_of(results, problem.x.dtype)


class Results(NamedTuple):
    """What both functions return, as it is."""

    activations: ThirdParty
    loss: ThirdParty
    gradients: ThirdParty

    def of(self, quantity: str) -> ThirdParty:
        """Return the result that a quantity is read from."""
        forward = quantity in Activations._fields
        return self.activations if forward else self.gradients


def call(
    implementation: ThirdParty, problem: Problem, *, backward_first: bool = False
) -> Results:
    """Call both functions at the problem's weights; the arguments are not copied.

    `loss_and_gradients` is called last, or first.
    """
    weights, x, y = problem.weights, problem.x, problem.y

    def backward() -> ThirdParty:
        return implementation.loss_and_gradients(weights, x, y, problem.loss)

    first = backward() if backward_first else None
    activations = implementation.forward(weights, x)
    value, gradients = first or backward()
    return Results(activations, value, gradients)


def quantities_of(results: Results, dtype: np.dtype[np.floating]) -> dict[str, Any]:
    """Read all quantities of a step by name; None for one that is not returned."""
    activations, value, gradients = results
    found = {name: getattr(activations, name, None) for name in Activations._fields}
    found["loss"] = value
    found |= {name: getattr(gradients, name, None) for name in Gradients._fields}
    return {name: as_array(value, dtype) for name, value in found.items()}


def answers_at(
    problem: Problem,
    implementation: ThirdParty,
    weights: Weights[Array],
    unknown: Sequence[str],
    *,
    backward_first: bool = False,
) -> dict[str, Array]:
    """Call both functions with copies, and return copies of all but `unknown`."""
    given = deepcopy(replace(problem, weights=weights))
    found = observe(implementation, given, backward_first=backward_first)
    return {q: kept(deepcopy(a)) for q, a in found.items() if q not in unknown}


def kept(found: ThirdParty) -> ThirdParty:
    """Return an array of numbers as it is, and a description of anything else.

    A run holds nothing else, because it goes from process to process.
    """
    if found is None or (isinstance(found, np.ndarray) and not found.dtype.hasobject):
        return found
    return Unreadable(describe(found))


def stack(column: Sequence[ThirdParty]) -> ThirdParty:
    """Stack the arrays of all steps.

    The first that is no array, or of another shape, is returned in place of all, so
    that a check describes it.
    """
    for each in column:
        is_array = isinstance(each, np.ndarray | np.generic)
        if not is_array or each.shape != column[0].shape:
            return each
    return np.array(column)


def as_array(found: ThirdParty, dtype: np.dtype[np.floating]) -> ThirdParty:
    """Convert what NumPy reads without changing a value; return the rest as it is.

    That is an array or scalar of NumPy, an array of another library (a detached
    tensor, an array of JAX), and a number of Python that the dtype can represent. The
    dtype of an array is not changed. A masked array would lose its mask.
    """
    if isinstance(found, np.ndarray | np.generic):
        masked = np.ma.is_masked(found)
        return Unreadable("a masked array") if masked else np.asarray(found)
    try:
        if isinstance(found, int | float):
            return _as_number(found, dtype)
        array = np.asarray(found) if hasattr(found, "__array__") else None
    except FAILURES:  # a tensor that requires grad, for example
        return found
    return found if array is None or array.dtype == object else array


def _as_number(found: float, dtype: np.dtype[np.floating]) -> ThirdParty:
    with np.errstate(over="ignore"):
        array = np.asarray(found, dtype)
    is_same = float(array) == found or np.isnan(array)
    return array if is_same else np.asarray(found)


def as_losses(found: ThirdParty, dtype: np.dtype[np.floating]) -> ThirdParty:
    """Convert recorded losses that are numbers of Python, as `.item()` gives them.

    They are accepted like a single one, if the dtype represents them all.
    """
    if isinstance(found, list) and all(isinstance(each, float) for each in found):
        found = np.array(found)
    if not isinstance(found, np.ndarray) or found.dtype != np.float64:
        return found
    with np.errstate(over="ignore"):
        array = found.astype(dtype)
    return array if np.array_equal(array, found, equal_nan=True) else found


def error_line(error: BaseException) -> str:
    """Describe an error in one line, with its place in a third-party file, if any."""
    message = str(error)
    if not getattr(error, "is_advice", False):
        message = f"{type(error).__name__}: {message}"
    words = " ".join(message.split())
    frames = traceback.extract_tb(error.__traceback__)
    return words + place_of([(f.filename, f.lineno or 0) for f in frames])


def place_of(frames: Sequence[tuple[str, int]]) -> str:
    """Return the innermost place in a third-party file, in parentheses; "" if none.

    Generated code has no file. Its place is the line that called it.

    Args:
        frames: File and line, the innermost last.
    """
    theirs = [f for f in frames if not f[0].startswith(_MACHINERY)]
    theirs = [f for f in theirs if not Path(f[0]).name.startswith(_AUTOGRAPH)]
    own = [f for f in theirs if not f[0].startswith(_LIBRARIES)] or theirs
    return "".join(f" ({file}, line {line})" for file, line in own[-1:])
