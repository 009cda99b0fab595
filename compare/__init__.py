"""Decide whether implementations of the network agree: see README.md.

>>> from compare import Experiment, compare
>>> compare(Experiment(steps=20), ["numpy", "torch"]).answer
'match'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compare.api import Comparison, check, compare, read_trace
    from compare.training.problems import Experiment

__all__ = ["Comparison", "Experiment", "check", "compare", "read_trace"]


def __getattr__(name: str) -> object:
    """Import the interface when a name of it is read: a worker needs none of it."""
    if name in __all__:
        return getattr(import_module("compare.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
