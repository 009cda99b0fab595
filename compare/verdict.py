"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, TypeAlias

import numpy as np

from compare.audit import audit, continuity
from compare.bounds import FORMULAS, Drift, drift, step_bars, unit
from compare.checks import Check, What, judge
from compare.lines import Row
from compare.parity import Run, curves, gradients, predictions
from impls.interface import Array, Implementation, Problem, Weights

Answer: TypeAlias = Literal["match", "differ", "cannot tell"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was found, and what it comes to.

    Attributes:
        problem: What was trained.
        runs: What each implementation gave.
        checks: Every check that was made.
        drifts: How far correct runs may be from each run, by its name; only of runs
            that are whole.
    """

    problem: Problem
    runs: tuple[Run, ...]
    checks: tuple[Check, ...]
    drifts: Mapping[str, Drift]

    @property
    def answer(self) -> Answer:
        """Match only if two or more were compared and every check passed."""
        outcomes = {check.passed for check in self.checks}
        if False in outcomes:
            return "differ"
        compared = any(check.kind == "parity" for check in self.checks)
        return "match" if outcomes == {True} and compared else "cannot tell"

    @property
    def first_difference(self) -> Check | None:
        """The failed check whose first failure comes first, in the order of a step."""
        failed = [(c.first.step, i) for i, c in enumerate(self.checks) if c.first]
        return self.checks[min(failed)[1]] if failed else None


def gather(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    notify: Callable[[str], None],
) -> tuple[Run, ...]:
    """Train every implementation, and ask each for gradients along the others' paths.

    Who gave no whole trace is asked no further, nor is its path shown to others.

    Args:
        problem: What to train.
        implementations: By name, in the order of the report.
        notify: Is told what is being done, before it is.
    """
    traces = {}
    for name, implementation in implementations.items():
        notify(f"training {name}")
        traces[name] = implementation.train(problem)
    whole = {
        name: trace
        for name, trace in traces.items()
        if all(check.passed for check in continuity(problem, trace, name))
    }
    runs = []
    for name, trace in traces.items():
        ask = implementations[name]
        final_a2: Array = np.empty(0)
        replayed = {}
        if name in whole:
            notify(f"asking {name} for gradients")
            last = Weights(trace.w1[-1], trace.w2[-1])
            final_a2 = ask.forward(last, problem.x).a2
            replayed = {
                other: ask.loss_and_gradients(
                    Weights(path.w1[:-1], path.w2[:-1]),
                    problem.x,
                    problem.y,
                    problem.loss,
                )[1]
                for other, path in whole.items()
                if other != name
            }
        runs.append(Run(name, trace, final_a2, replayed))
    return tuple(runs)


def final_check(problem: Problem, run: Run, bars: Row) -> Check:
    """Check the probabilities at the last weights, which no trace records."""
    return judge(
        What("audit", (run.name,), "final a2", "a2 = forward(x) after training"),
        run.final_a2[None],
        bars.a2.value[-1:],
        2 * FORMULAS * unit(problem.x.dtype) * bars.a2.bar[-1:],
        first_step=problem.steps,
    )


def decide(
    problem: Problem, runs: Sequence[Run], notify: Callable[[str], None]
) -> Verdict:
    """Check every run, and every pair of those that are whole.

    Args:
        problem: What was trained.
        runs: What each implementation gave.
        notify: Is told what is being done, before it is.
    """
    checks, whole, bars, drifts = [], [], {}, {}
    for run in runs:
        notify(f"auditing {run.name}")
        found = continuity(problem, run.trace, run.name)
        checks += found
        if not all(check.passed for check in found):
            continue
        whole.append(run)
        bars[run.name] = step_bars(problem, run.trace.w1, run.trace.w2)
        drifts[run.name] = drift(problem, bars[run.name])
        checks += audit(problem, run.trace, run.name)
        checks.append(final_check(problem, run, bars[run.name]))
    for a, b in permutations(whole, 2):
        checks += gradients(problem, a, b, bars[a.name])
    for a, b in combinations(whole, 2):
        checks += curves(a, b, drifts[a.name])
        checks.append(predictions(problem, a, b, drifts[a.name]))
    return Verdict(problem, tuple(runs), tuple(checks), drifts)
