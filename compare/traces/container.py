"""Safetensors files: text and arrays, checked as untrusted input.

The format (https://github.com/huggingface/safetensors) holds no code. A malformed file
gives a one-line error: one that is cut off, that gives two values to one name, that has
control characters in its text, or that is larger than memory.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rich.filesize import decimal
from safetensors import SafetensorError, safe_open

from compare.checks.printable import LONGEST_LINE, printable
from compare.traces.memory import free

LONGEST_HEADER = 1_000_000  # bytes
TENSOR_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16"}

Text: TypeAlias = Mapping[str, str]
Tensors: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def contents(
    path: Path, expect: Callable[[Text, Collection[str]], object]
) -> tuple[Text, Tensors]:
    """Read the text and the tensors of a file.

    Args:
        path: The file.
        expect: Called with the text and the names of the tensors before these are
            loaded; raises a ValueError if they are not as expected.

    Raises:
        OSError: There is no such file, or it may not be read.
        ValueError: It is malformed; the message says how.
    """
    header = _header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            json.loads(header, object_pairs_hook=_unique)
            text, names = file.metadata() or {}, list(file.keys())
            check_printable([*text, *text.values(), *names])
            expect(text, names)
            return text, {name: _tensor(file, name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file: {printable(error)}") from error


def check_printable(texts: Collection[str]) -> None:
    """Raise a ValueError unless all can be printed on one line."""
    for text in texts:
        if len(text) > LONGEST_LINE or not text.isprintable():
            raise ValueError(
                f"{text[:40]!a} begins a text that is too long or not printable: "
                f"it should be {LONGEST_LINE} printable characters at most"
            )


def _header(path: Path) -> bytes:
    """Read the header of what may be a file: a pipe would block, a device never end."""
    size, have = path.stat().st_size, free()
    if not path.is_file():
        raise ValueError("it is no file, but a folder, a device or a pipe")
    if size > have:
        raise ValueError(
            f"it takes {decimal(size)}, and {decimal(have)} of memory are free"
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length <= LONGEST_HEADER:
            return file.read(length)
    most = decimal(LONGEST_HEADER)
    raise ValueError(f"it is no safetensors file, or its header is longer than {most}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object of the header; readers would differ in a name given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header gives two values to one name")
    return found


def _tensor(file: Any, name: str) -> np.ndarray[Any, Any]:  # noqa: ANN401
    dtype = file.get_slice(name).get_dtype()
    if dtype not in TENSOR_DTYPES:
        raise ValueError(
            f"{name} is of dtype {dtype}: choose from {', '.join(TENSOR_DTYPES)}"
        )
    try:
        return np.array(file.get_tensor(name))
    except ValueError as error:
        raise ValueError(f"{name} can be no array: {printable(error)}") from error
