"""A chunk of seeds: each gets the verdict that it would get alone."""

import re
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check
from compare.checks.verdict import Verdict, decide, decide_batch
from compare.hosts.load import OURS, load
from compare.hosts.third_party import UnknownImplementationError
from compare.selftest.rewrites import REWRITES
from compare.sweep import chunk as module
from compare.sweep.chunk import (
    batch_of,
    compare_chunk,
    in_a_batch,
    load_or_rewrite,
    one_by_one,
    run_of,
    runs_of,
)
from compare.sweep.plan import Chunk, are_batched
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls.interface import Implementation, Loss
from tests.helpers import DTYPES, LOSSES, near, problem_of

UNSTABLE = Experiment(lr=8.0, steps=100, dtype="float32")
"""With this learning rate, training amplifies the roundings of most seeds."""
SEEDS = range(8)


def loaded(*names: str) -> dict[str, Implementation]:
    """Load some implementations."""
    return {name: load(name) for name in names}


def numbers(check: Check) -> tuple[Any, ...]:
    """List what a check found, down to the last bit."""
    return (
        *(check.label, check.subject, check.path, check.passed, check.doubt),
        *(check.count, *astuple(check.worst), *astuple(check.largest)),
        check.resolution,
    )


def fields_of(verdict: Verdict) -> tuple[Any, ...]:
    """List what a verdict found, down to the last bit: NaN is equal to NaN as text."""
    d = verdict.drift
    drift = (d.weights.tobytes(), d.a2.tobytes(), d.loss.tobytes(), d.reason)
    return verdict.answer, repr([numbers(c) for c in verdict.checks]), drift


@pytest.mark.parametrize("experiment", [UNSTABLE, Experiment(lr=2.0, steps=700)])
def test_each_seed_is_decided_as_if_alone(experiment: Experiment) -> None:
    """The answers of a batch are those of one comparison for each seed."""
    problems = [replace(experiment, seed=seed).problem() for seed in SEEDS]
    implementations = loaded("numpy", "torch")

    together = [v.answer for v in in_a_batch(problems, implementations)]

    assert together == [compare(p, implementations).answer for p in problems]
    assert {*together} >= {"match", "unstable"}


@pytest.mark.parametrize("audited", [1, 10**9], ids=["alone", "together"])
def test_a_batch_is_audited_in_parts(
    audited: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many seeds are audited at once, each verdict is the same, bit for bit."""
    problems = [replace(UNSTABLE, seed=seed).problem() for seed in SEEDS]
    implementations = loaded("numpy", "torch")
    expected = [fields_of(v) for v in in_a_batch(problems, implementations)]

    monkeypatch.setattr(module, "AUDITED", audited)
    found = [fields_of(v) for v in in_a_batch(problems, implementations)]

    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_fifty_seeds_are_decided_as_if_alone(dtype: str) -> None:
    """Bit for bit, given the same traces; and the answers of fresh comparisons."""
    seeds = range(50)
    problems = [Experiment(seed=s, dtype=dtype, steps=2000).problem() for s in seeds]
    implementations = loaded(*OURS)

    together = [
        (fields_of(v), fields_of(decide(v.problem, v.runs)))
        for v in in_a_batch(problems, implementations)
    ]

    answers = [compare(problem, implementations).answer for problem in problems]
    assert [found for found, _ in together] == [alone for _, alone in together]
    assert [found[0] for found, _ in together] == answers
    assert answers.count("match") > len(seeds) / 2


@pytest.mark.parametrize("name", OURS)
def test_a_run_of_a_batch_is_the_one_of_its_seed(name: str) -> None:
    """The run of each seed starts at its weights, and is trained from there."""
    problems = [problem_of(seed=seed, steps=20) for seed in (3, 4)]

    run = run_of("it", load(name), load(name).train(batch_of(problems)), 1)

    alone = load(name).train(problems[1]).w1
    assert np.array_equal(run.trace.w1[0], problems[1].weights.w1)
    assert run.trace.w1 == near(alone, 1e-13)
    assert run.trace.w1[0] != near(problems[0].weights.w1, 1e-3)
    assert run.name == "it"


def test_a_run_of_a_batch_keeps_its_declaration() -> None:
    """The formulas that a rewrite declares are declared of each of its runs."""
    rewrite = next(r for r in REWRITES if r.end_to_end)
    problem = problem_of(steps=3)
    batch = batch_of([problem])
    implementation = rewrite.implementation()

    run = run_of("it", implementation, implementation.train(batch), 0)

    assert run.end_to_end == rewrite.end_to_end


WRONG = """
from impls.numpy_manual import forward, loss_and_gradients as right

def loss_and_gradients(weights, x, y, loss):
    value, gradients = right(weights, x, y, loss)
    return value, gradients._replace(dw2=2 * gradients.dw2)
"""


def test_a_port_is_compared_seed_by_seed(tmp_path: Any) -> None:
    """A port without leading axes is trained for each seed, and judged."""
    port = tmp_path / "port.py"
    port.write_text(WRONG)

    rows = compare_chunk(Chunk(Experiment(steps=20), (3, 4), ("numpy", str(port))))

    assert {row.answer for row in rows} == {"differ"}
    assert {row.seed for row in rows} == {3, 4}
    assert {row.implementation for row in rows} == {"numpy", "port"}


def test_a_chunk_gives_all_rows_of_each_seed() -> None:
    """Each implementation and each pair has a row, and all take the same time."""
    rows = compare_chunk(Chunk(Experiment(steps=5), (7, 3), ("numpy", "jax")))

    assert [(row.seed, row.implementation, row.other) for row in rows] == [
        (seed, *names)
        for seed in (7, 3)
        for names in [("numpy", None), ("jax", None), ("numpy", "jax")]
    ]
    assert len({row.seconds for row in rows}) == 1
    assert rows[0].seconds > 0


def test_drawn_data_are_compared_seed_by_seed() -> None:
    """They differ from seed to seed, so that there is no batch."""
    setting = Experiment(steps=20, network="3-2-2")

    rows = compare_chunk(Chunk(setting, (3, 4), ("numpy", "torch")))

    problems = [replace(setting, seed=seed).problem() for seed in (3, 4)]
    alone = [*one_by_one(problems, loaded("numpy", "torch"))]
    losses = [float(v.runs[0].trace.loss[0]) for v in alone]
    assert [row.first_loss for row in rows if row.implementation == "numpy"][
        ::2
    ] == losses
    assert {row.answer for row in rows} == {"match"}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", OURS)
def test_ours_are_swept_as_they_are(name: str, loss: Loss) -> None:
    """A name of ours stands for our implementation."""
    assert load_or_rewrite(name, loss) is load(name)
    assert are_batched(Experiment(), [name])


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
def test_a_rewrite_is_swept_by_its_name(rewrite: Any) -> None:
    """A harmless rewrite goes by its name, with what it declares."""
    found = load_or_rewrite(rewrite.name, rewrite.losses[0])

    assert getattr(found, "end_to_end", ()) == rewrite.end_to_end
    assert found is not load(rewrite.base)
    assert are_batched(Experiment(), [rewrite.name])


def test_a_rewrite_of_another_loss_is_an_error() -> None:
    """The message lists what can be swept with this loss."""
    with pytest.raises(ValueError, match="with mse: choose from numpy, torch, jax"):
        load_or_rewrite("softplus(z2) - y z2", "mse")


@pytest.mark.parametrize("name", ["port.py", "as it is"])
def test_an_unknown_name_is_an_error(name: str) -> None:
    """What is neither an implementation nor a rewrite has the usual message."""
    with pytest.raises(UnknownImplementationError, match=re.escape(repr(name))):
        load_or_rewrite(name, "bce")


@pytest.mark.parametrize("lr", [1e300, -1e8], ids=["overflow", "ascent"])
def test_a_batch_that_leaves_the_numbers_gives_no_warning(lr: float) -> None:
    """A number that is not finite fails a check; a warning would be an error here."""
    problems = [replace(problem_of(seed=seed, steps=5), lr=lr) for seed in (2, 3)]
    implementations = loaded("numpy")

    with np.errstate(all="ignore"):
        traces = {"numpy": load("numpy").train(batch_of(problems))}
        runs = [runs_of(p, implementations, traces, i) for i, p in enumerate(problems)]

    found = decide_batch(zip(problems, runs, strict=True))

    assert {verdict.answer for verdict in found} <= {"differ", "cannot tell"}
