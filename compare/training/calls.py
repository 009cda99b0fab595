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
from typing import Any, TypeAlias, cast

import numpy as np

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
_MACHINERY = (
    f"{Path(__file__).parents[1]}{os.sep}",
    f"{Path(importlib.__file__).parent}{os.sep}",
    "<frozen",
)
"""Where frames of ours and of Python's import system are."""
_LIBRARIES = tuple(
    sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")
)


def rewired(implementation: object, **changes: object) -> Implementation:
    """Wrap the functions and declarations of an implementation, with some changed."""
    names = (*ARGUMENTS, "end_to_end")
    kept = {n: getattr(implementation, n) for n in names if hasattr(implementation, n)}
    return cast("Implementation", SimpleNamespace(**kept | changes))


def observe(
    implementation: ThirdParty, problem: Problem, *, backward_first: bool = False
) -> dict[str, Any]:
    """Call both functions at the problem's weights.

    Args:
        implementation: The implementation.
        problem: Gives the arguments, which are not copied.
        backward_first: Whether `loss_and_gradients` is called before `forward`.

    Returns:
        All quantities of a step by name; None for a quantity that is not returned.
    """
    weights, x, y = problem.weights, problem.x, problem.y

    def backward() -> ThirdParty:
        return implementation.loss_and_gradients(weights, x, y, problem.loss)

    first = backward() if backward_first else None
    activations = implementation.forward(weights, x)
    value, gradients = first or backward()
    found = {name: getattr(activations, name, None) for name in Activations._fields}
    found["loss"] = value
    found |= {name: getattr(gradients, name, None) for name in Gradients._fields}
    return {name: as_array(value) for name, value in found.items()}


def answers_at(
    problem: Problem,
    implementation: ThirdParty,
    weights: Weights[Array],
    unknown: Sequence[str],
    *,
    backward_first: bool = False,
) -> dict[str, Array]:
    """Call both functions with copies, and return copies.

    Args:
        problem: Gives x, y and loss.
        implementation: The implementation.
        weights: The weights to call it with.
        unknown: The quantities that it does not return.
        backward_first: As for `observe`.
    """
    given = deepcopy(replace(problem, weights=weights))
    found = observe(implementation, given, backward_first=backward_first)
    return {q: deepcopy(array) for q, array in found.items() if q not in unknown}


def as_array(found: ThirdParty) -> ThirdParty:
    """Convert NumPy scalars and subclasses to arrays; return the rest as it is."""
    is_array = isinstance(found, np.ndarray | np.generic)
    return np.asarray(found) if is_array else found


def error_line(error: BaseException) -> str:
    """Describe an error in one line, with its place in a third-party file, if any."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not f.filename.startswith(_MACHINERY)]
    own = [f for f in theirs if not f.filename.startswith(_LIBRARIES)] or theirs
    return words + "".join(f" ({f.filename}, line {f.lineno})" for f in own[-1:])
