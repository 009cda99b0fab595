"""Mistakes of realistic ports have their names, and no other."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from compare.contract.calls import rewired
from compare.diagnosis.story import stories_of
from compare.numerics.biases import is_identifiable, with_fitted_biases
from compare.numerics.equations import sigmoid
from compare.selftest.trial import beside_ours
from compare.training.problems import lopsided, tails
from impls.interface import Implementation, Problem, Weights
from tests.diagnosis.ports import PORTS, Port, from_module, right_criterion
from tests.helpers import near, problem_of

WITH_OWN_LOOP = [port for port in PORTS if hasattr(port.build(), "train")]
WITHOUT = (
    "weights",
    "gradients never cleared",
    "overwritten",
    "clipped",
    "gradients of norm",
    "the functions know",
    "results cached",
    "Ada",
    "RMSprop",
    "the sign",
)
"""Mistakes of the training, or of the functions beside a right training."""


def problem_for(port: Port) -> Problem:
    """Create the problem on which a port shows its mistake."""
    options = {"steps": 100, **port.options}
    if options.pop("lopsided", False):
        return lopsided("bce", "float64")
    if options.pop("tails", False):
        return tails("bce", "float64")
    scale = options.pop("x_scale", 1)
    problem = problem_of(**options)
    # the second input is small, so that its gradients are, too
    return replace(problem, x=problem.x * np.array([[1], [scale]], problem.x.dtype))


def cause_of(problem: Problem, implementation: Implementation) -> str | None:
    """Name the cause of the first difference, which must be there."""
    verdict = beside_ours(problem, implementation)
    assert verdict.answer == "differ"
    first = stories_of(verdict)[0]
    assert "other" in first.numbers
    return first.cause


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.mistake)
def test_the_mistake_of_a_port_has_its_name(port: Port) -> None:
    """The first difference has the name expected, or none."""
    assert cause_of(problem_for(port), port.build()) == port.cause


@pytest.mark.parametrize(
    "port",
    [port for port in WITH_OWN_LOOP if not port.mistake.startswith(WITHOUT)],
    ids=lambda port: port.mistake,
)
def test_a_port_without_a_loop_has_the_same_name(port: Port) -> None:
    """A mistake of the functions is named as in their own training."""
    bare = rewired(port.build(), train=None)

    assert cause_of(problem_for(port), bare) == port.cause


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("problem", [problem_of(steps=50), lopsided("bce", "float64")])
def test_the_right_port_matches(problem: Problem, given: bool) -> None:  # noqa: FBT001
    """The ports are wrong by their mistakes alone."""
    port = from_module(right_criterion, fresh=False, given=given)

    assert beside_ours(problem, port).answer == "match"


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_biases_are_read_off_probabilities(seed: int, scale: float) -> None:
    """A network with biases is reproduced to rounding; another function is not."""
    problem, random = problem_of(), np.random.default_rng(seed)
    w1, w2 = (scale * w for w in problem.weights)
    b1, b2 = (random.uniform(-1, 1, size=(n, 1)) for n in (2, 1))
    a2 = sigmoid(w2 @ sigmoid(w1 @ problem.x + b1) + b2)
    other = sigmoid(np.array([[1.0, -1.0, 0.5, 2.0]]))
    fit = partial(with_fitted_biases, Weights(w1, w2), problem.x)

    assert is_identifiable(problem.weights, problem.x)
    assert fit(a2) == near(a2, 1e-14)
    assert not np.allclose(fit(other), other, rtol=1e-6, atol=0)
