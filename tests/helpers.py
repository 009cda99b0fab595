"""Helpers that more than one test module uses."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO
from itertools import cycle
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

from compare.checks.run import Run
from compare.checks.verdict import Verdict
from compare.contract.calls import rewired
from compare.diagnosis.story import Story, stories_of
from compare.hosts.host import Here, Host
from compare.numerics.drift import Drift, drifts
from compare.numerics.equations import Step
from compare.numerics.error_bars import Bar
from compare.selftest.trial import Planted, Trials
from compare.training.compare import replay
from compare.training.problems import Experiment
from impls import numpy_manual
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Weights,
)

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds that a test waits for a process."""
DTYPES = ("float64", "float32")
LOSSES: tuple[Loss, ...] = ("bce", "mse")
RIGHT = "from impls.numpy_manual import forward, loss_and_gradients, train\n"
"""A port that is right."""
WRONG = """
from impls.numpy_manual import forward, loss_and_gradients as right

def loss_and_gradients(weights, x, y, loss):
    value, gradients = right(weights, x, y, loss)
    return value, gradients._replace(dw1=-gradients.dw1)
"""
"""A port whose dw1 has the wrong sign."""
Write = Callable[[str], str]
"""Writes the code of a port into a file, and returns its name."""


def problem_of(
    dtype: str = "float64", loss: Loss = "bce", steps: int = 300, **options: Any
) -> Problem:
    """Create the notebook's problem, with enough steps for every fault to happen."""
    return Experiment(dtype=dtype, loss=loss, steps=steps, **options).problem()


def drift(problem: Problem, bars: Step[Bar]) -> Drift:
    """Bound the drift near one run, by its error bars."""
    (found,) = drifts(problem, [bars])
    return found


def replayed(
    problem: Problem, implementations: Mapping[str, object], runs: Iterable[Run]
) -> list[Run]:
    """Call the functions of implementations along the paths of all runs, here."""
    hosts: dict[str, Host] = {name: Here(i) for name, i in implementations.items()}
    return replay(problem, hosts, [*runs])


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the test fails if it never holds."""
    give_up = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < give_up
        sleep(0.05)


def noted(items: Iterable[T], read: list[T]) -> Iterator[T]:
    """Yield items, and note those that have been read."""
    for item in items:
        read.append(item)
        yield item


def first_story(verdict: Verdict) -> Story | None:
    """Describe the first difference; None if there is none."""
    return next(iter(stories_of(verdict)), None)


def planted_as(trials: Trials, fault: str, dtype: str) -> list[Planted]:
    """List what came of a fault in a dtype, in each of our implementations."""
    return [p for p in trials.planted if (p.fault, p.dtype) == (fault, dtype)]


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh process, and return the frameworks that it imported."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return set(done.stdout.split()) & {"torch", "jax"}


class Terminal(StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def runs(process: psutil.Process) -> bool:
    """Return whether a process runs; one that no parent waits for does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def near(expected: Any, rel: float) -> Any:
    """Compare with a relative error alone: pytest.approx would add abs=1e-12."""
    return pytest.approx(np.asarray(expected), rel=rel, abs=0)


def returning(
    at: Callable[[Weights[Array]], bool] = lambda _: True,
    **changes: Callable[[Any], Any],
) -> Implementation:
    """Wrap plain NumPy: its functions return other quantities at some weights."""

    def changed(weights: Weights[Array], **found: Any) -> dict[str, Any]:
        names = found.keys() & changes.keys() if at(weights) else set()
        return found | {name: changes[name](found[name]) for name in names}

    def forward(weights: Weights[Array], x: Array) -> Activations[Any]:
        found = numpy_manual.forward(weights, x)
        return Activations(**changed(weights, **found._asdict()))

    def loss_and_gradients(
        weights: Weights[Array], *arguments: Any
    ) -> tuple[Any, Gradients[Any]]:
        loss, gradients = numpy_manual.loss_and_gradients(weights, *arguments)
        found = changed(weights, loss=loss, **gradients._asdict())
        return found.pop("loss"), Gradients(**found)

    return rewired(numpy_manual, forward=forward, loss_and_gradients=loss_and_gradients)


def into_buffers(count: int = 1) -> Callable[[Array], Array]:
    """Create a function that copies arrays into buffers, used in turn."""
    buffers: dict[int, Array] = {}
    numbers = cycle(range(count))

    def copied(array: Array) -> Array:
        buffer = buffers.setdefault(next(numbers), array.copy())
        buffer[...] = array
        return buffer

    return copied


def box(**functions: Any) -> Any:
    """Return a right implementation with some of its functions replaced."""
    ours = {name: getattr(numpy_manual, name) for name in ("forward", "train")}
    ours["loss_and_gradients"] = numpy_manual.loss_and_gradients
    return SimpleNamespace(**{**ours, **functions})


def fail(_: object) -> None:
    """Raise an error."""
    raise RuntimeError("out of memory")


def write_into_x(weights: Weights[Any], x: Any) -> object:
    """Standardise the inputs in place."""
    x -= 0.5
    return numpy_manual.forward(weights, x)


def forward_only(weights: Weights[Any], x: Any) -> SimpleNamespace:
    """Return the probabilities and nothing else."""
    return SimpleNamespace(a2=numpy_manual.forward(weights, x).a2)


def gradients_only(*arguments: Any) -> tuple[Any, SimpleNamespace]:
    """Return the loss and the gradients by the weights, and nothing else."""
    value, gradients = numpy_manual.loss_and_gradients(*arguments)
    return value, SimpleNamespace(dw1=gradients.dw1, dw2=gradients.dw2)


BLACK_BOX: Any = SimpleNamespace(
    forward=forward_only, loss_and_gradients=gradients_only
)
