"""Verdicts of many seeds.

A chunk of seeds is trained as one batch of networks. Then each seed gets the verdict
that it would get alone, from the same code.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace

import numpy as np

from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Answer, decide
from compare.selftest.rewrites import REWRITES
from compare.training.load import OURS, load
from compare.training.problems import Experiment
from compare.training.record import call_after_training
from compare.training.replay import replay
from impls.interface import Implementation, Loss, Trace, Weights

SEEDS_IN_A_BATCH = 20
"""Seeds trained as one batch: 10,000 steps of them take a third of a gigabyte."""


@dataclass(frozen=True)
class Tally:
    """The answers of some seeds.

    Attributes:
        seeds: The seeds of each answer.
        worst: By kind, the check that used most of its bound, and its seed.
    """

    seeds: dict[Answer, tuple[int, ...]] = field(default_factory=dict)
    worst: dict[str, tuple[Check, int]] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        """Join the tallies of two sets of seeds."""
        worst = dict(self.worst)
        for kind, (check, seed) in other.worst.items():
            if kind not in worst or worst[kind][0].worst.use < check.worst.use:
                worst[kind] = check, seed
        seeds = dict(self.seeds)
        for answer, more in other.seeds.items():
            seeds[answer] = (*seeds.get(answer, ()), *more)
        return Tally(seeds, worst)


def load_or_rewrite(name: str, loss: Loss) -> Implementation:
    """Load one of our implementations, or build the harmless rewrite of that name.

    Raises:
        ValueError: There is none, or it is no other program for this loss.
        ImportError: Its framework can't be imported.
    """
    if name in OURS:
        return load(name)
    rewrites = {r.name: r for r in REWRITES if loss in r.losses}
    if name not in rewrites:
        known = ", ".join([*OURS, *rewrites])
        raise ValueError(f"cannot sweep {name!r} with {loss}: choose from {known}")
    return rewrites[name].implementation()


def chunk(experiment: Experiment, names: Sequence[str], seeds: Sequence[int]) -> Tally:
    """Train a batch with one run for each seed, and decide each alone."""
    problems = [replace(experiment, seed=seed).problem() for seed in seeds]
    w1, w2 = (np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    batch = replace(problems[0], weights=Weights(w1, w2))
    implementations = {name: load_or_rewrite(name, experiment.loss) for name in names}
    traces = {name: i.train(batch) for name, i in implementations.items()}
    tally = Tally()
    for i, (seed, problem) in enumerate(zip(seeds, problems, strict=True)):
        runs = [
            call_after_training(problem, each, run_of(name, each, traces[name], i))
            for name, each in implementations.items()
        ]
        verdict = decide(problem, replay(problem, implementations, runs))
        tally += Tally({verdict.answer: (seed,)})
        for check in verdict.checks:
            tally += Tally(worst={check.kind: (check, seed)})
    return tally


def run_of(name: str, implementation: Implementation, batch: Trace, i: int) -> Run:
    """Select one run of the trace of a batch."""
    alone = Trace(**{name: steps[:, i] for name, steps in vars(batch).items()})
    return Run(name, alone, end_to_end=getattr(implementation, "end_to_end", ()))


def sweep(
    experiment: Experiment,
    names: Sequence[str],
    seeds: Sequence[int],
    executor: Executor,
) -> Iterator[Tally]:
    """Yield a tally of every chunk of seeds, in the order of completion."""
    chunks = [
        seeds[i : i + SEEDS_IN_A_BATCH] for i in range(0, len(seeds), SEEDS_IN_A_BATCH)
    ]
    jobs = [executor.submit(chunk, experiment, names, lot) for lot in chunks]
    for job in as_completed(jobs):
        yield job.result()
