"""Decide whether implementations of the network agree: see README.md.

>>> from compare import Experiment, compare
>>> compare(Experiment(steps=20), ["numpy", "torch"]).answer
'match'
"""

from compare.api import Comparison, check, compare, read_trace
from compare.training.problems import Experiment

__all__ = ["Comparison", "Experiment", "check", "compare", "read_trace"]
