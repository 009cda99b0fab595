"""A chunk of seeds: each gets the verdict that it would get alone."""

from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check
from compare.checks.verdict import Verdict, decide, decide_batch
from compare.hosts.load import OURS, load
from compare.selftest.rewrites import REWRITES
from compare.sweep import chunk as module
from compare.sweep.chunk import (
    batch_of,
    compare_chunk,
    in_a_batch,
    labelled,
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


PORT = """
from impls import numpy_manual
from impls.numpy_manual import forward, loss_and_gradients
open("loads", "a").write(".")
def train(problem):
    if problem.weights.w1[0, 0] < 0.45:
        {}
    return numpy_manual.train(problem)
"""
"""A port that does harm with seed 1, but not with 3 and 4."""


def chunk_with(folder: Path, code: str, *seeds: int, **options: Any) -> Chunk:
    """Write a port, and make a chunk of it and NumPy."""
    port = folder / "port.py"
    port.write_text(code)
    return Chunk(Experiment(steps=20), seeds, ("numpy", str(port)), **options)


def test_a_port_is_compared_seed_by_seed(tmp_path: Path) -> None:
    """A port without leading axes is trained for each seed, and judged."""
    rows = compare_chunk(chunk_with(tmp_path, WRONG, 3, 4))

    assert {row.answer for row in rows} == {"differ"}
    assert {row.seed for row in rows} == {3, 4}
    assert {row.implementation for row in rows} == {"numpy", "port"}


@pytest.mark.parametrize(
    ("harm", "words", "loads"),
    [
        ("__import__('os')._exit(5)", "it ends its process", 2),
        ("__import__('time').sleep(1000)", "it takes too long", 2),
        ("raise ValueError", "it raises an error", 1),
    ],
    ids=["exit", "hang", "error"],
)
def test_only_the_seed_that_a_port_fails_is_lost(
    harm: str,
    words: str,
    loads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next seed gets a new process, but only if the process has ended."""
    monkeypatch.chdir(tmp_path)
    chunk = chunk_with(tmp_path, PORT.format(harm), 3, 1, 4, timeout=3.0)

    rows = compare_chunk(chunk)

    of_port = [row for row in rows if (row.implementation, row.other) == ("port", None)]
    assert [row.answer for row in of_port] == ["match", "could not compare", "match"]
    assert [words in row.reason for row in of_port] == [False, True, False]
    assert len(Path("loads").read_text()) == loads


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
def test_names_stay_names(loss: Loss) -> None:
    """What is no rewrite can get a process of its own; its label is for people."""
    names = ("numpy", "a/port.py:network", "b\n.py")

    found = labelled(names, loss)

    assert found == dict(zip(["numpy", "port:network", "b\\n"], names, strict=True))


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.name)
def test_a_rewrite_is_swept_by_its_name(rewrite: Any) -> None:
    """A harmless rewrite goes by its name, with what it declares."""
    (found,) = labelled([rewrite.name], rewrite.losses[0]).values()

    assert getattr(found, "end_to_end", ()) == rewrite.end_to_end
    assert found is not load(rewrite.base)
    assert are_batched(Experiment(), [rewrite.name])


def test_a_rewrite_of_another_loss_is_an_error() -> None:
    """The message lists what can be swept with this loss."""
    with pytest.raises(ValueError, match="with mse: choose from numpy, torch, jax"):
        labelled(["softplus(z2) - y z2"], "mse")


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


def test_ours_compute_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a GPU is the default of a framework, as in a comparison."""
    places: list[tuple[str, str]] = []

    def note(found: Implementation, framework: str, device: str) -> Implementation:
        places.append((framework, device))
        return found

    monkeypatch.setattr(module, "placed", note)

    compare_chunk(Chunk(Experiment(steps=5), range(1), OURS))

    assert places == [(name, "cpu") for name in OURS]
