"""How much memory recording and comparing take, beside what is expected.

Run as `python benchmarks/memory.py`, on Linux. Each line is measured in a new process:
the peak of what is resident, less what was before.
"""

import resource
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import replace
from itertools import product
from multiprocessing import get_context

import psutil

from compare.checks.verdict import decide
from compare.traces.memory import in_words, needed, size
from compare.training.load import OURS, load
from compare.training.problems import DTYPES, Experiment
from compare.training.record import record
from compare.training.replay import carry
from impls.interface import Problem

KINDS = ((2, 100_000, 1), (2, 200_000, 2), (16, 20_000, 1), (64, 2_000, 1))
"""Hidden units, steps, and K, if each K-th is recorded."""


def use(problem: Problem, name: str, every: int, traces: int) -> None:
    """Train one, and compare as many copies of it."""
    run = record(problem, load(name), name, every)
    if traces:
        runs = [replace(deepcopy(run), name=f"run {n}") for n in range(traces)]
        decide(problem, carry(problem, runs))


def peak(problem: Problem, name: str, every: int, traces: int) -> int:
    """Count the bytes that `use` takes at most."""
    use(replace(problem, steps=50), name, min(every, 10), traces)  # imports, compilers
    before = psutil.Process().memory_info().rss
    use(problem, name, every, traces)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def main() -> None:
    """Print what each takes, and what share that is of what is expected."""
    for (hidden, steps, every), dtype, name, traces in product(
        KINDS, DTYPES, OURS, (0, 3)
    ):
        problem = Experiment(
            network=f"2-{hidden}-1", steps=steps, dtype=dtype
        ).problem()
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            taken = process.submit(peak, problem, name, every, traces).result()
        share = taken / needed(problem, every, traces, trained=True)
        print(
            f"{hidden:2} hidden units, {steps:9,} steps, every {every:2}, {dtype}, "
            f"{name:5}, {traces} compared: {in_words(taken):>7} for a trace of "
            f"{in_words(size(problem, every)):>7}, {share:4.0%} of what is expected"
        )


if __name__ == "__main__":
    main()
