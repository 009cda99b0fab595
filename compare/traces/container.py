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
from safetensors.numpy import save

from compare.checks.printable import LONGEST_LINE, printable
from compare.hosts.free_memory import free

LONGEST_HEADER = 1_000_000  # bytes
TENSOR_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16"}
ALIGNMENT = 8  # bytes, of the first tensor
READING = 3
"""Bytes that reading takes at its peak, for each byte of the file.

The file is mapped, and each tensor is copied twice. A trace of one tensor of 100 MB
took 3.0, and one of 255,000 steps 2.3.
"""

Text: TypeAlias = Mapping[str, str]
Tensors: TypeAlias = Mapping[str, np.ndarray[Any, Any]]
Expect: TypeAlias = Callable[[Text, Tensors], object]


def pack(text: Text, tensors: Tensors) -> bytes:
    """Build a file; the same text and tensors give the same bytes."""
    content = save({n: np.asarray(a, order="C") for n, a in tensors.items()}, {**text})
    end = 8 + int.from_bytes(content[:8], "little")
    names = json.loads(content[8:end])
    header = json.dumps(names, sort_keys=True).encode()  # the library keeps no order
    header += b" " * (-len(header) % ALIGNMENT)
    return len(header).to_bytes(8, "little") + header + content[end:]


def unpack(path: Path, expect: Expect) -> tuple[Text, Tensors]:
    """Read the text and the tensors of a file.

    Args:
        path: The file.
        expect: Called before any number is read, with the text and with tensors of the
            right dtypes and shapes that hold zeros and take no memory. It raises a
            ValueError if they are not as expected.

    Raises:
        OSError: There is no such file, or it may not be read.
        ValueError: It is malformed; the message says how.
    """
    header = _header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            parts = json.loads(header, object_pairs_hook=_unique)
            text = parts.pop("__metadata__", None) or {}
            check_printable([*text, *text.values(), *parts])
            expect(text, {name: _zeros(name, part) for name, part in parts.items()})
            return text, {name: np.array(file.get_tensor(name)) for name in parts}
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
    need, have = READING * path.stat().st_size, free()
    if not path.is_file():
        raise ValueError("it is no file, but a folder, a device or a pipe")
    if need > have:
        raise ValueError(
            f"reading it takes {decimal(need)} of memory, and {decimal(have)} are free"
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length <= LONGEST_HEADER:
            return file.read(length)
    most = decimal(LONGEST_HEADER)
    raise ValueError(f"it is no safetensors file, or its header is longer than {most}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object of the header; readers would differ in a name given twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header gives two values to one name")
    return found


def _zeros(name: str, part: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """Create the tensor that a header describes, without its numbers and memory."""
    dtype, shape = part["dtype"], part["shape"]
    if dtype not in TENSOR_DTYPES:
        raise ValueError(
            f"{name} is of dtype {dtype}: choose from {', '.join(TENSOR_DTYPES)}"
        )
    try:
        return np.broadcast_to(np.zeros((), TENSOR_DTYPES[dtype]), shape)
    except ValueError as error:
        raise ValueError(f"{name} can be no array: {printable(error)}") from error
