"""Runs that the tests of `compare.checks` share."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from compare.checks.check import Check
from compare.checks.run import Run
from compare.hosts.load import load
from compare.training.problems import lopsided
from compare.training.record import record
from impls.interface import Loss, Problem
from tests.helpers import problem_of, replayed

ANSWERS = ("a2", "z1", "a1", "z2", "loss", "dz2", "dw2", "dz1", "dw1")
"""What the functions return at the trained weights, in the order of the checks."""


@cache
def short(dtype: str = "float64", loss: Loss = "bce") -> tuple[Problem, Run]:
    """Train the notebook's problem for 20 steps."""
    problem = problem_of(dtype, loss, steps=20)
    return problem, record(problem, load("numpy"), "ours")


@cache
def wide(dtype: str = "float64", loss: Loss = "bce") -> tuple[Problem, Run]:
    """Train a 3-4-2 network on ten samples for 5 steps: no two sizes are equal."""
    problem = replace(lopsided(loss, dtype), steps=5)
    return problem, record(problem, load("numpy"), "ours")


@cache
def pair() -> tuple[Problem, Run, Run]:
    """Train a 3-4-2 network twice, and evaluate each along the path of the other."""
    problem = replace(lopsided("bce", "float64"), steps=5)
    both = {"one": load("numpy"), "other": load("numpy")}
    runs = [record(problem, each, name) for name, each in both.items()]
    one, other = replayed(problem, both, runs)
    return problem, one, other


def changed(run: Run, **arrays: Any) -> Run:
    """Replace arrays of a trace."""
    return replace(run, trace=replace(run.trace, **arrays))


def put(run: Run, name: str, place: Any, value: float) -> Run:
    """Replace one number of a trace."""
    array = np.array(getattr(run.trace, name))
    array[place] = value
    return changed(run, **{name: array})


def with_answer(run: Run, name: str, array: Any) -> Run:
    """Replace what a function returned at the trained weights."""
    if name == "a2":
        return replace(run, final_a2=array)
    return replace(run, answers={**run.answers, name: array})


def claims(checks: list[Check]) -> list[tuple[Any, ...]]:
    """List what each check claims, without its statement."""
    return [(c.kind, c.subject, c.quantity, c.when, c.basis) for c in checks]


def failed(checks: list[Check]) -> list[tuple[str, str]]:
    """List the quantity and the time of each check that failed."""
    return [(c.quantity, c.when) for c in checks if c.passed is False]
