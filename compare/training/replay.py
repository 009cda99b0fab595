"""The gradients of one run at the weights that another run recorded.

An implementation that is present is called. A trace that was read from a file has no
implementation: its recorded gradient is carried to the other's weights, by the exact
change of the gradient between.
"""

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.checks.check import Promise, has_failure, is_array, mismatch
from compare.checks.completeness import check_completeness
from compare.checks.run import Run, before_updates
from compare.numerics.equations import Step, run_lines
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import end_to_end_bound, oracle_dtype
from compare.training.calls import FAILURES, ThirdParty, as_array, error_line
from compare.training.contract import promised
from impls.interface import Array, Implementation, Problem, Weights


def replay(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    runs: Sequence[Run],
) -> tuple[Run, ...]:
    """Evaluate the gradients of each implementation along the paths of the others.

    Incomplete runs are left out.
    """
    complete = [
        run for run in runs if not has_failure(check_completeness(problem, run))
    ]

    def replayed(run: Run) -> Run:
        function = GradientFunction(problem, implementations[run.name])
        try:
            gradients = {
                other.name: gradients_along(function, before_updates(other))
                for other in complete
                if other is not run
            }
        except FAILURES as error:  # whatever is raised is the finding
            claim = promised(run.name, "answer", Promise.ANSWERS)
            expected = "gradients along another run's path"
            failure = mismatch(claim, error_line(error), expected)
            return replace(run, contract=(*run.contract, failure))
        return replace(run, replayed=gradients)

    return tuple(replayed(run) if run in complete else run for run in runs)


@dataclass(frozen=True, eq=False)
class GradientFunction:
    """`loss_and_gradients` of an implementation, as a function of the weights alone."""

    problem: Problem
    implementation: ThirdParty

    def __call__(self, weights: Weights[Array]) -> tuple[Any, Weights[Array]]:
        """Return the loss and the gradients, called with copies of all inputs."""
        given, x, y = deepcopy((weights, self.problem.x, self.problem.y))
        loss, found = self.implementation.loss_and_gradients(
            given, x, y, self.problem.loss
        )
        return as_array(loss), Weights(as_array(found.dw1), as_array(found.dw2))

    def one_by_one(self, weights: Weights[Array]) -> Weights[Array]:
        """Return the gradients at many weights, from one call for each."""
        steps = [deepcopy(self(Weights(*w))[1]) for w in zip(*weights, strict=True)]
        return Weights(*map(np.array, zip(*steps, strict=True)))

    def is_right(self, weights: Weights[Array], found: Weights[Array]) -> bool:
        """Return whether gradients are right at many weights, to rounding."""
        problem, bars = self.problem, step_bars(self.problem, weights)
        return all(
            is_array(d, w.shape, problem.x.dtype)
            and (abs(d - bar.value) <= 2 * end_to_end_bound(problem, name, bars)).all()
            for name, d, w, bar in zip(
                ("dw1", "dw2"), found, weights, (bars.dw1, bars.dw2), strict=True
            )
        )


def gradients_along(
    function: GradientFunction, weights: Weights[Array]
) -> Weights[Array]:
    """Evaluate gradients at N weights: in one call, if the function has leading axes.

    Third-party code may take leading axes for something else. So the result of one call
    counts only if it is right; otherwise there is one call for each step, and the
    result is judged whatever it is.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # this call is a trial
            together = gradients_in_one_call(function, weights)
    except FAILURES:  # leading axes are optional
        together = None
    return function.one_by_one(weights) if together is None else together


def gradients_in_one_call(
    function: GradientFunction, weights: Weights[Array]
) -> Weights[Array] | None:
    """Evaluate gradients at N weights in one call; None if the results can't be right.

    The first and the last weights are tried before all others: the function must return
    one loss for each of the two, and their gradients must be right, together and one by
    one. The second guards against a function that is wrong without leading axes.
    """
    ends = Weights(*(w[[0, -1]] for w in weights))
    losses, both = function(ends)
    if np.shape(losses) != (2,) or not function.is_right(ends, both):
        return None
    _, together = function(weights)
    right = function.is_right(weights, together)
    return (
        together
        if right and function.is_right(ends, function.one_by_one(ends))
        else None
    )


def carry(problem: Problem, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Carry the gradients of each complete run to the others' weights.

    A carried gradient keeps the error it was recorded with, and so the bound of its own
    weights.
    """
    complete = {
        run.name: run
        for run in runs
        if not has_failure(check_completeness(problem, run))
    }
    oracle = {
        name: _in_oracle_dtype(problem, before_updates(run))
        for name, run in complete.items()
    }

    def carried(run: Run, other: str) -> Weights[Array]:
        here, there = oracle[run.name], oracle[other]
        dw1 = run.trace.dw1 + (there.dw1 - here.dw1)
        dw2 = run.trace.dw2 + (there.dw2 - here.dw2)
        return Weights(*(d.astype(problem.x.dtype) for d in (dw1, dw2)))

    def to_others(run: Run) -> Run:
        others = [name for name in complete if name != run.name]
        replayed = {other: carried(run, other) for other in others}
        return replace(run, replayed=replayed, carried=True)

    return tuple(to_others(run) if run.name in complete else run for run in runs)


@np.errstate(all="ignore")  # a number that is not finite fails, and needs no warning
def _in_oracle_dtype(problem: Problem, weights: Weights[Array]) -> Step[Array]:
    """Evaluate the lines at many weights, in the dtype of the oracle."""
    dtype = oracle_dtype(problem.x.dtype)
    x, y, w1, w2 = (a.astype(dtype) for a in (problem.x, problem.y, *weights))
    return run_lines(problem.loss, x=x, y=y, lr=problem.lr, w1=w1, w2=w2)
