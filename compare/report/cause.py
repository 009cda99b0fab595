"""The name of a mistake: known explanations, tried against the exact values.

An explanation is a formula of `compare.report.mistakes` for the line that failed, or
another origin of the first weights. It is named if it gives every failing step within
bounds, if those are several, and if it is the only one; otherwise the cause is unknown.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from compare.checks.audit import END_TO_END, recorded
from compare.checks.check import Check
from compare.checks.completeness import fits, layout
from compare.checks.run import Run
from compare.numerics.equations import Line, Number, chain, lines
from compare.numerics.rounding import oracle_dtype, slack, step_bars, whole_bound
from compare.report.mistakes import Explanation, Failure, bound_of, fitted, known
from compare.training.problems import seeded_weights
from impls.interface import Array, Problem, Trace, Weights

STEPS = 3
"""Several: fewer failing steps than this are not explained."""
CLEAR = 10.0
"""A failure of fewer bounds is no evidence: noise near the bound fits many formulas."""
CHANCE = 1e-6
"""How likely it may be that noise, as large as the failure, fits an explanation."""
SEEDS = 1000
"""First weights are looked for among those of the seeds below this."""


def name_cause(problem: Problem, run: Run, check: Check) -> str | None:
    """Name the mistake behind a failed check, if one can be named, in plain words.

    Args:
        problem: What was to be trained.
        run: The subject of the check. Nothing is known of one that lacks steps.
        check: The first difference of a verdict. Of a pair of runs nothing is known.
    """
    if run.every > 1:
        return None
    complete = all(isinstance(array, np.ndarray) for array in vars(run.trace).values())
    with np.errstate(all="ignore"):  # what isn't finite explains nothing
        if check.kind == "continuity" and complete:
            return _only(set(_broken(problem, run, check.quantity)))
        if check.kind == "audit" and fits(problem, run):
            whole = check.words.endswith(END_TO_END)
            for line in lines(problem.loss):
                if line.quantity == check.quantity:
                    return _named(_failure(problem, run, line, whole=whole))
    return None


def _failure(problem: Problem, run: Run, line: Line, *, whole: bool) -> Failure:
    """Lay out what a line gave and should have given; `whole`: from the weights."""
    here = recorded(problem, run, oracle_dtype(problem.x.dtype))
    found, row = getattr(here, line.quantity), chain(lines(problem.loss), here)
    if whole:
        value = getattr(row, line.quantity)
        bars = step_bars(problem, here.w1, here.w2)
        bound = slack(problem.x.dtype) * whole_bound(problem, line.quantity, bars)
    else:
        row = SimpleNamespace(**vars(row) | vars(here))
        value = line.value(row)
        bound = bound_of(problem, line, row, value)
    steps = ~of_step(abs(found - value) <= bound).all(axis=1)
    return Failure(problem, line, row, found, value, bound, steps)


def _named(f: Failure) -> str | None:
    """Try constants last: one of them fits wherever a formula without them does."""
    for explanations in (known(f.problem), fitted(f)) if f.steps.any() else ():
        of_line = [e for e in explanations if f.line.quantity in e.quantities]
        if names := {e.words for e in of_line if explains(e, f)}:
            return _only(names)
    return None


def _only(names: set[str]) -> str | None:
    return names.pop() or None if len(names) == 1 else None


def explains(explanation: Explanation, f: Failure) -> bool:
    """Say whether an explanation surely gives all failing steps that it speaks of."""
    value, bound = explanation.formula(f)
    if value.shape != f.found.shape:  # as a transpose may have
        return False
    finite = np.isfinite(value.astype(f.problem.x.dtype)) & np.isfinite(bound)
    spoken = f.steps & of_step(finite).all(axis=1)
    within = of_step(abs(f.found - value) <= bound).all(axis=1)
    return bool(within[spoken].all()) and _sure(f, spoken)


def _sure(f: Failure, steps: Number) -> bool:
    """Say whether these failures are too many and too large for chance.

    Noise as large as a failure falls within a bound with a chance of about bound /
    failure. One step doesn't count: it may have given the constant.
    """
    use = of_step(abs(f.found - f.value) / f.bound).max(axis=1)[steps]
    digits = np.log10(use[(use > CLEAR) & np.isfinite(use)])
    if len(digits) < STEPS:
        return False
    return bool(digits.sum() - digits.max() >= -np.log10(CHANCE))


def of_step(values: Number) -> Number:
    """Lay out all elements of a step in a row."""
    return values.reshape(len(values), -1)


# The record. Here nothing is within a bound: numbers and shapes are the same.


def _broken(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """Give the explanations of a failed check of continuity."""
    shapes, dtype = layout(problem), problem.x.dtype
    if fits(problem, run):
        about_start = quantity.startswith("first ")
        yield from (
            _start(problem, run.trace)
            if about_start
            else _made_here(problem, run, quantity)
        )
    elif quantity in shapes:
        shape, found = shapes[quantity], np.asarray(getattr(run.trace, quantity))
        if found.shape == shape:
            yield f"{found.dtype} in place of {dtype}"
        elif found.shape == tuple(n for n in shape if n > 1):
            yield "axes of length 1 dropped"
        k = problem.steps - np.size(run.trace.loss)
        fewer = {name: (n - k, *rest) for name, (n, *rest) in shapes.items()}
        if 0 < k < problem.steps and all(
            np.shape(getattr(run.trace, name)) == fewer[name] for name in fewer
        ):
            yield f"{k} of {problem.steps} steps missing"


def _made_here(problem: Problem, run: Run, quantity: str) -> Iterator[str]:
    """Name what isn't finite, if it follows from numbers that are."""
    row = recorded(problem, run, problem.x.dtype)
    for line in lines(problem.loss):
        if line.quantity == quantity:
            right = of_step(np.isfinite(getattr(row, quantity))).all(axis=1)
            step = int(right.argmin())
            if not right[step] and np.isfinite(line.value(row)[step]).all():
                yield f"not finite at step {step}, though its inputs are"


def _start(problem: Problem, trace: Trace) -> Iterator[str]:
    """Give the origins of the first weights, if they are not the given ones."""
    given, dtype = problem.weights, problem.x.dtype
    first, last = (Weights(trace.w1[n], trace.w2[n]) for n in (0, -1))
    if _same(first, given):
        return
    if _same(first, Weights(*(w.astype(np.float32) for w in given))):
        yield "rounded to float32"
    if _same(first, last) and _began_right(problem, trace):
        yield "the last weights in place of the first: overwritten in place"
    if _by_unit(first) == _by_unit(given):
        yield "hidden units in another order"
    sizes = given.w1.shape[1], len(given.w1), len(given.w2)
    for seed in range(SEEDS):
        weights = seeded_weights(seed, *sizes)
        if _same(first, Weights(*(w.astype(dtype) for w in weights))):
            yield f"the weights of seed {seed}"


def _began_right(problem: Problem, trace: Trace) -> bool:
    """Say whether step 0 follows from the given weights, and not from the recorded."""
    line = lines(problem.loss)[0]
    w1 = np.concatenate([problem.weights.w1[None], trace.w1[1:]])
    wrong, right = trace, replace(trace, w1=w1)
    runs = (Run("", trace) for trace in (wrong, right))
    steps = [_failure(problem, run, line, whole=False).steps[0] for run in runs]
    return steps == [True, False]


def _same(a: Weights[Array], b: Weights[Array]) -> bool:
    return all(map(np.array_equal, a, b))


def _by_unit(weights: Weights[Array]) -> list[tuple[float, ...]]:
    """List the weights of each hidden unit, in an order that is no longer its own."""
    return sorted(map(tuple, np.vstack([weights.w1.T, weights.w2]).T.tolist()))
