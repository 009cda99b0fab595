"""One trace against the mathematics: every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. What that is blind to is seen by continuity: a wrong start, a missing step, a
wrong shape or dtype, a NaN.

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

from compare.bounds import Drift, line_bound, step_bars, whole_bound
from compare.checks import Check, What, broken, form, judge, misfit, well_formed
from compare.lines import Line, Row, chain, lines
from compare.runs import Run, points, rows, updated
from impls.interface import Activations, Array, Problem

OPTIONAL = ("z1", "a1", "z2", "dz2", "dz1")
"""What a stranger need not give."""
ACROSS = ("loss", "dz2", "dw2", "dz1")
"""What `loss_and_gradients` gives, by a line that reads what `forward` gives."""
END_TO_END = ", end to end"
"""What is added to the words of a line that was judged from the weights."""


def layout(problem: Problem, every: int = 1) -> dict[str, tuple[int, ...]]:
    """Say which shape each field of a trace has, in the order of a step."""
    (w1, w2), m = problem.weights, problem.x.shape[-1]
    n = len(range(0, problem.steps, every))
    hidden, output = (n, len(w1), m), (n, len(w2), m)
    return {
        "w1": (n + 1, *w1.shape),
        "w2": (n + 1, *w2.shape),
        "z1": hidden,
        "a1": hidden,
        "z2": output,
        "a2": output,
        "loss": (n,),
        "dz2": output,
        "dw2": (n, *w2.shape),
        "dz1": hidden,
        "dw1": (n, *w1.shape),
    }


def arrays(
    problem: Problem, run: Run
) -> dict[str, tuple[Array | None, tuple[int, ...]]]:
    """List what a run has to have, or has anyway, beside the shape that it should be.

    By the name of the quantity, in the order of a step.
    """
    trace, shapes = run.trace, layout(problem, run.every)
    found = {field: (getattr(trace, field, None), shapes[field]) for field in shapes}
    found = {
        field: pair
        for field, pair in found.items()
        if field not in run.unknown or pair[0] is not None
    }
    for field in ("w1", "w2") if run.every > 1 else ():
        rows, *shape = shapes[field]
        found[f"new_{field}"] = getattr(run.updated, field, None), (rows - 1, *shape)
    return found


def fits(problem: Problem, run: Run) -> bool:
    """Say whether a run has all arrays, in the shapes and the dtype of an audit."""
    dtype = problem.x.dtype
    expected = arrays(problem, run).values()
    return all(form(array) == f"{dtype} {shape}" for array, shape in expected)


def continuity(problem: Problem, run: Run) -> list[Check]:
    """Check that a trace is whole and that it starts at the problem's weights."""
    steps = points(problem, run) if fits(problem, run) else None
    checks = []
    for field, (array, shape) in arrays(problem, run).items():
        what = What("continuity", (run.name,), field, f"every step of {field}, finite")
        checks.append(well_formed(what, array, shape, problem.x.dtype, steps))
    for field, start in problem.weights._asdict().items() if steps else ():
        words = f"first {field} = the given {field}"
        what = What("continuity", (run.name,), f"first {field}", words)
        checks.append(judge(what, getattr(run.trace, field)[:1], start[None], 0.0))
    return checks


def final(run: Run) -> dict[str, Array]:
    """Collect what the functions of a run gave at its last weights, which no trace has.

    By the name of a check of it.
    """
    return {f"final {q}": a for q, a in {"a2": run.final_a2, **run.answers}.items()}


def presence(problem: Problem, run: Run) -> Iterator[Check]:
    """Check the form of what the functions gave at the last weights."""
    shapes = layout(problem)
    for name, found in final(run).items():
        _, *shape = shapes[name.removeprefix("final ")]
        what = What("continuity", (run.name,), name, "finite, after training")
        expected = f"{problem.x.dtype} {tuple(shape)}"
        if form(found) == expected:
            yield judge(what, found[None], found[None], 0.0, (problem.steps,))
        else:
            yield misfit(what, form(found), expected)


def sound(problem: Problem, run: Run) -> list[Check]:
    """Check all that has to hold before a run can be compared with others."""
    checks = [*run.contract]
    if not broken(checks):
        checks += continuity(problem, run)
    if not broken(checks):
        checks += presence(problem, run)
    return checks


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


def oracle_dtype(dtype: np.dtype[np.floating]) -> np.dtype[np.floating]:
    """Pick the oracle's: long double for float64, though some systems' is no wider."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


def slack(dtype: np.dtype[np.floating]) -> int:
    """Double all bounds where the oracle is no wider: its roundings count as well."""
    return 1 if np.finfo(oracle_dtype(dtype)).eps < np.finfo(dtype).eps else 2


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

    A plain loop calls two functions, which may round differently: what a line reads of
    the one need not be what the other computed with; nor need it be in a black box. If
    so, it is not the line's fault.
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
    checks: list[Check] = []
    if run.every == 1:
        return checks
    bound = np.where(drift.apart <= 1, drift.apart, np.inf)
    for field, reached in drift.reached._asdict().items():
        words = f"{field} follows from the {field} recorded before it"
        checks.append(
            judge(
                What("continuity", (run.name,), field, words),
                getattr(run.trace, field)[1:],
                reached,
                bound[:, None, None],
                points(problem, run)[1:],
                "between two recorded steps, roundings can grow past 1",
            )
        )
    return checks


def trained(problem: Problem, run: Run, bars: Row) -> Iterator[Check]:
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
