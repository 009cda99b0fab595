"""What a walk is about: implementations, one of them perhaps with a mistake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compare.checks.printable import printable_names
from compare.checks.run import Run, fits
from compare.checks.verdict import Verdict
from compare.explain.sentences import obstacle
from compare.hosts.load import OURS, load, short_names
from compare.selftest.faults import fault_named
from compare.selftest.plant import PLANTED, plant
from compare.traces.memory import check_memory
from compare.training.problems import Experiment
from impls.interface import Implementation

FAULT_STEPS = 300
"""Updates of a run with a mistake: enough for each of them to happen."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is trained, by what.

    Attributes:
        experiment: With as many steps as are needed.
        implementations: By name.
        note: The mistake in words; "" if there is none.
    """

    experiment: Experiment
    implementations: Mapping[str, Implementation]
    note: str = ""


def choose(
    experiment: Experiment,
    step: int | None,
    names: Sequence[str] | None = None,
    fault: str | None = None,
) -> Lesson:
    """Load implementations; with a fault, one and a copy that makes the mistake.

    Args:
        experiment: What to train; its number of steps is not used.
        step: The step to walk through, if it is known.
        names: As on the command line; ours if there are none.
        fault: The name of a fault.

    Raises:
        ValueError: There is no such fault, or it is planted in more than one.
        LookupError: There is no such implementation.
        TooLargeError: The runs don't fit in memory.
    """
    last = step or 0
    if fault is None:
        chosen = replace(experiment, steps=last + 1)
        chosen_names = names or OURS
        short = short_names(chosen_names)
        labels = printable_names(short[name] for name in chosen_names)
        loaded = map(load, chosen_names)
        lesson = Lesson(chosen, dict(zip(labels, loaded, strict=True)))
    else:
        mistake = fault_named(fault)
        base, *others = names or ["numpy"]
        if others:
            raise ValueError("name one implementation to plant a mistake in")
        chosen = replace(
            experiment,
            steps=max(last + 1, FAULT_STEPS),
            loss=mistake.loss or experiment.loss,
        )
        right, wrong = printable_names([short_names([base])[base], PLANTED])
        pair = {right: load(base), wrong: plant(mistake, load(base))}
        lesson = Lesson(chosen, pair, f"{wrong}: {fault}. {mistake.sentence}")
    check_memory(chosen.sizes, chosen.steps, len(lesson.implementations))
    return lesson


def step_of(verdict: Verdict, step: int | None) -> int:
    """Return the step to walk through: where the first difference is, if none is named.

    Raises:
        RuntimeError: A run is not whole, so that it has no steps to walk through, or
            the first, whose weights the exact numbers are from, is not complete.
    """
    start, *_ = verdict.runs
    for run in verdict.runs:
        lacking = run is start and run not in verdict.complete
        if lacking or not fits(verdict.problem, run):
            raise RuntimeError(
                f"{run.name} can't be walked through: {_obstacle(verdict, run)}"
            )
    first = verdict.first_difference
    place = first.first.step if first and first.first else 0
    return min(place, verdict.problem.steps - 1) if step is None else step


def _obstacle(verdict: Verdict, run: Run) -> str:
    """Say which check of a run did not pass: one that failed, if there is one."""
    checks = (*verdict.differences, *verdict.checks)
    found = next(c for c in checks if run.name in c.subject and not c.passed)
    return obstacle(found) if found.first else f"{found.quantity}: {found.reason}"
