"""From an implementation to its run: examined, trained, and asked once more."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from compare.audit import OPTIONAL, continuity
from compare.checks import What, broken, misfit
from compare.contract import examine, observe, raised, unchanged
from compare.runs import Run
from impls.interface import Array, Problem, Trace, Weights

NOTHING = Trace(*(np.empty(0) for _ in fields(Trace)))


def descend(implementation: Any, problem: Problem) -> Trace:  # noqa: ANN401
    """Train with `forward` and `loss_and_gradients` alone: a plain loop."""
    rows: list[dict[str, Any]] = []
    path = [problem.weights]
    for _ in range(problem.steps):
        row = observe(implementation, problem, path[-1])
        rows.append(row)
        w1, w2 = path[-1]
        path.append(Weights(w1 - problem.lr * row["dw1"], w2 - problem.lr * row["dw2"]))
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["w1"], columns["w2"] = ([*w] for w in zip(*path, strict=True))
    return Trace(**{name: _stacked(column) for name, column in columns.items()})


def _stacked(column: Sequence[Any]) -> Any:  # noqa: ANN401
    return None if any(value is None for value in column) else np.array(column)


def thinned(
    train: Callable[[Problem], Trace], problem: Problem, every: int
) -> tuple[Trace, Weights[Array]]:
    """Train from each K-th step to the next, and keep the first row of each part.

    Returns:
        The rows, and the weights right after the update of each.
    """
    weights, parts = problem.weights, []
    for step in range(0, problem.steps, every):
        steps = min(every, problem.steps - step)
        part = train(replace(problem, weights=weights, steps=steps))
        weights = Weights(part.w1[-1], part.w2[-1])
        first = {name: None if a is None else a[0] for name, a in vars(part).items()}
        parts.append({**first, "new_w1": part.w1[1], "new_w2": part.w2[1]})
    columns = {name: [part[name] for part in parts] for name in parts[0]}
    after = Weights(np.array(columns.pop("new_w1")), np.array(columns.pop("new_w2")))
    columns["w1"].append(weights.w1)
    columns["w2"].append(weights.w2)
    rows: dict[str, Any] = {name: _stacked(c) for name, c in columns.items()}
    return Trace(**rows), after


def as_trace(found: Any) -> Trace:  # noqa: ANN401
    """Read a stranger's trace by the names of its fields; what is missing is None."""
    columns: dict[str, Any] = {
        f.name: getattr(found, f.name, None) for f in fields(Trace)
    }
    return Trace(**columns)


def finish(problem: Problem, implementation: Any, run: Run) -> Run:  # noqa: ANN401
    """Ask for the probabilities at the last weights, if there are any."""
    if broken(continuity(problem, run)):
        return run
    last = Weights(run.trace.w1[-1], run.trace.w2[-1])
    return replace(run, final_a2=implementation.forward(last, problem.x).a2)


def record(
    problem: Problem,
    implementation: Any,  # noqa: ANN401
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
    found = {check.quantity for check in contract}
    run = Run(
        name,
        NOTHING,
        end_to_end=tuple(getattr(implementation, "end_to_end", ())),
        unknown=tuple(name for name in OPTIONAL if name not in found),
        every=every,
        contract=contract,
        looped=getattr(implementation, "train", None) is None,
    )
    if broken(run.contract):
        return run

    def train(problem: Problem) -> Trace:
        if run.looped:
            return descend(implementation, problem)
        return as_trace(implementation.train(problem))

    given = deepcopy(problem)  # who writes into it harms nobody else
    try:
        if every == 1:
            run = replace(run, trace=train(given))
        else:
            trace, after = thinned(train, given, every)
            run = replace(run, trace=trace, updated=after)
        kept = unchanged(problem, given, name)
        run = replace(run, contract=(*contract, *kept))
        return finish(problem, implementation, run)
    except Exception as error:  # noqa: BLE001  # whatever it raises is the finding
        what = What("contract", (name,), "train", "trains to the end")
        return replace(
            run, contract=(*run.contract, misfit(what, raised(error), "a trace"))
        )
