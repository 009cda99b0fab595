"""The contract: what an implementation promises, checked before any number.

Third-party code may take other arguments, return lists, or float64 where float32 was
asked for, write into its inputs, or depend on an earlier call. Each of these is a check
of its own. An implementation that fails one is not trained.
"""

import inspect
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from compare.checks.check import (
    Basis,
    Check,
    Claim,
    Promise,
    agree,
    describe,
    has_failure,
    is_array,
    judge,
    mismatch,
)
from compare.checks.run import OPTIONAL, Run, other_formulas, shapes
from compare.numerics.equations import lines
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import end_to_end_bound
from compare.training.calls import (
    ARGUMENTS,
    FAILURES,
    ThirdParty,
    error_line,
    observe,
)
from impls.interface import Array, Problem, Weights

BREACHES = {
    Promise.EXISTS: "it is missing",
    Promise.ARGUMENTS: "it takes other arguments",
    Promise.QUANTITIES: "it names something else",
    Promise.ANSWERS: "it raises an error",
    Promise.PAIR: "it returns no pair",
    Promise.ARRAYS: "it returns no NumPy array of the dtype and shape of the problem",
    Promise.FINITE: "it returns a number that is not finite",
    Promise.INPUTS: "it writes into its inputs",
    Promise.OUTPUTS: "it writes into its earlier results",
    Promise.REPEATS: "it depends on more than its arguments",
    Promise.LASTS: "it depends on earlier calls",
    Promise.TRAINS: "it raises an error",
}
"""The name of the mistake where a promise is broken."""


def promised(
    name: str, quantity: str, promise: Promise, basis: Basis = "equality"
) -> Claim:
    """Return the claim that an implementation keeps a promise."""
    return Claim(
        "contract",
        (name,),
        quantity,
        promise.value,
        when="before training",
        basis=basis,
        promise=promise,
    )


def examine(
    problem: Problem, implementation: ThirdParty, name: str
) -> tuple[Check, ...]:
    """Check the arguments, the results and the side effects of an implementation.

    Args:
        problem: Gives the data and the weights to call it with.
        implementation: The implementation.
        name: Its name.
    """
    checks: list[Check] = []
    try:
        for stage in (_check_signatures, _check_results, _check_memory):
            if not has_failure(checks):
                checks += stage(problem, implementation, name)
    except FAILURES as error:  # whatever is raised is the finding
        claim = promised(name, "answer", Promise.ANSWERS)
        checks.append(mismatch(claim, error_line(error), "an answer"))
    return tuple(checks)


def check_inputs(problem: Problem, given: Problem, name: str) -> Iterator[Check]:
    """Check that a copy of a problem, which was passed to a call, is unchanged."""
    after, before = ((*p.weights, p.x, p.y) for p in (given, problem))
    for quantity, *arrays in zip(("w1", "w2", "x", "y"), after, before, strict=True):
        numbers = map(np.nan_to_num, arrays)  # a NaN of the problem equals itself here
        yield _check_equal(promised(name, quantity, Promise.INPUTS), *numbers)


def check_lasting(
    problem: Problem,
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    run: Run,
) -> Iterator[Check]:
    """Check that the functions return the same after training as before.

    Args:
        problem: Gives the weights of both calls.
        before: What both functions returned before training, by quantity.
        after: What they returned after it.
        run: The run.
    """
    start = Weights(*(w[None] for w in problem.weights))
    bars = step_bars(problem, start, other_formulas(run))
    for quantity, array in before.items():
        claim = promised(run.name, quantity, Promise.LASTS, "weights")
        bound = 2 * end_to_end_bound(problem, quantity, bars)[0]
        yield _check_equal(claim, after[quantity], array, bound)


def _check_signatures(
    problem: Problem, implementation: ThirdParty, name: str
) -> Iterator[Check]:
    for function, arguments in ARGUMENTS.items():
        found = getattr(implementation, function, None)
        expected = f"{function}({', '.join(arguments)})"
        if callable(found):
            claim = promised(name, function, Promise.ARGUMENTS)
            yield agree(claim, _signature(function, found, arguments), expected)
        elif found is not None or function != "train":
            claim = promised(name, function, Promise.EXISTS)
            yield mismatch(claim, describe(found), expected)
    quantities = [line.quantity for line in lines(problem.loss)]
    own = getattr(implementation, "end_to_end", ())
    named = isinstance(own, tuple | list) and all(q in quantities for q in own)
    expected = f"a tuple of {', '.join(quantities)}"
    claim = promised(name, "end_to_end", Promise.QUANTITIES)
    yield agree(claim, expected if named else repr(own), expected)


def _signature(name: str, function: ThirdParty, arguments: tuple[str, ...]) -> str:
    """Write down the signature of a function; the contract's, if it accepts that."""
    expected = f"{name}({', '.join(arguments)})"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled code has none; the call will show
        return expected
    try:
        signature.bind(*arguments)
    except TypeError:
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        return f"{name}{inspect.Signature(bare)}"
    return expected


def _check_results(
    problem: Problem, implementation: ThirdParty, name: str
) -> Iterator[Check]:
    """Call once: a pair, of arrays, of finite numbers, and unchanged inputs."""
    given = deepcopy(problem)
    weights, x, y = given.weights, given.x, given.y
    result = implementation.loss_and_gradients(weights, x, y, given.loss)
    is_pair = isinstance(result, tuple | list) and len(result) == 2  # noqa: PLR2004
    claim = promised(name, "loss_and_gradients", Promise.PAIR)
    yield agree(claim, "a pair" if is_pair else describe(result), "a pair")
    if is_pair:
        given = deepcopy(problem)
        yield from _check_arrays(problem, observe(implementation, given), name)
        yield from check_inputs(problem, given, name)


def _check_arrays(
    problem: Problem, found: dict[str, Any], name: str
) -> Iterator[Check]:
    expected = shapes(problem)
    for quantity, array in found.items():
        _, *shape = expected[quantity]
        if array is None and quantity in OPTIONAL:
            continue
        if is_array(array, tuple(shape), problem.x.dtype):
            yield _check_equal(promised(name, quantity, Promise.FINITE), array, array)
        else:
            claim = promised(name, quantity, Promise.ARRAYS)
            form = f"{problem.x.dtype} {tuple(shape)}"
            yield mismatch(claim, describe(array), form)


def _check_memory(
    problem: Problem, implementation: ThirdParty, name: str
) -> Iterator[Check]:
    """Call again at the same weights, with a call at other weights between.

    The results may differ by rounding: a GPU need not add in the same order twice.
    """
    other: Weights[Array] = Weights(*(w + w.dtype.type(1) for w in problem.weights))
    first = observe(implementation, deepcopy(problem))
    kept: dict[str, Array] = {
        quantity: deepcopy(array)
        for quantity, array in first.items()
        if array is not None
    }
    observe(implementation, deepcopy(replace(problem, weights=other)))
    for quantity, array in kept.items():
        claim = promised(name, quantity, Promise.OUTPUTS)
        yield _check_equal(claim, first[quantity], array)
    again = observe(implementation, deepcopy(problem))
    bars = step_bars(problem, Weights(*(w[None] for w in problem.weights)))
    for quantity, array in kept.items():
        claim = promised(name, quantity, Promise.REPEATS, "weights")
        bound = 2 * end_to_end_bound(problem, quantity, bars)[0]
        yield _check_equal(claim, again[quantity], array, bound)


def _check_equal(
    claim: Claim, found: ThirdParty, expected: Array, bound: Array | float = 0.0
) -> Check:
    """Compare dtype, shape and numbers."""
    if not is_array(found, expected.shape, expected.dtype):
        return mismatch(claim, describe(found), describe(expected))
    return judge(claim, found[None], expected[None], bound)
