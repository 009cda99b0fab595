"""Calls of an implementation of which nothing is known yet."""

import importlib
import os
import sysconfig
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import numpy as np

from impls.interface import (
    Activations,
    Gradients,
    Implementation,
    Problem,
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


def observe(implementation: ThirdParty, problem: Problem) -> dict[str, Any]:
    """Call both functions at the problem's weights.

    Returns:
        All quantities of a step by name; None for a quantity that is not returned.
    """
    weights, x, y = problem.weights, problem.x, problem.y
    activations = implementation.forward(weights, x)
    value, gradients = implementation.loss_and_gradients(weights, x, y, problem.loss)
    found = {name: getattr(activations, name, None) for name in Activations._fields}
    found["loss"] = value
    found |= {name: getattr(gradients, name, None) for name in Gradients._fields}
    return {name: as_array(value) for name, value in found.items()}


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
