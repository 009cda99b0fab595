"""Traces to files and back, so that runs can be compared that never met.

What a file holds is described in `compare.traces.schema`.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from compare.checks.check import describe, has_failure
from compare.checks.printable import LONGEST_LINE, printable
from compare.traces.container import TENSOR_DTYPES, check_printable, contents
from compare.traces.parse import to_record
from compare.traces.schema import (
    ENVIRONMENT,
    FORMAT,
    PROBLEM,
    VERSION,
    Record,
    digest,
    expect,
)
from impls.interface import Array, Problem

__all__ = [
    "DifferentProblemsError",
    "Record",
    "TraceFileError",
    "differences",
    "read",
    "same_problem",
    "to_bytes",
]


class TraceFileError(ValueError):
    """A file holds no trace; the message names the file, and says why in one line."""


class DifferentProblemsError(ValueError):
    """Two traces are not of the same problem; the message names what is different."""


def to_bytes(record: Record) -> bytes:
    """Lay out a file that `read` takes.

    Raises:
        ValueError: It would not; the message says why.
    """
    problem, run = record.problem, record.run
    if has_failure(run.contract):
        raise ValueError(f"{run.name} breaks its contract: there is no trace to save")
    text = {
        "format": f"{FORMAT} {VERSION}",
        "implementation": run.name,
        "loss": problem.loss,
        "lr": repr(float(problem.lr)),
        "steps": str(problem.steps),
        "weights sha256": digest(problem.weights),
        "end to end": " ".join(run.end_to_end),
        "unknown": " ".join(run.unknown),
        "plain loop": "yes" if run.looped else "no",
        "about": record.about,
    }
    text |= {ENVIRONMENT + name: value for name, value in record.environment.items()}
    given = (problem.x, problem.y, *problem.weights)
    tensors: dict[str, Any] = dict(zip(PROBLEM, given, strict=True))
    tensors |= {n: array for n, array in vars(run.trace).items() if array is not None}
    tensors["final_a2"] = run.final_a2
    dtypes = TENSOR_DTYPES.values()
    for name, array in tensors.items():
        if not isinstance(array, np.ndarray) or str(array.dtype) not in dtypes:
            raise ValueError(
                f"{name} is {describe(array)}: it should be of {' or '.join(dtypes)}"
            )
    check_printable([*text, *text.values()])
    expect(text, tensors)
    to_record(text, tensors)
    return save({n: np.asarray(a, order="C") for n, a in tensors.items()}, text)


def read(path: Path) -> Record:
    """Read a file, whoever wrote it.

    Raises:
        TraceFileError: It holds no trace.
    """
    try:
        return to_record(*contents(path, expect))
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
    except ValueError as error:
        why = str(error)
    raise TraceFileError(printable(f"{printable(path)}: {why}", LONGEST_LINE))


def same_problem(records: Mapping[str, Record]) -> None:
    """Refuse to compare what can't be: runs of different problems.

    Args:
        records: What files hold, by their names.

    Raises:
        DifferentProblemsError: They are of two problems, at least.
    """
    (first, one), *others = [
        (name, _fields(record.problem)) for name, record in records.items()
    ]
    for name, other in others:
        for field, value in one.items():
            if value != other[field]:
                raise DifferentProblemsError(
                    f"{first} and {name} are of different problems: "
                    f"{field} is {value} in the one, {other[field]} in the other"
                )


def _fields(problem: Problem) -> dict[str, str]:
    """Describe each part of a problem, as text."""
    return {
        "dtype": str(problem.x.dtype),
        "x": _shown(problem.x),
        "y": _shown(problem.y),
        "w1": _shown(problem.weights.w1),
        "w2": _shown(problem.weights.w2),
        "lr": repr(float(problem.lr)),
        "steps": f"{problem.steps:,}",
        "loss": problem.loss,
    }


def _shown(array: Array) -> str:
    return f"{array.shape} with sha256 {sha256(array.tobytes()).hexdigest()[:12]}"


def differences(
    environments: Mapping[str, Mapping[str, str]],
) -> dict[str, dict[str, str]]:
    """List what was not the same for all: the values by name, in order of appearance.

    Args:
        environments: What computed each trace, by name.
    """
    keys = dict.fromkeys(key for each in environments.values() for key in each)
    said = {
        key: {name: each.get(key, "not said") for name, each in environments.items()}
        for key in keys
    }
    return {key: each for key, each in said.items() if len({*each.values()}) > 1}
