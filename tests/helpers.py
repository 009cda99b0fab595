"""Helpers that more than one test module uses."""

from typing import Any

import numpy as np
import pytest

from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault
from compare.selftest.trial import Planted, Trials
from compare.training.problems import Experiment
from impls.interface import Loss, Problem

DTYPES = ("float64", "float32")
LOSSES: tuple[Loss, ...] = ("bce", "mse")


def problem_of(
    dtype: str = "float64", loss: Loss = "bce", steps: int = 300, **options: Any
) -> Problem:
    """Create the notebook's problem, with enough steps for every fault to happen."""
    return Experiment(dtype=dtype, loss=loss, steps=steps, **options).problem()


def fault_named(name: str) -> Fault:
    """Find a fault by its name."""
    return next(fault for fault in FAULTS if fault.name == name)


def planted_as(trials: Trials, fault: str, dtype: str) -> list[Planted]:
    """List what came of a fault in a dtype, in each of our implementations."""
    return [p for p in trials.planted if (p.fault, p.dtype) == (fault, dtype)]


def near(expected: Any, rel: float) -> Any:
    """Compare with a relative error alone: pytest.approx would add abs=1e-12."""
    return pytest.approx(np.asarray(expected), rel=rel, abs=0)
