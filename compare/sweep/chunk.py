"""The verdicts of a chunk of seeds, as rows.

The seeds are trained as one batch of networks, if they can be; see `plan.are_batched`.
Then each seed gets the verdict that it would get alone, from the same code. Otherwise,
each seed is trained alone.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from compare.checks.run import Run, before_updates
from compare.checks.verdict import Verdict, decide_batch
from compare.contract.calls import answers_at
from compare.hosts.load import OURS, load, short_names
from compare.selftest.rewrites import REWRITES
from compare.sweep.plan import Chunk, are_batched
from compare.sweep.rows import Row, rows_of
from compare.traces.memory import trace_bytes
from compare.training.compare import compare
from compare.training.problems import sizes_of
from impls.interface import Array, Implementation, Loss, Problem, Trace, Weights

AUDITED = 64_000_000
"""Bytes of the traces that are audited at once, if one seed has no more.

The loop over steps that follows their drift is made once for all of them.
"""


def load_or_rewrite(name: str, loss: Loss) -> Implementation:
    """Load an implementation by its name, or build the rewrite of that name.

    Raises:
        ValueError: It is a rewrite, and no other program for this loss.
        LookupError: There is no such implementation.
        ImportError: It, or its framework, can't be imported.
    """
    if name not in (rewrites := {r.name: r for r in REWRITES}):
        return load(name)
    if loss not in rewrites[name].losses:
        others = (n for n, r in rewrites.items() if loss in r.losses)
        known = ", ".join([*OURS, *others])
        raise ValueError(f"cannot sweep {name!r} with {loss}: choose from {known}")
    return rewrites[name].implementation()


def compare_chunk(chunk: Chunk) -> list[Row]:
    """Compare a chunk of seeds, and return their rows, seed by seed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is imported
    start = perf_counter()
    loaded = {n: load_or_rewrite(n, chunk.setting.loss) for n in chunk.names}
    short = short_names(loaded)
    implementations = {short[name]: each for name, each in loaded.items()}
    decided = in_a_batch if are_batched(chunk.setting, loaded) else one_by_one
    experiments = [replace(chunk.setting, seed=seed) for seed in chunk.seeds]
    problems = [experiment.problem() for experiment in experiments]
    rows: list[Row] = []
    for each, verdict in zip(
        experiments, decided(problems, implementations), strict=True
    ):
        rows += rows_of(each, verdict)
    seconds = (perf_counter() - start) / len(experiments)
    return [replace(row, seconds=seconds) for row in rows]


def one_by_one(
    problems: Sequence[Problem], implementations: Mapping[str, Implementation]
) -> Iterator[Verdict]:
    """Train and decide each problem by itself."""
    for problem in problems:
        yield compare(problem, implementations)


def in_a_batch(
    problems: Sequence[Problem], implementations: Mapping[str, Implementation]
) -> Iterator[Verdict]:
    """Train a batch with one run for each problem, and decide each as if alone.

    The problems differ in their weights only.
    """
    batch = batch_of(problems)
    traces = {name: i.train(batch) for name, i in implementations.items()}
    of_one = len(traces) * trace_bytes(sizes_of(problems[0]), batch.steps)
    size = max(1, AUDITED // of_one)
    for first in range(0, len(problems), size):
        yield from decide_batch(
            (problem, runs_of(problem, implementations, traces, first + i))
            for i, problem in enumerate(problems[first : first + size])
        )


def batch_of(problems: Sequence[Problem]) -> Problem:
    """Stack the weights of problems that differ in nothing else."""
    w1, w2 = (np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    return replace(problems[0], weights=Weights(w1, w2))


def runs_of(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    traces: Mapping[str, Trace],
    i: int,
) -> list[Run]:
    """Select the runs of one problem from the traces of a batch.

    As in a comparison of this problem alone, the functions are called at the trained
    weights and along the path of each run.
    """
    runs = [run_of(n, each, traces[n], i) for n, each in implementations.items()]
    return [_answering(problem, implementations[run.name], run, runs) for run in runs]


def run_of(name: str, implementation: Implementation, batch: Trace, i: int) -> Run:
    """Select one run of the trace of a batch."""
    alone = Trace(**{n: np.ascontiguousarray(a[:, i]) for n, a in vars(batch).items()})
    return Run(name, alone, end_to_end=getattr(implementation, "end_to_end", ()))


@np.errstate(all="ignore")  # a run may have left the numbers
def _answering(
    problem: Problem, implementation: Implementation, run: Run, runs: Sequence[Run]
) -> Run:
    """Call the functions of one run where `training.record` and `replay` call them."""

    def answers(weights: Weights[Array]) -> dict[str, Array]:
        return answers_at(problem, implementation, weights, run.unknown)

    last = answers(Weights(run.trace.w1[-1], run.trace.w2[-1]))
    replayed = {other.name: answers(before_updates(other)) for other in runs}
    return replace(run, final_a2=last.pop("a2"), answers=last, replayed=replayed)
