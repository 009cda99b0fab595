"""From an implementation to its run: examined, trained, and called once more.

Inputs and outputs are copied, so mutation cannot leak.
"""

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from compare.checks.check import Promise, has_failure, mismatch
from compare.checks.completeness import check_trace
from compare.checks.run import OPTIONAL, Run
from compare.training.calls import (
    FAILURES,
    ThirdParty,
    answers_at,
    as_array,
    error_line,
    observe,
)
from compare.training.contract import (
    check_inputs,
    check_lasting,
    examine,
    promised,
)
from impls.interface import Problem, Trace, Weights

EMPTY = Trace(*(np.empty(0) for _ in fields(Trace)))


def record(problem: Problem, implementation: ThirdParty, name: str) -> Run:
    """Train an implementation that keeps the contract.

    Args:
        problem: What to train.
        implementation: The implementation, ours or a third-party one.
        name: Its name.

    Returns:
        The run. A broken contract, or an error in training, is among its checks.
    """
    contract = examine(problem, implementation, name)
    run = Run(name, EMPTY, contract=contract)
    if has_failure(contract):
        return run
    given = {check.quantity for check in contract}
    run = replace(
        run,
        end_to_end=tuple(getattr(implementation, "end_to_end", ())),
        unknown=tuple(quantity for quantity in OPTIONAL if quantity not in given),
        looped=getattr(implementation, "train", None) is None,
    )
    try:
        start = problem.weights
        first = answers_at(problem, implementation, start, run.unknown)
        trained = train(problem, implementation, run)
        finished = call_after_training(problem, implementation, trained)
        again = answers_at(
            problem, implementation, start, run.unknown, backward_first=True
        )
        lasting = tuple(check_lasting(problem, first, again, run))
        return replace(finished, contract=(*finished.contract, *lasting))
    except FAILURES as error:  # whatever is raised is the finding
        claim = promised(name, "train", Promise.TRAINS)
        failure = mismatch(claim, error_line(error), "a run")
        return replace(run, contract=(*contract, failure))


def train(problem: Problem, implementation: ThirdParty, run: Run) -> Run:
    """Train with the implementation's own loop, or with a plain one."""
    given = deepcopy(problem)
    found = (
        descend(implementation, given) if run.looped else implementation.train(given)
    )
    written = [c for c in check_inputs(problem, given, run.name) if not c.passed]
    trace = as_trace(found, problem.x.dtype)
    return replace(run, trace=trace, contract=(*run.contract, *written))


def descend(implementation: ThirdParty, problem: Problem) -> Trace:
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
    return stack(columns)


def stack(columns: dict[str, list[Any]]) -> Trace:
    """Stack the steps of each quantity; a quantity that any step lacks is None."""
    stacked: dict[str, Any] = {
        name: None if any(value is None for value in column) else np.array(column)
        for name, column in columns.items()
    }
    return Trace(**stacked)


def as_trace(found: ThirdParty, dtype: np.dtype[np.floating]) -> Trace:
    """Read a trace by the names of its fields; a missing field is None."""
    columns: dict[str, Any] = {
        f.name: as_array(getattr(found, f.name, None), dtype) for f in fields(Trace)
    }
    return Trace(
        **{
            name: array.copy() if isinstance(array, np.ndarray) else array
            for name, array in columns.items()
        }
    )


def call_after_training(problem: Problem, implementation: ThirdParty, run: Run) -> Run:
    """Call both functions at the trained weights of a complete trace."""
    if has_failure(check_trace(problem, run)):
        return run
    last = Weights(run.trace.w1[-1], run.trace.w2[-1])
    answers = answers_at(problem, implementation, last, run.unknown)
    return replace(run, final_a2=answers.pop("a2"), answers=answers)
