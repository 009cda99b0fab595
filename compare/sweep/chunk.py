"""The verdicts of a chunk of seeds, as rows.

The seeds are trained as one batch of networks, if they can be; see `plan.are_batched`.
Then each seed gets the verdict that the same traces would get alone, from the same
code. Otherwise, each seed is trained alone, and each port in a process of its own: an
implementation that is neither ours nor a rewrite.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from compare.checks.run import Run, before_updates
from compare.checks.verdict import Verdict, decide_batch
from compare.contract.calls import answers_at
from compare.hosts.host import start
from compare.hosts.load import OURS, labels, load, placed
from compare.selftest.rewrites import BY_NAME
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


def labelled(names: Sequence[str], loss: Loss) -> dict[str, Any]:
    """Name implementations for people: rewrites are built, and others stay names.

    Raises:
        ValueError: One is a rewrite, and no other program for this loss.
        ImportError: The framework of a rewrite can't be imported.
    """
    for name in names:
        if name in BY_NAME and loss not in BY_NAME[name].losses:
            others = (n for n, r in BY_NAME.items() if loss in r.losses)
            known = ", ".join([*OURS, *others])
            raise ValueError(f"cannot sweep {name!r} with {loss}: choose from {known}")
    found = (BY_NAME[n].implementation() if n in BY_NAME else n for n in names)
    return dict(zip(labels(names), found, strict=True))


def compare_chunk(chunk: Chunk) -> list[Row]:
    """Compare a chunk of seeds, and return their rows, seed by seed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is imported
    begin, setting = perf_counter(), chunk.setting
    implementations = {
        label: placed(load(found), found, "cpu") if found in OURS else found
        for label, found in labelled(chunk.names, setting.loss).items()
    }
    experiments = [replace(setting, seed=seed) for seed in chunk.seeds]
    problems = [experiment.problem() for experiment in experiments]
    verdicts = (
        in_a_batch(problems, implementations)
        if are_batched(setting, chunk.names)
        else one_by_one(problems, implementations, chunk.timeout)
    )
    rows: list[Row] = []
    for experiment, verdict in zip(experiments, verdicts, strict=True):
        rows += rows_of(experiment, verdict)
    seconds = (perf_counter() - begin) / len(experiments)
    return [replace(row, seconds=seconds) for row in rows]


def one_by_one(
    problems: Sequence[Problem],
    implementations: Mapping[str, object],
    timeout: float | None = None,
) -> Iterator[Verdict]:
    """Train and decide each problem by itself.

    A name gets a process of its own; see `hosts.host.start`. The process serves problem
    after problem: a new one would take 1.6 s, as long as 500 steps of a port. If it has
    ended, the next problem gets new processes.
    """
    left = deque(problems)
    while left:
        with start(implementations, timeout=timeout) as hosts:
            while left and not any(host.ended for host in hosts.values()):
                yield compare(left.popleft(), hosts)


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
    alone = Trace(**{name: a.take(i, axis=1) for name, a in vars(batch).items()})
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
