"""Many seeds at once: do the checks ever blame a correct run?

A chunk of seeds is trained as one batch of networks; then each seed gets the verdict it
would get alone, from the same code.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field, replace

import numpy as np

from compare.checks.check import Check
from compare.checks.run import Run
from compare.checks.verdict import Answer, decide
from compare.selftest.rewrites import REWRITES
from compare.training.problems import Experiment
from compare.training.record import finish
from compare.training.registry import NAMES, load
from compare.training.replay import ask
from impls.interface import Implementation, Loss, Trace, Weights

CHUNK = 20
"""Seeds trained as one batch: 10,000 steps of them take a third of a gigabyte."""


@dataclass(frozen=True)
class Tally:
    """What some seeds came to.

    Attributes:
        seeds: Those that got each verdict.
        worst: By kind of check, the one that used most of its bound, and its seed.
    """

    seeds: dict[Answer, tuple[int, ...]] = field(default_factory=dict)
    worst: dict[str, tuple[Check, int]] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        """Join what two lots of seeds came to."""
        worst = dict(self.worst)
        for kind, (check, seed) in other.worst.items():
            if kind not in worst or worst[kind][0].worst.use < check.worst.use:
                worst[kind] = check, seed
        seeds = dict(self.seeds)
        for answer, more in other.seeds.items():
            seeds[answer] = (*seeds.get(answer, ()), *more)
        return Tally(seeds, worst)


def find(name: str, loss: Loss) -> Implementation:
    """Load one of our implementations, or build the harmless rewrite of that name.

    Raises:
        ValueError: There is none, or it is no other program for this loss.
        ImportError: Its framework can't be imported.
    """
    if name in NAMES:
        return load(name)
    rewrites = {r.name: r for r in REWRITES if loss in r.losses}
    if name not in rewrites:
        known = ", ".join([*NAMES, *rewrites])
        raise ValueError(f"cannot sweep {name!r} with {loss}: choose from {known}")
    return rewrites[name].implementation()


def chunk(experiment: Experiment, names: Sequence[str], seeds: Sequence[int]) -> Tally:
    """Train a batch with one run for each seed, and give each its own verdict."""
    problems = [replace(experiment, seed=seed).problem() for seed in seeds]
    w1, w2 = (np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    batch = replace(problems[0], weights=Weights(w1, w2))
    implementations = {name: find(name, experiment.loss) for name in names}
    traces = {name: i.train(batch) for name, i in implementations.items()}
    tally = Tally()
    for i, (seed, problem) in enumerate(zip(seeds, problems, strict=True)):
        runs = [
            finish(problem, each, one(name, each, traces[name], i))
            for name, each in implementations.items()
        ]
        verdict = decide(problem, ask(problem, implementations, runs))
        tally += Tally({verdict.answer: (seed,)})
        for check in verdict.checks:
            tally += Tally(worst={check.kind: (check, seed)})
    return tally


def one(name: str, implementation: Implementation, batch: Trace, i: int) -> Run:
    """Take one run out of the trace of a batch."""
    alone = Trace(**{name: steps[:, i] for name, steps in vars(batch).items()})
    return Run(name, alone, end_to_end=getattr(implementation, "end_to_end", ()))


def sweep(
    experiment: Experiment,
    names: Sequence[str],
    seeds: Sequence[int],
    executor: Executor,
) -> Iterator[Tally]:
    """Give a tally of every chunk of seeds, as they are done."""
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    jobs = [executor.submit(chunk, experiment, names, lot) for lot in chunks]
    for job in as_completed(jobs):
        yield job.result()
