"""Many seeds: each gets the verdict that it would get alone."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check, Claim, judge
from compare.selftest.rewrites import REWRITES
from compare.sweep.seeds import (
    SEEDS_IN_A_BATCH,
    Tally,
    chunk,
    load_or_rewrite,
    run_of,
    sweep,
)
from compare.training.compare import compare
from compare.training.load import OURS, load
from compare.training.problems import Experiment
from compare.training.third_party import UnknownImplementationError
from impls.interface import Loss, Weights
from tests.helpers import LOSSES, near, problem_of

UNSTABLE = Experiment(lr=8.0, steps=100, dtype="float32")
"""With this learning rate, training amplifies the roundings of most seeds."""
SEEDS = range(8)


def used(kind: Any, share: float) -> Check:
    """Make a check that used a share of its bound."""
    claim = Claim(kind, ("one",), "loss", "")
    return judge(claim, np.array([share]), np.zeros(1), 1.0)


def test_each_seed_is_decided_as_if_alone() -> None:
    """The answers of a batch are those of one comparison for each seed."""
    names = ("numpy", "torch")
    alone = {
        seed: compare(
            replace(UNSTABLE, seed=seed).problem(), {name: load(name) for name in names}
        ).answer
        for seed in SEEDS
    }

    tally = chunk(UNSTABLE, names, SEEDS)

    together = {seed: answer for answer, seeds in tally.seeds.items() for seed in seeds}
    assert together == alone
    assert {*alone.values()} >= {"match", "unstable"}


@pytest.mark.parametrize("name", OURS)
def test_a_run_of_a_batch_is_the_one_of_its_seed(name: str) -> None:
    """The run of each seed starts at its weights, and is trained from there."""
    problems = [problem_of(seed=seed, steps=20) for seed in (3, 4)]
    w1, w2 = (np.stack(w) for w in zip(*(p.weights for p in problems), strict=True))
    batch = replace(problems[0], weights=Weights(w1, w2))

    run = run_of("it", load(name), load(name).train(batch), 1)

    alone = load(name).train(problems[1]).w1
    assert np.array_equal(run.trace.w1[0], problems[1].weights.w1)
    assert run.trace.w1 == near(alone, 1e-13)
    assert run.trace.w1[0] != near(w1[0], 1e-3)
    assert run.name == "it"


def test_a_run_of_a_batch_keeps_its_declaration() -> None:
    """The formulas that a rewrite declares are declared of each of its runs."""
    rewrite = next(r for r in REWRITES if r.end_to_end)
    problem = problem_of(steps=3)
    batch = replace(problem, weights=Weights(*(w[None] for w in problem.weights)))
    implementation = rewrite.implementation()

    run = run_of("it", implementation, implementation.train(batch), 0)

    assert run.end_to_end == rewrite.end_to_end


def test_all_seeds_are_swept_once() -> None:
    """A sweep is cut into chunks, the last one shorter, and no seed is lost."""
    seeds = range(5, 5 + 2 * SEEDS_IN_A_BATCH + 3)

    with ThreadPoolExecutor(1) as executor:
        parts = list(sweep(Experiment(steps=2), ("numpy", "torch"), seeds, executor))

    sizes = Counter(sum(map(len, part.seeds.values())) for part in parts)
    total = sum(parts, start=Tally())
    assert sizes == {SEEDS_IN_A_BATCH: 2, 3: 1}
    assert sorted(seed for of in total.seeds.values() for seed in of) == list(seeds)


@pytest.mark.parametrize("order", [1, -1])
def test_the_sum_of_tallies_keeps_the_worst(order: int) -> None:
    """Seeds are joined, and of each kind the check that used most of its bound."""
    tallies = [
        Tally({"match": (1,)}, {"audit": (used("audit", 0.25), 1)}),
        Tally({"match": (2,), "differ": (3,)}, {"audit": (used("audit", 0.5), 2)}),
        Tally({}, {"audit": (used("audit", 0.125), 4), "exact": (used("exact", 0), 4)}),
    ]

    total = sum(tallies[::order], start=Tally())

    worst = {
        kind: (check.worst.use, seed) for kind, (check, seed) in total.worst.items()
    }
    assert {answer: {*seeds} for answer, seeds in total.seeds.items()} == {
        "match": {1, 2},
        "differ": {3},
    }
    assert worst == {"audit": (0.5, 2), "exact": (0.0, 4)}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", OURS)
def test_ours_are_swept_as_they_are(name: str, loss: Loss) -> None:
    """A name of ours stands for our implementation."""
    assert load_or_rewrite(name, loss) is load(name)


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
def test_a_rewrite_is_swept_by_its_name(rewrite: Any) -> None:
    """A harmless rewrite goes by its name, with what it declares."""
    found = load_or_rewrite(rewrite.name, rewrite.losses[0])

    assert getattr(found, "end_to_end", ()) == rewrite.end_to_end
    assert found is not load(rewrite.base)


def test_a_rewrite_of_another_loss_is_an_error() -> None:
    """The message lists what can be swept with this loss."""
    with pytest.raises(ValueError, match="with mse: choose from numpy, torch, jax"):
        load_or_rewrite("softplus(z2) - y z2", "mse")


@pytest.mark.parametrize("name", ["port.py", "as it is"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    """What is neither an implementation nor a rewrite has the usual message."""
    with pytest.raises(UnknownImplementationError, match=re.escape(repr(name))):
        load_or_rewrite(name, "bce")
