"""What a walk is about: implementations, one of them perhaps with a mistake."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from compare.checks.printable import printable_names
from compare.checks.run import Run, fits
from compare.checks.verdict import Verdict
from compare.explain.sentences import obstacle
from compare.hosts.host import Host, start
from compare.hosts.load import OURS, labels
from compare.selftest.faults import fault_named
from compare.selftest.plant import PLANTED, Fault, plant
from compare.traces.memory import check_memory
from compare.training.problems import Experiment
from impls.interface import Implementation

T = TypeVar("T")
FAULT_STEPS = 300
"""Updates of a run with a mistake: enough for each of them to happen."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is trained, by what.

    Attributes:
        experiment: With as many steps as are needed.
        names: As on the command line, by the names for people.
        fault: The mistake that the last one makes, if any.
    """

    experiment: Experiment
    names: Mapping[str, str]
    fault: Fault | None = None

    @property
    def note(self) -> str:
        """The mistake in words; "" if there is none."""
        if not self.fault:
            return ""
        return f"{[*self.names][-1]}: {self.fault.name}. {self.fault.sentence}"


def choose(
    experiment: Experiment,
    step: int | None,
    names: Sequence[str] | None = None,
    fault: str | None = None,
) -> Lesson:
    """Choose implementations; with a fault, one and a copy that makes the mistake.

    Args:
        experiment: What to train; its number of steps is not used.
        step: The step to walk through, if it is known.
        names: As on the command line; ours if there are none.
        fault: The name of a fault.

    Raises:
        ValueError: There is no such fault, or it is planted in more than one.
        ValueError: The runs don't fit in memory.
    """
    last = step or 0
    if fault is None:
        chosen = replace(experiment, steps=last + 1)
        named = names or OURS
        lesson = Lesson(chosen, dict(zip(labels(named), named, strict=True)))
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
        right, wrong = printable_names([*labels([base]), PLANTED])
        lesson = Lesson(chosen, {right: base, wrong: base}, mistake)
    check_memory(chosen.sizes, chosen.steps, len(lesson.names))
    return lesson


@contextmanager
def hosts_of(lesson: Lesson) -> Iterator[dict[str, Host]]:
    """Load the implementations; see `hosts.host.start`."""
    with start(lesson.names) as hosts:
        if lesson.fault:
            wrong, host = hosts.popitem()
            hosts[wrong] = Planted(host, lesson.fault.name)
        yield hosts


class Planted:
    """A host whose implementation makes a mistake; see `hosts.host.Host`."""

    def __init__(self, host: Host, fault: str) -> None:
        """Keep the host, and the name of the fault."""
        self.host, self.fault, self.about = host, fault, host.about

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.host.ended

    def ask(self, function: Callable[..., T], **arguments: object) -> Future[T]:
        """Call a function with the implementation that makes the mistake."""
        return self.host.ask(
            with_fault, asked=function, arguments=arguments, fault=self.fault
        )


def with_fault(
    asked: Callable[..., T],
    arguments: Mapping[str, object],
    fault: str,
    implementation: Implementation,
) -> T:
    """Plant a mistake, and call a function with what makes it."""
    wrong = plant(fault_named(fault), implementation)
    return asked(**arguments, implementation=wrong)


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
