"""Harmless rewrites: they match, and to declare a formula is no licence to be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from compare.report.as_json import Report
from compare.report.screen import to_text
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import REWRITES, Rewrite, rewritten, tanh_sigmoid
from compare.selftest.trial import beside_ours, caught
from compare.training.problems import Experiment
from compare.training.load import load
from impls.interface import Loss

CASES = [
    pytest.param(rewrite, loss, id=f"{rewrite.base}-{rewrite.name}-{loss}")
    for rewrite in REWRITES
    for loss in rewrite.losses
]
OTHER_FORMULAS = [rewrite for rewrite in REWRITES if rewrite.end_to_end]


def name_of(rewrite: Rewrite) -> str:
    """Name a case of a test."""
    return f"{rewrite.base}-{rewrite.name}"


def test_there_are_eight_and_more() -> None:
    """In all three frameworks."""
    assert len(REWRITES) >= 8
    assert {rewrite.base for rewrite in REWRITES} == {"numpy", "torch", "jax"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("rewrite", "loss"), CASES)
def test_every_rewrite_matches(rewrite: Rewrite, loss: Loss, dtype: str) -> None:
    """Other sums, other sigmoids, other losses, other loops: the same network."""
    steps = min(300, rewrite.most_steps)
    problem = Experiment(dtype=dtype, loss=loss, steps=steps).problem()

    verdict = beside_ours(problem, rewrite.implementation())

    assert verdict.answer == "match"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rewrite", OTHER_FORMULAS, ids=name_of)
@pytest.mark.parametrize("answer", ["match", "differ"])
def test_end_to_end_is_what_other_formulas_need(
    rewrite: Rewrite, dtype: str, answer: str
) -> None:
    """Once a2 nears 0 and 1, their lines are flagged; declared, they match."""
    problem = Experiment(dtype=dtype, steps=4000).problem()
    if answer == "differ":
        rewrite = replace(rewrite, end_to_end=())

    verdict = beside_ours(problem, rewrite.implementation())

    assert verdict.answer == answer


WIDEST = max(REWRITES, key=lambda rewrite: len(rewrite.end_to_end))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_behind_another_formula_is_reported(fault: Fault) -> None:
    """In float64, in whichever line: the wider bounds hide none of the catalogue."""
    problem = Experiment(loss=fault.loss or "bce", steps=300).problem()

    verdict = beside_ours(problem, plant(fault, WIDEST.implementation()))

    assert caught(fault, verdict)


def test_the_answer_says_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The report names what was judged so, and so do the words of the checks."""
    import rich  # noqa: PLC0415

    experiment = Experiment(steps=20)
    verdict = beside_ours(experiment.problem(), OTHER_FORMULAS[0].implementation())

    rich.print(to_text(Report(experiment.about, verdict, {})))

    words = [
        c.statement for c in verdict.checks if c.statement.endswith(", end to end")
    ]
    assert "other: a1, a2 judged end to end" in capsys.readouterr().out
    assert words == ["a1 = sigmoid(z1), end to end", "a2 = sigmoid(z2), end to end"]


def test_rewriting_leaves_ours_alone() -> None:
    """The module that everybody uses keeps its own functions."""
    ours = load("numpy")
    before = dict(vars(ours))

    other = rewritten("numpy", sigmoid=tanh_sigmoid)

    assert vars(other)["sigmoid"] is tanh_sigmoid
    assert vars(load("numpy")) == before
    assert np.array_equal(tanh_sigmoid(np.zeros(1)), [0.5])
