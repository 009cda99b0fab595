"""How a mistake is planted on purpose.

A fault changes the problem that is really trained, quantities of a step, or the
finished trace, of whichever implementation it is planted in. The implementation is
wrapped, not copied. After a changed quantity the lines that follow are computed again,
so that the mistake spreads as it would.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from compare.checks.check import Check, Kind, When
from compare.contract.calls import rewired
from compare.numerics.equations import Step, lines
from compare.training.record import descend
from impls.interface import Array, Implementation, Loss, Problem, Trace

PLANTED = "planted"
"""The name of the copy that makes the mistake."""
Change: TypeAlias = Callable[[Step[Array], Step[Array]], Array]


@dataclass(frozen=True)
class Fault:
    """A mistake, and the check that must report it first.

    Attributes:
        name: The mistake in a few words.
        reported: The quantity of that check, if it is not the first of `changes`.
        kind: The kind of that check.
        when: The time of that check.
        changes: What to put in place of quantities, from the step as far as it is
            computed, and from the finished step before (at step 0, the step itself).
        happens: Whether the changes happen in step n of N.
        problem: The problem that is really trained.
        doctor: Changes the finished trace.
        loss: The loss under which it is a mistake, if not under both.
        square: Whether it needs as many hidden units as inputs.
        rounded_away: Whether it is smaller than the rounding of float32, so that it
            does not count there.
        cause: The name that `diagnosis.cause` must give it, in `{steps}` steps;
            None if it can't be known, as of a mistake in one step only.
        sentence: How the mistake is made, in one sentence.
    """

    name: str
    reported: str = ""
    kind: Kind = "audit"
    when: When = "in a step"
    changes: Mapping[str, Change] = field(default_factory=dict)
    happens: Callable[[int, int], bool] = lambda n, total: n < total
    problem: Callable[[Problem], Problem] = lambda problem: problem
    doctor: Callable[[Trace], Trace] = lambda trace: trace
    loss: Loss | None = None
    square: bool = False
    rounded_away: bool = False
    cause: str | None = None
    sentence: str = ""

    @property
    def quantity(self) -> str:
        """The quantity of the check that must report the mistake."""
        return self.reported or next(iter(self.changes), "")

    def named(self, steps: int) -> str | None:
        """Return the cause in a run of so many steps."""
        return self.cause and self.cause.format(steps=steps, last=steps - 1)

    def is_reported_by(self, check: Check) -> bool:
        """Return whether a check is the one that must report the mistake."""
        expected = (self.kind, self.when, self.quantity)
        return expected == (check.kind, check.when, check.quantity)


def plant(fault: Fault, implementation: Implementation) -> Implementation:
    """Wrap an implementation so that its training makes the mistake."""

    def train(problem: Problem) -> Trace:
        really = fault.problem(problem)
        if not fault.changes and getattr(implementation, "train", None):
            return fault.doctor(implementation.train(really))

        def revise(past: Sequence[Step[Array]], step: Step[Array]) -> Step[Array]:
            if not fault.happens(len(past), really.steps):
                return step
            return spread(fault, really, step, past[-1] if past else step)

        return fault.doctor(descend(implementation, really, revise))

    return rewired(implementation, train=train)


def spread(
    fault: Fault, problem: Problem, step: Step[Array], past: Step[Array]
) -> Step[Array]:
    """Change quantities of a step, and compute the lines after the first change."""
    changed = False
    for line in lines(problem.loss):
        change = fault.changes.get(line.quantity)
        changed = changed or change is not None
        if changed:
            with np.errstate(all="ignore"):  # mistakes may overflow
                value = change(step, past) if change else line.value(step)
            new = {line.quantity: np.asarray(value, problem.x.dtype)}
            step = replace(step, **new)
    return step
