"""Completeness: every array in its shape, every step, from the first weights on.

The audit of each line can't see a wrong start, a missing step, a wrong shape or dtype,
or a NaN. These checks do.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compare.checks.audit import from_weights
from compare.checks.check import (
    Check,
    Claim,
    Promise,
    describe,
    has_failure,
    is_array,
    judge,
    mismatch,
    well_formed,
)
from compare.checks.run import Run, after_training, fits, required, shapes
from compare.numerics.equations import line_of
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
    promise = Promise.COPIED if _are_overwritten(problem, run) else None
    for name, start in problem.weights._asdict().items():
        statement = f"first {name} = the given {name}"
        claim = Claim(
            "completeness",
            (run.name,),
            name,
            statement,
            when="at the start",
            promise=promise,
        )
        check = judge(claim, getattr(run.trace, name)[:1], start[None], 0.0)
        advice = f"record a copy of {name} before each update, which writes into it"
        yield replace(check, advice=advice if promise else "")


@np.errstate(all="ignore")  # a number that is not finite is within no bound
def _are_overwritten(problem: Problem, run: Run) -> bool:
    """Return whether first weights are the last ones, though step 0 began right.

    Rows that are all one array show what the last update has written into it.
    """
    trace, given = run.trace, problem.weights
    paths = (trace.w1, trace.w2)
    wrong = [p for p, w in zip(paths, given, strict=True) if (p[0] != w).any()]
    if not wrong or not all(np.array_equal(path[0], path[-1]) for path in wrong):
        return False
    w1, w2 = (
        np.concatenate([w[None], path[1:]])
        for w, path in zip(given, paths, strict=True)
    )
    a2 = line_of(problem.loss, "a2")  # every trace has it, and it needs both weights
    runs = run, replace(run, trace=replace(trace, w1=w1, w2=w2))
    margins = (next(from_weights(problem, each, [a2])) for each in runs)
    within = [(abs(m.found - m.expected) <= m.bound)[0].all() for m in margins]
    return within == [False, True]


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
