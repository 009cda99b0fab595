"""The audit: one trace against the mathematics, every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. `checks.completeness` covers what the audit can't see.

A correct formula may have other intermediates than the line, and a third-party
implementation may not record the line's inputs. Such a quantity is judged from the
weights of its step instead: end to end, within its error bar. That bound is wider, and
the basis of the check says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.checks.check import Basis, Check, Claim, judge
from compare.checks.run import Run, after_training, before_updates
from compare.numerics.equations import Line, Step, lines, run_lines
from compare.numerics.error_bars import Bar, step_bars
from compare.numerics.rounding import (
    end_to_end_bound,
    line_bound,
    oracle_dtype,
    oracle_factor,
)
from impls.interface import Activations, Array, Problem

ACROSS_FUNCTIONS = ("loss", "dz2", "dw2", "dz1")
"""The results of `loss_and_gradients` whose line reads a result of `forward`."""


def recorded(
    problem: Problem, run: Run, dtype: np.dtype[np.floating]
) -> dict[str, Array]:
    """Return the recorded quantities by name, unrounded, in a dtype at least as wide.

    Quantities that the trace lacks are left out; `x`, `y` and `lr` are included.
    """
    trace = run.trace
    known = vars(trace) | {
        "x": problem.x,
        "y": problem.y,
        "lr": np.asarray(dtype.type(problem.lr)),
        "w1": trace.w1[:-1],
        "w2": trace.w2[:-1],
        "new_w1": trace.w1[1:],
        "new_w2": trace.w2[1:],
    }
    return {
        name: array.astype(dtype, copy=False)
        for name, array in known.items()
        if array is not None
    }


def recorded_steps(
    problem: Problem, run: Run, dtype: np.dtype[np.floating]
) -> Step[Array]:
    """Return the recorded steps; what the trace lacks is computed from the weights."""
    known = recorded(problem, run, dtype)
    if known.keys() >= {line.quantity for line in lines(problem.loss)}:
        return Step(**known)
    inputs = {name: known[name] for name in ("x", "y", "lr", "w1", "w2")}
    return replace(run_lines(problem.loss, **inputs), **known)


@dataclass(frozen=True, eq=False)
class Margin:
    """A line of N steps: what was recorded, what is right, and how far they may differ.

    Attributes:
        line: The line.
        found: The recorded values; the step is the first axis.
        expected: The values in higher precision, the same shape.
        bound: The bound on the difference, the same shape.
        basis: "line" or "weights": what `expected` is computed from.
    """

    line: Line
    found: Array
    expected: Array
    bound: Array
    basis: Basis

    @property
    def holds(self) -> bool:
        """Whether every difference is within its bound."""
        return bool((abs(self.found - self.expected) <= self.bound).all())


@np.errstate(all="ignore")  # a number that is not finite fails, and needs no warning
def margins(problem: Problem, run: Run) -> list[Margin]:
    """Hold each recorded quantity to its line or, failing that, to the weights.

    A quantity is judged from the weights if its line can't judge it (see `by_line`), or
    if its line reads the result of another function and does not hold. A plain loop
    calls two functions, which may round differently.
    """
    found = {margin.line.quantity: margin for margin in by_line(problem, run)}
    for margin in [*found.values()]:
        across = run.looped or run.unknown
        if across and margin.line.quantity in ACROSS_FUNCTIONS and not margin.holds:
            del found[margin.line.quantity]
    known = recorded(problem, run, problem.x.dtype)
    recorded_lines = [line for line in lines(problem.loss) if line.quantity in known]
    others = [line for line in recorded_lines if line.quantity not in found]
    for margin in from_weights(problem, run, others) if others else ():
        found[margin.line.quantity] = margin
    return [found[line.quantity] for line in recorded_lines]


def by_line(problem: Problem, run: Run) -> Iterator[Margin]:
    """Hold quantities to their lines, where all inputs of the line were recorded.

    Quantities that the implementation declares as end to end are left out.
    """
    dtype = problem.x.dtype
    known = recorded(problem, run, dtype)
    wide = recorded_steps(problem, run, oracle_dtype(dtype))
    steps = recorded_steps(problem, run, np.dtype(np.float64))
    for line in lines(problem.loss):
        judges = known.keys() >= {line.quantity, *line.inputs}
        if judges and line.quantity not in run.end_to_end:
            value = line.value(wide)
            bound = line_bound(line, problem, steps, value.astype(np.float64), dtype)
            found = getattr(steps, line.quantity)
            yield Margin(line, found, value, oracle_factor(dtype) * bound, "line")


def from_weights(problem: Problem, run: Run, of: Sequence[Line]) -> Iterator[Margin]:
    """Hold the quantities of some lines to the weights of their steps."""
    dtype = problem.x.dtype
    known = recorded(problem, run, oracle_dtype(dtype))
    inputs = {name: known[name] for name in ("x", "y", "lr", "w1", "w2")}
    expected = run_lines(problem.loss, **inputs)
    bars = step_bars(problem, before_updates(run))
    for line in of:
        value = getattr(expected, line.quantity)
        bound = oracle_factor(dtype) * end_to_end_bound(problem, line.quantity, bars)
        found = known[line.quantity].astype(np.float64)
        yield Margin(line, found, value, bound, "weights")


def audit(problem: Problem, run: Run) -> list[Check]:
    """Check every line of a complete trace."""
    return [
        judge(
            Claim(
                "audit",
                (run.name,),
                margin.line.quantity,
                margin.line.statement,
                basis=margin.basis,
            ),
            margin.found,
            margin.expected,
            margin.bound,
        )
        for margin in margins(problem, run)
    ]


def audit_answers(problem: Problem, run: Run, bars: Step[Bar]) -> Iterator[Check]:
    """Check what the functions returned at the trained weights, end to end.

    Args:
        problem: What was trained.
        run: The run whose functions were called.
        bars: From `step_bars`, at all its weights. Both sides may use up theirs.
    """
    for quantity, found in after_training(run).items():
        forward = quantity in Activations._fields
        function = "forward" if forward else "loss_and_gradients"
        yield judge(
            Claim(
                "audit",
                (run.name,),
                quantity,
                f"{function} after training",
                when="after training",
                basis="weights",
            ),
            found[None],
            getattr(bars, quantity).value[-1:],
            2 * end_to_end_bound(problem, quantity, bars)[-1:],
            problem.steps,
        )
