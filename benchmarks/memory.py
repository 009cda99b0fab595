"""How much memory recording and comparing take, as a multiple of their traces.

Run as `python benchmarks/memory.py`, on Linux. Each line is measured in a new process:
the peak of resident memory, less what was resident after the imports. The largest
multiple is the reason for the factor of `compare.traces.memory`.
"""

from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import psutil
from rich.filesize import decimal

from compare.checks.verdict import decide
from compare.hosts.load import load
from compare.numerics.exact_run import exact_run
from compare.traces.memory import FACTOR, needed
from compare.training.problems import DTYPES, Experiment
from compare.training.record import record
from compare.training.replay import carry

NETWORKS = ((1, 50_000), (2, 30_000), (16, 10_000), (64, 2_000), (300, 60))
"""Hidden units and steps."""
USES = (("numpy", 0), ("torch", 0), ("jax", 0), ("numpy", 2), ("numpy", 3))
"""What is recorded, and how many copies of it are compared."""
EXACT = ((2, 3_000), (100, 1))
"""Hidden units and steps of the exact runs."""


def use(experiment: Experiment, name: str, traces: int) -> None:
    """Record one trace and compare copies of it, or compute the exact run."""
    problem = experiment.problem()
    if name == "exact":
        exact_run(problem)
        return
    run = record(problem, load(name), name)
    runs = [replace(deepcopy(run), name=f"run {n}") for n in range(traces)]
    decide(problem, carry(problem, runs))


def peak(experiment: Experiment, name: str, traces: int) -> int:
    """Count the bytes that `use` takes at its peak."""
    use(Experiment(steps=50, dtype=experiment.dtype), name, traces)  # imports
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    use(experiment, name, traces)
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0]) - before


def main() -> None:
    """Print what each takes, and the largest multiple."""
    lines = [*product(NETWORKS, DTYPES, USES)]
    lines += product(EXACT, DTYPES[:1], [("exact", 0)])
    multiples = []
    for (hidden, steps), dtype, (name, traces) in lines:
        experiment = Experiment(network=f"2-{hidden}-1", steps=steps, dtype=dtype)
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            taken = process.submit(peak, experiment, name, traces).result()
        exact = name == "exact"
        unit = needed(experiment.sizes, steps, max(traces, 1), exact=exact) / FACTOR
        multiples.append(taken / unit)
        print(
            f"{hidden:3} hidden units, {steps:6,} steps, {dtype}, {name:5}, {traces} "
            f"compared: {decimal(taken):>8}, {taken / unit:4.1f} times"
        )
    print(f"largest: {max(multiples):.1f} times; the factor is {FACTOR}")


if __name__ == "__main__":
    main()
