"""How a mistake is planted on purpose.

A fault changes the problem that is really trained, quantities of a step, or the
finished trace, of whichever implementation it is planted in. That one is wrapped, not
copied. After a changed quantity the lines that follow are computed again, so that the
mistake spreads as it would.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import SimpleNamespace
from typing import TypeAlias

import numpy as np

from compare.checks.check import Kind
from compare.numerics.equations import Row, lines
from compare.training.contract import observe, rewired
from compare.training.record import stacked
from impls.interface import Array, Implementation, Loss, Problem, Trace, Weights

Change: TypeAlias = Callable[[Row, Row], Array]


@dataclass(frozen=True)
class Fault:
    """A mistake, and where it has to be found.

    Attributes:
        name: The mistake in a few words.
        quantity: The quantity of the check that has to report it first.
        kind: The kind of that check.
        changes: What to put in place of quantities, given the row of the step as far as
            it is computed, and the finished row of the step before (at step 0, of it).
        when: Whether the changes happen in step n of N.
        problem: What is really trained.
        doctor: What becomes of the trace.
        loss: The loss under which it is a mistake, if not under both.
        rounded_away: Whether float32 rounds it away, so that it is none there.
        cause: What `report.cause` has to call it, of a run of so many `{steps}`; None
            if that can't be known, as of a mistake made in one step only.
        sentence: What people do.
    """

    name: str
    quantity: str
    kind: Kind = "audit"
    changes: Mapping[str, Change] = field(default_factory=dict)
    when: Callable[[int, int], bool] = lambda n, total: n < total
    problem: Callable[[Problem], Problem] = lambda problem: problem
    doctor: Callable[[Trace], Trace] = lambda trace: trace
    loss: Loss | None = None
    rounded_away: bool = False
    cause: str | None = None
    sentence: str = ""

    def named(self, steps: int) -> str | None:
        """Give the cause for a run of so many steps."""
        return self.cause and self.cause.format(steps=steps, last=steps - 1)


def plant(fault: Fault, implementation: Implementation) -> Implementation:
    """Wrap an implementation so that its training makes the mistake."""

    def train(problem: Problem) -> Trace:
        really = fault.problem(problem)
        if fault.changes:
            return fault.doctor(_train(fault, implementation, really))
        return fault.doctor(implementation.train(really))

    return rewired(implementation, train=train)


def gradient_function(
    fault: Fault, implementation: Implementation, problem: Problem
) -> Callable[[Weights[Array]], tuple[Array, Weights[Array]]]:
    """Give the loss and its gradient as the mistake makes them, in its first step.

    What a mistake does to the update or to the record, no such function shows.
    """
    really = fault.problem(problem)

    def function(weights: Weights[Array]) -> tuple[Array, Weights[Array]]:
        row = _observe(implementation, really, weights)
        row = _spread(fault, really, row, row)
        return row.loss, Weights(row.dw1, row.dw2)

    return function


def _train(fault: Fault, implementation: Implementation, problem: Problem) -> Trace:
    rows: list[Row] = []
    weights = problem.weights
    for n in range(problem.steps):
        row = _observe(implementation, problem, weights)
        if fault.when(n, problem.steps):
            row = _spread(fault, problem, row, rows[-1] if rows else row)
        rows.append(row)
        weights = Weights(row.new_w1, row.new_w2)
    columns = {f.name: [getattr(row, f.name) for row in rows] for f in fields(Trace)}
    columns["w1"].append(weights.w1)
    columns["w2"].append(weights.w2)
    return stacked(columns)


def _observe(
    implementation: Implementation, problem: Problem, weights: Weights[Array]
) -> Row:
    """Lay out one step as the implementation computes it."""
    p = replace(problem, weights=weights)
    row = SimpleNamespace(x=p.x, y=p.y, lr=p.lr, **weights._asdict())
    vars(row).update(observe(implementation, p))
    row.new_w1, row.new_w2 = row.w1 - p.lr * row.dw1, row.w2 - p.lr * row.dw2
    return row


def _spread(fault: Fault, problem: Problem, row: Row, past: Row) -> Row:
    """Change quantities of a row, and compute again the lines after the first."""
    row, changed = SimpleNamespace(**vars(row)), False
    for line in lines(problem.loss):
        change = fault.changes.get(line.quantity)
        changed = changed or change is not None
        if changed:
            with np.errstate(all="ignore"):  # mistakes may overflow
                value = change(row, past) if change else line.value(row)
            setattr(row, line.quantity, np.asarray(value, problem.x.dtype))
    return row
