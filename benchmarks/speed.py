"""How long this project takes, in units of what it is measured against.

Run as `OMP_NUM_THREADS=1 python -m benchmarks.speed [--rounds N] [--json FILE]`, on a
machine that does nothing else. It takes some minutes.

Each row has two sides, A and B. They take turns, so that a machine whose speed changes
changes it for both, and the ratio of a round is B / A. In a row "again" both sides are
the same: its ratios show what is noise. The yardsticks are the loops of
`benchmarks/plain.py`, and the gradient checks of PyTorch and of JAX.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax.test_util import check_grads

from benchmarks import plain
from compare.checks.run import Run, before_updates
from compare.checks.verdict import decide
from compare.hosts.environment import environment
from compare.hosts.host import Here, Host
from compare.training.compare import replay
from compare.training.problems import Experiment
from compare.training.record import record
from impls import jax_grad, numpy_manual, torch_autograd
from impls.interface import Implementation, Problem, Weights

OURS: dict[str, Implementation] = {
    "numpy": numpy_manual,
    "torch": torch_autograd,
    "jax": jax_grad,
}
PYTHON = sys.executable
COMMAND = (PYTHON, "-m", "compare")
PLAIN = (PYTHON, str(Path(__file__).with_name("plain.py")))
CHECKED = 20
"""The steps at which the other gradient checks are timed."""
STEPS = 2_000
"""The steps of the rows that show growth, before they are multiplied by 4."""

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: What is measured, and against what.
        a: The median time of side A, in seconds.
        b: The median time of side B, in seconds.
        least: The least ratio B / A of a round.
        median: The median ratio.
    """

    name: str
    a: float
    b: float
    least: float
    median: float

    def __str__(self) -> str:
        """Write the row as `HEADER` names it."""
        return (
            f"{self.name:56} {self.a:9.4f} {self.b:9.4f} {self.least:8.3g} "
            f"{self.median:8.3g}"
        )


HEADER = f"{'B / A':56} {'A, s':>9} {'B, s':>9} {'least':>8} {'median':>8}"


def seconds(work: Work) -> float:
    """Time one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def measure(name: str, a: Work, b: Work, rounds: int) -> Row:
    """Time both sides in turn, after one round that does not count."""
    a(), b()
    times = [(seconds(a), seconds(b)) for _ in range(rounds)]
    ratios = [b / a for a, b in times]
    a_times, b_times = zip(*times, strict=True)
    return Row(name, median(a_times), median(b_times), min(ratios), median(ratios))


def command(*words: str) -> Work:
    """Return what runs a command in a process of its own."""
    return partial(
        subprocess.run,
        words,
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def processes(rounds: int, folder: Path) -> Iterator[Row]:
    """Compare whole processes, imports included."""
    ours, script = command(*COMMAND), command(*PLAIN)
    yield measure("gradparity / plain script", script, ours, rounds)
    yield measure("plain script / again", script, script, rounds)
    traces = [str(folder / f"{name}.safetensors") for name in ("numpy", "jax")]
    for name, trace in zip(("numpy", "jax"), traces, strict=True):
        command(*COMMAND, "record", name, "--steps", "100", "-o", trace)()
    nothing = command(PYTHON, "-c", "pass")
    for words in (("--help",), ("list",), ("diff", *traces)):
        name = f"gradparity {words[0]} / python -c pass"
        yield measure(name, nothing, command(*COMMAND, *words), rounds)


def training(rounds: int, problem: Problem) -> Iterator[Row]:
    """Compare `train` with the plain loop of the same framework."""
    for name, implementation in OURS.items():
        train = partial(implementation.train, problem)
        loop = partial(plain.LOOPS[name], plain.xor(), problem.steps)
        np.testing.assert_allclose(train().loss, loop(), rtol=1e-9)
        yield measure(f"{name} train / plain loop", loop, train, rounds)
        yield measure(f"{name} plain loop / again", loop, loop, rounds)

    def compiling(work: Work) -> None:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        work()

    a, b = partial(compiling, loop), partial(compiling, train)
    yield measure("jax train / plain loop, compiling both", a, b, rounds)


def checking(rounds: int, problem: Problem) -> Iterator[Row]:
    """Compare the checks with the trainings, and with other gradient checks."""
    recorded = [record(problem, module, name) for name, module in OURS.items()]
    runs = replay(problem, hosts(OURS), recorded)

    def train_all() -> None:
        for implementation in OURS.values():
            implementation.train(problem)

    verdict = partial(decide, problem, runs)
    yield measure("decide, 3 runs / training the 3", train_all, verdict, rounds)
    yield from gradient_checks(rounds, problem, runs[0])


def gradient_checks(rounds: int, problem: Problem, run: Run) -> Iterator[Row]:
    """Compare gradients at all weights of a run, a step, with other checks of one."""
    weights = before_updates(run)

    def gradients(implementation: Implementation) -> None:
        implementation.loss_and_gradients(weights, problem.x, problem.y, problem.loss)

    def gradcheck() -> None:
        x, y = torch.tensor(problem.x), torch.tensor(problem.y)

        def loss(w1: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
            forward = torch_autograd.propagate(Weights(w1, w2), x)
            return torch_autograd.cost(forward.z2, forward.a2, y, problem.loss)

        for w in zip(*(w[:CHECKED] for w in weights), strict=True):
            tensors = tuple(torch.tensor(each, requires_grad=True) for each in w)
            torch.autograd.gradcheck(loss, tensors)

    def jax_check() -> None:
        def loss(*w: jax.Array) -> jax.Array:
            forward = jax_grad.propagate(Weights(*w), x)
            return jax_grad.cost(forward.z2, forward.a2, y, problem.loss)

        with jax.enable_x64(True):
            x, y = jnp.array(problem.x), jnp.array(problem.y)
            for w in zip(*(w[:CHECKED] for w in weights), strict=True):
                check_grads(loss, w, order=1, modes=["rev"])  # type: ignore[no-untyped-call]

    others = {"torch": ("gradcheck", gradcheck), "jax": ("check_grads", jax_check)}
    for name, (other, check) in others.items():
        row = measure("", partial(gradients, OURS[name]), check, rounds)
        cheaper = problem.steps / CHECKED
        yield replace(
            row,
            name=f"{other} / {name} gradients replayed, a step",
            least=row.least * cheaper,
            median=row.median * cheaper,
        )


def growth(rounds: int) -> Iterator[Row]:
    """Compare problems four times as large in one way: 4 is linear."""
    sizes: dict[str, tuple[Experiment, Experiment]] = {
        "steps": (Experiment(steps=STEPS), Experiment(steps=4 * STEPS)),
        "samples": (
            Experiment(steps=50, samples=1_000),
            Experiment(steps=50, samples=4_000),
        ),
        "hidden units": (
            Experiment(steps=50, network="2-25-1", samples=4),
            Experiment(steps=50, network="2-100-1", samples=4),
        ),
    }
    for name, (small, large) in sizes.items():
        for what in ("train", "decide"):
            a, b = growing(what, small.problem()), growing(what, large.problem())
            yield measure(f"numpy {what}, 4 times the {name}", a, b, rounds)


def hosts(implementations: Mapping[str, Implementation]) -> dict[str, Host]:
    """Keep implementations in this process."""
    return {name: Here(each) for name, each in implementations.items()}


def growing(what: str, problem: Problem) -> Work:
    """Return what trains, or what decides on two equal runs."""
    if what == "train":
        return partial(numpy_manual.train, problem)
    runs = [record(problem, numpy_manual, name) for name in ("a", "b")]
    both = {"a": numpy_manual, "b": numpy_manual}
    return partial(decide, problem, replay(problem, hosts(both), runs))


def main() -> None:
    """Print a line for each row as it comes; write all of them as JSON if asked."""
    parser = argparse.ArgumentParser(description="See the first lines of this file.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    problem = Experiment().problem()
    rows = []
    print(f"{problem.steps:,} steps, {options.rounds} rounds\n{HEADER}")
    with TemporaryDirectory() as folder:
        for row in chain(
            processes(options.rounds, Path(folder)),
            training(options.rounds, problem),
            checking(options.rounds, problem),
            growth(options.rounds),
        ):
            rows.append(row)
            print(row, flush=True)
    if options.json:
        environments = {name: environment(name, "cpu") for name in OURS}
        table = {"rows": [asdict(row) for row in rows], "environments": environments}
        options.json.write_text(json.dumps(table, indent=2), "utf-8")


if __name__ == "__main__":
    main()
