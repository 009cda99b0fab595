"""The contract: what an implementation promises, checked before any number.

Third-party code may take other arguments, return lists, or float64 where float32 was
asked for, write into its inputs, or depend on an earlier call. Each of these is a check
of its own. An implementation that fails one is not trained.
"""

import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import chain

import numpy as np

from compare.checks.audit import FromWeights
from compare.checks.check import (
    Basis,
    Check,
    Claim,
    Promise,
    When,
    agree,
    describe,
    has_failure,
    is_array,
    judge,
    mismatch,
)
from compare.checks.run import OPTIONAL, Run, other_formulas, shapes
from compare.contract.advice import advice, advice_by_name
from compare.contract.calls import (
    ARGUMENTS,
    FAILURES,
    Results,
    ThirdParty,
    call,
    error_line,
    observe,
    quantities_of,
)
from compare.contract.state import Answers, add_up, have_bias
from compare.numerics.equations import lines
from compare.numerics.error_bars import step_bars
from impls.interface import Array, Gradients, Problem, Weights

BREACHES = {
    Promise.EXISTS: "a function is missing",
    Promise.ARGUMENTS: "it takes other arguments",
    Promise.QUANTITIES: "it names something else",
    Promise.ANSWERS: "it raises an error",
    Promise.PAIR: "it returns no pair",
    Promise.ARRAYS: "it returns no NumPy array of the dtype and shape of the problem",
    Promise.FINITE: "it returns a number that is not finite",
    Promise.INPUTS: "it writes into its inputs",
    Promise.OUTPUTS: "it writes into its earlier results",
    Promise.REPEATS: "it depends on more than its arguments",
    Promise.CLEARED: "gradients add up from call to call: zero_grad is missing",
    Promise.UNBIASED: "biases are added, which change from call to call",
    Promise.OTHERS: "it is wrong when only x, y, w1 or w2 changes",
    Promise.COPIED: "overwritten in place: recorded without .copy()",
    Promise.LASTS: "it depends on earlier calls",
    Promise.TRAINS: "it raises an error",
    Promise.LIVES: "it ends its process",
    Promise.IN_TIME: "it takes too long",
}
"""The name of the mistake where a promise is broken."""


def promised(
    name: str, quantity: str, promise: Promise, basis: Basis = "equality"
) -> Claim:
    """Return the claim that an implementation keeps a promise."""
    when: When = "before training"
    return Claim("contract", (name,), quantity, promise.value, when, basis, promise)


def examine(
    problem: Problem, implementation: ThirdParty, name: str
) -> tuple[Check, ...]:
    """Check the arguments, the results and the side effects of an implementation."""
    checks: list[Check] = []
    try:
        stages = (_check_signatures, _check_results, _check_memory, _check_others)
        for stage in stages:
            if not has_failure(checks):
                checks += stage(problem, implementation, name)
    except FAILURES as error:  # whatever is raised is the finding
        claim = promised(name, "answer", Promise.ANSWERS)
        checks.append(mismatch(claim, error_line(error), "an answer"))
    return tuple(checks)


def check_inputs(problem: Problem, given: Problem, name: str) -> Iterator[Check]:
    """Check that a copy of a problem, which was passed to a call, is unchanged."""
    after, before = ((*p.weights, p.x, p.y) for p in (given, problem))
    names = ("w1", "w2", "x", "y")
    for quantity, found, expected in zip(names, after, before, strict=True):
        yield _check_equal(promised(name, quantity, Promise.INPUTS), found, expected)


def check_lasting(
    problem: Problem, before: Answers, after: Answers, run: Run
) -> Iterator[Check]:
    """Check that the functions return the same after training as before."""
    expected = _expected(problem, other_formulas(run))
    for quantity, array in before.items():
        claim = promised(run.name, quantity, Promise.LASTS, "weights")
        yield _check_equal(claim, after[quantity], array, expected[quantity][1])


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
        yield from _check_arrays(problem, call(implementation, given), name)
        yield from check_inputs(problem, given, name)


def _check_arrays(problem: Problem, results: Results, name: str) -> Iterator[Check]:
    expected, dtype = shapes(problem), problem.x.dtype
    for quantity, array in quantities_of(results, dtype).items():
        _, *shape = expected[quantity]
        if array is None and quantity in OPTIONAL:
            continue
        if is_array(array, tuple(shape), dtype):
            yield _check_equal(promised(name, quantity, Promise.FINITE), array, array)
        else:
            claim = promised(name, quantity, Promise.ARRAYS)
            form = f"{dtype} {tuple(shape)}"
            if array is None and quantity != "loss":
                what = advice_by_name(results.of(quantity), quantity)
            else:
                what = advice(array, dtype, shape)
            yield mismatch(claim, describe(array), form, what)


def _check_memory(
    problem: Problem, implementation: ThirdParty, name: str
) -> Iterator[Check]:
    """Call again at the same weights, with two calls at other weights between.

    Two calls overwrite both of two buffers that take turns. The results may differ by
    rounding: a GPU need not add in the same order twice.
    """
    other: Weights[Array] = Weights(*(w + w.dtype.type(1) for w in problem.weights))
    first = observe(implementation, deepcopy(problem))
    kept = deepcopy({q: array for q, array in first.items() if array is not None})
    for _ in range(2):
        observe(implementation, deepcopy(replace(problem, weights=other)))
    shared = [
        _check_equal(promised(name, quantity, Promise.OUTPUTS), first[quantity], array)
        for quantity, array in kept.items()
    ]
    again = observe(implementation, deepcopy(problem))
    again = {quantity: again[quantity] for quantity in kept}
    expected, repeats = _expected(problem), []
    for quantity, array in kept.items():
        claim = promised(name, quantity, Promise.REPEATS, "weights")
        bound = expected[quantity][1]
        repeats.append(_check_equal(claim, again[quantity], array, bound))
    yield from _explain(problem, other, kept, again, repeats)
    yield from (*shared, *repeats)


def _explain(
    problem: Problem,
    other: Weights[Array],
    first: Answers,
    again: Answers,
    repeats: Sequence[Check],
) -> Iterator[Check]:
    """Say why answers are not repeated, if their numbers show it."""
    failed = [check for check in repeats if check.passed is False]
    if not failed or any(isinstance(check.worst.value, str) for check in failed):
        return
    if failed[0].quantity in Gradients._fields:
        broken, shown = Promise.CLEARED, add_up(problem, other, first, again)
    else:
        both = (have_bias(problem, answers) for answers in (first, again))
        broken, shown = Promise.UNBIASED, all(both)
    if shown:
        yield replace(failed[0], promise=broken, statement=broken.value)


def _check_others(
    problem: Problem, implementation: ThirdParty, name: str
) -> Iterator[Check]:
    """Call both functions with one argument changed, after a call without the change.

    The other arguments are the same objects, and each function is once the first to be
    called: what an implementation keeps of a call shows, unless all arguments decide
    whether it is used again. Of each quantity, the worst check is returned.

    What is wrong without a change, too, is left to the audit and the replay, which name
    the line. A quantity without a bound is left out.
    """
    problems = (problem, *_others(problem))
    same, *_ = given = deepcopy(problems)  # what they share, their copies share

    def answers(other: Problem) -> Iterator[Mapping[str, ThirdParty]]:
        for backward_first in (False, True):
            observe(implementation, same)
            yield observe(implementation, other, backward_first=backward_first)

    own, *others = (
        [*_held_to_weights(expected, answers(other), name)]
        for expected, other in zip(problems, given, strict=True)
    )
    if all(check.passed is not False for check in own):
        checks = [c for each in others for c in each if c.passed is not None]
        for quantity in dict.fromkeys(check.quantity for check in checks):
            alike = (check for check in checks if check.quantity == quantity)
            yield max(alike, key=lambda check: check.worst.use)


def _others(problem: Problem) -> tuple[Problem, ...]:
    """Change x, y, w1 or w2: what was positive is negative, and each label differs."""
    (w1, w2), y = problem.weights, problem.y
    labels = np.arange(1, y.size + 1, dtype=y.dtype).reshape(y.shape) / (y.size + 2)
    return (
        replace(problem, x=-(problem.x + 0.5)),
        replace(problem, y=labels),
        replace(problem, weights=Weights(-(w1 + 0.5), w2)),
        replace(problem, weights=Weights(w1, -(w2 + 0.5))),
    )


def _held_to_weights(
    problem: Problem, answers: Iterable[Mapping[str, ThirdParty]], name: str
) -> Iterator[Check]:
    """Hold what both functions returned to the weights of the problem."""
    expected, dtype = _expected(problem, ("a1", "a2", "dz2")), problem.x.dtype
    for quantity, array in chain.from_iterable(found.items() for found in answers):
        value, bound = expected[quantity]
        claim = promised(name, quantity, Promise.OTHERS, "weights")
        if is_array(array, value.shape, dtype):
            yield judge(claim, array[None], value[None], bound)
        elif array is not None:
            yield mismatch(claim, describe(array), f"{dtype} {value.shape}")


@np.errstate(all="ignore")  # a number that is not finite fails
def _expected(
    problem: Problem, other_formulas: Collection[str] = ()
) -> dict[str, tuple[Array, Array]]:
    """Return what the problem's weights give, and twice its bound, by quantity."""
    start = Weights(*(w[None] for w in problem.weights))
    found = FromWeights.of(problem, step_bars(problem, start, other_formulas))
    return {
        name: (getattr(found.step, name)[0], 2 * bound[0])
        for name, bound in found.bounds.items()
    }


def _check_equal(
    claim: Claim, found: ThirdParty, expected: Array, bound: Array | float = 0.0
) -> Check:
    """Compare dtype, shape and numbers; equal numbers need no bound."""
    if not isinstance(expected, np.ndarray):  # a call that was not examined
        return mismatch(claim, describe(found), f"an array, not {describe(expected)}")
    if not is_array(found, expected.shape, expected.dtype):
        return mismatch(claim, describe(found), describe(expected))
    if np.array_equal(found, expected):
        bound = np.where(np.isinf(bound), 0.0, bound)
    return judge(claim, found[None], expected[None], bound)
