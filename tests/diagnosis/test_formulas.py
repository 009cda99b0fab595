"""Formulas of mistakes, against other ways to compute the same."""

import numpy as np
import pytest
import torch

from compare.diagnosis.formulas import Failure, adam, averaged, later, through
from compare.numerics.equations import Step, line_of
from impls.interface import Array
from tests.helpers import near, problem_of


def test_average_by_hand() -> None:
    """The weights of n steps are beta^n, from the last step back, and sum to 1."""
    found = averaged(np.array([1.0, 2.0, 4.0])[:, None, None], 0.5)

    expected = [1, (2 + 0.5 * 1) / 1.5, (4 + 0.5 * 2 + 0.25 * 1) / 1.75]
    assert found.ravel() == near(expected, 1e-15)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-3])
def test_adam_is_that_of_pytorch(epsilon: float) -> None:
    """Ten updates with the gradients of a recorded run, in float64."""
    gradients = np.random.default_rng(0).normal(size=(10, 2, 3)) * 1e-3
    weight = torch.nn.Parameter(torch.zeros((2, 3), dtype=torch.float64))
    optimizer = torch.optim.Adam([weight], lr=0.9, eps=epsilon)

    def updated(gradient: Array) -> Array:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        return weight.detach().numpy().copy()

    after = np.array([updated(gradient) for gradient in gradients])
    before = np.concatenate([np.zeros((1, 2, 3)), after[:-1]])
    empty = dict.fromkeys(Step.__dataclass_fields__, np.zeros(0))
    step = Step(**empty | {"w1": before, "lr": np.asarray(0.9), "dw1": gradients})
    line, steps = line_of("bce", "new_w1"), np.ones(10, bool)
    failure = Failure(problem_of(), line, step, after, after, 0 * after, steps)

    value, bound = adam(epsilon)(failure)

    assert value == pytest.approx(after, rel=0, abs=1e-14)
    assert (abs(value - after) <= bound).all()
    assert bound.max() < 1e-11


def test_steps_are_moved_by_one() -> None:
    """Where a step comes from outside of the run, it is NaN."""
    values = np.array([[1.0], [2.0], [3.0]])

    assert np.isnan(later(values)[0, 0])
    assert np.isnan(later(values, -1)[2, 0])
    assert np.array_equal(later(values)[1:], values[:-1])
    assert np.array_equal(later(values, -1)[:-1], values[1:])


def test_cast_to_a_dtype_and_back() -> None:
    """The digits are lost, and the dtype is kept."""
    found = through(np.float16)(np.array([0.1]))

    assert found.dtype == np.dtype(np.float64)
    assert found[0] == float(np.float16(0.1))
