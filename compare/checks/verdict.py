"""The verdict: all checks of one problem, and what they come to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Literal, TypeAlias

import numpy as np

from compare.checks.audit import (
    FromWeights,
    audit,
    audit_answers,
    audit_replay,
)
from compare.checks.check import Check, Promise, has_failure
from compare.checks.completeness import check_completeness
from compare.checks.parity import (
    compare_gradients,
    compare_paths,
    compare_predictions,
    path,
)
from compare.checks.run import Run, fits, other_formulas
from compare.numerics.drift import NO_DRIFT, Drift, drifts
from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar, step_bars
from impls.interface import Array, Problem, Weights

Answer: TypeAlias = Literal[
    "match", "differ", "could not compare", "cannot tell", "unstable"
]


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """All checks of one problem, and what they come to.

    Attributes:
        problem: What was trained.
        runs: The run of each implementation.
        complete: The runs that can be compared with others.
        checks: Every check that was made.
        drift: How far apart correct runs may be; of no steps if none is complete.
        exact: The path of the exact run, if it was computed; see `parity.path`.
    """

    problem: Problem
    runs: tuple[Run, ...]
    complete: tuple[Run, ...]
    checks: tuple[Check, ...]
    drift: Drift
    exact: Mapping[str, Array] | None = None

    def __repr__(self) -> str:
        """Describe the verdict in one line; checks of the contract are not counted."""
        names = ", ".join(run.name for run in self.runs)
        count = len(self.counted)
        return f"<{type(self).__name__}: {self.answer} of {names} in {count} checks>"

    @property
    def counted(self) -> tuple[Check, ...]:
        """The checks of the runs: all but those of the contract."""
        return tuple(check for check in self.checks if check.kind != "contract")

    @property
    def answer(self) -> Answer:
        """What all checks come to.

        differ: a check of numbers failed. could not compare: an implementation broke
        its contract before there was a number. unstable: every line of every step is
        right, and the runs part because training amplifies rounding. match: two runs or
        more were compared, and every check passed. cannot tell: everything else.
        """
        failed = [check for check in self.checks if check.passed is False]
        if any(not (c.promise and c.promise.precedes_numbers) for c in failed):
            return "differ"
        if failed:
            return "could not compare"
        doubts = {check.doubt for check in self.checks if check.passed is None}
        if doubts == {"unstable"}:
            return "unstable"
        compared = any(check.kind == "parity" for check in self.checks)
        return "match" if compared and not doubts else "cannot tell"

    @property
    def differences(self) -> tuple[Check, ...]:
        """The failed checks, by the step and the line of their first failures.

        What a run recorded comes before what its functions return in a replay and after
        training, and that before comparisons with other runs: a mistake shows in all of
        them, and the first is where it was made.
        """
        failed = [check for check in self.checks if check.first]
        return tuple(sorted(failed, key=_place))

    @property
    def first_difference(self) -> Check | None:
        """The first of `differences`."""
        return next(iter(self.differences), None)

    @property
    def first_difference_step(self) -> int | None:
        """The step of the first difference; None if it has none.

        What is wrong before training has no step.
        """
        check = self.first_difference
        if check is None or check.first is None or check.when == "before training":
            return None
        return check.first.step


def _place(check: Check) -> tuple[int, int]:
    """Sort failures: first those of a run itself, then by step."""
    step = check.first.step if check.first else 0
    if check.kind in ("parity", "predictions", "exact"):
        return 2, step
    return int(check.when in ("in a replay", "after training")), step


@dataclass(frozen=True, eq=False)
class _Audited:
    """The runs of one problem, each compared with the mathematics.

    Attributes:
        problem: What was trained.
        runs: The run of each implementation.
        checks: The checks of each run by itself.
        bars: The error bars at all weights of each complete run, by its name.
    """

    problem: Problem
    runs: Sequence[Run]
    checks: Sequence[Check]
    bars: Mapping[str, Step[Bar]]

    @property
    def followed(self) -> Step[Bar]:
        """The bars of the run near which drift is followed.

        It is the first whose own checks hold, if there is one: correct runs are near.
        """
        failed = {c.subject[0] for c in self.checks if c.passed is False}
        right = (bars for name, bars in self.bars.items() if name not in failed)
        return next(right, next(iter(self.bars.values())))


def decide(
    problem: Problem,
    runs: Sequence[Run],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Check every run, and every pair of complete runs.

    Args:
        problem: What was trained.
        runs: The run of each implementation.
        notify: Called with a description of each stage before it begins.
        exact: The path of the exact run, to compare every run with it as well.
    """
    (verdict,) = decide_batch([(problem, runs)], notify, exact)
    return verdict


@np.errstate(all="ignore")  # a number that is not finite fails, and needs no warning
def decide_batch(
    batch: Iterable[tuple[Problem, Sequence[Run]]],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
) -> list[Verdict]:
    """Decide problems that differ in their weights only, each as if it were alone.

    All arrays of a run are compared at once, for all of its steps. How far runs may
    drift apart is followed from step to step, for all problems of the batch at once.

    Args:
        batch: Problems and their runs, as for `decide`.
        notify: As for `decide`.
        exact: As for `decide`.
    """
    audited = [_audit(problem, runs, notify) for problem, runs in batch]
    followed = [each.followed for each in audited if each.bars]
    found = drifts(audited[0].problem, followed)
    return [
        _compare(each, next(found) if each.bars else NO_DRIFT, exact)
        for each in audited
    ]


def _audit(
    problem: Problem, runs: Sequence[Run], notify: Callable[[str], object]
) -> _Audited:
    """Check every run by itself."""
    checks: list[Check] = []
    bars = {}
    formulas = frozenset().union(*map(other_formulas, runs))
    for run in runs:
        notify(f"auditing {run.name}")
        found = check_completeness(problem, run)
        checks += found
        lost = any(c.promise is Promise.COPIED and not c.passed for c in found)
        if fits(problem, run) and not has_failure(run.contract) and not lost:
            checks += audit(problem, run)
        if has_failure(found):
            continue
        weights = Weights(run.trace.w1, run.trace.w2)
        bars[run.name] = step_bars(problem, weights, formulas)
        checks += audit_answers(problem, run)
    return _Audited(problem, runs, checks, bars)


def _compare(
    audited: _Audited, drift: Drift, exact: Mapping[str, Array] | None
) -> Verdict:
    """Check every pair of complete runs, and each against the exact run, if given."""
    problem, checks = audited.problem, [*audited.checks]
    complete = [run for run in audited.runs if run.name in audited.bars]
    expected = {
        name: FromWeights.of(problem, bars) for name, bars in audited.bars.items()
    }
    if exact:
        for run in complete:
            checks += compare_paths(run, None, exact, drift)
    for run, other in product(complete, complete):
        if other.name in run.replayed and not run.carried:
            checks += audit_replay(problem, run, other.name, expected[other.name])
    bounds = {name: each.bounds for name, each in expected.items()}
    for a, b in permutations(complete, 2):
        checks += compare_gradients(a, b, bounds)
    for a, b in combinations(complete, 2):
        checks += compare_paths(a, b.name, path(b), drift)
        checks.append(compare_predictions(problem, a, b, drift))
    runs, found = tuple(audited.runs), tuple(checks)
    return Verdict(problem, runs, tuple(complete), found, drift, exact)
