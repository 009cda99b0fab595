"""Calls of any implementation: its results by name, and its errors in one line."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.contract.calls import (
    answers_at,
    as_array,
    error_line,
    observe,
    rewired,
    stack,
)
from impls import numpy_manual as ours
from impls.interface import Activations, Array, Gradients, Implementation, Weights
from tests.helpers import into_buffers, problem_of


def raised_by(function: Callable[[], object]) -> Exception:
    """Return the error that a call raises."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # of any kind
        return error
    raise AssertionError(function)


# Results.


def test_a_step_is_observed_by_names(implementation: Implementation) -> None:
    """Each quantity of both functions has the value that it has in a training."""
    problem = problem_of(steps=1)

    found = observe(implementation, problem)

    trace = implementation.train(problem)
    assert list(found) == [*Activations._fields, "loss", *Gradients._fields]
    assert all(
        array == pytest.approx(getattr(trace, name)[0], rel=1e-14, abs=1e-16)
        for name, array in found.items()
    )


def test_missing_quantities_are_none() -> None:
    """A result may lack names, have None, or have other names."""
    implementation = SimpleNamespace(
        forward=lambda *_: SimpleNamespace(a2=1.5, z2=None, logits=3.0),
        loss_and_gradients=lambda *_: [2.5, SimpleNamespace(dw1=[4.5])],
    )

    found = observe(implementation, problem_of(steps=1))

    known = {name: value for name, value in found.items() if value is not None}
    assert known == {"a2": 1.5, "loss": 2.5, "dw1": [4.5]}
    assert len(found) == len(Activations._fields) + 1 + len(Gradients._fields)


def test_both_functions_get_the_arguments_of_the_contract() -> None:
    """The weights, the data and the loss are those of the problem."""
    problem = problem_of(loss="mse", steps=1)
    weights: Weights[Any] = Weights(np.ones((2, 2)), np.ones((1, 2)))
    calls = []

    def forward(*arguments: Any) -> object:
        calls.append(arguments)
        return None

    def loss_and_gradients(*arguments: Any) -> object:
        calls.append(arguments)
        return None, None

    both = SimpleNamespace(forward=forward, loss_and_gradients=loss_and_gradients)
    observe(both, replace(problem, weights=weights))

    assert calls == [
        (weights, problem.x),
        (weights, problem.x, problem.y, "mse"),
    ]


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ({}, ["forward", "backward"]),
        ({"backward_first": True}, ["backward", "forward"]),
    ],
)
def test_the_order_of_calls(words: dict[str, Any], order: list[str]) -> None:
    """Each function is called once, and the quantities are in one order."""
    calls = []

    def forward(*arguments: Any) -> object:
        calls.append("forward")
        return ours.forward(*arguments)

    def loss_and_gradients(*arguments: Any) -> object:
        calls.append("backward")
        return ours.loss_and_gradients(*arguments)

    both = SimpleNamespace(forward=forward, loss_and_gradients=loss_and_gradients)

    found = observe(both, problem_of(steps=1), **words)

    assert calls == order
    assert [*found] == [*Activations._fields, "loss", *Gradients._fields]
    assert all(isinstance(array, np.ndarray) for array in found.values())


def test_answers_are_those_of_the_given_weights() -> None:
    """They are copies, made with copies, without what is unknown."""
    problem, copied = problem_of(steps=1), into_buffers()
    weights: Weights[Any] = Weights(np.ones((2, 2)), np.full((1, 2), 3.0))

    def forward(given: Weights[Array], x: Array) -> Any:
        activations = ours.forward(given, x)
        given.w1[...] = x[...] = 7
        return activations._replace(a2=copied(activations.a2))

    other = rewired(ours, forward=forward)

    found = answers_at(problem, other, weights, ("z1", "dz2"), backward_first=True)

    copied(np.zeros((1, 4)))
    expected = observe(ours, replace(problem_of(steps=1), weights=weights))
    assert [*found] == [q for q in expected if q not in ("z1", "dz2")]
    assert all(np.array_equal(found[q], expected[q]) for q in found)
    assert (weights.w1 == 1).all()
    assert (problem.x == problem_of(steps=1).x).all()


@pytest.mark.parametrize(
    "found",
    [np.float32(1.5), np.ma.asarray([1.5, 2.5]), np.array(1.5)],
    ids=["a scalar", "nothing masked", "an array"],
)
def test_numbers_of_numpy_become_plain_arrays(found: Any) -> None:
    """The dtype, the shape and the numbers stay."""
    array = as_array(found, np.dtype(np.float64))

    assert type(array) is np.ndarray
    assert (array.dtype, array.shape) == (found.dtype, found.shape)
    assert array.tolist() == np.asarray(found).tolist()


@pytest.mark.parametrize("found", [[1.5], None, "1.5"], ids=repr)
def test_all_else_stays_as_it_is(found: object) -> None:
    """Third-party results are converted by no guess."""
    assert as_array(found, np.dtype(np.float64)) is found


# Rewiring.


def test_equal_shapes_are_stacked() -> None:
    """The step is the first axis, also of numbers."""
    assert stack([np.ones(2), np.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert stack([np.float32(1), np.array(2, "float32")]).shape == (2,)


@pytest.mark.parametrize("odd", [None, [1.0, 2.0], np.ones((1, 2)), np.ones(3)])
def test_what_cannot_be_stacked_stands_for_all(odd: object) -> None:
    """It is returned as it is, for a check to describe."""
    assert stack([np.ones(2), odd, None]) is odd


def test_functions_and_declarations_are_replaced() -> None:
    """What is not changed stays, and what is not there is not added."""
    original = SimpleNamespace(forward=ours.forward, end_to_end=("a1",), other=3)

    changed = rewired(original, loss_and_gradients=max)

    assert vars(changed) == {
        "forward": ours.forward,
        "loss_and_gradients": max,
        "end_to_end": ("a1",),
    }
    assert vars(rewired(original, end_to_end=()))["end_to_end"] == ()
    assert original.end_to_end == ("a1",)


# Errors.


def fail() -> None:
    """Raise an error of two lines."""
    raise ValueError("one\n  two")


def test_an_error_is_one_line_with_its_place() -> None:
    """The line has the type, the message without line breaks, and the place."""
    line = fail.__code__.co_firstlineno + 2

    assert (
        error_line(raised_by(fail)) == f"ValueError: one two ({__file__}, line {line})"
    )


def test_the_place_is_not_in_a_library() -> None:
    """An error that NumPy raises has the place of the call of NumPy."""

    def invert() -> None:
        np.linalg.inv(np.zeros((2, 2)))

    line = invert.__code__.co_firstlineno + 1

    assert error_line(raised_by(invert)).endswith(f"matrix ({__file__}, line {line})")


def test_a_library_is_the_place_if_there_is_no_other() -> None:
    """An implementation may be a function of a library."""
    error = raised_by(lambda: np.linalg.inv(np.zeros((2, 2))))
    found = error_line(error.with_traceback(last_of(error)))

    assert f"({np.linalg.__path__[0]}" in found


def test_the_place_is_not_in_our_own_code() -> None:
    """A result that we can't read has no place in third-party code."""
    implementation = rewired(ours, loss_and_gradients=lambda *_: (1, 2, 3))

    error = raised_by(lambda: observe(implementation, problem_of(steps=1)))
    found = error_line(error.with_traceback(last_of(error)))

    assert found == error_line(error.with_traceback(None))


def last_of(error: Exception) -> Any:
    """Return the traceback from its last frame on."""
    traceback: Any = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return traceback


def test_an_error_that_was_not_raised_has_no_place() -> None:
    """The type and the message remain."""
    assert error_line(SystemExit("no licence")) == "SystemExit: no licence"
