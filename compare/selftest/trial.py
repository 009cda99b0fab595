"""Every planted fault and every harmless rewrite, tried.

Each is trained beside our plain NumPy implementation, and its verdict is made in the
ordinary way. A fault must be reported at the right place; a rewrite must match.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb, ctx

from compare.checks.audit import recorded
from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Answer, Verdict
from compare.diagnosis.story import Story, story_of
from compare.hosts.load import OURS, load
from compare.numerics.balls import BITS, above, balls
from compare.numerics.equations import Step, lines
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import magnitude
from compare.selftest.faults import FAULTS
from compare.selftest.plant import PLANTED, Fault, plant
from compare.selftest.rewrites import REWRITES, Rewrite
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls.interface import Implementation, Problem, Trace

FaultStatus: TypeAlias = Literal["caught", "missed", "no fault"]


@dataclass(frozen=True)
class Planted:
    """The result of one fault in one implementation and dtype.

    Attributes:
        fault: The name of the fault.
        base: The implementation it was planted in.
        dtype: The dtype of the run.
        status: "caught" if the first difference is the check that the fault names, in
            the right implementation; "no fault" if the fault changes less than the
            dtype rounds; "missed" otherwise.
        first: The first difference.
        story: The same in some lines, with the name that the mistake was given.
        named: Whether that is the right name; None if it got none.
        change: For "no fault": the largest change, in roundings of the dtype.
    """

    fault: str
    base: str
    dtype: str
    status: FaultStatus
    first: Check | None
    story: Story | None
    named: bool | None
    change: float | None

    @property
    def cause(self) -> str | None:
        """The name that the mistake was given."""
        return self.story.cause if self.story else None


@dataclass(frozen=True)
class Control:
    """The answer on one correct implementation; see `Rewrite`."""

    name: str
    base: str
    dtype: str
    end_to_end: tuple[str, ...]
    answer: Answer


@dataclass(frozen=True)
class Trials:
    """The results of all faults and rewrites."""

    planted: tuple[Planted, ...]
    controls: tuple[Control, ...]

    @property
    def good(self) -> bool:
        """All faults were caught, none was misnamed, and all rewrites match."""
        statuses = {planted.status for planted in self.planted}
        caught = "caught" in statuses and "missed" not in statuses
        named = all(planted.named is not False for planted in self.planted)
        return caught and named and {c.answer for c in self.controls} <= {"match"}


def beside_ours(
    problem: Problem, implementation: Implementation, name: str = "other"
) -> Verdict:
    """Compare an implementation, under a name, with plain NumPy."""
    return compare(problem, {"numpy": load("numpy"), name: implementation})


def is_caught(fault: Fault, verdict: Verdict) -> bool:
    """Return whether the first difference is the check that must report the fault."""
    first, (_, planted) = verdict.first_difference, verdict.runs
    return (
        first is not None
        and first.subject == (planted.name,)
        and fault.is_reported_by(first)
    )


def largest_error(problem: Problem, trace: Trace, u: float) -> float:
    """Bound how far a recorded number is from its line, in roundings of size `u`.

    Computed in ball arithmetic from the recorded inputs: an upper bound, and a proof.
    """
    known = recorded(problem, Run("", trace), np.dtype(np.float64))
    inputs: dict[str, Any] = {name: balls(array) for name, array in known.items()}
    step = Step(**inputs | {"lr": arb(problem.lr)})
    pairs = []
    with ctx.workprec(BITS):
        for line in lines(problem.loss):
            value = line.value(step)
            error = getattr(step, line.quantity) - value
            pairs.append((error, magnitude(line, step, value)))
        for path, given in zip((trace.w1, trace.w2), problem.weights, strict=True):
            pairs.append((balls(path[0]) - balls(given), abs(balls(given))))
        ratios = (abs(error) / (u * (size + 1e-300)) for error, size in pairs)
        return max(above(ball) for ratio in ratios for ball in np.ravel(ratio))


def try_fault(experiment: Experiment, fault: Fault, base: str) -> Planted:
    """Plant a fault, and compare the planted implementation with ours."""
    experiment = replace(experiment, loss=fault.loss or experiment.loss)
    planted = plant(fault, load(base))
    verdict = beside_ours(experiment.problem(), planted, PLANTED)
    status: FaultStatus = "caught" if is_caught(fault, verdict) else "missed"
    change = None
    if verdict.answer == "match":
        change = change_in_float64(experiment, fault, planted)
        status = "missed" if change is None or change > 1 else "no fault"
    first = verdict.first_difference
    story = story_of(verdict, first) if first else None
    expected = fault.named(experiment.steps)
    named = story.cause == expected if story and story.cause else None
    names = (fault.name, base, experiment.dtype)
    return Planted(*names, status, first, story, named, change)


def change_in_float64(
    experiment: Experiment, fault: Fault, planted: Implementation
) -> float | None:
    """Bound the change by a fault that was not reported in a narrower dtype.

    Float64 must report the fault; the result is None if it does not. Otherwise it is
    the largest error in float64, in roundings of the narrower dtype. An error of up to
    one rounding can't be distinguished from rounding in that dtype.
    """
    wide = replace(experiment, dtype="float64").problem()
    verdict = beside_ours(wide, planted, PLANTED)
    if not is_caught(fault, verdict):
        return None
    u = unit_roundoff(np.dtype(experiment.dtype))
    return largest_error(wide, verdict.runs[1].trace, u)


def try_rewrite(experiment: Experiment, rewrite: Rewrite) -> Control:
    """Compare a correct implementation with ours."""
    steps = min(experiment.steps, rewrite.most_steps)
    problem = replace(experiment, steps=steps).problem()
    answer = beside_ours(problem, rewrite.implementation()).answer
    names = (rewrite.name, rewrite.base, experiment.dtype)
    return Control(*names, rewrite.end_to_end, answer)


def list_trials(
    steps: int,
    names: Sequence[str],
    dtypes: Sequence[str],
    only: Fault | None = None,
) -> tuple[list[tuple[Experiment, Fault, str]], list[tuple[Experiment, Rewrite]]]:
    """List the arguments of every `try_fault` and every `try_rewrite`.

    Args:
        steps: The number of updates.
        names: Those of ours to plant in.
        dtypes: The dtypes to train in.
        only: The fault to try; all faults and rewrites if it is None.

    Raises:
        ValueError: A name is not one of ours.
    """
    if others := ", ".join(name for name in names if name not in OURS):
        raise ValueError(f"cannot plant in {others}: choose from {', '.join(OURS)}")
    plain = [Rewrite("as it is", name, partial(load, name)) for name in names]
    rewrites = plain + [rewrite for rewrite in REWRITES if rewrite.base in names]
    experiments = [Experiment(steps=steps, dtype=dtype) for dtype in dtypes]
    if only:
        return [*product(experiments, [only], names)], []
    return [*product(experiments, FAULTS, names)], [
        (replace(e, loss=loss), rewrite)
        for e, rewrite in product(experiments, rewrites)
        for loss in rewrite.losses
    ]


def try_all(
    faults: Iterable[tuple[Experiment, Fault, str]],
    rewrites: Iterable[tuple[Experiment, Rewrite]],
    notify: Callable[[str], object] = lambda _: None,
) -> Trials:
    """Try faults and rewrites, with a call of `notify` before each."""
    planted, controls = [], []
    for experiment, fault, name in faults:
        notify(f"{fault.name}, {name} {experiment.dtype}")
        planted.append(try_fault(experiment, fault, name))
    for experiment, rewrite in rewrites:
        notify(f"{rewrite.name}, {rewrite.base} {experiment.dtype}")
        controls.append(try_rewrite(experiment, rewrite))
    return Trials(tuple(planted), tuple(controls))
