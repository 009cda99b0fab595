"""From what a file says to a record, if it can be one: all that is said is checked."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np

from compare.checks.run import OPTIONAL, Run
from compare.numerics.equations import lines
from compare.traces.container import Tensors, Text
from compare.traces.schema import (
    DEFAULTS,
    ENVIRONMENT,
    PROBLEM,
    TRACE,
    Record,
    digest,
)
from compare.training.problems import DTYPES, LOSSES
from impls.interface import Loss, Problem, Trace, Weights


def to_record(text: Text, tensors: Tensors) -> Record:
    """Build the record that a file describes.

    Args:
        text: As `expect` has passed it.
        tensors: As `expect` has passed their names.

    Raises:
        ValueError: It describes none; the message says why.
    """
    said, has = DEFAULTS | dict(text), tensors.get
    if not said["implementation"]:
        raise ValueError("implementation is empty: it should be a name")
    columns: dict[str, Any] = {name: has(name) for name in TRACE}
    run = Run(
        said["implementation"],
        Trace(**columns),
        tensors.get("final_a2", np.empty(0)),
        _words(said, "end to end", [line.quantity for line in lines("bce")]),
        _words(said, "unknown", OPTIONAL),
        looped=_choice(said, "plain loop", ("yes", "no")) == "yes",
    )
    environment = {
        name.removeprefix(ENVIRONMENT): value
        for name, value in sorted(text.items())  # safetensors keeps no order
        if name.startswith(ENVIRONMENT)
    }
    return Record(_problem(said, tensors), run, environment, said["about"])


def _problem(text: Text, tensors: Tensors) -> Problem:
    x, y, w1, w2 = given = [tensors[name] for name in PROBLEM]
    dtypes = {str(array.dtype) for array in given}
    if len(dtypes) > 1 or not dtypes <= {*DTYPES}:
        raise ValueError(
            f"its problem is of dtype {' and '.join(sorted(dtypes))}: "
            f"it should be all {' or all '.join(DTYPES)}"
        )
    shapes = [array.shape for array in given]
    full = all(array.size and array.ndim == 2 for array in given)  # noqa: PLR2004
    fitting = full and [
        x.shape,
        (len(y), x.shape[1]),
        (len(w1), len(x)),
        (len(y), len(w1)),
    ]
    if shapes != fitting:
        raise ValueError(
            f"x, y, w1 and w2 are of shape {', '.join(map(str, shapes))}: they should "
            "be (n_x, m), (n_y, m), (n_h, n_x), (n_y, n_h), and none empty"
        )
    for name, array in zip(PROBLEM, given, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} should be finite, and is not")
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError("problem.y should be between 0 and 1, and is not")
    weights = Weights(w1, w2)
    if digest(weights) != text["weights sha256"]:
        raise ValueError(
            f"its weights have the sha256 {digest(weights)}, and should have "
            f"{text['weights sha256']}"
        )
    return Problem(
        x,
        y,
        weights,
        _number(text, "lr", float(np.finfo(x.dtype).max)),
        _integer(text, "steps", 2**53),
        cast("Loss", _choice(text, "loss", LOSSES)),
    )


def _number(text: Text, name: str, most: float) -> float:
    with suppress(ValueError):
        if abs(number := float(text[name])) <= most:
            return number
    raise ValueError(
        f"{name} is {text[name]!r}: it should be a number, {most:.3g} at most"
    )


def _integer(text: Text, name: str, most: int) -> int:
    digits = text[name]
    if re.fullmatch("[1-9][0-9]{,15}", digits) and int(digits) <= most:
        return int(digits)
    raise ValueError(f"{name} is {digits!r}: it should be an integer from 1 to {most}")


def _choice(text: Text, name: str, known: Sequence[str]) -> str:
    if text[name] in known:
        return text[name]
    raise ValueError(f"{name} is {text[name]!r}: it should be {' or '.join(known)}")


def _words(text: Text, name: str, known: Collection[str]) -> tuple[str, ...]:
    words = tuple(text[name].split())
    if {*words} <= {*known}:
        return words
    raise ValueError(f"{name} is {text[name]!r}: it should be of {' '.join(known)}")
