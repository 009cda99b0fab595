"""What the functions of one run return at the weights that another run recorded.

An implementation that is present is called. A trace that was read from a file has no
implementation: its recorded gradient is carried to the other's weights, by the exact
change of the gradient between.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.checks.check import Promise, has_failure, is_array, mismatch
from compare.checks.completeness import check_completeness
from compare.checks.run import Run, before_updates
from compare.contract.calls import FAILURES, ThirdParty, answers_at, error_line, stack
from compare.contract.examine import promised
from compare.numerics.equations import Step, run_lines
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import end_to_end_bound, oracle_dtype
from impls.interface import Array, Problem, Weights

Answers = Mapping[str, Array]
"""What both functions return, by quantity; the step is the first axis."""


Paths = Mapping[str, Weights[Array]]
"""The weights before each update, of each complete run by its name."""


def complete_paths(problem: Problem, runs: Sequence[Run]) -> Paths:
    """Return the path of each complete run."""
    return {
        run.name: before_updates(run)
        for run in runs
        if not has_failure(check_completeness(problem, run))
    }


def replay_run(
    problem: Problem, implementation: ThirdParty, run: Run, paths: Paths
) -> Run:
    """Add to a run what its functions return along paths, or the error they raise."""
    functions = Functions(problem, implementation, run.unknown)
    try:
        answers = {name: answers_along(functions, w) for name, w in paths.items()}
    except FAILURES as error:  # whatever is raised is the finding
        claim = promised(run.name, "answer", Promise.ANSWERS)
        expected = "answers along the path of each run"
        failure = mismatch(claim, error_line(error), expected)
        return replace(run, contract=(*run.contract, failure))
    return replace(run, replayed=answers)


@dataclass(frozen=True, eq=False)
class Functions:
    """Both functions of an implementation, as functions of the weights alone."""

    problem: Problem
    implementation: ThirdParty
    unknown: Sequence[str]

    def __call__(self, weights: Weights[Array]) -> Answers:
        """Return copies of what both functions return, called with copies."""
        return answers_at(self.problem, self.implementation, weights, self.unknown)

    def one_by_one(self, weights: Weights[Array]) -> Answers:
        """Return the answers at many weights, from one call of each for each."""
        steps = [self(Weights(*w)) for w in zip(*weights, strict=True)]
        return {q: stack([step[q] for step in steps]) for q in steps[0]}

    def are_right(self, weights: Weights[Array], answers: Answers) -> bool:
        """Return whether answers are right at many weights, to rounding."""
        bars = step_bars(self.problem, weights, ("a1", "a2", "dz2"))
        dtype = self.problem.x.dtype

        def is_right(quantity: str, found: Array) -> bool:
            expected = getattr(bars, quantity).value
            bound = 2 * end_to_end_bound(self.problem, quantity, bars)
            form = is_array(found, expected.shape, dtype)
            return form and bool((abs(found - expected) <= bound).all())

        return all(is_right(*answer) for answer in answers.items())


def answers_along(functions: Functions, weights: Weights[Array]) -> Answers:
    """Call both functions at N weights: at once, if they have leading axes.

    Third-party code may take leading axes for something else. So the answers of one
    call count only if they are right; otherwise there is one call for each step, and
    the answers are judged whatever they are.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # this call is a trial
            together = answers_at_once(functions, weights)
    except FAILURES:  # leading axes are optional
        together = None
    return functions.one_by_one(weights) if together is None else together


def answers_at_once(functions: Functions, weights: Weights[Array]) -> Answers | None:
    """Call both functions once for N weights; None unless the answers are right.

    The first and the last weights are tried before all others, together and one by one.
    The second guards against functions that are wrong without leading axes.
    """
    ends = Weights(*(w[[0, -1]] for w in weights))
    if not functions.are_right(ends, functions(ends)):
        return None
    if not functions.are_right(ends, functions.one_by_one(ends)):
        return None
    together = functions(weights)
    return together if functions.are_right(weights, together) else None


def carry(problem: Problem, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Carry the gradients of each complete run to the others' weights.

    A carried gradient keeps the error it was recorded with, and so the bound of its own
    weights.
    """
    oracle = {
        name: _in_oracle_dtype(problem, weights)
        for name, weights in complete_paths(problem, runs).items()
    }

    def carried(run: Run, other: str) -> Answers:
        here, there = oracle[run.name], oracle[other]
        dw1 = run.trace.dw1 + (there.dw1 - here.dw1)
        dw2 = run.trace.dw2 + (there.dw2 - here.dw2)
        return {q: d.astype(problem.x.dtype) for q, d in (("dw1", dw1), ("dw2", dw2))}

    def to_others(run: Run) -> Run:
        others = [name for name in oracle if name != run.name]
        replayed = {other: carried(run, other) for other in others}
        return replace(run, replayed=replayed, carried=True)

    return tuple(to_others(run) if run.name in oracle else run for run in runs)


@np.errstate(all="ignore")  # a number that is not finite fails, and needs no warning
def _in_oracle_dtype(problem: Problem, weights: Weights[Array]) -> Step[Array]:
    """Evaluate the lines at many weights, in the dtype of the oracle."""
    dtype = oracle_dtype(problem.x.dtype)
    x, y, w1, w2 = (a.astype(dtype) for a in (problem.x, problem.y, *weights))
    return run_lines(problem.loss, x=x, y=y, lr=problem.lr, w1=w1, w2=w2)
