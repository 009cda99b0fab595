"""The numbers of one training step: those of each run, and the exact ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import ctx

from compare.checks.audit import FromWeights, Margin, margins
from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.numerics.balls import BITS, Balls, ball_step, balls, split
from compare.numerics.drift import norm
from compare.numerics.equations import Line, lines
from compare.numerics.error_bars import step_bars
from impls.interface import Array, Problem, Trace, Weights

Effect: TypeAlias = Literal["enters", "spreads"]


@dataclass(frozen=True, eq=False)
class Stage:
    """One line of a step.

    Attributes:
        line: The line.
        exact: What real arithmetic gives from the weights of the first run.
        margins: What each run computed, by its name, and what its line gives from the
            inputs that it recorded; a run that does not return the quantity is absent.
        effects: Where a mistake enters a run, by its name: the line does not hold. It
            spreads to a line that holds, and whose inputs are wrong. Right numbers
            beside wrong recorded inputs are neither.
    """

    line: Line
    exact: Balls
    margins: Mapping[str, Margin]
    effects: Mapping[str, Effect]

    @property
    def found(self) -> dict[str, Array]:
        """The numbers of each run, in the shape of the quantity."""
        return {name: margin.found[0] for name, margin in self.margins.items()}

    def errors(self) -> dict[str, Array]:
        """Return how far each run is from the exact numbers."""
        exact = split(self.exact)
        return {n: abs((f - exact.hi) - exact.lo) for n, f in self.found.items()}


@dataclass(frozen=True, eq=False)
class Walk:
    """All lines of one step, in the order of computation.

    Attributes:
        problem: What was trained.
        step: The step, counted from 0.
        weights: The weights before the step, by the name of the run.
        strayed: The runs whose weights are wrong before the step.
        stages: The lines.
    """

    problem: Problem
    step: int
    weights: Mapping[str, Weights[Array]]
    strayed: tuple[str, ...]
    stages: tuple[Stage, ...]


def walk(verdict: Verdict, step: int) -> Walk:
    """Collect the numbers of one step of complete runs.

    Args:
        verdict: The runs; the exact numbers are those from the weights of the first.
        step: The step, from 0 to N - 1.
    """
    problem = verdict.problem
    runs = {run.name: at_step(run, step) for run in verdict.runs}
    weights = {n: Weights(r.trace.w1[0], r.trace.w2[0]) for n, r in runs.items()}
    start, *_ = weights.values()
    far = verdict.drift.weights[step]
    strayed = tuple(
        name
        for name, (w1, w2) in weights.items()
        if not norm(w1 - start.w1, w2 - start.w2) <= far
    )
    one = replace(problem, weights=start, steps=1)
    return Walk(problem, step, weights, strayed, (*_stages(one, runs, strayed),))


def at_step(run: Run, step: int) -> Run:
    """Cut a run to one step."""
    last = {"w1": step + 2, "w2": step + 2}
    rows: dict[str, Any] = {
        name: array if array is None else array[step : last.get(name, step + 1)]
        for name, array in vars(run.trace).items()
    }
    return replace(run, trace=Trace(**rows))


def _stages(
    problem: Problem, runs: Mapping[str, Run], strayed: tuple[str, ...]
) -> Iterator[Stage]:
    """Follow each line, and the quantities that are wrong so far in each run."""
    with ctx.workprec(BITS):
        exact = ball_step(problem, *map(balls, problem.weights))
    start = Weights(*(w[None] for w in problem.weights))
    bounds = FromWeights.of(problem, step_bars(problem, start)).bounds
    audited = {
        name: {margin.line.quantity: margin for margin in margins(problem, run)}
        for name, run in runs.items()
    }
    wrong = {name: {"w1", "w2"} if name in strayed else set() for name in runs}
    for line in lines(problem.loss):
        quantity = line.quantity
        of_runs = {n: a[quantity] for n, a in audited.items() if quantity in a}
        stage = Stage(
            line, np.asarray(getattr(exact, quantity)).view(Balls), of_runs, {}
        )
        effects = {
            name: effect
            for name, error in stage.errors().items()
            if (effect := _effect(stage, name, error, bounds[quantity][0], wrong[name]))
        }
        for name in effects:
            wrong[name].add(quantity)
        yield replace(stage, effects=effects)


def _effect(
    stage: Stage, name: str, error: Array, bound: Array, wrong: set[str]
) -> Effect | None:
    """Say whether a mistake enters a run in a line, or reaches it."""
    from_wrong = bool(wrong & {*stage.line.inputs})
    if from_wrong and (error <= bound).all():
        return None  # the input was not used: its record alone is wrong
    if not stage.margins[name].holds:
        return "enters"
    return "spreads" if from_wrong else None
