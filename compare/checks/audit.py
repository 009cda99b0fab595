"""The audit: one trace against the mathematics, every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. `checks.completeness` covers what the audit can't see.

A correct formula may have other intermediates than the line, and a third-party
implementation may not record the line's inputs. Such a quantity is judged from the
weights of its step instead: end to end, within its error bar. That bound is wider, and
the basis of the check says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from compare.checks.check import (
    NO_BOUND,
    Basis,
    Check,
    Claim,
    Doubt,
    When,
    judge,
    well_formed,
)
from compare.checks.run import Run, after_training, before_updates, other_formulas
from compare.numerics.equations import Line, Step, lines, run_lines
from compare.numerics.error_bars import Bar, step_bars, values
from compare.numerics.rounding import (
    end_to_end_bounds,
    line_bound,
    oracle_dtype,
    oracle_factor,
    per_step,
)
from impls.interface import Activations, Array, Problem, Trace

ACROSS_FUNCTIONS = ("loss", "dz2", "dw2", "dz1")
"""The results of `loss_and_gradients` whose line reads a result of `forward`."""
TOO_MANY_TERMS: tuple[Doubt, str] = (
    "no bound",
    "a sum has too many terms for bounds of first order",
)
"""What an infinite bound of a line means; see `numerics.rounding.line_bound`."""


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
        underflow: The size of numbers whose precision is absolute.
    """

    line: Line
    found: Array
    expected: Array
    bound: Array
    basis: Basis
    underflow: float

    @property
    def holds(self) -> bool:
        """Whether every difference is within its bound."""
        return bool((abs(self.found - self.expected) <= self.bound).all())

    @property
    def first_void_step(self) -> int | None:
        """The first step whose bound is no evidence; None if there is none.

        A bound as large as the largest number of its tensor would pass 0, or the wrong
        sign. It does not matter where the numbers are exactly right, or where all are
        near the smallest normal number, below which precision is absolute.
        """
        with np.errstate(over="ignore"):  # infinity is large enough
            expected = self.expected.astype(np.float64, copy=False)
        largest = per_step(np.maximum, abs(expected))
        bound = per_step(np.maximum, self.bound)
        void = (bound >= largest) & (bound > self.underflow)
        if not void.any():
            return None
        void &= per_step(np.maximum, abs(self.found - self.expected)) > 0
        return int(void.argmax()) if void.any() else None


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
    dtype, oracle = problem.x.dtype, oracle_dtype(problem.x.dtype)
    known = recorded(problem, run, dtype)
    steps = recorded_steps(problem, run, np.dtype(np.float64))
    wide = recorded_steps(problem, run, oracle) if oracle != np.float64 else steps
    for line in lines(problem.loss):
        judges = known.keys() >= {line.quantity, *line.inputs}
        if judges and line.quantity not in run.end_to_end:
            value = line.value(wide)
            bound = line_bound(line, problem, steps, value.astype(np.float64), dtype)
            found = getattr(steps, line.quantity)
            bound = oracle_factor(dtype) * bound
            yield Margin(line, found, value, bound, "line", _underflow(dtype))


def from_weights(problem: Problem, run: Run, of: Sequence[Line]) -> Iterator[Margin]:
    """Hold the quantities of some lines to the weights of their steps."""
    dtype = problem.x.dtype
    known = recorded(problem, run, oracle_dtype(dtype))
    inputs = {name: known[name] for name in ("x", "y", "lr", "w1", "w2")}
    expected = run_lines(problem.loss, **inputs)
    bars = step_bars(problem, before_updates(run), other_formulas(run))
    bounds = end_to_end_bounds(problem, bars, [line.quantity for line in of])
    for line in of:
        value = getattr(expected, line.quantity)
        bound = oracle_factor(dtype) * bounds[line.quantity]
        found = known[line.quantity].astype(np.float64)
        yield Margin(line, found, value, bound, "weights", _underflow(dtype))


def _underflow(dtype: np.dtype[np.floating]) -> float:
    return float(np.finfo(dtype).tiny / np.finfo(dtype).eps)


@dataclass(frozen=True, eq=False)
class FromWeights:
    """What follows from the weights of N steps.

    Attributes:
        step: The quantities of the steps.
        bounds: By quantity, how far from them computed quantities may be.
    """

    step: Step[Array]
    bounds: Mapping[str, Array]

    @classmethod
    def of(cls, problem: Problem, bars: Step[Bar]) -> "FromWeights":
        """Derive it from the error bars of `step_bars`."""
        quantities = [line.quantity for line in lines(problem.loss)]
        return cls(values(bars), end_to_end_bounds(problem, bars, quantities))


def audit(problem: Problem, run: Run) -> list[Check]:
    """Check every line of a complete trace."""
    return [_judge(run, margin) for margin in margins(problem, run)]


def audit_answers(problem: Problem, run: Run) -> list[Check]:
    """Check every line of what the functions returned at the trained weights."""
    w1, w2 = run.trace.w1[-1:], run.trace.w2[-1:]
    answers: dict[str, Any] = {field.name: None for field in fields(Trace)}
    answers |= {name: found[None] for name, found in after_training(run).items()}
    answers |= {"w1": np.concatenate((w1, w1)), "w2": np.concatenate((w2, w2))}
    step = replace(run, trace=Trace(**answers), looped=True)
    return [
        _judge(run, margin, "after training", problem.steps)
        for margin in margins(replace(problem, steps=1), step)
        if margin.line.quantity in after_training(run)
    ]


def _judge(
    run: Run, margin: Margin, when: When = "in a step", first_step: int = 0
) -> Check:
    line = margin.line
    claim = Claim(
        "audit", (run.name,), line.quantity, line.statement, when, margin.basis
    )
    unbounded = TOO_MANY_TERMS if margin.basis == "line" else NO_BOUND
    numbers = (margin.found, margin.expected, margin.bound)
    check = judge(claim, *numbers, first_step, unbounded)
    step = margin.first_void_step
    if not check.passed or step is None:
        return check
    reason = f"at step {first_step + step}, its bound is larger than the numbers"
    return replace(check, passed=None, doubt="bound too large", reason=reason)


def audit_replay(
    problem: Problem, run: Run, path: str, expected: FromWeights
) -> Iterator[Check]:
    """Check what the functions returned at the weights that a run recorded.

    Args:
        problem: What was trained.
        run: The run whose functions were called.
        path: The name of the run that recorded the weights.
        expected: What follows from all its weights. Both sides may use up their bounds.
    """
    for quantity, found in run.replayed[path].items():
        forward = quantity in Activations._fields
        function = "forward" if forward else "loss_and_gradients"
        statement = f"{function} at the weights of {path}"
        claim = Claim(
            "audit",
            (run.name,),
            quantity,
            statement,
            "in a replay",
            "weights",
            path=path,
        )
        value = getattr(expected.step, quantity)[:-1]
        bound = 2 * expected.bounds[quantity][:-1]
        form = well_formed(claim, found, value.shape, problem.x.dtype)
        yield judge(claim, found, value, bound) if form.passed else form
