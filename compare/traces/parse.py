"""From the text and the tensors of a file to a record: every value is checked."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from math import prod
from typing import Any, cast

import numpy as np

from compare.checks.run import OPTIONAL, Run, shapes
from compare.numerics.equations import lines
from compare.traces.container import Tensors, Text
from compare.traces.schema import (
    DEFAULTS,
    ENVIRONMENT,
    PROBLEM,
    TRACE,
    Record,
    check_names,
    digest,
)
from compare.training.problems import LOSSES, check_forms, check_problem
from impls.interface import Loss, Problem, Trace, Weights

MOST_STEPS = 2**53


def expect(text: Text, tensors: Tensors) -> None:
    """Check what is known before a number is read: names, dtypes, shapes and sizes.

    A quantity of the training may be of another shape, which is a difference; but no
    more numbers are read than the right shape has.

    Args:
        text: The text of a file.
        tensors: Its tensors; only their dtypes and shapes matter.

    Raises:
        ValueError: The file is no trace; the message says why.
    """
    check_names(text, tensors)
    x, y, w1, w2 = (tensors[name] for name in PROBLEM)
    check_forms(x, y, w1, w2)
    steps = _steps(text)
    right = shapes(Problem(x, y, Weights(w1, w2), 0.0, steps, "bce"))
    for name, shape in {**right, "final_a2": y.shape}.items():
        if name in tensors and tensors[name].size > prod(shape):
            raise ValueError(
                f"{name} is of shape {tensors[name].shape}: it should be {shape}"
            )


def to_record(text: Text, tensors: Tensors) -> Record:
    """Build the record that a file describes.

    Args:
        text: The text of a file that `expect` accepts.
        tensors: Its tensors.

    Raises:
        ValueError: A value is wrong; the message says which.
    """
    text = DEFAULTS | dict(sorted(text.items()))  # a file keeps no order
    if not text["implementation"]:
        raise ValueError("implementation is empty: it should be a name")
    columns: dict[str, Any] = {name: tensors.get(name) for name in TRACE}
    run = Run(
        text["implementation"],
        Trace(**columns),
        tensors.get("final_a2", np.empty(0)),
        _words(text, "end to end", [line.quantity for line in lines("bce")]),
        _words(text, "unknown", OPTIONAL),
        looped=_choice(text, "plain loop", ("yes", "no")) == "yes",
        plain_loss=_choice(text, "plain loss", ("yes", "no")) == "yes",
    )
    environment = {
        name.removeprefix(ENVIRONMENT): value
        for name, value in text.items()
        if name.startswith(ENVIRONMENT)
    }
    return Record(_problem(text, tensors), run, environment, text["about"])


def _problem(text: Text, tensors: Tensors) -> Problem:
    x, y, w1, w2 = (tensors[name] for name in PROBLEM)
    weights = Weights(w1, w2)
    loss = cast("Loss", _choice(text, "loss", LOSSES))
    problem = Problem(x, y, weights, _rate(text), _steps(text), loss)
    check_problem(problem)
    if digest(weights) != text["weights sha256"]:
        raise ValueError(
            f"its weights have the sha256 {digest(weights)}, and should have "
            f"{text['weights sha256']}"
        )
    return problem


def _rate(text: Text) -> float:
    with suppress(ValueError):
        return float(text["lr"])
    raise ValueError(f"lr is {text['lr']!r}: it should be a number")


def _steps(text: Text) -> int:
    digits = text["steps"]
    if re.fullmatch("[1-9][0-9]{,15}", digits) and int(digits) <= MOST_STEPS:
        return int(digits)
    raise ValueError(
        f"steps is {digits!r}: it should be an integer from 1 to {MOST_STEPS}"
    )


def _choice(text: Text, name: str, known: Sequence[str]) -> str:
    if text[name] in known:
        return text[name]
    raise ValueError(f"{name} is {text[name]!r}: it should be {' or '.join(known)}")


def _words(text: Text, name: str, known: Collection[str]) -> tuple[str, ...]:
    words = tuple(text[name].split())
    if {*words} <= {*known}:
        return words
    raise ValueError(f"{name} is {text[name]!r}: it should be of {' '.join(known)}")
