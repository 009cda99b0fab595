"""Can the checks fail, and do they cry wolf? Every planted fault and every rewrite.

Each is trained beside our plain NumPy implementation and gets a verdict, as anybody's
would; `compare.selftest.peers` is asked about the same runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Literal, TypeAlias

import numpy as np
from flint import arb, ctx

from compare.checks.audit import recorded
from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Answer, Verdict
from compare.numerics.balls import BITS, above, balls
from compare.numerics.equations import lines
from compare.numerics.rounding import magnitude, unit
from compare.report.cause import name_cause
from compare.selftest.faults import FAULTS
from compare.selftest.peers import Evidence, alarms
from compare.selftest.planting import Fault, gradient_function, plant
from compare.selftest.rewrites import REWRITES, Rewrite
from compare.training.compare import compare
from compare.training.problems import Experiment
from compare.training.registry import NAMES, load
from impls.interface import Implementation, Problem, Trace, Weights

Status: TypeAlias = Literal["caught", "missed", "no fault"]
NOTHING = Fault("nothing", "")


@dataclass(frozen=True)
class Planted:
    """What became of one fault in one implementation and dtype.

    Attributes:
        fault: What was planted.
        base: In which implementation.
        dtype: And in which dtype.
        status: "caught" if the first difference is in that implementation, and of the
            kind and quantity that the fault says; "no fault" if it changes less than
            the dtype rounds; "missed" otherwise.
        first: The first difference.
        cause: What it was called.
        named: Whether that is the right name; None if it got none.
        change: The largest change, in roundings of the dtype; of what is no fault.
        alarms: The peers that reported it.
    """

    fault: str
    base: str
    dtype: str
    status: Status
    first: Check | None
    cause: str | None
    named: bool | None
    change: float | None
    alarms: frozenset[str]


@dataclass(frozen=True)
class Control:
    """What was said of a correct implementation.

    Attributes:
        name: What is written differently.
        base: The implementation it was made from.
        dtype: Of its run.
        end_to_end: What was judged from the weights, not by its line.
        answer: Of the verdict.
        alarms: The peers that reported it, falsely.
    """

    name: str
    base: str
    dtype: str
    end_to_end: tuple[str, ...]
    answer: Answer
    alarms: frozenset[str]


@dataclass(frozen=True)
class Findings:
    """What was found of all."""

    planted: tuple[Planted, ...]
    controls: tuple[Control, ...]

    @property
    def good(self) -> bool:
        """All faults were caught, none was misnamed, and what is right matches."""
        statuses = {planted.status for planted in self.planted}
        misnamed = any(planted.named is False for planted in self.planted)
        matches = all(control.answer == "match" for control in self.controls)
        return (
            statuses <= {"caught", "no fault"}
            and "caught" in statuses
            and (matches and not misnamed)
        )


def beside_ours(problem: Problem, implementation: Implementation) -> Verdict:
    """Compare an implementation, as "other", with plain NumPy, as "ours"."""
    return compare(problem, {"ours": load("numpy"), "other": implementation})


def caught(fault: Fault, verdict: Verdict) -> bool:
    """Say whether the first difference is the one that the fault has to make."""
    first = verdict.first_difference
    expected = (("other",), fault.kind, fault.quantity)
    return first is not None and (first.subject, first.kind, first.quantity) == expected


def largest_error(problem: Problem, trace: Trace, u: float) -> float:
    """Find how far a recorded number is from its line, in roundings of size `u`.

    In ball arithmetic, from the recorded inputs: this is an upper bound, and a proof.
    """
    row = recorded(problem, Run("", trace), np.dtype(np.float64))
    row = SimpleNamespace(**{name: balls(value) for name, value in vars(row).items()})
    row.lr = arb(problem.lr)
    pairs = []
    with ctx.workprec(BITS):
        for line in lines(problem.loss):
            value = line.value(row)
            error = getattr(row, line.quantity) - value
            pairs.append((error, magnitude(line, row, value)))
        for path, given in zip((trace.w1, trace.w2), problem.weights, strict=True):
            pairs.append((balls(path[0]) - balls(given), abs(balls(given))))
        ratios = (abs(error) / (u * (size + 1e-300)) for error, size in pairs)
        return max(above(ball) for ratio in ratios for ball in np.ravel(ratio))


def try_fault(experiment: Experiment, fault: Fault, base: str) -> Planted:
    """Plant a fault, and see who reports it."""
    experiment = replace(experiment, loss=fault.loss or experiment.loss)
    problem, implementation = experiment.problem(), load(base)
    planted = plant(fault, implementation)
    verdict = beside_ours(problem, planted)
    right, other = (run.trace for run in verdict.runs)
    n = next(n for n in range(problem.steps) if fault.when(n, problem.steps))
    function = gradient_function(fault, implementation, problem)
    evidence = Evidence(right, other, function, Weights(right.w1[n], right.w2[n]))
    status: Status = "caught" if caught(fault, verdict) else "missed"
    change = None
    if verdict.answer == "match":
        change = change_in_float64(experiment, fault, planted)
        status = "missed" if change is None or change > 1 else "no fault"
    first = verdict.first_difference
    cause = name_cause(problem, verdict.runs[1], first) if first else None
    return Planted(
        fault.name,
        base,
        experiment.dtype,
        status,
        first,
        cause,
        None if cause is None else cause == fault.named(experiment.steps),
        change,
        alarms(evidence),
    )


def change_in_float64(
    experiment: Experiment, fault: Fault, planted: Implementation
) -> float | None:
    """Find how much a fault that was not reported in a dtype changes, and prove it.

    Float64 has to show that it is a fault at all; None if it doesn't. The largest error
    that it makes there is then given in roundings of the narrower dtype: up to one, the
    dtype can't know it from rounding.
    """
    wide = replace(experiment, dtype="float64").problem()
    verdict = beside_ours(wide, planted)
    if not caught(fault, verdict):
        return None
    u = unit(np.dtype(experiment.dtype))
    return largest_error(wide, verdict.runs[1].trace, u)


def try_rewrite(experiment: Experiment, rewrite: Rewrite) -> Control:
    """Compare a correct implementation with ours."""
    steps = min(experiment.steps, rewrite.most_steps)
    problem = replace(experiment, steps=steps).problem()
    implementation = rewrite.implementation()
    verdict = beside_ours(problem, implementation)
    right, other = (run.trace for run in verdict.runs)
    function = gradient_function(NOTHING, implementation, problem)
    found = alarms(Evidence(right, other, function, problem.weights))
    return Control(
        rewrite.name,
        rewrite.base,
        experiment.dtype,
        rewrite.end_to_end,
        verdict.answer,
        found,
    )


def trials(
    steps: int, names: Sequence[str], dtypes: Sequence[str]
) -> tuple[list[tuple[Experiment, Fault, str]], list[tuple[Experiment, Rewrite]]]:
    """List the arguments of what there is to try.

    Raises:
        ValueError: A name is none of ours.
    """
    if others := ", ".join(name for name in names if name not in NAMES):
        raise ValueError(f"cannot plant in {others}: choose from {', '.join(NAMES)}")
    plain = [Rewrite("as it is", name, partial(load, name)) for name in names]
    rewrites = plain + [rewrite for rewrite in REWRITES if rewrite.base in names]
    experiments = [Experiment(steps=steps, dtype=dtype) for dtype in dtypes]
    faults = [
        (e, fault, name) for e, fault, name in product(experiments, FAULTS, names)
    ]
    return faults, [
        (replace(e, loss=loss), rewrite)
        for e, rewrite in product(experiments, rewrites)
        for loss in rewrite.losses
    ]


def try_all(
    steps: int,
    names: Sequence[str],
    dtypes: Sequence[str],
    notify: Callable[[str], object],
) -> Findings:
    """Try all, telling `notify` what before each."""
    faults, rewrites = trials(steps, names, dtypes)
    planted, controls = [], []
    for experiment, fault, name in faults:
        notify(f"{fault.name}, {name} {experiment.dtype}")
        planted.append(try_fault(experiment, fault, name))
    for experiment, rewrite in rewrites:
        notify(f"{rewrite.name}, {rewrite.base} {experiment.dtype}")
        controls.append(try_rewrite(experiment, rewrite))
    return Findings(tuple(planted), tuple(controls))
