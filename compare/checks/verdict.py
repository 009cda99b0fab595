"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from operator import itemgetter
from typing import Literal, TypeAlias

import numpy as np

from compare.checks.audit import after_training, audit, linked
from compare.checks.check import Check, broken
from compare.checks.completeness import fits, sound
from compare.checks.parity import at, curves, gradients, path, predictions
from compare.checks.run import Run, points
from compare.numerics.rounding import Drift, drift, step_bars
from impls.interface import Array, Problem

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
    def differences(self) -> tuple[Check, ...]:
        """The failed checks, as their first failures come: by step, then in order."""
        failed = [(check.first.step, check) for check in self.checks if check.first]
        return tuple(check for _, check in sorted(failed, key=itemgetter(0)))

    @property
    def first_difference(self) -> Check | None:
        """The failed check whose first failure comes first, in the order of a step."""
        return next(iter(self.differences), None)


@np.errstate(all="ignore")  # what isn't finite fails, and needs no warning
def decide(
    problem: Problem,
    runs: Sequence[Run],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Check every run, and every pair of those that are whole.

    Args:
        problem: What was trained.
        runs: What each implementation gave, all recorded at the same steps.
        notify: Is told what is being done, before it is.
        exact: The path of the exact run, to be held against as well.
    """
    checks: list[Check] = []
    whole, bars, drifts = [], {}, {}
    for run in runs:
        notify(f"auditing {run.name}")
        found = sound(problem, run)
        checks += found
        if fits(problem, run) and not broken(c for c in found if c.kind == "contract"):
            checks += audit(problem, run)
        if broken(found):
            continue
        whole.append(run)
        bars[run.name] = step_bars(problem, run.trace.w1, run.trace.w2)
        drifts[run.name] = drift(problem, bars[run.name], run.every)
        checks += linked(problem, run, drifts[run.name])
        checks += after_training(problem, run, bars[run.name])
        if exact:
            known = at(exact, points(problem, run))
            checks += curves(problem, run, None, known, drifts[run.name])
    for a, b in permutations(whole, 2):
        checks += gradients(problem, a, b, bars)
    for a, b in combinations(whole, 2):
        checks += curves(problem, a, b.name, path(b), drifts[a.name])
        checks.append(predictions(problem, a, b, drifts[a.name]))
    return Verdict(problem, tuple(runs), tuple(checks), drifts, exact)
