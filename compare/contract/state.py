"""Why results depend on more than their arguments: two causes that numbers show."""

from collections.abc import Mapping

import numpy as np

from compare.numerics.biases import is_identifiable, with_fitted_biases
from compare.numerics.error_bars import step_bars, unit_roundoff
from compare.numerics.rounding import end_to_end_bound
from impls.interface import Array, Problem, Weights

Answers = Mapping[str, Array]
"""What both functions return at some weights, by quantity."""


def add_up(
    problem: Problem, other: Weights[Array], first: Answers, again: Answers
) -> bool:
    """Return whether each call adds its gradients to those of all calls before.

    Args:
        problem: Gives the weights of the first call and of the last.
        other: The weights of the two calls between.
        first: What the first call returned.
        again: What the last call returned.
    """
    calls = (problem.weights, other, other)
    later = Weights(*map(np.stack, zip(*calls, strict=True)))
    bars = step_bars(problem, later, ("a1", "a2", "dz2"))
    u = unit_roundoff(problem.x.dtype)

    def adds_up(name: str) -> bool:
        gradients = getattr(bars, name).value
        sums = abs(first[name]) + abs(gradients).sum(axis=0)
        bound = end_to_end_bound(problem, name, bars).sum(axis=0) + 6 * u * sums
        expected = first[name] + gradients.sum(axis=0)
        differs = abs(again[name] - first[name]) > bound
        return bool((abs(again[name] - expected) <= bound).all() and differs.any())

    return all(map(adds_up, ("dw1", "dw2")))


def have_bias(problem: Problem, answers: Answers) -> bool:
    """Return whether the answers are those of a network with biases, to rounding.

    z1 and z2 show it where they are given. Otherwise biases are fitted to a2.
    """
    weights = problem.weights
    bars = step_bars(problem, Weights(*(w[None] for w in weights)), ("a1", "a2"))
    if "z1" in answers:
        alike = _alike(answers["z1"], weights.w1 @ problem.x, problem)
        if alike or "a1" not in answers or "z2" not in answers:
            return alike
        return _alike(answers["z2"], weights.w2 @ answers["a1"], problem)
    if not is_identifiable(weights, problem.x):
        return False
    a2 = answers["a2"]
    bound = end_to_end_bound(problem, "a2", bars)[0]
    fitted = with_fitted_biases(weights, problem.x, a2)
    differs = abs(a2 - bars.a2.value[0]) > bound
    return bool((abs(a2 - fitted) <= bound).all() and differs.any())


def _alike(z: Array, product: Array, problem: Problem) -> bool:
    """Return whether z is off by a number for each unit, the same in all samples."""
    shift = z - product
    spread = abs(shift - shift[:, :1])
    size = abs(product) + abs(shift)
    terms = max(len(problem.x), len(problem.weights.w1)) + 4
    bound = terms * unit_roundoff(z.dtype) * (size + size[:, :1])
    return bool((spread <= bound).all() and (abs(shift) > bound).any())
