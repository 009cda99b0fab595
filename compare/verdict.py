"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, TypeAlias

import numpy as np

from compare.audit import audit, continuity, fits, presence, trained
from compare.bounds import Drift, drift, step_bars
from compare.checks import Check
from compare.parity import Run, curves, gradients, path, predictions
from impls.interface import Array, Implementation, Problem, Trace, Weights

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
        exact: The path of the exact run, if it was asked for; see `parity.path`.
    """

    problem: Problem
    runs: tuple[Run, ...]
    checks: tuple[Check, ...]
    drifts: Mapping[str, Drift]
    exact: Mapping[str, Array] | None = None

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


def train(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    notify: Callable[[str], object],
) -> dict[str, Trace]:
    """Train every implementation, telling `notify` which before each."""
    traces = {}
    for name, implementation in implementations.items():
        notify(f"training {name}")
        traces[name] = implementation.train(problem)
    return traces


def ask(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    traces: Mapping[str, Trace],
) -> tuple[Run, ...]:
    """Ask each implementation for gradients along the others' paths.

    Who gave no whole trace is asked no further, nor is its path shown to others.
    """
    paths = {
        name: Weights(trace.w1, trace.w2)
        for name, trace in traces.items()
        if all(check.passed for check in continuity(problem, trace, name))
    }
    runs = []
    for name, trace in traces.items():
        final_a2: Array = np.empty(0)
        replayed = {}
        if name in paths:
            w1, w2 = paths[name]
            final_a2 = (
                implementations[name].forward(Weights(w1[-1], w2[-1]), problem.x).a2
            )
            replayed = {
                other: implementations[name].loss_and_gradients(
                    Weights(w1[:-1], w2[:-1]), problem.x, problem.y, problem.loss
                )[1]
                for other, (w1, w2) in paths.items()
                if other != name
            }
        own_formulas = getattr(implementations[name], "end_to_end", ())
        runs.append(Run(name, trace, final_a2, replayed, own_formulas))
    return tuple(runs)


def decide(
    problem: Problem,
    runs: Sequence[Run],
    notify: Callable[[str], object],
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Check every run, and every pair of those that are whole.

    Args:
        problem: What was trained.
        runs: What each implementation gave.
        notify: Is told what is being done, before it is.
        exact: The path of the exact run, to be held against as well.
    """
    checks: list[Check] = []
    whole, bars, drifts = [], {}, {}
    for run in runs:
        notify(f"auditing {run.name}")
        found = continuity(problem, run.trace, run.name)
        if all(check.passed for check in found):
            found.append(presence(problem, run.final_a2, run.name))
        checks += found
        if fits(problem, run.trace):
            checks += audit(problem, run.trace, run.name, run.end_to_end)
        if all(check.passed for check in found):
            whole.append(run)
            bars[run.name] = step_bars(problem, run.trace.w1, run.trace.w2)
            drifts[run.name] = drift(problem, bars[run.name])
            checks.append(trained(problem, run.final_a2, run.name, bars[run.name]))
            if exact:
                drifted = drifts[run.name]
                checks += curves("exact", (run.name,), path(run), exact, drifted)
    for a, b in permutations(whole, 2):
        checks += gradients(a, b, bars[a.name])
    for a, b in combinations(whole, 2):
        names = (a.name, b.name)
        checks += curves("parity", names, path(a), path(b), drifts[a.name])
        checks.append(predictions(problem, a, b, drifts[a.name]))
    return Verdict(problem, tuple(runs), tuple(checks), drifts, exact)


def compare(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    notify: Callable[[str], object] = str,
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Train, ask and decide, as the functions of these names; tell nobody by default.

    `str` stands for nobody: it takes what is told and does nothing with it.
    """
    traces = train(problem, implementations, notify)
    return decide(problem, ask(problem, implementations, traces), notify, exact)
