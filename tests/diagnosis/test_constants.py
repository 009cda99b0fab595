"""Constants are read off the numbers, with as few digits as fit."""

from functools import partial

import numpy as np
import pytest

from compare.diagnosis.constants import fitted_factor, fitted_mistakes
from compare.diagnosis.formulas import Failure
from compare.numerics.equations import Step, line_of
from impls.interface import Array
from tests.helpers import problem_of

Z = np.random.default_rng(0).normal(size=(20, 1, 4))


def sigmoid_of(factor: float) -> Array:
    """Return the probabilities of Z times a factor."""
    return np.asarray(1 / (1 + np.exp(-factor * Z)))


def failure_of(quantity: str, found: Array, value: Array, bound: float) -> Failure:
    """Create a failure in which every step is wrong, within a relative bound."""
    empty: Array = np.zeros(0)
    step = Step(**dict.fromkeys(Step.__dataclass_fields__, empty))
    line, steps = line_of("bce", quantity), np.ones(len(found), bool)
    numbers = (found, value, bound * abs(value))
    return Failure(problem_of(), line, step, *numbers, steps)


@pytest.mark.parametrize("factor", [0.7071, 3.25, 1.0000001, 0.1, -1.5])
def test_factor_inside_of_a_function_is_found(factor: float) -> None:
    """Its digits are those that it was written with."""
    found = sigmoid_of(factor)

    assert fitted_factor(failure_of("a2", found, found, 1e-15), sigmoid_of) == factor


def test_what_is_no_factor_is_not_fitted() -> None:
    """Numbers that no factor gives have none."""
    found = sigmoid_of(2.0) * (1 + 1e-6 * Z)

    assert fitted_factor(failure_of("a2", found, found, 1e-15), sigmoid_of) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (partial(np.multiply, 1.0001), "times 1.0001"),
        (lambda a: np.clip(a, -0.25, 0.25), "clipped at 0.25"),
        (lambda a: np.where(a == a[:, :, :1], 3 * a, a), "times 3.0 in [0, 0] only"),
    ],
)
def test_constant_has_the_fewest_digits(change: partial[Array], words: str) -> None:
    """It is among the mistakes that are tried."""
    failure = failure_of("dz1", change(Z), Z, 6 * 2.0**-53)

    with np.errstate(all="ignore"):  # as in `name_cause`
        found = {mistake.words for mistake in fitted_mistakes(failure)}

    assert words in found
