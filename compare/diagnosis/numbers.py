"""The numbers in the place of a failure, in full digits, and the exact one."""

from math import isfinite

import numpy as np

from compare.checks.audit import recorded
from compare.checks.check import Check, Point
from compare.checks.run import Run, after_training, fits
from compare.checks.verdict import Verdict
from compare.numerics.equations import line_of, lines
from impls.interface import Array, Problem

DIGITS = 25


def run_named(verdict: Verdict, name: str) -> Run:
    """Find the run of an implementation."""
    return next(run for run in verdict.runs if run.name == name)


def exact_number(verdict: Verdict, check: Check) -> str | None:
    """Return the number that a failed check should have found, in full digits.

    None if it did not fail, or if real arithmetic gives no such number.
    """
    return _reference(verdict, check, check.first).get("exact") if check.first else None


def numbers_of(verdict: Verdict, check: Check, point: Point) -> dict[str, str]:
    """Collect the numbers of all runs in the place of a failure, and the exact one."""
    dtype = verdict.problem.x.dtype.type
    numbers = {check.subject[0]: _digits(dtype, point.value)}
    if len(check.subject) > 1:
        numbers[check.subject[1]] = _digits(dtype, point.reference)
    if check.kind == "audit" and not isinstance(point.reference, str):
        numbers |= _others_numbers(verdict, check, point)
    return numbers | _reference(verdict, check, point)


def _digits(dtype: type[np.floating], number: float | str) -> str:
    return number if isinstance(number, str) else str(dtype(number))


def _others_numbers(verdict: Verdict, check: Check, point: Point) -> dict[str, str]:
    """Return the numbers of the other complete runs in the same place."""
    others = {
        run.name: _found(verdict.problem, run, check, point.step)
        for run in verdict.complete
        if run.name != check.subject[0]
    }
    return {
        name: str(found[check.quantity][point.index])
        for name, found in others.items()
        if check.quantity in found
    }


def _found(problem: Problem, run: Run, check: Check, step: int) -> dict[str, Array]:
    """Return what a run gave in the step of a check, or after training, by name."""
    inputs = {"x": problem.x, "y": problem.y}
    if check.when == "after training":
        last = {"w1": run.trace.w1[-1], "w2": run.trace.w2[-1]}
        return inputs | last | after_training(run)
    steps = recorded(problem, run, problem.x.dtype)
    return {n: inputs[n] if n in inputs else steps[n][step] for n in steps if n != "lr"}


def _reference(verdict: Verdict, check: Check, point: Point) -> dict[str, str]:
    """Return the number, or the description, that should have been found."""
    if isinstance(point.reference, str):
        return {"expected": point.reference} if len(check.subject) == 1 else {}
    if check.when == "at the start":
        return {"given": _digits(verdict.problem.x.dtype.type, point.reference)}
    if check.kind == "exact":
        return {"exact": str(point.reference)}
    run = run_named(verdict, check.path or check.subject[0])
    if exact := _exact_number(verdict.problem, run, check, point):
        return {"exact": exact}
    if check.kind in ("contract", "completeness"):
        digits = _digits(verdict.problem.x.dtype.type, point.reference)
        finite = isfinite(point.reference)
        return {"expected": digits if finite else "a finite number"}
    return {}


def _exact_number(problem: Problem, run: Run, check: Check, point: Point) -> str:
    """Compute in ball arithmetic what a line gives from its inputs.

    The result is "" if no line of one step gives the number, or its inputs are unknown.
    """
    computed = {line.quantity for line in lines(problem.loss)}
    recorded_badly = check.kind == "completeness" and check.when == "in a step"
    of_step = check.basis in ("line", "weights") or recorded_badly
    if not (of_step and check.quantity in computed and fits(problem, run)):
        return ""
    from flint import arb, ctx

    from compare.numerics.balls import BITS, ball_step, balls

    with ctx.workprec(BITS):
        if check.basis == "line":
            line = line_of(problem.loss, check.quantity)
            found = _found(problem, run, check, point.step)
            inputs = (
                arb(problem.lr) if name == "lr" else balls(found[name])
                for name in line.inputs
            )
            value = line.formula(*inputs)
        else:
            w1, w2 = balls(run.trace.w1[point.step]), balls(run.trace.w2[point.step])
            value = getattr(ball_step(problem, w1, w2), check.quantity)
        ball = np.asarray(value)[point.index]
        return str(ball.str(DIGITS, radius=False)) if ball.is_finite() else ""
