"""Safetensors files that nobody vouches for: arrays and text, or one line of why not.

The format (https://github.com/huggingface/safetensors) has no place for code. What is
left to fear is a file that is no file, lies about its size, says two things at once, or
hides control characters in what is printed later.
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

LONGEST_HEADER = 1_000_000
"""In bytes."""
TENSOR_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16"}

Text: TypeAlias = Mapping[str, str]
Tensors: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def contents(
    path: Path, expect: Callable[[Text, Collection[str]], object]
) -> tuple[Text, Tensors]:
    """Open a file, and have its text and its names of tensors checked before the rest.

    Args:
        path: Where it should be.
        expect: Raises a ValueError if they are not as expected.

    Raises:
        OSError: There is no such file, or it may not be read.
        ValueError: It is not what it should be; the message says how.
    """
    _check_size(path)
    try:
        with safe_open(path, framework="numpy") as file:
            check_unique(path)
            text, names = file.metadata() or {}, list(file.keys())
            check_printable([*text, *text.values(), *names])
            expect(text, names)
            return text, {name: _tensor(file, name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"it is no safetensors file: {printable(error)}") from error


def check_unique(path: Path) -> None:
    """Read the header once more, for names that it has twice: readers would differ."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        json.loads(file.read(length), object_pairs_hook=_unique)


def check_printable(texts: Collection[str]) -> None:
    """Raise a ValueError unless all can be printed on one line."""
    for text in texts:
        if len(text) > LONGEST_LINE or not text.isprintable():
            raise ValueError(
                f"{text[:40]!a} begins a text that is too long or not printable: "
                f"it should be {LONGEST_LINE} printable characters at most"
            )


def _check_size(path: Path) -> None:
    """Look at a file before it is opened: a pipe would wait, a device never ends."""
    path.stat()  # raises what explains most
    if not path.is_file():
        raise ValueError("it is no file, but a folder, a device or a pipe")
    size, have = path.stat().st_size, free()
    if size > have:
        raise ValueError(
            f"it takes {decimal(size)}, and {decimal(have)} of memory are free"
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        raise ValueError(
            "it is no safetensors file, or its header is longer than "
            f"{decimal(LONGEST_HEADER)}"
        )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header gives two values to one name")
    return found


def _tensor(file: Any, name: str) -> np.ndarray[Any, Any]:  # noqa: ANN401
    part = file.get_slice(name)
    dtype = part.get_dtype()
    if dtype not in TENSOR_DTYPES:
        raise ValueError(
            f"{name} is of dtype {dtype}: choose from {', '.join(TENSOR_DTYPES)}"
        )
    try:
        return np.array(file.get_tensor(name))
    except ValueError as error:
        raise ValueError(f"{name} can be no array: {printable(error)}") from error
