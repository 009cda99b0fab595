"""Is it an implementation at all? What one promises beside numbers, before any.

A stranger's code may take other arguments, give lists, or float64 where float32 was
asked for, write into what it is given, or remember its last call. Each of these is a
check of its own, which fails in words of its own. Whoever fails one is not trained.
"""

import inspect
import traceback
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from compare.audit import OPTIONAL, layout
from compare.checks import Check, What, agree, broken, form, judge, misfit
from impls.interface import Activations, Array, Gradients, Problem, Weights

ARGUMENTS = {
    "forward": ("weights", "x"),
    "loss_and_gradients": ("weights", "x", "y", "loss"),
    "train": ("problem",),
}


def observe(
    implementation: Any,  # noqa: ANN401
    problem: Problem,
    weights: Weights[Array],
) -> dict[str, Any]:
    """Ask for all quantities of one step, by name; what isn't given is None."""
    activations = implementation.forward(weights, problem.x)
    value, gradients = implementation.loss_and_gradients(
        weights, problem.x, problem.y, problem.loss
    )
    found = {name: getattr(activations, name, None) for name in Activations._fields}
    found["loss"] = value
    found |= {name: getattr(gradients, name, None) for name in Gradients._fields}
    return {  # a NumPy scalar is an array of no axes
        name: np.asarray(value) if isinstance(value, np.generic) else value
        for name, value in found.items()
    }


def raised(error: Exception) -> str:
    """Say in one line what was raised, and where."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{words} ({where.filename}:{where.lineno})"


def examine(
    problem: Problem,
    implementation: Any,  # noqa: ANN401
    name: str,
) -> tuple[Check, ...]:
    """Check what an implementation takes, gives, and leaves alone.

    Args:
        problem: On whose data, and at whose weights.
        implementation: Anything.
        name: Its name.
    """
    checks = [*_signatures(implementation, name)]
    if not broken(checks):
        checks += _answers(problem, implementation, name)
    return tuple(checks)


def _signatures(implementation: Any, name: str) -> Iterator[Check]:  # noqa: ANN401
    for function, arguments in ARGUMENTS.items():
        found = getattr(implementation, function, None)
        expected = f"{function}({', '.join(arguments)})"
        what = What("contract", (name,), function, f"takes {expected}")
        if callable(found):
            yield agree(what, _signature(function, found, arguments), expected)
        elif found is not None or function != "train":
            yield misfit(what, form(found), expected)


def _signature(name: str, function: Any, arguments: tuple[str, ...]) -> str:  # noqa: ANN401
    """Write down what a function takes: the arguments, if it takes those."""
    expected = f"{name}({', '.join(arguments)})"
    try:
        signature = inspect.signature(function)
    except ValueError:  # compiled code need not say; calling it will tell
        return expected
    try:
        signature.bind(*arguments)
    except TypeError:
        return f"{name}{signature}"
    return expected


def _answers(problem: Problem, implementation: Any, name: str) -> list[Check]:  # noqa: ANN401
    """Ask at two weights, and at the first again."""
    other: Weights[Array] = Weights(*(w + w.dtype.type(1) for w in problem.weights))
    given = [
        deepcopy(replace(problem, weights=weights))
        for weights in (problem.weights, other, problem.weights)
    ]
    try:
        first = observe(implementation, given[0], given[0].weights)
        kept = deepcopy(first)
        observe(implementation, given[1], given[1].weights)
        later = deepcopy(first)  # before the same answer can be written there again
        last = observe(implementation, given[2], given[2].weights)
    except Exception as error:  # noqa: BLE001  # whatever it raises is the finding
        what = What("contract", (name,), "answer", "answers when it is asked")
        return [misfit(what, raised(error), "loss, activations and gradients")]
    forms = [*_forms(problem, first, name)]
    if broken(forms):
        return forms
    return [
        *forms,
        *unchanged(problem, given[0], name),
        *_same(name, "leaves its last answer as it was", later, kept),
        *_same(name, "answers the same when asked again", last, kept),
    ]


def unchanged(problem: Problem, given: Problem, name: str) -> list[Check]:
    """Check that what was given, a copy of a problem, still is one."""
    after, before = (
        {**p.weights._asdict(), "x": p.x, "y": p.y} for p in (given, problem)
    )
    return [*_same(name, "leaves what it is given as it was", after, before)]


def _forms(problem: Problem, found: dict[str, Any], name: str) -> Iterator[Check]:
    for quantity, (_, *shape) in layout(problem).items():
        array = found.get(quantity)
        if quantity in found and (array is not None or quantity not in OPTIONAL):
            what = What("contract", (name,), quantity, f"gives {quantity}, finite")
            expected = f"{problem.x.dtype} {tuple(shape)}"
            if array is None or form(array) != expected:
                yield misfit(what, form(array), expected)
            else:
                yield judge(what, array[None], array[None], 0.0)


def _same(
    name: str, words: str, found: dict[str, Any], expected: dict[str, Any]
) -> Iterator[Check]:
    for quantity, array in expected.items():
        if array is not None:
            what = What("contract", (name,), quantity, words)
            yield judge(what, np.asarray(found[quantity])[None], array[None], 0.0)
