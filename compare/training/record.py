"""From an implementation to its run: examined, trained, and called once more.

Inputs and outputs are copied, so mutation cannot leak.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from compare.checks.check import Promise, has_failure, mismatch
from compare.checks.completeness import check_trace
from compare.checks.run import OPTIONAL, Run
from compare.numerics.equations import Step
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
from impls.interface import Array, Problem, Trace, Weights

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
    return replace(run, trace=as_trace(found), contract=(*run.contract, *written))


def step_at(
    implementation: ThirdParty, problem: Problem, weights: Weights[Array]
) -> Step[Any]:
    """Return one step of gradient descent; what is not returned is None."""
    w1, w2 = weights
    given = replace(problem, weights=Weights(w1.copy(), w2.copy()))
    found = deepcopy(observe(implementation, given))
    return Step(
        x=problem.x,
        y=problem.y,
        lr=problem.lr,
        w1=w1,
        w2=w2,
        new_w1=w1 - problem.lr * found["dw1"],
        new_w2=w2 - problem.lr * found["dw2"],
        **found,
    )


def descend(
    implementation: ThirdParty,
    problem: Problem,
    revise: Callable[[Sequence[Step[Any]], Step[Any]], Step[Any]] = lambda _, new: new,
) -> Trace:
    """Train with `forward` and `loss_and_gradients` alone: a plain loop.

    Args:
        implementation: The implementation.
        problem: What to train.
        revise: Replaces each step, given the steps before it.
    """
    steps: list[Step[Any]] = []
    weights = problem.weights
    for _ in range(problem.steps):
        step = revise(steps, step_at(implementation, problem, weights))
        steps.append(step)
        weights = Weights(step.new_w1, step.new_w2)
    columns = {f.name: [getattr(step, f.name) for step in steps] for f in fields(Trace)}
    columns["w1"].append(weights.w1)
    columns["w2"].append(weights.w2)
    return Trace(*map(_stack, columns.values()))


def _stack(column: list[Any]) -> Any:  # noqa: ANN401
    """Stack the steps of a quantity; None if any step lacks it."""
    return None if any(value is None for value in column) else np.array(column)


def as_trace(found: ThirdParty) -> Trace:
    """Read a trace by the names of its fields; a missing field is None."""
    columns = (as_array(getattr(found, f.name, None)) for f in fields(Trace))
    return Trace(*map(deepcopy, columns))


def call_after_training(problem: Problem, implementation: ThirdParty, run: Run) -> Run:
    """Call both functions at the trained weights of a complete trace."""
    if has_failure(check_trace(problem, run)):
        return run
    last = Weights(run.trace.w1[-1], run.trace.w2[-1])
    answers = answers_at(problem, implementation, last, run.unknown)
    return replace(run, final_a2=answers.pop("a2"), answers=answers)
