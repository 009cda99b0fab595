"""The exam of the pytest checks: wrong programs that it must fail, and right ones."""

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.contract.calls import rewired
from compare.diagnosis.findings import Finding
from compare.hosts.load import load
from compare.selftest.rewrites import REWRITES, Rewrite, rewritten
from compare.testing import check_implementation
from compare.training.problems import EXAM, describe_problem, overflow, tails
from impls import numpy_manual
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Weights,
)

pytestmark = pytest.mark.slow

Given = Callable[[Array, Array], tuple[Array, Array]]


def sigmoid(z: Array) -> Array:
    """Compute the right sigmoid, also for a large z."""
    a: Array = np.exp(-np.logaddexp(0, -z))
    return a


def with_sigmoid(wrong: Callable[[Array], Array]) -> Implementation:
    """Replace the sigmoid of NumPy's implementation, wherever it is used."""
    return rewritten("numpy", sigmoid=wrong)


def clipped(limit: float) -> Implementation:
    """Clip the argument of the sigmoid, so that the exponential can't overflow."""
    return with_sigmoid(lambda z: 1 / (1 + np.exp(-np.clip(z, -limit, limit))))


def exponent_capped(limit: float) -> Implementation:
    """Clip the argument of the exponential on one side only."""
    return with_sigmoid(lambda z: 1 / (1 + np.exp(np.minimum(-z, limit))))


def with_labels(change: Callable[[Array], Array]) -> Implementation:
    """Change the labels on their way in."""
    return with_data(lambda x, y: (x, change(y)))


def with_data(change: Given) -> Implementation:
    """Compute loss and gradients with other data than the given ones."""
    right = numpy_manual.loss_and_gradients

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, SimpleNamespace]:
        value, d = right(weights, *change(x, y), loss)
        return value, SimpleNamespace(dw1=d.dw1, dw2=d.dw2)

    return rewired(
        rewired(numpy_manual, loss_and_gradients=loss_and_gradients), train=None
    )


def merged(x: Array, y: Array) -> tuple[Array, Array]:
    """Drop samples that occur twice, as a set does."""
    both = np.unique(np.concat((x, y)), axis=1)
    return both[: len(x)], both[len(x) :]


def merged_inputs(x: Array, y: Array) -> tuple[Array, Array]:
    """Drop samples whose inputs occur twice, as a dictionary does."""
    _, first = np.unique(x, axis=1, return_index=True)
    return x[:, first], y[:, first]


def with_loss(loss_of: Callable[[Array, Array], Array]) -> Implementation:
    """Compute the cross-entropy from probabilities."""

    def cost(z2: Array, a2: Array, y: Array, loss: Loss) -> Array:
        if loss == "mse":
            return numpy_manual.cost(z2, a2, y, loss)
        value: Array = loss_of(a2, y).sum(axis=(-2, -1)) / y.shape[-1]
        return value

    return rewritten("numpy", cost=cost)


def cross_entropy(a2: Array, y: Array) -> Array:
    """Compute the terms of the cross-entropy as a textbook writes it."""
    with np.errstate(all="ignore"):
        terms: Array = -(y * np.log(a2) + (1 - y) * np.log(1 - a2))
    return terms


def clamped(least: float) -> Implementation:
    """Keep the probabilities away from 0 and 1 in the logarithm."""
    return with_loss(lambda a2, y: cross_entropy(np.clip(a2, least, 1 - least), y))


def added(least: float) -> Implementation:
    """Add a small number in the logarithm."""
    return with_loss(
        lambda a2, y: -(y * np.log(a2 + least) + (1 - y) * np.log(1 - a2 + least))
    )


def quotient(z: Array) -> Array:
    """Compute exp(z) / (1 + exp(z)), which is NaN for a large z, and set NaN to 0."""
    with np.errstate(all="ignore"):
        a: Array = np.exp(z) / (1 + np.exp(z))
    return np.nan_to_num(a)


def trained(change: Callable[[Problem], Problem]) -> Implementation:
    """Train another problem than the given one."""
    return rewired(
        numpy_manual, train=lambda problem: numpy_manual.train(change(problem))
    )


def of_one_input(wrong: Callable[[Activations[Array]], Any]) -> Implementation:
    """Give other results of `forward` for all inputs but those of the exam."""
    known = [problem.x for problem in EXAM]

    def forward(weights: Weights[Array], x: Array) -> Any:
        right = numpy_manual.forward(weights, x)
        return right if any(np.array_equal(x, k) for k in known) else wrong(right)

    return rewired(numpy_manual, forward=forward)


def remembering() -> Implementation:
    """Compute loss and gradients for the data of the first call of each shape."""
    seen: dict[object, tuple[Array, Array]] = {}

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        first = seen.setdefault((x.shape, x.dtype, loss, weights.w1.shape), (x, y))
        return numpy_manual.loss_and_gradients(weights, *first, loss)

    return rewired(numpy_manual, loss_and_gradients=loss_and_gradients)


def loss_of_the_first_call() -> Implementation:
    """Compute the loss that the first call with these numbers asked for.

    A cache of results does so if its key lacks the loss.
    """
    first: dict[object, Loss] = {}

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        numbers = tuple(array.tobytes() for array in (*weights, x, y))
        loss = first.setdefault(numbers, loss)
        return numpy_manual.loss_and_gradients(weights, x, y, loss)

    return rewired(numpy_manual, loss_and_gradients=loss_and_gradients, train=None)


def of_the_first_training(name: str) -> Implementation:
    """Train with an attribute of the first problem of these shapes and this dtype."""
    first: dict[object, Any] = {}

    def changed(problem: Problem) -> Problem:
        key = (problem.x.shape, problem.x.dtype, problem.weights.w1.shape)
        value = first.setdefault(key, getattr(problem, name))
        return replace(problem, **{name: value})

    return trained(changed)


def one_output() -> Implementation:
    """Divide dz2 by the number of elements, which is right for one output."""

    def differentiate(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Activations[Array], Gradients[Array]]:
        activations, d = numpy_manual.differentiate(weights, x, y, loss)
        n_y = len(y) if loss == "bce" else 1
        return activations, Gradients(*(each / n_y for each in d))

    return rewritten("numpy", differentiate=differentiate)


WRONG: dict[str, Callable[[], Implementation]] = {
    "the learning rate is always 0.9": lambda: trained(lambda p: replace(p, lr=0.9)),
    "always 100 steps": lambda: trained(lambda p: replace(p, steps=100)),
    "z clipped at 4": lambda: clipped(4),
    "z clipped at 15": lambda: clipped(15),
    "z clipped at 30": lambda: clipped(30),
    "exponent at most 30": lambda: exponent_capped(30),
    "exponent at most 80": lambda: exponent_capped(80),
    "0 below z = -20": lambda: with_sigmoid(lambda z: np.where(z < -20, 0, sigmoid(z))),
    "1 above z = 10": lambda: with_sigmoid(lambda z: np.where(z > 10, 1, sigmoid(z))),
    "1 below z = -700": lambda: with_sigmoid(
        lambda z: np.where(z < -700, 1, sigmoid(z))
    ),
    "NaN of the sigmoid is 0": lambda: with_sigmoid(quotient),
    "NaN of the loss is 0": lambda: with_loss(
        lambda a2, y: np.nan_to_num(cross_entropy(a2, y))
    ),
    "logarithm of at least 1e-7": lambda: clamped(1e-7),
    "logarithm of at least 1e-12": lambda: clamped(1e-12),
    "1e-300 added in the logarithm": lambda: added(1e-300),
    "labels rounded": lambda: with_labels(np.rint),
    "labels from 0.5 upwards are 1": lambda: with_labels(
        lambda y: (y >= 0.5).astype(y.dtype)
    ),
    "equal samples merged": lambda: with_data(merged),
    "samples with equal inputs merged": lambda: with_data(merged_inputs),
    "half of forward elsewhere": lambda: of_one_input(
        lambda a: a._replace(a2=a.a2 / 2)
    ),
    "forward of zeros elsewhere": lambda: of_one_input(
        lambda a: Activations(*map(np.zeros_like, a))
    ),
    "NaN in forward elsewhere": lambda: of_one_input(
        lambda a: a._replace(a2=a.a2 * np.nan)
    ),
    "data of the first call": remembering,
    "loss of the first call": loss_of_the_first_call,
    "x of the first training": lambda: of_the_first_training("x"),
    "y of the first training": lambda: of_the_first_training("y"),
    "lr of the first training": lambda: of_the_first_training("lr"),
    "steps of the first training": lambda: of_the_first_training("steps"),
    "loss of the first training": lambda: of_the_first_training("loss"),
    "right for one output": one_output,
}
"""Programs that are right for XOR with hard labels, lr 0.9 and 100 steps."""


def failed(implementation: object) -> list[Finding]:
    """Return the findings that are not proven."""
    return [f for f in check_implementation(implementation) if f.fails]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_program_fails(name: str) -> None:
    """Each program makes a mistake that XOR with hard labels does not show."""
    statuses = {finding.status for finding in failed(WRONG[name]())}

    assert "failed" in statuses


@pytest.mark.parametrize(
    "problem",
    [tails("mse", "float64"), tails("bce", "float32"), overflow("mse", "float32")],
    ids=describe_problem,
)
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_ours_pass_where_sigmoids_are_saturated(name: str, problem: Problem) -> None:
    """The exam has the other losses and dtypes of these networks."""
    ours, reference = load(name), load("numpy")
    findings = check_implementation(ours, against=reference, problems=[problem])

    assert {finding.status for finding in findings} == {"passed"}


FROM_PROBABILITIES = {
    "binary_cross_entropy of probabilities",
    "logarithms of a2 and 1 - a2",
    "log(a2) and log1p(-a2)",
}
"""Their loss is not finite where a2 has been rounded to 0 or 1."""


@pytest.mark.parametrize(
    "rewrite",
    [r for r in REWRITES if r.base == "numpy"],
    ids=lambda rewrite: rewrite.name,
)
def test_rewrites_of_numpy_pass(rewrite: Rewrite) -> None:
    """Other correct formulas pass, with what they declare."""
    assert [(f.name, f.reason) for f in failed(rewrite.implementation())] == []


@pytest.mark.parametrize(
    "name", sorted(FROM_PROBABILITIES & {r.name for r in REWRITES})
)
def test_a_loss_that_is_not_finite_fails(name: str) -> None:
    """The contract asks for a finite loss also where a2 has been rounded to 0 or 1."""
    (rewrite,) = (r for r in REWRITES if r.name == name)
    problems = [overflow("bce", "float64")]
    port = rewrite.implementation()

    assert any(f.fails for f in check_implementation(port, problems=problems))


def test_the_exam_is_short() -> None:
    """The exam takes less than three seconds of the processor, for a NumPy port."""
    start = time.process_time()
    check_implementation(numpy_manual)

    assert time.process_time() - start < 3
