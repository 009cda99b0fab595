"""Functions that are right where a comparison looks, and wrong elsewhere: no match."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Check
from compare.checks.verdict import Verdict
from compare.contract.calls import rewired
from compare.training.compare import compare
from impls import numpy_manual
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Trace,
    Weights,
)
from tests.helpers import problem_of

PROBLEM = problem_of(steps=60)
SINGLE = problem_of(dtype="float32", steps=60)


def against_numpy(wrong: object, problem: Problem) -> Verdict:
    """Compare with the right implementation."""
    both: dict[str, Any] = {"numpy": numpy_manual, "wrong": wrong}
    return compare(problem, both)


def failures(verdict: Verdict) -> list[Check]:
    """Return the failed checks, which must all be about the wrong implementation."""
    failed = [check for check in verdict.checks if check.passed is False]
    assert all("wrong" in check.subject for check in failed)
    return failed


class Stateful:
    """A module that keeps its weights, and whose `forward` reads those alone."""

    def __init__(self) -> None:
        """Begin with the weights of the problem."""
        self.kept = PROBLEM.weights

    def forward(self, weights: Weights[Array], x: Array) -> Activations[Array]:
        """Ignore the weights that are given."""
        del weights
        return numpy_manual.forward(self.kept, x)

    def loss_and_gradients(
        self, weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        """Compute both for the weights that are given."""
        return numpy_manual.loss_and_gradients(weights, x, y, loss)

    def train(self, problem: Problem) -> Trace:
        """Train, and keep the trained weights."""
        trace = numpy_manual.train(problem)
        self.kept = Weights(trace.w1[-1], trace.w2[-1])
        return trace


def test_forward_that_ignores_its_weights_is_no_match() -> None:
    """A constant before training and the trained network after it: both are wrong."""
    verdict = against_numpy(Stateful(), PROBLEM)

    assert verdict.answer == "differ"
    quantities = {check.quantity for check in failures(verdict)}
    assert quantities <= {"z1", "a1", "z2", "a2"}
    assert "a2" in quantities


@cache
def trained() -> tuple[bytes, bytes]:
    """Return the weights that NumPy's own training ends with, as bytes."""
    trace = numpy_manual.train(PROBLEM)
    return trace.w1[-1].tobytes(), trace.w2[-1].tobytes()


def is_trained(weights: Weights[Array]) -> bool:
    """Return whether weights are the trained ones, bit for bit."""
    return tuple(w.tobytes() for w in weights) == trained()


def other_class(weights: Weights[Array], x: Array) -> Activations[Array]:
    """Return 1 - a2 at all weights but the trained ones."""
    right = numpy_manual.forward(weights, x)
    return right if is_trained(weights) else right._replace(a2=1 - right.a2)


def four_times(
    weights: Weights[Array], x: Array, y: Array, loss: Loss
) -> tuple[Array, Gradients[Array]]:
    """Return a loss that is four times too large at all weights but the trained."""
    value, gradients = numpy_manual.loss_and_gradients(weights, x, y, loss)
    return (value if is_trained(weights) else 4 * value), gradients


@pytest.mark.parametrize(
    ("wrong", "quantity"),
    [
        (rewired(numpy_manual, forward=other_class), "a2"),
        (rewired(numpy_manual, loss_and_gradients=four_times), "loss"),
    ],
    ids=["1 - a2", "loss times 4"],
)
def test_right_at_the_trained_weights_alone_is_no_match(
    wrong: Implementation, quantity: str
) -> None:
    """The replay along the path names the quantity."""
    verdict = against_numpy(wrong, PROBLEM)

    assert verdict.answer == "differ"
    failed = failures(verdict)
    assert {check.quantity for check in failed} == {quantity}
    assert {check.when for check in failed} >= {"in a replay"}


def changed_a2(change: Callable[[Array], Array]) -> Implementation:
    """Change the probabilities of `forward`; training is right."""

    def forward(weights: Weights[Array], x: Array) -> Activations[Array]:
        right = numpy_manual.forward(weights, x)
        return right._replace(a2=change(right.a2))

    return rewired(numpy_manual, forward=forward)


@pytest.mark.parametrize(
    ("problem", "change"),
    [
        (SINGLE, lambda a2: np.round(a2, 6)),
        (PROBLEM, lambda a2: a2 + 4e-15),
        (PROBLEM, lambda a2: a2 - 4e-15),
    ],
    ids=["six decimals in float32", "4e-15 above", "4e-15 below"],
)
def test_a_last_digit_after_training_is_no_match(
    problem: Problem, change: Callable[[Array], Array]
) -> None:
    """After training, a2 is held to its line: a2 = sigmoid(z2), within six roundings.

    It lies between 0.4 and 0.7 here, so that 4e-15 is 36 roundings of it or more.
    """
    verdict = against_numpy(changed_a2(change), problem)

    assert verdict.answer == "differ"
    assert ("a2", "after training") in {(c.quantity, c.when) for c in failures(verdict)}


def many_labels(m: int) -> Problem:
    """Create a 2-2-1 network with random labels, from which nothing can be learnt."""
    random = np.random.RandomState(0)
    x, y = random.randn(2, m), random.randint(2, size=(1, m))
    weights = Weights(*(random.randn(*shape).astype("f") for shape in ((2, 2), (1, 2))))
    return Problem(x.astype("f"), y.astype("f"), weights, 0.9, 1, "bce")


def with_dw1(change: Callable[[Array], Array]) -> Implementation:
    """Change dw1, in the function and in one step of training."""

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        value, gradients = numpy_manual.loss_and_gradients(weights, x, y, loss)
        return value, gradients._replace(dw1=change(gradients.dw1))

    def train(problem: Problem) -> Trace:
        right = numpy_manual.train(problem)
        dw1 = change(right.dw1)
        second = right.w1[0] - np.float32(problem.lr) * dw1[0]
        return replace(right, dw1=dw1, w1=np.stack([right.w1[0], second]))

    return rewired(numpy_manual, loss_and_gradients=loss_and_gradients, train=train)


WRONG_DW1: dict[str, Callable[[Array], Array]] = {
    "wrong sign": lambda dw1: -dw1,
    "transposed": lambda dw1: dw1.mT,
}


@pytest.mark.slow
@pytest.mark.parametrize("change", WRONG_DW1.values(), ids=WRONG_DW1)
@pytest.mark.parametrize("m", [1_000, 170_000, 1_000_000])
def test_a_bound_that_holds_nothing_is_no_match(
    m: int, change: Callable[[Array], Array]
) -> None:
    """A wrong dw1 differs from few samples, and gives no match from many.

    From 167,770 samples in float32, a sum rounds too often for a bound of first order.
    """
    answer = against_numpy(with_dw1(change), many_labels(m)).answer

    assert answer in ({"differ"} if m == 1_000 else {"differ", "cannot tell"})


def test_few_samples_with_random_labels_match() -> None:
    """The wrong dw1 is the only reason why few samples differ."""
    right = with_dw1(lambda dw1: dw1)

    assert against_numpy(right, many_labels(1_000)).answer == "match"
