"""The quantities of a step, and where the page keeps their numbers."""

from dataclasses import dataclass

import numpy as np

from compare.checks.run import shapes
from compare.numerics.equations import lines
from impls.interface import Activations, Gradients, Problem, Weights


@dataclass(frozen=True)
class Quantity:
    """A quantity of a step, and where its numbers lie among those of the step.

    Attributes:
        name: Its name.
        phase: When it is computed: "forward", "loss", "backward" or "update".
        statement: The line that computes it; empty for the weights of the step.
        shape: Its shape, () for a number.
        start: The place of its first number.
    """

    name: str
    phase: str
    statement: str
    shape: tuple[int, ...]
    start: int

    @property
    def places(self) -> list[tuple[int, str]]:
        """List each number: its place, and its index as text."""
        return [
            (self.start + i, f"[{', '.join(map(str, index))}]" if index else "")
            for i, index in enumerate(np.ndindex(self.shape))
        ]


PHASES = {
    **dict.fromkeys((*Weights._fields, *Activations._fields), "forward"),
    "loss": "loss",
    **dict.fromkeys(Gradients._fields, "backward"),
    **dict.fromkeys(("new_w1", "new_w2"), "update"),
}


def quantities_of(problem: Problem) -> tuple[Quantity, ...]:
    """List the quantities of a step of a problem."""
    recorded = shapes(problem)  # the first axis is the step
    statements = {line.quantity: line.statement for line in lines(problem.loss)}
    found, start = [], 0
    for name, phase in PHASES.items():
        shape = recorded[name.removeprefix("new_")][1:]
        found.append(Quantity(name, phase, statements.get(name, ""), shape, start))
        start += int(np.prod(shape))
    return tuple(found)
