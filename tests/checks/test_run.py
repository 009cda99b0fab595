"""A run: which arrays it must have, in which shapes."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from compare.checks.run import (
    OPTIONAL,
    Run,
    after_training,
    before_updates,
    fits,
    required,
    shapes,
)
from impls.interface import Array, Trace
from tests.checks.runs import changed, short, wide
from tests.helpers import DTYPES

NOTHING = cast("Array", None)
SHAPES = {
    "w1": (6, 4, 3),
    "w2": (6, 2, 4),
    "z1": (5, 4, 10),
    "a1": (5, 4, 10),
    "z2": (5, 2, 10),
    "a2": (5, 2, 10),
    "loss": (5,),
    "dz2": (5, 2, 10),
    "dw2": (5, 2, 4),
    "dz1": (5, 4, 10),
    "dw1": (5, 4, 3),
}


def test_shapes_of_a_trace() -> None:
    """Five steps of 3-4-2 on ten samples have five rows, and six of weights."""
    problem, _ = wide()

    assert list(shapes(problem).items()) == list(SHAPES.items())
    assert SHAPES.keys() == Trace.__dataclass_fields__.keys()


def test_required_arrays_are_those_of_the_trace() -> None:
    """Each is paired with its right shape, whatever it has."""
    problem, run = wide()
    run = changed(run, loss=np.zeros(3))

    found = required(problem, run)

    assert {name: shape for name, (_, shape) in found.items()} == SHAPES
    assert all(array is getattr(run.trace, name) for name, (array, _) in found.items())


@pytest.mark.parametrize("name", OPTIONAL)
def test_unknown_intermediates_are_required_only_where_they_are(name: str) -> None:
    """An intermediate may lack if the implementation does not return it."""
    problem, run = wide()
    without = changed(run, **{name: None})

    assert name in required(problem, without)
    assert name in required(problem, replace(run, unknown=(name,)))
    assert name not in required(problem, replace(without, unknown=(name,)))
    assert fits(problem, replace(without, unknown=(name,)))
    assert not fits(problem, without)


def test_array_that_a_trace_lacks_is_none() -> None:
    """A trace without the attribute is one that lacks the array."""
    problem, run = wide()
    trace = cast("Trace", object())

    found = required(problem, replace(run, trace=trace))

    assert all(array is None for array, _ in found.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SHAPES)
def test_fits(name: str, dtype: str) -> None:
    """Every array must have its shape and the problem's dtype."""
    problem, run = wide(dtype)
    array = getattr(run.trace, name)
    other = np.float32 if dtype == "float64" else np.float64

    assert fits(problem, run)
    assert not fits(problem, changed(run, **{name: array[:-1]}))
    assert not fits(problem, changed(run, **{name: array.astype(other)}))
    assert not fits(problem, changed(run, **{name: array[..., None]}))
    assert not fits(problem, changed(run, **{name: NOTHING}))


def test_weights_before_updates() -> None:
    """They are all but the last, where no gradient was recorded."""
    _, run = short()

    w1, w2 = before_updates(run)

    assert np.array_equal(w1, run.trace.w1[:-1])
    assert np.array_equal(w2, run.trace.w2[:-1])
    assert len(w1) == len(w2) == len(run.trace.loss)


def test_answers_after_training_include_a2() -> None:
    """The probabilities come first, and by their name."""
    _, run = short()

    found = after_training(run)

    assert list(found) == ["a2", "z1", "a1", "z2", "loss", "dz2", "dw2", "dz1", "dw1"]
    assert found["a2"] is run.final_a2
    assert found["dw1"] is run.answers["dw1"]


def test_trace_alone_is_a_run() -> None:
    """What is not known of it is empty, and it is judged as any other."""
    _, known = short()

    run = Run("x", known.trace)

    assert run.final_a2.size == 0
    others = {"end_to_end", "unknown", "replayed", "carried"}
    others |= {"contract", "looped", "plain_loss", "answers"}
    assert not any(getattr(run, name) for name in others)
