"""One trace against the mathematics: every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. What that is blind to is seen by `compare.checks.completeness`.

A correct formula may have other intermediates than the line, and a stranger may not
give those that the line reads, or give those of another formula. Then the quantity is
held to its error bar from the weights instead, end to end. That is the wider bound, and
the words of the check tell.
"""

from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np

from compare.checks.check import Check, What, judge
from compare.checks.completeness import final
from compare.checks.run import Run, points, rows, updated
from compare.numerics.equations import Line, Row, chain, lines
from compare.numerics.rounding import (
    Drift,
    line_bound,
    oracle_dtype,
    slack,
    step_bars,
    whole_bound,
)
from impls.interface import Activations, Array, Problem

ACROSS = ("loss", "dz2", "dw2", "dz1")
"""What `loss_and_gradients` gives, by a line that reads what `forward` gives."""
END_TO_END = ", end to end"
"""What is added to the words of a line that was judged from the weights."""


def recorded(problem: Problem, run: Run, dtype: np.dtype[np.floating]) -> Row:
    """Lay out a trace as rows of steps, exactly, in a dtype at least as wide.

    What the trace doesn't have, the row doesn't.
    """
    row = SimpleNamespace(lr=dtype.type(problem.lr), x=problem.x, y=problem.y)
    has = {name: array for name, array in vars(run.trace).items() if array is not None}
    vars(row).update(has, w1=run.trace.w1[:-1], w2=run.trace.w2[:-1])
    row.new_w1, row.new_w2 = updated(run)
    for name, value in vars(row).items():
        setattr(row, name, value.astype(dtype, copy=False))
    return row


def by_line(problem: Problem, run: Run) -> Iterator[tuple[Line, bool]]:
    """List the lines whose quantity was recorded, and whether they can judge it."""
    known = {field for field, array in vars(run.trace).items() if array is not None}
    for line in lines(problem.loss):
        if line.quantity in known | {"new_w1", "new_w2"}:
            yield (
                line,
                known.issuperset(line.inputs) and line.quantity not in run.end_to_end,
            )


Margin: TypeAlias = tuple[Line, Array, Array, Array]
"""A line, what was recorded of it, what should be, and how far it may be off.

All three have the step as their first axis, and the shape of the line's quantity. The
words of the line say if its quantity was judged from the weights.
"""


def margins(problem: Problem, run: Run) -> Iterator[Margin]:
    """Hold each line to its inputs or, where they can't judge it, to the weights.

    A plain loop calls two functions, which may round differently, and a black box shows
    not all that it computed with. A line that reads what one function gave need not
    hold for the other's; if it doesn't, the quantity is judged from the weights.
    """
    dtype = problem.x.dtype
    exact = recorded(problem, run, oracle_dtype(dtype))
    row = recorded(problem, run, np.dtype(np.float64))

    def margin(line: Line) -> Margin:
        value = line.value(exact)
        bound = line_bound(line, row, value.astype(np.float64), dtype)
        return line, getattr(row, line.quantity), value, slack(dtype) * bound

    @cache
    def step() -> tuple[Row, Row]:
        return chain(lines(problem.loss), exact), step_bars(problem, row.w1, row.w2)

    def from_weights(line: Line) -> Margin:
        whole, bars = step()
        found, value = (getattr(r, line.quantity) for r in (row, whole))
        bound = whole_bound(problem, line.quantity, bars)
        words = line.words + END_TO_END
        return line._replace(words=words), found, value, slack(dtype) * bound

    @np.errstate(all="ignore")  # what isn't finite fails, and needs no warning
    def judged(line: Line, *, alone: bool) -> Margin:
        if alone:
            _, found, value, bound = by_inputs = margin(line)
            across = (run.looped or run.unknown) and line.quantity in ACROSS
            if not across or (abs(found - value) <= bound).all():
                return by_inputs
        return from_weights(line)

    for line, alone in by_line(problem, run):
        yield judged(line, alone=alone)


def audit(problem: Problem, run: Run) -> list[Check]:
    """Check every line of a whole trace; see `margins`, and for bounds `bounds`."""
    steps = rows(problem, run)
    return [
        judge(
            What("audit", (run.name,), line.quantity, line.words),
            value,
            reference,
            bound,
            steps,
        )
        for line, value, reference, bound in margins(problem, run)
    ]


def linked(problem: Problem, run: Run, drift: Drift) -> list[Check]:
    """Check that the steps left out, if any, lead from one recorded to the next."""
    bound = np.where(drift.apart <= 1, drift.apart, np.inf)
    return [
        judge(
            What(
                "continuity",
                (run.name,),
                field,
                f"{field} follows from the {field} recorded before it",
            ),
            getattr(run.trace, field)[1:],
            reached,
            bound[:, None, None],
            points(problem, run)[1:],
            "between two recorded steps, roundings can grow past 1",
        )
        for field, reached in drift.reached._asdict().items()
        if run.every > 1
    ]


def after_training(problem: Problem, run: Run, bars: Row) -> Iterator[Check]:
    """Check what the functions gave at the last weights, end to end.

    Args:
        problem: What was trained.
        run: Whose functions.
        bars: From `step_bars`, at all its weights; both sides may use up theirs.
    """
    for name, found in final(run).items():
        quantity = name.removeprefix("final ")
        forward = quantity in Activations._fields
        words = f"{'forward' if forward else 'loss_and_gradients'} after training"
        yield judge(
            What("audit", (run.name,), name, words),
            found[None],
            getattr(bars, quantity).value[-1:],
            2 * whole_bound(problem, quantity, bars)[-1:],
            (problem.steps,),
        )
