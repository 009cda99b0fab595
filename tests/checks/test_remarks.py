"""A run in which a mistake had little to change is remarked on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.remarks import Remark, remarks
from compare.checks.run import Run
from compare.checks.verdict import Verdict, decide
from compare.hosts.load import load
from compare.training.record import record
from tests.helpers import problem_of

TRAINED = problem_of(steps=2000)
SATURATED = replace(
    problem_of(loss="mse", steps=50),
    x=np.ones((2, 4)),
    y=np.ones((1, 4)),
    weights=problem_of().weights._replace(
        w1=np.full((2, 2), 9.0), w2=np.full((1, 2), 99.0)
    ),
)


def verdict_of(problem: Any) -> Verdict:
    """Decide on one run of NumPy."""
    return decide(problem, [record(problem, load("numpy"), "numpy")])


def test_a_run_that_learns_gets_none() -> None:
    """XOR is learned, and nothing is remarkable about it."""
    problem = problem_of(steps=4000)

    assert [*remarks(verdict_of(problem))] == []


def test_a_tiny_learning_rate_moves_no_loss() -> None:
    """The remark says how far the loss moved."""
    verdict = verdict_of(replace(problem_of(steps=100), lr=1e-9))
    loss = verdict.runs[0].trace.loss

    first, *_ = remarks(verdict)

    assert first == Remark("still loss", float(loss.max() - loss.min()), 100)
    assert 0 < first.amount < 1e-8


def test_one_step_says_nothing_of_the_loss() -> None:
    """A single loss can't move."""
    kinds = {remark.kind for remark in remarks(verdict_of(problem_of(steps=1)))}

    assert "still loss" not in kinds


def test_gradients_that_are_all_zero_depend_on_no_label() -> None:
    """A saturated network under the squared error has no gradient at all."""
    assert [*remarks(verdict_of(SATURATED))] == [Remark("no gradient", 0.0, 50)]


@pytest.mark.parametrize(("table", "wrong"), [("and", 1), ("nor", 1)])
def test_wrong_classes_are_counted(table: str, wrong: int) -> None:
    """What is not learned yet is said."""
    verdict = verdict_of(problem_of(steps=100, table=table))
    found = verdict.runs[0].final_a2 >= 0.5
    assert (found != verdict.problem.y).sum() == wrong

    assert Remark("wrong classes", wrong, 4) in [*remarks(verdict)]


def test_without_a_complete_run_there_is_none() -> None:
    """An empty trace is not looked at."""
    problem = problem_of()
    empty = record(problem, object(), "numpy")
    assert isinstance(empty, Run)

    assert [*remarks(decide(problem, [empty]))] == []
