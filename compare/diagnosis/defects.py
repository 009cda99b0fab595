"""What is wrong with a record or its start: numbers and shapes that must be equal."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from compare.checks.audit import recorded_steps
from compare.checks.run import Run, fits, required, shapes
from compare.diagnosis.formulas import by_step, through
from compare.numerics.equations import lines
from compare.training.problems import seeded_weights
from impls.interface import Array, Problem, Trace, Weights

DECIMALS = 17
"""Roundings of the first weights to fewer decimals than this are tried."""
SEEDS = 1000
"""First weights are compared with those of the seeds below this."""


def defects(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """List the explanations of a failed check of completeness."""
    due = required(problem, run)
    trace: dict[str, Any] = {name: array for name, (array, _) in due.items()}
    if not all(isinstance(array, np.ndarray) for array in trace.values()):
        return
    if fits(problem, run):
        yield from _not_finite(problem, run, quantity)
        return
    expected, dtype = shapes(problem), problem.x.dtype
    found, shape = trace[quantity], expected[quantity]
    if found.shape == shape:
        yield f"wrong dtype: {found.dtype}, not {dtype}"
    elif found.shape == tuple(n for n in shape if n > 1):
        yield "axes of length 1 dropped"
    k = problem.steps - np.size(run.trace.loss)
    fewer = {name: (n - k, *rest) for name, (n, *rest) in expected.items()}
    if 0 < k < problem.steps and all(trace[q].shape == fewer[q] for q in trace):
        yield f"{k} of {problem.steps} steps missing"


def _not_finite(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """Name a quantity that is not finite, if it follows from numbers that are."""
    step = recorded_steps(problem, run, problem.x.dtype)
    for line in lines(problem.loss):
        if line.quantity == quantity:
            finite = np.isfinite(getattr(step, quantity))
            right = np.asarray(by_step(finite).all(axis=1))
            n = int(right.argmin())
            if not right[n] and np.isfinite(line.value(step)[n]).all():
                yield f"not finite at step {n}, though its inputs are"


def origins(problem: Problem, trace: Trace) -> Iterator[str]:
    """List the origins of the first weights, if they are not the given ones."""
    given, dtype = problem.weights, problem.x.dtype
    first = Weights(trace.w1[0], trace.w2[0])
    if _equal(first, given):
        return
    if _equal(first, Weights(*map(through(np.float32), given))):
        yield "rounded to float32"
    for decimals in range(DECIMALS):
        if _equal(first, Weights(*(np.round(w, decimals) for w in given))):
            yield f"rounded to {decimals} decimals"
    if _by_unit(first) == _by_unit(given):
        yield "hidden units in another order"
    sizes = given.w1.shape[1], len(given.w1), len(given.w2)
    for seed in range(SEEDS):
        weights = seeded_weights(seed, *sizes)
        if _equal(first, Weights(*(w.astype(dtype) for w in weights))):
            yield f"the weights of seed {seed}"


def _equal(a: Weights[Array], b: Weights[Array]) -> bool:
    return all(map(np.array_equal, a, b))


def _by_unit(weights: Weights[Array]) -> list[tuple[float, ...]]:
    """List the weights of each hidden unit, sorted: independent of their order."""
    return sorted(map(tuple, np.vstack([weights.w1.T, weights.w2]).T.tolist()))
