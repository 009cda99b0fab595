"""Is it an implementation at all? What one promises, checked before any number.

A stranger's code may take other arguments, give lists, or float64 where float32 was
asked for, write into what it is given, or remember its last call. Each of these is a
check of its own, which fails in words of its own. Whoever fails one is not trained.
"""

import inspect
import sysconfig
import traceback
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import numpy as np

from compare.checks.check import Check, What, agree, broken, form, judge, misfit
from compare.checks.completeness import OPTIONAL, layout
from compare.numerics.equations import lines
from compare.numerics.rounding import step_bars, whole_bound
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Problem,
    Weights,
)

Stranger: TypeAlias = Any
"""An implementation, or what one gives, of which nothing is known yet."""

ARGUMENTS = {
    "forward": ("weights", "x"),
    "loss_and_gradients": ("weights", "x", "y", "loss"),
    "train": ("problem",),
}
IS_THERE = "is there, and can be called"
TAKES = "takes the arguments that it will be given"
NAMES_QUANTITIES = "names quantities only"
ANSWERS = "answers when it is asked"
PAIR = "gives the loss and the gradients, a pair"
KIND = "gives an array of this dtype and shape"
FINITE = "gives finite numbers"
INPUTS = "leaves what it is given as it was"
OUTPUTS = "leaves what it has given as it was"
AGAIN = "gives the same when asked again"
TRAINS = "trains to the end"
BREACHES = {
    IS_THERE: "it is missing",
    TAKES: "it takes other arguments",
    NAMES_QUANTITIES: "it names something else",
    ANSWERS: "it raises an error",
    PAIR: "it gives no pair",
    KIND: "it gives something else than a NumPy array of the dtype of the problem",
    FINITE: "it gives a number that is not finite",
    INPUTS: "it writes into what it is given",
    OUTPUTS: "it writes into what it has given",
    AGAIN: "it depends on more than its arguments",
    TRAINS: "it raises an error",
}
"""The promises, and what to call it if one is broken."""

FAILURES = (Exception, SystemExit)
"""What may end a stranger's code, but not the comparison."""
_OURS = str(Path(__file__).parent / "_").removesuffix("_")
_LIBRARIES = tuple(
    sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")
)


def rewired(implementation: object, **changes: object) -> Implementation:
    """Wrap what an implementation is known by, with some of it changed."""
    names = (*ARGUMENTS, "end_to_end")
    kept = {n: getattr(implementation, n) for n in names if hasattr(implementation, n)}
    return cast("Implementation", SimpleNamespace(**kept | changes))


def observe(
    implementation: Stranger,
    problem: Problem,
) -> dict[str, Any]:
    """Ask for all quantities of a first step, by name; what isn't given is None."""
    weights, x, y = problem.weights, problem.x, problem.y
    activations = implementation.forward(weights, x)
    value, gradients = implementation.loss_and_gradients(weights, x, y, problem.loss)
    found = {name: getattr(activations, name, None) for name in Activations._fields}
    found["loss"] = value
    found |= {name: getattr(gradients, name, None) for name in Gradients._fields}
    return {name: plain(value) for name, value in found.items()}


def plain(found: Stranger) -> Stranger:
    """Make an array of a NumPy scalar, or of a kind of array with its own rules."""
    is_array = isinstance(found, np.ndarray | np.generic)
    return np.asarray(found) if is_array else found


def raised(error: BaseException) -> str:
    """Say in one line what was raised, and where: in a stranger's own file, if any."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not f.filename.startswith(_OURS)]
    own = [f for f in theirs if not f.filename.startswith(_LIBRARIES)] or theirs
    return words + "".join(f" ({f.filename}, line {f.lineno})" for f in own[-1:])


def examine(
    problem: Problem,
    implementation: Stranger,
    name: str,
) -> tuple[Check, ...]:
    """Check what an implementation takes, gives, and leaves alone.

    Args:
        problem: On whose data, and at whose weights.
        implementation: Strangerthing.
        name: Its name.
    """
    checks: list[Check] = []
    try:
        for stage in (_signatures, _answers, _memory):
            if not broken(checks):
                checks += stage(problem, implementation, name)
    except FAILURES as error:  # whatever it raises is the finding
        what = What("contract", (name,), "answer", ANSWERS)
        checks.append(misfit(what, raised(error), "an answer"))
    return tuple(checks)


def untouched(problem: Problem, given: Problem, name: str) -> Iterator[Check]:
    """Check that the copy of a problem that was given away is as the problem is."""
    after, before = ((*p.weights, p.x, p.y) for p in (given, problem))
    for quantity, *arrays in zip(("w1", "w2", "x", "y"), after, before, strict=True):
        numbers = map(np.nan_to_num, arrays)  # a NaN that was given is none of theirs
        yield _held(name, INPUTS, quantity, *numbers)


def _signatures(
    problem: Problem, implementation: Stranger, name: str
) -> Iterator[Check]:
    for function, arguments in ARGUMENTS.items():
        found = getattr(implementation, function, None)
        expected = f"{function}({', '.join(arguments)})"
        if callable(found):
            what = What("contract", (name,), function, TAKES)
            yield agree(what, _signature(function, found, arguments), expected)
        elif found is not None or function != "train":
            what = What("contract", (name,), function, IS_THERE)
            yield misfit(what, form(found), expected)
    quantities = [line.quantity for line in lines(problem.loss)]
    own = getattr(implementation, "end_to_end", ())
    named = isinstance(own, tuple | list) and all(q in quantities for q in own)
    expected = f"a tuple of {', '.join(quantities)}"
    what = What("contract", (name,), "end_to_end", NAMES_QUANTITIES)
    yield agree(what, expected if named else repr(own), expected)


def _signature(name: str, function: Stranger, arguments: tuple[str, ...]) -> str:
    """Write down what a function takes: the arguments, if it takes those."""
    expected = f"{name}({', '.join(arguments)})"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled code need not say; calling it will tell
        return expected
    try:
        signature.bind(*arguments)
    except TypeError:
        bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        return f"{name}{inspect.Signature(bare)}"
    return expected


def _answers(problem: Problem, implementation: Stranger, name: str) -> Iterator[Check]:
    """Ask once: a pair, of arrays, of finite numbers, and the inputs as they were."""
    given = deepcopy(problem)
    weights, x, y = given.weights, given.x, given.y
    answer = implementation.loss_and_gradients(weights, x, y, given.loss)
    what = What("contract", (name,), "loss_and_gradients", PAIR)
    is_pair = isinstance(answer, tuple | list) and len(answer) == 2  # noqa: PLR2004
    yield agree(what, "a pair" if is_pair else form(answer), "a pair")
    if is_pair:
        given = deepcopy(problem)
        yield from _forms(problem, observe(implementation, given), name)
        yield from untouched(problem, given, name)


def _forms(problem: Problem, found: dict[str, Any], name: str) -> Iterator[Check]:
    shapes = layout(problem)
    for quantity, array in found.items():
        _, *shape = shapes[quantity]
        if array is not None or quantity not in OPTIONAL:
            expected = f"{problem.x.dtype} {tuple(shape)}"
            if form(array) == expected:
                yield _held(name, FINITE, quantity, array, array)
            else:
                what = What("contract", (name,), quantity, KIND)
                yield misfit(what, form(array), expected)


def _memory(problem: Problem, implementation: Stranger, name: str) -> Iterator[Check]:
    """Ask at the same weights again, with others between.

    To rounding: a graphics card need not add in the same order twice.
    """
    other: Weights[Array] = Weights(*(w + w.dtype.type(1) for w in problem.weights))
    first = observe(implementation, deepcopy(problem))
    kept = deepcopy(first)
    observe(implementation, deepcopy(replace(problem, weights=other)))
    given: dict[str, Array] = {q: a for q, a in kept.items() if a is not None}
    for quantity, array in given.items():
        yield _held(name, OUTPUTS, quantity, first[quantity], array)
    again = observe(implementation, deepcopy(problem))
    bars = step_bars(problem, *(w[None] for w in problem.weights))
    for quantity, array in given.items():
        bound = 2 * whole_bound(problem, quantity, bars)[0]
        yield _held(name, AGAIN, quantity, again[quantity], array, bound)


def _held(
    name: str,
    words: str,
    quantity: str,
    found: Stranger,
    expected: Array,
    bound: Array | float = 0.0,
) -> Check:
    """Hold an array to what it should be: no other form, and no other numbers."""
    what = What("contract", (name,), quantity, words)
    if form(found) != form(expected):
        return misfit(what, form(found), form(expected))
    return judge(what, found[None], expected[None], bound)
