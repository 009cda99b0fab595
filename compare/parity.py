"""Two runs against each other, within the bounds of `compare.bounds`.

Gradients are compared at the same weights; losses, weights and probabilities within the
distance to which the roundings of two correct runs can have grown by each step.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.bounds import FORMULAS, Drift, unit
from compare.checks import Check, Kind, What, judge, well_formed
from compare.lines import Row
from impls.interface import Array, Gradients, Problem, Trace, predict


@dataclass(frozen=True, eq=False)
class Run:
    """What one implementation gave.

    Attributes:
        name: Its name.
        trace: Its training.
        final_a2: Its probabilities at its last weights, from `forward`: (n_y, m); empty
            if the trace is not whole.
        replayed: Its gradients at the weights that another run recorded, by the other's
            name, from `loss_and_gradients`: the step is the first axis.
        end_to_end: The quantities that it computes by a formula of its own.
    """

    name: str
    trace: Trace
    final_a2: Array
    replayed: Mapping[str, Gradients[Array]]
    end_to_end: tuple[str, ...] = ()


def gradients(a: Run, b: Run, bars: Row) -> list[Check]:
    """Compare the gradients that `a` recorded with those of `b` at the same weights.

    Args:
        a: Whose weights.
        b: Who replayed them.
        bars: The error bars at the weights of `a`; each of the two may use up its own.
    """
    checks = []
    for field in ("dw1", "dw2"):
        words = f"{field} at the weights of {a.name}"
        what = What("parity", (a.name, b.name), field, words)
        recorded, asked = getattr(a.trace, field), getattr(b.replayed[a.name], field)
        form = well_formed(what, asked, recorded.shape, recorded.dtype)
        bound = 2 * FORMULAS * unit(recorded.dtype) * getattr(bars, field).bar[:-1]
        checks.append(judge(what, recorded, asked, bound) if form.passed else form)
    return checks


def path(run: Run) -> dict[str, Array]:
    """Lay out what drifts: N losses, and N + 1 weights and probabilities."""
    a2 = np.concatenate((run.trace.a2, run.final_a2[None]))
    return {"loss": run.trace.loss, "w1": run.trace.w1, "w2": run.trace.w2, "a2": a2}


def told(weights: Array) -> npt.NDArray[np.bool_]:
    """Say up to which step the drift budget means anything.

    Once it has passed 1, what is of first order says nothing, also of later steps.
    """
    return np.logical_and.accumulate(weights <= 1)


def curves(
    kind: Kind,
    subject: tuple[str, ...],
    value: Mapping[str, Array],
    reference: Mapping[str, Array],
    drift: Drift,
) -> list[Check]:
    """Compare two paths at every step, within the drift budget.

    Args:
        kind: The kind of the checks.
        subject: Whose paths.
        value: What was found; see `path`.
        reference: What it is held against.
        drift: How far apart the two may be.
    """
    budget = drift.budget
    bounds = {"loss": budget.loss[:-1], "a2": budget.a2}
    bounds["w1"] = bounds["w2"] = budget.weights[:, None, None]
    known = told(budget.weights)
    checks = []
    for quantity, bound in bounds.items():
        steps = known[: len(bound)].reshape(-1, *(1,) * (bound.ndim - 1))
        words = f"{quantity} at every step"
        checks.append(
            judge(
                What(kind, subject, quantity, words),
                value[quantity],
                reference[quantity],
                np.where(steps, bound, np.inf),
                unbounded=f"roundings can have grown past 1 by step {np.argmin(known)}",
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
        first_step=problem.steps,
        unbounded="a probability may be nearer to 0.5 than roundings have moved it",
    )
