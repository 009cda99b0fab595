"""Traces in files, so that runs from different machines can be compared.

Trace files are untrusted input: they hold no code, and a malformed one gives a one-line
error. `docs/traces.md` describes the format.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from compare.checks.check import describe, has_failure
from compare.checks.printable import LONGEST_LINE, printable
from compare.traces import schema
from compare.traces.container import TENSOR_DTYPES, check_printable, pack, unpack
from compare.traces.parse import expect, to_record
from compare.traces.schema import Record
from impls.interface import Problem


class TraceFileError(ValueError):
    """A file is no valid trace; the message names the file and the error."""


def to_bytes(record: Record) -> bytes:
    """Build a file that `read` accepts.

    Raises:
        ValueError: `read` would not accept it; the message says why.
    """
    problem, run = record.problem, record.run
    if has_failure(run.contract):
        raise ValueError(f"{run.name} breaks its contract: there is no trace to save")
    text = {
        "format": f"{schema.FORMAT} {schema.VERSION}",
        "implementation": run.name,
        "loss": problem.loss,
        "lr": repr(problem.lr),
        "steps": str(problem.steps),
        "weights sha256": schema.digest(problem.weights),
        "end to end": " ".join(run.end_to_end),
        "unknown": " ".join(run.unknown),
        "plain loop": "yes" if run.looped else "no",
        "plain loss": "yes" if run.plain_loss else "no",
        "about": record.about,
        **{schema.ENVIRONMENT + n: value for n, value in record.environment.items()},
    }
    arrays = (problem.x, problem.y, *problem.weights)
    tensors: dict[str, Any] = dict(zip(schema.PROBLEM, arrays, strict=True))
    tensors |= {n: a for n, a in vars(run.trace).items() if a is not None}
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
    return pack(text, tensors)


def read(path: Path) -> Record:
    """Read a trace.

    Raises:
        TraceFileError: The file is no valid trace.
    """
    try:
        return to_record(*unpack(path, expect))
    except OSError as error:
        why = f"it cannot be read: {error.strerror or error}"
    except ValueError as error:
        why = str(error)
    raise TraceFileError(printable(f"{printable(path)}: {why}", LONGEST_LINE))


def same_problem(records: Mapping[str, Record]) -> None:
    """Check that all traces are of one problem, so that they can be compared.

    Args:
        records: Traces by the names of their files.

    Raises:
        ValueError: Two of them are of different problems.
    """
    (first, one), *others = [(n, _fields(r.problem)) for n, r in records.items()]
    for name, other in others:
        for field in one:
            if one[field] != other[field]:
                raise ValueError(
                    f"{first} and {name} are of different problems: {field} is "
                    f"{one[field]} in the one, {other[field]} in the other"
                )


def _fields(problem: Problem) -> dict[str, str]:
    """Describe each part of a problem as text."""
    arrays = {"x": problem.x, "y": problem.y, **problem.weights._asdict()}
    hashes = {n: sha256(array.tobytes()).hexdigest() for n, array in arrays.items()}
    return {
        "dtype": str(problem.x.dtype),
        **{n: f"{a.shape} with sha256 {hashes[n][:12]}" for n, a in arrays.items()},
        "lr": repr(problem.lr),
        "steps": f"{problem.steps:,}",
        "loss": problem.loss,
    }
