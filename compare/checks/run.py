"""A run: what one implementation gave, be it trained here or read from a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.checks.check import Check
from impls.interface import Array, Problem, Trace, Weights


@dataclass(frozen=True, eq=False)
class Run:
    """What one implementation gave.

    Attributes:
        name: Its name.
        trace: Its training. If not every step was recorded, row r is that of step r K,
            and the weights after it are those of step (r + 1) K, or the trained ones.
        final_a2: Its probabilities at its last weights, from `forward`: (n_y, m); empty
            if the trace is not whole.
        end_to_end: The quantities that it computes by a formula of its own.
        unknown: The intermediates that it doesn't give, by its own account.
        every: K: each how many steps were recorded.
        updated: The weights right after the update of each recorded step; None if every
            step was recorded, for then the trace has them.
        replayed: Its gradients by both weights at those that another run recorded, by
            the other's name: the step is the first axis.
        carried: Whether those were not asked for, but carried there from its own; see
            `replaying.carry`.
        contract: What was found before it was trained, or instead of a trace.
        looped: Whether it has no `train`, and a plain loop trained it.
        answers: What else its functions give at its last weights, by quantity; nothing
            if it is known by its trace alone.
    """

    name: str
    trace: Trace
    final_a2: Array = field(default_factory=lambda: np.empty(0))
    end_to_end: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    every: int = 1
    updated: Weights[Array] | None = None
    replayed: Mapping[str, Weights[Array]] = field(default_factory=dict)
    carried: bool = False
    contract: tuple[Check, ...] = ()
    looped: bool = False
    answers: Mapping[str, Array] = field(default_factory=dict)


def rows(problem: Problem, run: Run) -> range:
    """List the recorded steps."""
    return range(0, problem.steps, run.every)


def points(problem: Problem, run: Run) -> Sequence[int]:
    """List the steps whose weights were recorded: one more, the trained ones."""
    return [*rows(problem, run), problem.steps]


def row_of(run: Run, step: int) -> int:
    """Find the row of a recorded step; of the trained weights, the last."""
    return -(-step // run.every)


def updated(run: Run) -> Weights[Array]:
    """Give the weights right after the update of each recorded step."""
    return run.updated or Weights(run.trace.w1[1:], run.trace.w2[1:])
