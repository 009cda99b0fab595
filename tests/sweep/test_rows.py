"""Rows say what the verdict says."""

from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from compare.checks.verdict import Verdict
from compare.hosts.load import load
from compare.sweep.plan import Setting
from compare.sweep.rows import Row, rows_of
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls import numpy_manual
from impls.interface import Gradients
from tests.helpers import near, returning

LONG = Experiment(steps=3000)
UNSTABLE = Experiment(lr=2.0, steps=800)


@cache
def verdict_of(experiment: Experiment, *names: str) -> Verdict:
    """Compare implementations of ours."""
    implementations = {name: load(name) for name in names or ("numpy", "jax")}
    return compare(experiment.problem(), implementations)


def test_rows_of_a_match() -> None:
    """Both implementations and the pair are described, each by its own checks."""
    verdict = verdict_of(LONG)

    a, b, pair = rows_of(LONG, verdict)

    assert [(r.implementation, r.other) for r in (a, b, pair)] == [
        ("numpy", None),
        ("jax", None),
        ("numpy", "jax"),
    ]
    loss = verdict.runs[0].trace.loss
    assert (a.answer, a.reason, a.seed, a.steps, a.lr) == ("match", "", 2, 3000, 0.9)
    assert (a.data, a.network, a.loss, a.dtype) == ("xor", "2-2-1", "bce", "float64")
    assert (a.first_loss, a.last_loss) == (loss[0], loss[-1])
    assert a.half_step is not None
    assert loss[a.half_step] <= loss[0] / 2 < loss[a.half_step - 1]
    assert (a.solved, a.classes) == (True, "0110")
    assert (a.unstable_step, a.drift, a.drift_bound) == (None, None, None)
    assert a.resolution is not None
    assert 0 < a.resolution < 1e-9


@pytest.mark.parametrize("index", range(3), ids=["numpy", "jax", "pair"])
def test_a_row_has_the_largest_share_of_its_checks(index: int) -> None:
    """It is that of the check which used most of its bound, with its place."""
    verdict = verdict_of(LONG)
    row = [*rows_of(LONG, verdict)][index]
    subject = {row.implementation} | ({row.other} if row.other else set())

    of_it = [c for c in verdict.checks if {*c.subject} == subject]

    worst = max(of_it, key=lambda check: check.worst.use)
    assert row.share == worst.worst.use
    assert (row.kind, row.line, row.step) == (
        worst.kind,
        worst.statement,
        worst.worst.step,
    )
    assert str(row.element).startswith(worst.label)


def test_drift_of_a_pair() -> None:
    """It is the distance of all trained weights, below its bound."""
    verdict = verdict_of(LONG)
    one, other = (run.trace for run in verdict.runs)
    squares = sum(
        np.sum(np.square(a[-1] - b[-1]))
        for a, b in ((one.w1, other.w1), (one.w2, other.w2))
    )

    *_, pair = rows_of(LONG, verdict)

    assert pair.drift == near(np.sqrt(squares), 1e-12)
    assert pair.drift_bound == verdict.drift.weights[-1]
    assert pair.drift is not None
    assert 0 < pair.drift < verdict.drift.weights[-1]


def test_rows_of_an_unstable_seed() -> None:
    """They say at which step, and why; the drift has no bound."""
    verdict = verdict_of(UNSTABLE)

    a, _, pair = rows_of(UNSTABLE, verdict)

    drift = verdict.drift
    assert a.answer == pair.answer == "unstable"
    assert a.unstable_step == pair.unstable_step == drift.first_invalid_step
    assert a.reason == drift.reason
    assert pair.drift_bound == np.inf


def test_rows_of_a_difference() -> None:
    """The reason names the implementation, the line, and where it failed first."""
    wrong = returning(dw2=lambda dw2: 2 * dw2)
    experiment = Experiment(steps=5)
    verdict = compare(experiment.problem(), {"numpy": numpy_manual, "it": wrong})

    _, it, _ = rows_of(experiment, verdict)

    assert it.answer == "differ"
    assert it.reason == (
        "it: step 0, loss_and_gradients at the weights of numpy, replayed dw2[0, 0]; "
        "cause: twice as large"
    )
    assert it.share is not None
    assert it.share > 1


def test_rows_of_what_could_not_be_trained() -> None:
    """There are no numbers, and the others' are there."""

    def fails(*_: Any) -> Gradients[Any]:
        raise RuntimeError

    broken = returning()
    broken.forward = fails  # type: ignore[method-assign,assignment]
    experiment = Experiment(steps=5)
    verdict = compare(experiment.problem(), {"numpy": numpy_manual, "it": broken})

    a, it, pair = rows_of(experiment, verdict)

    assert a.answer == "could not compare"
    assert a.last_loss is not None
    numbers = (it.last_loss, it.solved, it.resolution, pair.drift, pair.share)
    assert {*numbers} == {None}


def test_a_row_names_its_setting() -> None:
    """As the experiment does, however its network is written."""
    experiment = Experiment(network="02-3-1", table="and", lr=0.5, steps=5)

    row, *_ = rows_of(experiment, verdict_of(experiment))

    assert row.setting == Setting.of(experiment)
    assert row.setting == ("and", "2-3-1", "bce", "float64", 0.5, 5)


def test_columns_are_documented() -> None:
    """Each has a line of the docstring, in its order."""
    lines = [line.strip().split(":")[0] for line in str(Row.__doc__).splitlines()]

    names = [field.name for field in fields(Row)]

    assert [line for line in lines if line in names] == names


def test_unsolved_seed() -> None:
    """A network that predicts a class wrongly has not solved the table."""
    early = replace(LONG, steps=5)

    row, *_ = rows_of(early, verdict_of(early))

    assert row.solved is False
    assert row.classes in {"1111", "0000", "0111"}
