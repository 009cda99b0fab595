"""Rows: what a verdict says of each implementation and of each pair."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, get_type_hints

import numpy as np

from compare.checks.check import Check, element
from compare.checks.resolution import resolutions
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.diagnosis.story import story_of
from compare.sweep.plan import Setting
from compare.training.problems import Experiment
from impls.interface import predict


@dataclass(frozen=True)
class Row:
    """One implementation, or one pair, in the comparison of one seed.

    Attributes:
        data: The truth table, or what was drawn.
        network: Inputs-hidden-outputs.
        loss: "bce" or "mse".
        dtype: "float64" or "float32".
        lr: The learning rate.
        steps: The number of updates.
        seed: The seed.
        implementation: The implementation, or the first of the pair.
        other: The second of the pair; null in the row of an implementation.
        answer: The answer of the seed: the same in all its rows.
        reason: Why it is no match, as text; empty for a match.
        share: The largest share of a bound that this implementation or pair used.
        kind: The kind of the check in which it did.
        line: The line of the mathematics, or the promise, of that check.
        element: The element.
        step: The step.
        drift: The 2-norm of the difference of all trained weights of the pair.
        drift_bound: How large it may be; infinite if no bound holds, as in unstable
            training.
        resolution: The relative error of a gradient that would have been noticed: the
            median over the steps.
        unstable_step: The first step without a bound on the drift; null if none.
        first_loss: The loss before the first update.
        last_loss: The loss before the last update.
        solved: Whether the trained network predicts every label.
        classes: The predicted classes, one digit for each output and sample.
        half_step: The first step with at most half of the first loss; null if there is
            none.
        seconds: The time of the chunk, divided by its seeds.
    """

    data: str
    network: str
    loss: str
    dtype: str
    lr: float
    steps: int
    seed: int
    implementation: str
    other: str | None
    answer: str
    reason: str
    share: float | None
    kind: str | None
    line: str | None
    element: str | None
    step: int | None
    drift: float | None
    drift_bound: float | None
    resolution: float | None
    unstable_step: int | None
    first_loss: float | None
    last_loss: float | None
    solved: bool | None
    classes: str | None
    half_step: int | None
    seconds: float = 0.0

    @property
    def setting(self) -> Setting:
        """The columns that name the setting."""
        return Setting(*(getattr(self, name) for name in Setting._fields))


TYPES = get_type_hints(Row)
"""The type of each column."""


def rows_of(experiment: Experiment, verdict: Verdict) -> Iterator[Row]:
    """Make a row of each implementation and of each pair; its time is not known yet."""
    of_seed: dict[str, Any] = {
        **dict.fromkeys(TYPES),
        **Setting.of(experiment)._asdict(),
        "seed": experiment.seed,
        "answer": verdict.answer,
        "reason": reason_of(verdict),
        "seconds": 0.0,
    }
    for run in verdict.runs:
        names = {"implementation": run.name}
        worst = worst_of(c for c in verdict.checks if c.subject == (run.name,))
        yield Row(**of_seed | names | worst | run_facts(verdict, run))
    for a, b in combinations(verdict.runs, 2):
        names = {"implementation": a.name, "other": b.name}
        both = ((a.name, b.name), (b.name, a.name))
        worst = worst_of(c for c in verdict.checks if c.subject in both)
        yield Row(**of_seed | names | worst | pair_facts(verdict, a, b))


def reason_of(verdict: Verdict) -> str:
    """Say why the answer is no match, in one line; of a difference, with its cause."""
    first = verdict.first_difference
    if first:
        place, *_ = story_of(verdict, first).rows()
        return f"{' and '.join(first.subject)}: {place}"
    return next((c.reason for c in verdict.checks if c.passed is None), "")


def worst_of(checks: Iterable[Check]) -> dict[str, object]:
    """Find where most of a bound was used; classes are equal or not, and use none."""
    bounded = (check for check in checks if check.kind != "predictions")
    check = max(bounded, key=lambda c: c.worst.use, default=None)
    if check is None:
        return {}
    return {
        "share": check.worst.use,
        "kind": check.kind,
        "line": check.statement,
        "element": element(check, check.worst),
        "step": check.worst.step,
    }


def run_facts(verdict: Verdict, run: Run) -> dict[str, object]:
    """Describe the training of a complete run."""
    if run not in verdict.complete:
        return {}
    loss = run.trace.loss
    half = np.flatnonzero(loss <= loss[0] / 2)
    classes = predict(run.final_a2)
    own = resolutions(c for c in verdict.checks if c.subject == (run.name,))
    return {
        "resolution": own["gradients"].median if "gradients" in own else None,
        "unstable_step": verdict.drift.first_invalid_step,
        "first_loss": float(loss[0]),
        "last_loss": float(loss[-1]),
        "solved": bool((classes == predict(verdict.problem.y)).all()),
        "classes": "".join(map(str, classes.astype(int).flat)),
        "half_step": int(half[0]) if half.size else None,
    }


def pair_facts(verdict: Verdict, a: Run, b: Run) -> dict[str, object]:
    """Describe how far the weights of two complete runs are apart after training."""
    if not {a, b} <= {*verdict.complete}:
        return {}
    drift = verdict.drift
    apart = [
        (one[-1].astype(np.float64) - other[-1]).ravel()
        for one, other in ((a.trace.w1, b.trace.w1), (a.trace.w2, b.trace.w2))
    ]
    valid = bool(drift.is_valid[-1])
    return {
        "drift": float(np.linalg.norm(np.concatenate(apart))),
        "drift_bound": float(drift.weights[-1]) if valid else float("inf"),
        "unstable_step": drift.first_invalid_step,
    }
