"""What weakens a match: a run in which a mistake had little to change."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from compare.checks.verdict import Verdict
from impls.interface import predict

RemarkKind: TypeAlias = Literal["no gradient", "still loss", "wrong classes"]

STILL = 0.01
"""A loss that moves by less than this share of itself hardly moves."""


@dataclass(frozen=True)
class Remark:
    """A remark on all complete runs.

    Attributes:
        kind: "no gradient": all gradients are 0, so nothing depends on the labels.
            "still loss": the loss hardly moves. "wrong classes": the predicted classes
            are not those of the labels.
        amount: How far the loss moved, or how many classes are wrong, at most.
        total: The number of steps, or of classes.
    """

    kind: RemarkKind
    amount: float
    total: int


def remarks(verdict: Verdict) -> Iterator[Remark]:
    """List what is remarkable about the complete runs."""
    problem, runs = verdict.problem, verdict.complete
    if not runs:
        return
    losses = np.array([run.trace.loss for run in runs])
    moved = float(np.ptp(losses, axis=1).max())
    if not any(np.any(w) for run in runs for w in (run.trace.dw1, run.trace.dw2)):
        yield Remark("no gradient", 0.0, problem.steps)
    elif problem.steps > 1 and moved <= STILL * losses.max():
        yield Remark("still loss", moved, problem.steps)
    labels = predict(problem.y)
    wrong = max(int((predict(run.final_a2) != labels).sum()) for run in runs)
    if wrong:
        yield Remark("wrong classes", wrong, labels.size)
