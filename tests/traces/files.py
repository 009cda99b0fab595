"""A good trace, taken apart, so that the tests can damage one part of it."""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from compare.checks.printable import printable
from compare.hosts.load import load
from compare.traces.file import TraceFileError, read
from compare.traces.schema import Record
from compare.training.record import record
from tests.helpers import problem_of

PROBLEM = problem_of(steps=20)
Tensors = Mapping[str, np.ndarray[Any, Any] | None]


@cache
def recorded(dtype: str = "float64") -> Record:
    """Train NumPy for 20 steps."""
    problem = problem_of(dtype, steps=20)
    environment = {"framework": "numpy", "device": "cpu"}
    run = record(problem, load("numpy"), "numpy")
    return Record(problem, run, environment, "xor, seed 2")


def text_and_tensors(dtype: str = "float64") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the required text and all tensors of a good file."""
    one = recorded(dtype)
    w1, w2 = one.problem.weights
    text = {
        "format": "gradparity trace 2",
        "implementation": "numpy",
        "loss": "bce",
        "lr": "0.9",
        "steps": "20",
        "weights sha256": sha256(w1.tobytes() + w2.tobytes()).hexdigest(),
    }
    tensors = {
        "problem.x": one.problem.x,
        "problem.y": one.problem.y,
        "problem.w1": w1,
        "problem.w2": w2,
        **vars(one.run.trace),
        "final_a2": one.run.final_a2,
    }
    return text, tensors


def write(
    path: Path, text: Mapping[str, str | None], tensors: Tensors, dtype: str = "float64"
) -> Path:
    """Write a good file with some of its parts changed; None leaves a part out."""
    texts, arrays = text_and_tensors(dtype)
    save_file(
        {name: a for name, a in {**arrays, **tensors}.items() if a is not None},
        path,
        {name: t for name, t in {**texts, **text}.items() if t is not None},
    )
    return path


def refused(path: Path, why: str) -> None:
    """Check that a file is refused in one line that names it."""
    with pytest.raises(TraceFileError, match=re.escape(why)) as caught:
        read(path)

    assert str(caught.value).startswith(f"{printable(path)}: ")
    assert str(caught.value).isprintable()
