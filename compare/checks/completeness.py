"""Completeness: every array in its shape, every step, from the first weights on.

The audit of each line can't see a wrong start, a missing step, a wrong shape or dtype,
or a NaN. These checks do.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compare.checks.check import (
    Check,
    Claim,
    describe,
    has_failure,
    is_array,
    judge,
    mismatch,
    well_formed,
)
from compare.checks.run import Run, after_training, fits, required, shapes
from impls.interface import Problem, Weights


def check_trace(problem: Problem, run: Run) -> list[Check]:
    """Check that a trace is complete and that it starts at the problem's weights."""
    checks, dtype = [], problem.x.dtype
    for name, (array, shape) in required(problem, run).items():
        has_shape = getattr(array, "shape", ()) == shape
        cast = has_shape and not is_array(array, shape, dtype)
        statement = f"{name} in {dtype}" if cast else f"every step of {name}, finite"
        claim = Claim("completeness", (run.name,), name, statement)
        check = well_formed(claim, array, shape, dtype)
        advice = _cast(name, dtype) if cast else _rows(name, array, shape)
        checks.append(replace(check, advice=advice))
    if fits(problem, run):
        checks += check_start(problem, run)
    return checks


def _cast(name: str, dtype: np.dtype[np.floating]) -> str:
    """Say how to record in the dtype of the problem."""
    if name == "loss":
        return "write np.array(losses, dtype=problem.x.dtype)"
    return f"compute in {dtype}: cast a module by .to(torch.{dtype}), and its inputs"


def _rows(name: str, array: object, shape: tuple[int, ...]) -> str:
    """Say how many rows are due, where there is one too few or too many."""
    rows, *element = shape
    if getattr(array, "shape", ()) not in ((rows - 1, *element), (rows + 1, *element)):
        return ""
    if name in Weights._fields:
        return f"give {rows} rows: N + 1 weights, before each update and after the last"
    return f"give {rows} rows: one for each of the N updates"


def check_start(problem: Problem, run: Run) -> Iterator[Check]:
    """Check that the first weights are the problem's, bit for bit."""
    for name, start in problem.weights._asdict().items():
        statement = f"first {name} = the given {name}"
        claim = Claim("completeness", (run.name,), name, statement, when="at the start")
        yield judge(claim, getattr(run.trace, name)[:1], start[None], 0.0)


def check_answers(problem: Problem, run: Run) -> Iterator[Check]:
    """Check the form of what the functions returned at the trained weights."""
    expected = shapes(problem)
    for name, found in after_training(run).items():
        _, *shape = expected[name]
        claim = Claim(
            "completeness",
            (run.name,),
            name,
            "finite, after training",
            when="after training",
        )
        if is_array(found, tuple(shape), problem.x.dtype):
            yield judge(claim, found[None], found[None], 0.0, problem.steps)
        else:
            expected_form = f"{problem.x.dtype} {tuple(shape)}"
            yield mismatch(claim, describe(found), expected_form)


def check_completeness(problem: Problem, run: Run) -> list[Check]:
    """Make all checks that must pass before a run can be compared with another."""
    checks = [*run.contract]
    if not has_failure(checks):
        checks += check_trace(problem, run)
    if not has_failure(checks):
        checks += check_answers(problem, run)
    return checks
