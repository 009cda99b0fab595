"""The values of a trace file: each one is checked before it is used."""

from pathlib import Path

import numpy as np
import pytest

from compare.traces.file import read
from tests.traces.files import PROBLEM, Tensors, refused, write

HALF = np.zeros((1, 1), np.float16)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ({"implementation": ""}, "implementation is empty"),
        ({"loss": "mae"}, "loss is 'mae': it should be bce or mse"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": "nan"}, "lr is nan"),
        ({"lr": "-inf"}, "lr is -inf"),
        ({"lr": "1e999"}, "lr is inf"),
        ({"lr": "-0.9"}, "lr is -0.9: it should be a positive number"),
        ({"lr": "0.0"}, "lr is 0.0: it should be a positive number"),
        ({"steps": "0"}, "steps is '0'"),
        ({"steps": "-20"}, "steps is '-20'"),
        ({"steps": "20.0"}, "steps is '20.0'"),
        ({"steps": "020"}, "steps is '020'"),
        ({"steps": " 20"}, "steps is ' 20'"),
        ({"steps": "2_0"}, "steps is '2_0'"),
        ({"steps": "2\uff10"}, "steps is '2\uff10'"),
        ({"steps": str(2**53 + 1)}, "an integer from 1 to 9007199254740992"),
        ({"steps": "9" * 999}, "steps is '999"),
        ({"weights sha256": "0" * 64}, "and should have 000000"),
        ({"end to end": "a1 a3"}, "end to end is 'a1 a3'"),
        ({"unknown": "loss"}, "unknown is 'loss': it should be of z1 a1 z2 dz2 dz1"),
        ({"plain loop": "maybe"}, "plain loop is 'maybe'"),
    ],
)
def test_wrong_text_is_refused(tmp_path: Path, text: dict[str, str], why: str) -> None:
    """A value that is impossible is quoted."""
    refused(write(tmp_path / "trace", text, {}), why)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"problem.x": PROBLEM.x.astype(np.float32)}, "of dtype float32 and float64"),
        (
            dict.fromkeys(("problem.x", "problem.y", "problem.w1", "problem.w2"), HALF),
            "of dtype float16",
        ),
        ({"problem.x": np.zeros((2, 0))}, "of shape (2, 0), (1, 4)"),
        (
            {"problem.x": np.zeros((2, 0)), "problem.y": np.zeros((1, 0))},
            "of shape (2, 0), (1, 0)",
        ),
        ({"problem.x": np.zeros((2, 3))}, "of shape (2, 3), (1, 4)"),
        ({"problem.x": np.zeros((3, 4))}, "of shape (3, 4), (1, 4), (2, 2), (1, 2)"),
        ({"problem.x": np.zeros(())}, "of shape (), (1, 4)"),
        ({"problem.y": np.zeros(4)}, "of shape (2, 4), (4,)"),
        ({"problem.y": np.zeros((2, 4))}, "of shape (2, 4), (2, 4)"),
        ({"problem.w1": np.zeros((2, 3))}, "(2, 3), (1, 2)"),
        ({"problem.w1": np.zeros((3, 2))}, "(3, 2), (1, 2)"),
        ({"problem.w2": np.zeros((1, 1, 2))}, "(2, 2), (1, 1, 2)"),
        ({"problem.x": PROBLEM.x - np.inf}, "x should be finite"),
        ({"problem.y": PROBLEM.y * np.nan}, "y should be finite"),
        ({"problem.w1": PROBLEM.weights.w1 * np.nan}, "w1 should be finite"),
        ({"problem.w2": PROBLEM.weights.w2 * np.nan}, "w2 should be finite"),
        ({"problem.y": PROBLEM.y * 2}, "y should be between 0 and 1"),
        ({"problem.y": -PROBLEM.y}, "y should be between 0 and 1"),
        ({"problem.w1": PROBLEM.weights.w1 + 1}, "its weights have the sha256"),
        ({"problem.w2": PROBLEM.weights.w2 + 1}, "its weights have the sha256"),
    ],
)
def test_wrong_tensors_are_refused(tmp_path: Path, tensors: Tensors, why: str) -> None:
    """A trace whose problem is wrong cannot be judged."""
    refused(write(tmp_path / "trace", {}, tensors), why)


def test_a_rate_that_the_dtype_cannot_hold_is_refused(tmp_path: Path) -> None:
    """1e39 is infinite in float32."""
    path = write(tmp_path / "trace", {"lr": "1e39"}, {}, "float32")

    refused(path, "lr is 1e+39: it should be a positive number, 3.4e+38 at most")


def test_a_rate_that_the_dtype_can_hold_is_accepted(tmp_path: Path) -> None:
    """1e39 is finite in float64."""
    assert read(write(tmp_path / "trace", {"lr": "1e39"}, {})).problem.lr == 1e39


def test_text_that_is_left_out_has_a_default(tmp_path: Path) -> None:
    """Nothing is unknown or end to end, and the implementation trained by itself."""
    found = read(write(tmp_path / "trace", {}, {}))

    assert (found.environment, found.about) == ({}, "")
    assert (found.run.end_to_end, found.run.unknown) == ((), ())
    assert not found.run.looped
    assert not found.run.plain_loss


def test_text_that_is_given_is_read(tmp_path: Path) -> None:
    """Every text that is not required reaches its field."""
    text = {
        "end to end": "a1 a2",
        "unknown": "z1 z2",
        "plain loop": "yes",
        "plain loss": "yes",
        "about": "xor, seed 2",
        "environment: device": "cpu",
    }
    found = read(write(tmp_path / "trace", text, {}))

    assert (found.environment, found.about) == ({"device": "cpu"}, "xor, seed 2")
    assert (found.run.end_to_end, found.run.unknown) == (("a1", "a2"), ("z1", "z2"))
    assert found.run.looped
    assert found.run.plain_loss


def test_the_environment_is_read_in_one_order(tmp_path: Path) -> None:
    """A file keeps no order, so the order is that of the names."""
    names = [f"key {n:02}" for n in range(20)]
    text = {f"environment: {name}": "value" for name in reversed(names)}
    found = read(write(tmp_path / "trace", text, {}))

    assert [*found.environment] == names
