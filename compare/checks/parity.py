"""Parity: two runs against each other.

Gradients are compared at the same weights, within the error bars of both. Losses,
weights and probabilities are compared within the distance to which the roundings of two
correct runs can have grown by each step (`numerics.drift`).
"""

from collections.abc import Mapping

import numpy as np

from compare.checks.check import Check, Claim, Doubt, Kind, judge, well_formed
from compare.checks.run import Run
from compare.numerics.drift import Drift
from impls.interface import Array, Problem, predict


def compare_gradients(
    a: Run, b: Run, bounds: Mapping[str, Mapping[str, Array]]
) -> list[Check]:
    """Compare the gradients that `a` recorded with those of `b` at the same weights.

    Args:
        a: The run that recorded the weights.
        b: The run that was evaluated there, or whose gradients were carried there.
        bounds: Of each run by quantity, at its weights. Each run may use up its own, at
            the weights where its gradient was evaluated.
    """
    checks = []
    evaluated_at = b.name if b.carried else a.name
    how = ", carried from its own" if b.carried else ""
    for name in ("dw1", "dw2"):
        found = b.replayed[a.name][name]
        statement = f"{name} at the weights of {a.name}{how}"
        claim = Claim("parity", (a.name, b.name), name, statement, basis="weights")
        recorded = getattr(a.trace, name)
        bound = bounds[a.name][name][:-1] + bounds[evaluated_at][name][:-1]
        form = well_formed(claim, found, recorded.shape, recorded.dtype)
        checks.append(judge(claim, recorded, found, bound) if form.passed else form)
    return checks


def path(run: Run) -> dict[str, Array]:
    """Return the quantities that drift: losses, and one more of weights and a2."""
    a2 = np.concatenate((run.trace.a2, run.final_a2[None]))
    return {"loss": run.trace.loss, "w1": run.trace.w1, "w2": run.trace.w2, "a2": a2}


def compare_paths(
    run: Run, other: str | None, reference: Mapping[str, Array], drift: Drift
) -> list[Check]:
    """Compare the path of a run with another path, within the drift bound.

    Args:
        run: The run.
        other: The name of the other run; None is the exact run.
        reference: The other path; see `path`.
        drift: How far apart the two may be.
    """
    kind: Kind = "parity" if other else "exact"
    subject = (run.name, other) if other else (run.name,)
    weights = drift.weights[:, None, None]
    bounds = {"loss": drift.loss[:-1], "a2": drift.a2, "w1": weights, "w2": weights}
    checks = []
    for quantity, bound in bounds.items():
        valid = drift.is_valid[: len(bound)].reshape(-1, *(1,) * (bound.ndim - 1))
        statement = f"{quantity} at every step"
        checks.append(
            judge(
                Claim(kind, subject, quantity, statement, basis="drift"),
                path(run)[quantity],
                reference[quantity],
                np.where(valid, bound, np.inf),
                unbounded=(drift.doubt, drift.reason),
            )
        )
    return checks


def compare_predictions(problem: Problem, a: Run, b: Run, drift: Drift) -> Check:
    """Compare the classes after training.

    A probability that is nearer to 0.5 than its bound gives None: cannot tell.
    """
    nearest = np.minimum(abs(a.final_a2 - 0.5), abs(b.final_a2 - 0.5))
    sure = (nearest > drift.a2[-1]) & drift.is_valid[-1]
    unbounded: tuple[Doubt, str] = (
        "near 0.5",
        "a probability may be nearer to 0.5 than roundings have moved it",
    )
    return judge(
        Claim(
            "predictions",
            (a.name, b.name),
            "classes",
            "a2 >= 0.5 after training",
            when="after training",
            basis="drift",
        ),
        predict(a.final_a2)[None].astype(float),
        predict(b.final_a2)[None].astype(float),
        np.where(sure, 0.0, np.inf)[None],
        problem.steps,
        unbounded if drift.is_valid[-1] else (drift.doubt, drift.reason),
    )
