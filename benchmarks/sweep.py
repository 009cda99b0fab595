"""What a sweep costs, in units of bare batched training; all rows in one run.

Run as `OMP_NUM_THREADS=1 python benchmarks/sweep.py [STEPS]`, 10,000 steps by default.
Times are CPU times of this process, so that other programs change them little; the two
sides of a ratio take turns. The last rows start processes, and measure the wall clock
and the peak of memory.

Bare training is `train` of NumPy, PyTorch and JAX on 1,000 seeds as one batch, with
everything recorded, for the 100 first steps: the time of a step does not change.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from compare.checks.run import Run
from compare.checks.verdict import decide
from compare.hosts.host import Here, Host
from compare.hosts.load import OURS, load
from compare.sweep.chunk import batch_of, compare_chunk
from compare.sweep.engine import completed, processes
from compare.sweep.plan import Chunk, Plan, seeds_in_a_chunk
from compare.training.compare import replay
from compare.training.problems import DTYPES, Experiment
from compare.training.record import call_after_training
from impls.interface import Problem

ROUNDS = 3
BATCH = 1_000
BARE_STEPS = 100


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    start = process_time()
    work()
    return process_time() - start


def train_bare(batch: Problem) -> None:
    """Train all seeds of a batch, and decide nothing."""
    for name in OURS:
        load(name).train(batch)


def ratios(experiment: Experiment) -> None:
    """Print the cost of a seed-step of three implementations, and its ratio."""
    seeds = seeds_in_a_chunk(experiment, OURS)
    chunk = Chunk(experiment, range(seeds), OURS)
    compare_chunk(chunk)  # JAX compiles
    short = replace(experiment, steps=BARE_STEPS)
    batch = batch_of([replace(short, seed=seed).problem() for seed in range(BATCH)])
    train_bare(batch)
    bare, swept = [], []
    for _ in range(ROUNDS):
        bare.append(cpu(lambda: train_bare(batch)) / BATCH / BARE_STEPS)
        swept.append(cpu(lambda: compare_chunk(chunk)) / seeds / experiment.steps)
    ratio = median(s / b for s, b in zip(swept, bare, strict=True))
    print(
        f"{experiment.dtype}: {1e6 * median(bare):.2f} us bare, "
        f"{1e6 * median(swept):.1f} us swept, ratio {ratio:.0f} "
        f"({seeds} seeds at once)",
        flush=True,
    )


def verdict_alone(experiment: Experiment) -> None:
    """Print how long `decide` takes, in units of training the three."""
    problem = experiment.problem()
    implementations = {name: load(name) for name in OURS}
    hosts: dict[str, Host] = {name: Here(i) for name, i in implementations.items()}
    found = []
    for _ in range(ROUNDS + 1):
        start = process_time()
        traces = {name: i.train(problem) for name, i in implementations.items()}
        trained = process_time() - start
        runs = [
            call_after_training(problem, i, Run(name, traces[name]))
            for name, i in implementations.items()
        ]
        runs = replay(problem, hosts, runs)
        found.append(cpu(partial(decide, problem, runs)) / trained)
    print(f"decide / training the three, one seed: {median(found[1:]):.2f}", flush=True)


def two_processes(experiment: Experiment) -> None:
    """Print how much faster two processes are than one, chunks of equal size."""
    size = seeds_in_a_chunk(experiment, OURS)
    plan = Plan.of(range(4 * size), OURS, steps=[experiment.steps])
    times = []
    for jobs in (1, 2):
        found = completed(compare_chunk, plan.chunks(), partial(processes, jobs))
        done = [perf_counter() for _ in found]
        times.append((done[-1] - done[jobs - 1]) / (len(done) - jobs))
    print(f"two processes against one: {times[0] / times[1]:.2f}", flush=True)


def peak(seeds: int, steps: int) -> float:
    """Return the peak of the memory of this process while it sweeps, in MB."""
    plan = Plan.of(range(seeds), OURS, steps=[steps])
    for chunk in plan.chunks():
        compare_chunk(chunk)
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory(steps: int) -> None:
    """Print the peak of memory of few and of many seeds, on Linux."""
    peaks = []
    for seeds in (2_000, 20_000):
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            peaks.append(process.submit(peak, seeds, steps).result())
    print(
        f"peak: {peaks[0]:.0f} MB for 2,000 seeds of {steps} steps, "
        f"{peaks[1]:.0f} MB for 20,000: {peaks[1] / peaks[0]:.2f}",
        flush=True,
    )


def main() -> None:
    """Print all rows."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for dtype in DTYPES:
        ratios(Experiment(dtype=dtype, steps=steps))
    verdict_alone(Experiment(steps=steps))
    two_processes(Experiment(steps=steps))
    memory(steps=100)


if __name__ == "__main__":
    main()
