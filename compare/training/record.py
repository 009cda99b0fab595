"""From an implementation to its run: examined, trained, and asked once more.

What anybody is given is a copy, and what anybody gives is copied: whatever it is that a
stranger writes into, it is nobody else's.
"""

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from compare.checks.check import Check, What, broken, misfit
from compare.checks.completeness import OPTIONAL, continuity, fits
from compare.checks.run import Run
from compare.training.contract import (
    FAILURES,
    TRAINS,
    Stranger,
    examine,
    observe,
    plain,
    raised,
    untouched,
)
from impls.interface import Problem, Trace, Weights

NOTHING = Trace(*(np.empty(0) for _ in fields(Trace)))


def record(
    problem: Problem,
    implementation: Stranger,
    name: str,
    every: int = 1,
) -> Run:
    """Train an implementation that keeps to the contract, and record each K-th step.

    Args:
        problem: What to train.
        implementation: Who, ours or a stranger's.
        name: Its name.
        every: K.
    """
    contract = examine(problem, implementation, name)
    run = Run(name, NOTHING, every=every, contract=contract)
    if broken(contract):
        return run
    given = {check.quantity for check in contract}
    run = replace(
        run,
        end_to_end=tuple(getattr(implementation, "end_to_end", ())),
        unknown=tuple(quantity for quantity in OPTIONAL if quantity not in given),
        looped=getattr(implementation, "train", None) is None,
    )
    try:
        train = trained if every == 1 else thinned
        return finish(problem, implementation, train(problem, implementation, run))
    except FAILURES as error:  # whatever it raises is the finding
        what = What("contract", (name,), "train", TRAINS)
        return replace(run, contract=(*contract, misfit(what, raised(error), "a run")))


def trained(problem: Problem, implementation: Stranger, run: Run) -> Run:
    """Train, and record every step."""
    given = deepcopy(problem)
    found = (
        descend(implementation, given) if run.looped else implementation.train(given)
    )
    written = [c for c in untouched(problem, given, run.name) if not c.passed]
    return replace(run, trace=as_trace(found), contract=(*run.contract, *written))


def thinned(problem: Problem, implementation: Stranger, run: Run) -> Run:
    """Train from each K-th step to the next, and keep the first row of each part.

    The first part that is not whole is a finding; if it has no rows to keep, the last.
    """
    weights, rows, found = problem.weights, [], list[Check]()
    for step in range(0, problem.steps, run.every):
        steps = min(run.every, problem.steps - step)
        part = replace(problem, weights=weights, steps=steps)
        whole = trained(part, implementation, replace(run, every=1))
        checks = [*whole.contract, *continuity(part, whole)]
        found = found or [_later(check, step) for check in checks if not check.passed]
        if broken(whole.contract) or not fits(part, whole):
            return replace(run, contract=(*run.contract, *found))
        trace = whole.trace
        weights = Weights(trace.w1[-1].copy(), trace.w2[-1].copy())
        row = {f: None if a is None else a[0].copy() for f, a in vars(trace).items()}
        rows.append({**row, "new_w1": trace.w1[1].copy(), "new_w2": trace.w2[1].copy()})
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    updated = Weights(np.array(columns.pop("new_w1")), np.array(columns.pop("new_w2")))
    columns["w1"].append(weights.w1)
    columns["w2"].append(weights.w2)
    contract = (*run.contract, *found)
    return replace(run, trace=stacked(columns), updated=updated, contract=contract)


def _later(check: Check, steps: int) -> Check:
    """Count the steps of a part from the start of the run."""
    points = {name: getattr(check, name) for name in ("worst", "largest", "first")}
    moved = {n: p and replace(p, step=p.step + steps) for n, p in points.items()}
    return replace(check, **moved)


def descend(implementation: Stranger, problem: Problem) -> Trace:
    """Train with `forward` and `loss_and_gradients` alone: a plain loop."""
    rows: list[dict[str, Any]] = []
    path = [problem.weights]
    for _ in range(problem.steps):
        w1, w2 = path[-1]
        weights = Weights(w1.copy(), w2.copy())
        row = deepcopy(observe(implementation, replace(problem, weights=weights)))
        rows.append(row)
        path.append(Weights(w1 - problem.lr * row["dw1"], w2 - problem.lr * row["dw2"]))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["w1"], columns["w2"] = ([*w] for w in zip(*path, strict=True))
    return stacked(columns)


def stacked(columns: dict[str, list[Any]]) -> Trace:
    """Stack the steps of each quantity that none of them lacks."""
    stacked: dict[str, Any] = {
        name: None if any(value is None for value in column) else np.array(column)
        for name, column in columns.items()
    }
    return Trace(**stacked)


def as_trace(found: Stranger) -> Trace:
    """Read a stranger's trace by the names of its fields; what is missing is None."""
    columns: dict[str, Any] = {
        f.name: plain(getattr(found, f.name, None)) for f in fields(Trace)
    }
    return Trace(
        **{
            name: array.copy() if isinstance(array, np.ndarray) else array
            for name, array in columns.items()
        }
    )


def finish(problem: Problem, implementation: Stranger, run: Run) -> Run:
    """Ask both functions once more, at the last weights, if there are any."""
    if broken(continuity(problem, run)):
        return run
    last = Weights(run.trace.w1[-1], run.trace.w2[-1])
    found = observe(implementation, deepcopy(replace(problem, weights=last)))
    answers = {q: deepcopy(a) for q, a in found.items() if q not in run.unknown}
    return replace(run, final_a2=answers.pop("a2"), answers=answers)
