"""Verdicts of many seeds.

A chunk of seeds is trained as one batch of networks, if all implementations are ours or
rewrites of ours and the data do not depend on the seed. Then each seed gets the verdict
that it would get alone, from the same code. Otherwise, each seed is trained alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace

import numpy as np

from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Answer, Verdict, decide
from compare.selftest.rewrites import REWRITES
from compare.training.compare import compare
from compare.training.load import OURS, load, short_names
from compare.training.problems import Experiment
from compare.training.record import call_after_training
from compare.training.replay import replay
from impls.interface import Implementation, Loss, Problem, Trace, Weights

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
    """Load an implementation by its name, or build the rewrite of that name.

    Raises:
        ValueError: It is a rewrite, and no other program for this loss.
        LookupError: There is no such implementation.
        ImportError: It, or its framework, can't be imported.
    """
    if name not in (rewrites := {r.name: r for r in REWRITES}):
        return load(name)
    if loss not in rewrites[name].losses:
        known = ", ".join(n for n, r in rewrites.items() if loss in r.losses)
        raise ValueError(f"cannot sweep {name!r} with {loss}: choose from {known}")
    return rewrites[name].implementation()


def takes_batches(name: str) -> bool:
    """Return whether an implementation is known to train a batch of networks."""
    return name in OURS or name in {r.name for r in REWRITES}


def chunk(experiment: Experiment, names: Sequence[str], seeds: Sequence[int]) -> Tally:
    """Return the answers of some seeds."""
    problems = [replace(experiment, seed=seed).problem() for seed in seeds]
    loaded = {n: load_or_rewrite(n, experiment.loss) for n in names}
    short = short_names(loaded)
    implementations = {short[name]: each for name, each in loaded.items()}
    together = all(map(takes_batches, names)) and not experiment.is_drawn
    verdicts = (
        in_a_batch(problems, implementations)
        if together
        else (compare(problem, implementations) for problem in problems)
    )
    tally = Tally()
    for seed, verdict in zip(seeds, verdicts, strict=True):
        tally += Tally({verdict.answer: (seed,)})
        for check in verdict.checks:
            tally += Tally(worst={check.kind: (check, seed)})
    return tally


def in_a_batch(
    problems: Sequence[Problem], implementations: Mapping[str, Implementation]
) -> Iterator[Verdict]:
    """Train a batch with one run for each problem, and decide each alone.

    The problems differ in their weights only.
    """
    w1, w2 = (np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    batch = replace(problems[0], weights=Weights(w1, w2))
    traces = {name: i.train(batch) for name, i in implementations.items()}
    for i, problem in enumerate(problems):
        runs = [
            call_after_training(problem, each, run_of(name, each, traces[name], i))
            for name, each in implementations.items()
        ]
        yield decide(problem, replay(problem, implementations, runs))


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
