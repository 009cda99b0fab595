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
from compare.contract.calls import (
    FAILURES,
    ThirdParty,
    answers_at,
    as_array,
    as_losses,
    error_line,
    kept,
    observe,
    stack,
)
from compare.contract.examine import (
    check_inputs,
    check_lasting,
    examine,
    promised,
)
from compare.numerics.equations import Step
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
        plain_loss=problem.loss in getattr(implementation, "plain_losses", ()),
    )
    start = problem.weights
    claim, expected = promised(name, "answer", Promise.ANSWERS), "an answer"
    try:
        first = answers_at(problem, implementation, start, run.unknown)
        claim, expected = promised(name, "train", Promise.TRAINS), "a run"
        run = train(problem, implementation, run)
        claim = promised(name, "answer", Promise.ANSWERS)
        expected = "an answer after training"
        run = call_after_training(problem, implementation, run)
        again = answers_at(
            problem, implementation, start, run.unknown, backward_first=True
        )
        lasting = tuple(check_lasting(problem, first, again, run))
    except FAILURES as error:  # whatever is raised is the finding
        lasting = (mismatch(claim, error_line(error), expected),)
    return replace(run, contract=(*run.contract, *lasting))


def train(problem: Problem, implementation: ThirdParty, run: Run) -> Run:
    """Train with the implementation's own loop, or with a plain one."""
    given = deepcopy(problem)
    found = (
        descend(implementation, given) if run.looped else implementation.train(given)
    )
    written = [c for c in check_inputs(problem, given, run.name) if not c.passed]
    trace = as_trace(found, problem.x.dtype)
    return replace(run, trace=trace, contract=(*run.contract, *written))


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
    return Trace(*map(stack, columns.values()))


def as_trace(found: ThirdParty, dtype: np.dtype[np.floating]) -> Trace:
    """Read a trace by the names of its fields; a missing field is None."""
    columns: dict[str, Any] = {
        f.name: as_array(getattr(found, f.name, None), dtype) for f in fields(Trace)
    }
    columns["loss"] = as_losses(columns["loss"], dtype)
    return Trace(
        **{
            name: kept(array.copy() if isinstance(array, np.ndarray) else array)
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
