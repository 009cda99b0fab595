"""Two runs against each other, within the bounds of `compare.numerics.rounding`.

Gradients are compared at the same weights; losses, weights and probabilities within the
distance to which the roundings of two correct runs can have grown by each step.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from compare.checks.check import Check, Kind, What, judge, well_formed
from compare.checks.run import Run, points, rows
from compare.numerics.equations import Row
from compare.numerics.rounding import Drift, whole_bound
from impls.interface import Array, Problem, predict


def gradients(problem: Problem, a: Run, b: Run, bars: Mapping[str, Row]) -> list[Check]:
    """Compare the gradients that `a` recorded with those of `b` at the same weights.

    Args:
        problem: What was trained.
        a: Whose weights.
        b: Who was asked there, or whose gradients were carried there.
        bars: The error bars at the weights of each run. Each of the two may use up its
            own: those at the weights where it was asked.
    """
    checks = []
    asked_at = b.name if b.carried else a.name
    how = ", carried from its own" if b.carried else ""
    for field, asked in zip(("dw1", "dw2"), b.replayed[a.name], strict=True):
        words = f"{field} at the weights of {a.name}{how}"
        what = What("parity", (a.name, b.name), field, words)
        recorded = getattr(a.trace, field)
        form = well_formed(what, asked, recorded.shape, recorded.dtype)
        bound = sum(
            whole_bound(problem, field, bars[name])[:-1] for name in (a.name, asked_at)
        )
        steps = rows(problem, a)
        found = judge(what, recorded, asked, bound, steps) if form.passed else form
        checks.append(found)
    return checks


def path(run: Run) -> dict[str, Array]:
    """Lay out what drifts: the losses, and one more of weights and probabilities."""
    a2 = np.concatenate((run.trace.a2, run.final_a2[None]))
    return {"loss": run.trace.loss, "w1": run.trace.w1, "w2": run.trace.w2, "a2": a2}


def told(weights: Array) -> npt.NDArray[np.bool_]:
    """Say up to which step the drift budget means anything.

    Once it has passed 1, what is of first order says nothing, also of later steps.
    """
    return np.logical_and.accumulate(weights <= 1)


def at(path: Mapping[str, Array], steps: Sequence[int]) -> dict[str, Array]:
    """Take some steps of a path of which every step is known."""
    return {
        name: values[[step for step in steps if step < len(values)]]
        for name, values in path.items()
    }


def curves(
    problem: Problem,
    run: Run,
    other: str | None,
    reference: Mapping[str, Array],
    drift: Drift,
) -> list[Check]:
    """Compare the path of a run with another, within the drift budget.

    Args:
        problem: What was trained.
        run: Whose path.
        other: Whose the other is; None is the exact run.
        reference: The other, at the same steps; see `path`.
        drift: How far apart the two may be.
    """
    kind: Kind = "parity" if other else "exact"
    subject = (run.name, other) if other else (run.name,)
    steps, value = points(problem, run), path(run)
    budget = drift.budget
    bounds = {"loss": budget.loss[:-1], "a2": budget.a2}
    bounds["w1"] = bounds["w2"] = budget.weights[:, None, None]
    known = told(budget.weights)
    lost = steps[int(np.argmin(known))]
    checks = []
    for quantity, bound in bounds.items():
        told_here = known[: len(bound)].reshape(-1, *(1,) * (bound.ndim - 1))
        words = f"{quantity} at every step"
        checks.append(
            judge(
                What(kind, subject, quantity, words),
                value[quantity],
                reference[quantity],
                np.where(told_here, bound, np.inf),
                steps,
                f"roundings can have grown past 1 by step {lost}",
            )
        )
    return checks


def predictions(problem: Problem, a: Run, b: Run, drift: Drift) -> Check:
    """Compare the classes after training; nearer to 0.5 than the bound can't tell."""
    nearest = np.minimum(abs(a.final_a2 - 0.5), abs(b.final_a2 - 0.5))
    sure = (nearest > drift.budget.a2[-1]) & told(drift.budget.weights)[-1]
    return judge(
        What("predictions", (a.name, b.name), "classes", "a2 >= 0.5 after training"),
        predict(a.final_a2)[None].astype(float),
        predict(b.final_a2)[None].astype(float),
        np.where(sure, 0.0, np.inf)[None],
        (problem.steps,),
        "a probability may be nearer to 0.5 than roundings have moved it",
    )
