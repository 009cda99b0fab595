"""Files as text and arrays: what is malformed gives one line."""

import json
import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from safetensors.numpy import save

from compare.traces import container
from compare.traces.file import TraceFileError, read, to_bytes
from tests.traces.files import recorded, refused, text_and_tensors, write


def header_edited(old: str, new: str) -> bytes:
    """Edit the header of a good file."""
    text, tensors = text_and_tensors()
    return edited(save(tensors, text), old, new)


def edited(content: bytes, old: str, new: str) -> bytes:
    """Edit the header of a file."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = content[8:end].decode()
    assert old in header
    header = header.replace(old, new)
    return struct.pack("<Q", len(header.encode())) + header.encode() + content[end:]


def test_arrays_are_ordinary(tmp_path: Path) -> None:
    """A loaded array is in memory, native, aligned and writable."""
    w1 = read(write(tmp_path / "trace", {}, {})).run.trace.w1

    assert w1.flags.owndata
    assert w1.flags.carray
    assert w1.dtype.isnative


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda _: b"", "no safetensors file"),
        (lambda good: good[:7], "no safetensors file"),
        (lambda good: good[:100], "no safetensors file"),
        (lambda good: good[:-1], "no safetensors file"),
        (lambda good: good + b"\0", "no safetensors file"),
        (lambda _: b"step,loss\n0,0.7\n" * 9, "no safetensors file"),
        (lambda good: b"\x93NUMPY" + good, "no safetensors file"),
        (lambda _: b"\0" * 1000, "no safetensors file"),
        (lambda _: struct.pack("<Q", 10**8) + b" " * 99, "longer than 1.0 MB"),
        (lambda good: struct.pack("<Q", 2**64 - 1) + good[8:], "longer than 1.0 MB"),
    ],
)
def test_damaged_content_is_refused(
    tmp_path: Path, content: Callable[[bytes], bytes], why: str
) -> None:
    """A file that is cut off, too long, or of another format is no trace."""
    path = tmp_path / "trace"
    path.write_bytes(content(to_bytes(recorded())))

    refused(path, why)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"lr":"0.9"', '"lr":"0.9","lr":"0.1"', "two values to one name"),
        ('"lr":"0.9"', '"lr":0.9', "no safetensors file"),
        ('"lr":"0.9"', '"lr":"\\ud800"', "no safetensors file"),
        ('"F64","shape":[20]', '"BF16","shape":[80]', "loss is of dtype BF16"),
        ('"F64","shape":[20]', '"F8_E4M3","shape":[160]', "loss is of dtype F8_E4M3"),
        ('"F64","shape":[20]', '"I64","shape":[20]', "loss is of dtype I64"),
        ('"F64","shape":[20]', '"\\u001b[2J","shape":[20]', "no safetensors file"),
        ('"shape":[20]', '"shape":[20' + ",1" * 70 + "]", "loss can be no array"),
        ('"shape":[20]', '"shape":[21]', "no safetensors file"),
        ('"loss":{', '"l\\u0000ss":{', "not printable"),
        ('"loss":{', '"' + "l" * 1001 + '":{', "too long"),
    ],
)
def test_a_false_header_is_refused(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    """A header is refused if two readers could read it differently."""
    path = tmp_path / "trace"
    path.write_bytes(header_edited(old, new))

    refused(path, why)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ({"implementation": "a\nb"}, "not printable"),
        ({"implementation": "\x1b[2Jnumpy"}, "not printable"),
        ({"implementation": "\u202eypmun"}, "not printable"),
        ({"implementation": "n" * 1001}, "too long"),
        ({"steps": "9" * 5000}, "too long"),
        ({"about": "one\ttwo"}, "not printable"),
        ({"environment: gpu": "\x07"}, "not printable"),
        ({"environment: g\npu": "none"}, "not printable"),
    ],
)
def test_text_that_a_terminal_would_obey_is_refused(
    tmp_path: Path, text: dict[str, str], why: str
) -> None:
    """Names and values are printable and short."""
    refused(write(tmp_path / "trace", text, {}), why)


def test_a_long_text_is_accepted_up_to_its_limit(tmp_path: Path) -> None:
    """A text of 1,000 characters is not too long."""
    path = write(tmp_path / "trace", {"about": "a" * 1000}, {})

    assert read(path).about == "a" * 1000


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    """A pickle that would create a folder creates none."""

    class Bomb:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "trace").write_bytes(pickle.dumps(Bomb()))

    refused(tmp_path / "trace", "no safetensors file")
    assert not (tmp_path / "made").exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message is that of the operating system."""
    refused(tmp_path / "trace", "cannot be read: No such file or directory")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """Other errors of the operating system give one line as well."""
    refused(tmp_path / ("t" * 500), "cannot be read: File name too long")


def test_a_path_cannot_break_the_line(tmp_path: Path) -> None:
    """The name of a file may contain control characters."""
    with pytest.raises(
        TraceFileError, match=r"\A.*a\\nfile\\x1b\[2J: it cannot be .*\Z"
    ):
        read(tmp_path / "a\nfile\x1b[2J")


@pytest.mark.parametrize("path", [Path("/"), Path("/dev/zero")])
def test_a_folder_or_a_device_is_refused(path: Path) -> None:
    """A folder cannot be read, and a device never ends."""
    refused(path, "no file, but a folder, a device or a pipe")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    """A pipe to which nothing is written is refused at once."""
    os.mkfifo(tmp_path / "trace")

    refused(tmp_path / "trace", "no file, but a folder, a device or a pipe")


def test_a_file_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading takes three times as much; nothing is loaded, and the file is sparse."""
    monkeypatch.setattr(container, "free", lambda: 5_000_000_000)
    with (tmp_path / "trace").open("wb") as file:
        file.truncate(2_000_000_000)

    why = "reading it takes 6.0 GB of memory, and 5.0 GB are free"
    refused(tmp_path / "trace", why)


HUGE = 250_000_000  # numbers: 2 GB


def sparse(path: Path, name: str) -> Path:
    """Write a good file, but with a tensor of 2 GB, of which no byte is on the disk."""
    text, tensors = text_and_tensors()
    tensors[name] = np.zeros(1)
    content = save(tensors, text)
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    at = len(content) - end - 8  # a file may hold its tensors in any order
    for part in header.values():
        if part.get("data_offsets", [0])[0] > header[name]["data_offsets"][0]:
            part["data_offsets"] = [offset - 8 for offset in part["data_offsets"]]
    header[name] |= {"shape": [HUGE], "data_offsets": [at, at + 8 * HUGE]}
    edited = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(edited)) + edited)
        file.truncate(8 + len(edited) + at + 8 * HUGE)
    return path


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("loss", "loss is of shape (250000000,): it should be (20,)"),
        ("final_a2", "final_a2 is of shape (250000000,): it should be (1, 4)"),
        ("problem.w1", "x, y, w1 and w2 are of shape (2, 4), (1, 4), (250000000,)"),
        ("bias", "it has a tensor 'bias', which has no meaning"),
    ],
)
def test_a_header_is_judged_before_numbers_are_read(
    tmp_path: Path, name: str, why: str
) -> None:
    """A huge tensor of a wrong name or shape takes neither memory nor time."""
    path = sparse(tmp_path / "trace", name)
    start = perf_counter()
    tracemalloc.start()
    try:
        refused(path, why)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert perf_counter() - start < 1
    assert peak < 1e6


@pytest.mark.parametrize(
    "shape", ["[0,4611686018427387904]", "[1152921504606846976,0]"]
)
def test_an_empty_tensor_of_a_huge_shape_is_refused(tmp_path: Path, shape: str) -> None:
    """It has no numbers, and is no array nevertheless."""
    text, tensors = text_and_tensors()
    content = save({**tensors, "loss": np.zeros((0, 1))}, text)
    path = tmp_path / "trace"
    path.write_bytes(edited(content, '"shape":[0,1]', f'"shape":{shape}'))

    refused(path, "loss can be no array")
