"""Files: every bit comes back, anyone can write one, and no bad one gets in."""

import os
import pickle
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from compare.checks.completeness import OPTIONAL
from compare.checks.run import Run
from compare.checks.verdict import Verdict, decide
from compare.selftest.faults import FAULTS
from compare.selftest.plant import plant
from compare.traces import container
from compare.traces.file import (
    DifferentProblemsError,
    Record,
    TraceFileError,
    differences,
    read,
    same_problem,
    to_bytes,
)
from compare.traces.schema import digest
from compare.training.compare import compare
from compare.training.problems import Experiment
from compare.training.record import record
from compare.training.load import load
from compare.training.replay import carry
from impls.interface import Array, Weights

ENVIRONMENT = {"framework": "numpy", "device": "cpu"}
PROBLEM = Experiment(steps=20).problem()


@cache
def recorded(dtype: str = "float64", every: int = 1) -> Record:
    """Train NumPy on 20 steps."""
    problem = Experiment(steps=20, dtype=dtype).problem()
    run = record(problem, load("numpy"), "numpy", every)
    return Record(problem, run, ENVIRONMENT, "xor, seed 2")


def flat(record: Record) -> dict[str, object]:
    """Lay out all that a file brings back, arrays as their bytes."""
    problem, run = vars(record.problem), vars(record.run)
    parts: dict[str, object] = {**problem, **run, **vars(record.run.trace)}
    parts |= {"start": record.problem.weights, "about": record.about}
    parts |= {"environment": dict(record.environment)}
    parts |= {"trace": None, "contract": None, "answers": None}
    return {name: plain(part) for name, part in parts.items()}


def plain(part: object) -> object:
    """Turn arrays into what can be compared bit by bit."""
    match part:
        case np.ndarray():
            return str(part.dtype), part.shape, part.tobytes()
        case Weights(w1, w2):
            return plain(w1), plain(w2)
        case _:
            return part


def saved(path: Path, record: Record) -> Record:
    """Write and read."""
    path.write_bytes(to_bytes(record))
    return read(path)


def file_of(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take a good file apart into its text and its tensors."""
    text = {
        "format": "gradparity trace 1",
        "implementation": "numpy",
        "loss": "bce",
        "lr": "0.9",
        "steps": "20",
        "every": str(record.run.every),
        "weights sha256": sha256(
            b"".join(w.tobytes() for w in record.problem.weights)
        ).hexdigest(),
    }
    w1, w2 = record.problem.weights
    tensors = {
        "problem.x": record.problem.x,
        "problem.y": record.problem.y,
        "problem.w1": w1,
        "problem.w2": w2,
        **vars(record.run.trace),
        "final_a2": record.run.final_a2,
    }
    return text, tensors


def write(
    path: Path, text: Mapping[str, str | None], tensors: Mapping[str, Array | None]
) -> None:
    """Write a good file, but for what is given: None is left out."""
    words, arrays = file_of(recorded())
    save_file(
        {name: a for name, a in {**arrays, **tensors}.items() if a is not None},
        path,
        {name: t for name, t in {**words, **text}.items() if t is not None},
    )


def header_edited(old: str, new: str) -> bytes:
    """Edit the header of a good file."""
    text, tensors = file_of(recorded())
    content = save(tensors, text)
    end = 8 + int.from_bytes(content[:8], "little")
    header = content[8:end].decode()
    assert old in header
    edited = header.replace(old, new).encode()
    return struct.pack("<Q", len(edited)) + edited + content[end:]


def refused(path: Path, why: str) -> None:
    """Have a file refused in one line that names it."""
    with pytest.raises(TraceFileError, match=re.escape(why)) as caught:
        read(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


# What is written comes back.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("every", [1, 7])
def test_every_bit_comes_back(tmp_path: Path, dtype: str, every: int) -> None:
    """All arrays of a run, and all that is said of it."""
    one = recorded(dtype, every)

    assert flat(saved(tmp_path / "trace", one)) == flat(one)


def test_what_is_unknown_comes_back_unknown(tmp_path: Path) -> None:
    """A black box, trained by our loop, is judged as one later, too."""
    one = recorded()
    hidden: dict[str, Any] = dict.fromkeys(OPTIONAL)
    run = replace(
        one.run,
        trace=replace(one.run.trace, **hidden),
        unknown=OPTIONAL,
        end_to_end=("loss", "a2", "new_w1"),
        looped=True,
    )
    one = replace(one, run=run)

    assert flat(saved(tmp_path / "trace", one)) == flat(one)


@pytest.mark.parametrize("bits", [0x7FF8_0000_DEAD_BEEF, 0xFFF0_0000_0000_0001])
def test_a_nan_keeps_its_bits(tmp_path: Path, bits: int) -> None:
    """Quiet or signalling, of either sign."""
    one = recorded()
    z1 = one.run.trace.z1
    assert z1 is not None
    z1 = z1.copy()
    z1.view(np.uint64)[3, 1, 2] = bits
    run = replace(one.run, trace=replace(one.run.trace, z1=z1))

    found = saved(tmp_path / "trace", replace(one, run=run)).run.trace.z1
    assert found is not None
    assert found.view(np.uint64)[3, 1, 2] == bits


@pytest.mark.parametrize("lr", [0.1 + 0.2, 5e-324, -0.0, 1e300])
def test_the_learning_rate_keeps_its_bits(tmp_path: Path, lr: float) -> None:
    """Also where a few digits would do for people."""
    one = recorded()

    found = saved(tmp_path / "trace", replace(one, problem=replace(PROBLEM, lr=lr)))
    assert found.problem.lr.hex() == lr.hex()


def test_the_order_in_memory_does_not_matter(tmp_path: Path) -> None:
    """What lies there column by column is row by row in the file."""
    one = recorded()
    turned = replace(one.run.trace, w1=np.asfortranarray(one.run.trace.w1))

    found = saved(
        tmp_path / "trace", replace(one, run=replace(one.run, trace=turned))
    ).run.trace.w1
    assert found.tolist() == one.run.trace.w1.tolist()


def test_the_order_of_bytes_does_not_matter() -> None:
    """The digest of the weights is the same on every machine."""
    big: Weights[Array] = Weights(*(w.astype(">f8") for w in PROBLEM.weights))

    assert digest(big) == digest(PROBLEM.weights)


def test_the_environment_is_read_in_one_order(tmp_path: Path) -> None:
    """The file keeps none, so it is that of the names."""
    said = {f"key {n:02}": str(n) for n in reversed(range(20))}
    found = saved(tmp_path / "trace", replace(recorded(), environment=said))

    assert [*found.environment] == sorted(said)


def test_what_is_read_is_an_ordinary_array(tmp_path: Path) -> None:
    """It is in memory, native, aligned and anyone's to write to."""
    w1 = saved(tmp_path / "trace", recorded()).run.trace.w1

    assert w1.flags.owndata
    assert w1.flags.carray
    assert w1.dtype.isnative


@pytest.mark.parametrize("every", [1, 7])
def test_a_trace_matches_what_it_was_saved_from(tmp_path: Path, every: int) -> None:
    """No check can tell the two apart."""
    live = recorded(every=every)
    found = saved(tmp_path / "trace", live)

    assert verdict(found, live.run).answer == "match"


@pytest.mark.parametrize(
    "name",
    ["another seed", "dw1 transposed", "one step short", "NaN in the last gradient"],
)
def test_a_fault_is_found_in_the_file(tmp_path: Path, name: str) -> None:
    """The first difference is that of the live comparison, to the last digit."""
    fault = next(fault for fault in FAULTS if fault.name == name)
    faulty = plant(fault, load("numpy"))
    live = compare(PROBLEM, {"numpy": load("numpy"), "faulty": faulty})
    run = record(PROBLEM, faulty, "faulty")

    found = saved(tmp_path / "trace", Record(PROBLEM, run, {}))
    late = decide(PROBLEM, carry(PROBLEM, [recorded().run, found.run]))
    assert live.answer == late.answer == "differ"
    assert repr(late.first_difference) == repr(live.first_difference)


def verdict(found: Record, run: Run) -> Verdict:
    """Compare what was read with a run."""
    runs = [replace(found.run, name="found"), run]
    return decide(found.problem, carry(found.problem, runs))


# Anyone can write one.


def foreign(path: Path, rate: float) -> None:
    """Write the notebook's run with NumPy and safetensors, knowing no more of us."""
    x = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])
    y = np.array([[0.0, 1, 1, 0]])
    random = np.random.RandomState(2)
    w1, w2 = random.rand(2, 2), random.rand(1, 2)
    start, rows, weights = (w1, w2), [], [(w1, w2)]
    for _ in range(20):
        z1 = w1 @ x
        a1 = 1 / (1 + np.exp(-z1))
        z2 = w2 @ a1
        a2 = 1 / (1 + np.exp(-z2))
        loss = -(y * np.log(a2) + (1 - y) * np.log(1 - a2)).sum() / 4
        dz2 = (a2 - y) / 4
        dz1 = (w2.T @ dz2) * a1 * (1 - a1)
        dw1, dw2 = dz1 @ x.T, dz2 @ a1.T
        rows.append((loss, z1, a1, z2, a2, dz2, dw2, dz1, dw1))
        w1, w2 = w1 - rate * dw1, w2 - rate * dw2
        weights.append((w1, w2))
    names = ("loss", "z1", "a1", "z2", "a2", "dz2", "dw2", "dz1", "dw1", "w1", "w2")
    columns = [*zip(*rows, strict=True), *zip(*weights, strict=True)]
    tensors = {n: np.array(c) for n, c in zip(names, columns, strict=True)}
    tensors |= {"problem.x": x, "problem.y": y}
    tensors |= {"problem.w1": start[0], "problem.w2": start[1]}
    tensors["final_a2"] = 1 / (1 + np.exp(-w2 @ (1 / (1 + np.exp(-w1 @ x)))))
    text = {
        "format": "gradparity trace 1",
        "implementation": "mine",
        "loss": "bce",
        "lr": "0.9",
        "steps": "20",
        "every": "1",
        "weights sha256": sha256(start[0].tobytes() + start[1].tobytes()).hexdigest(),
    }
    save_file(tensors, path, text)


@pytest.mark.parametrize(("rate", "answer"), [(0.9, "match"), (0.9009, "differ")])
def test_a_stranger_s_file_is_compared(
    tmp_path: Path, rate: float, answer: str
) -> None:
    """Written by the description of the format alone; a mistake in it is found."""
    foreign(tmp_path / "trace", rate)

    assert verdict(read(tmp_path / "trace"), recorded().run).answer == answer


def test_what_a_stranger_leaves_out_has_a_meaning(tmp_path: Path) -> None:
    """Text that is not required need not be there."""
    foreign(tmp_path / "trace", 0.9)
    found = read(tmp_path / "trace")

    assert (found.environment, found.about) == ({}, "")
    assert (found.run.end_to_end, found.run.unknown, found.run.looped) == (
        (),
        (),
        False,
    )


@pytest.mark.parametrize(
    ("tensors", "quantity"),
    [
        ({"z1": None}, "z1"),
        ({"w1": None}, "w1"),
        ({"dw2": np.zeros((20, 2, 1))}, "dw2"),
        ({"loss": np.zeros(())}, "loss"),
        ({"a2": np.zeros((20, 1, 4), np.float32)}, "a2"),
        ({"a1": np.zeros((20, 2, 4), np.float16)}, "a1"),
        ({"z2": np.full((20, 1, 4), np.nan)}, "z2"),
        ({"dz1": np.zeros((0, 2, 4))}, "dz1"),
        ({"final_a2": None}, "final a2"),
    ],
)
def test_a_bad_trace_in_a_good_file_is_a_difference(
    tmp_path: Path, tensors: dict[str, Array | None], quantity: str
) -> None:
    """It is the verdict that names what is missing or misshapen."""
    write(tmp_path / "trace", {}, tensors)
    found = verdict(read(tmp_path / "trace"), recorded().run)

    assert found.answer == "differ"
    assert found.first_difference is not None
    assert found.first_difference.quantity == quantity


def test_steps_that_are_not_there_take_no_memory(tmp_path: Path) -> None:
    """A small file may claim any number of them."""
    write(tmp_path / "trace", {"steps": str(2**53)}, {})
    found = read(tmp_path / "trace")

    assert found.problem.steps == 2**53
    assert verdict(found, found.run).answer == "differ"


# No bad file gets in.


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
        (lambda _: struct.pack("<Q", 10**8) + b" " * 99, "longer than 1 MB"),
        (lambda good: struct.pack("<Q", 2**64 - 1) + good[8:], "longer than 1 MB"),
        (lambda _: save({"w": np.zeros(3)}), "no trace: its format is not"),
        (lambda _: save({"w": np.zeros(3)}, {"format": "pt"}), "no trace"),
    ],
)
def test_what_is_no_trace_is_refused(
    tmp_path: Path, content: Callable[[bytes], bytes], why: str
) -> None:
    """Cut off, too long, or something else altogether."""
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
def test_a_header_that_lies_is_refused(
    tmp_path: Path, old: str, new: str, why: str
) -> None:
    """Other readers might see something else in it."""
    path = tmp_path / "trace"
    path.write_bytes(header_edited(old, new))

    refused(path, why)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ({"format": None}, "no trace"),
        ({"format": "gradparity trace"}, "no trace"),
        ({"format": "gradparity trace 2"}, "version 2, and this gradparity reads"),
        ({"implementation": None}, "no text 'implementation'"),
        ({"implementation": ""}, "implementation is empty"),
        ({"implementation": "a\nb"}, "not printable"),
        ({"implementation": "\x1b[2Jnumpy"}, "not printable"),
        ({"implementation": "\u202eypmun"}, "not printable"),
        ({"implementation": "n" * 1001}, "too long"),
        ({"loss": None}, "no text 'loss'"),
        ({"loss": "mae"}, "loss is 'mae': it should be bce or mse"),
        ({"lr": None}, "no text 'lr'"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": "nan"}, "lr is 'nan'"),
        ({"lr": "-inf"}, "lr is '-inf'"),
        ({"lr": "1e999"}, "lr is '1e999'"),
        ({"steps": None}, "no text 'steps'"),
        ({"steps": "0"}, "steps is '0'"),
        ({"steps": "-20"}, "steps is '-20'"),
        ({"steps": "20.0"}, "steps is '20.0'"),
        ({"steps": "020"}, "steps is '020'"),
        ({"steps": " 20"}, "steps is ' 20'"),
        ({"steps": "2_0"}, "steps is '2_0'"),
        ({"steps": "2\uff10"}, "steps is '2\uff10'"),
        ({"steps": str(2**53 + 1)}, "an integer from 1 to 9007199254740992"),
        ({"steps": "9" * 999}, "steps is '999"),
        ({"steps": "9" * 5000}, "too long"),
        ({"every": None}, "no text 'every'"),
        ({"every": "0"}, "every is '0'"),
        ({"every": "100001"}, "an integer from 1 to 100000"),
        ({"weights sha256": None}, "no text 'weights sha256'"),
        ({"weights sha256": "0" * 64}, "and should have 000000"),
        ({"end to end": "a1 a3"}, "end to end is 'a1 a3'"),
        ({"unknown": "loss"}, "unknown is 'loss': it should be of z1 a1 z2 dz2 dz1"),
        ({"plain loop": "maybe"}, "plain loop is 'maybe'"),
        ({"about": "one\ttwo"}, "not printable"),
        ({"environment: gpu": "\x07"}, "not printable"),
        ({"environment: g\npu": "none"}, "not printable"),
        ({"environment: ": "none"}, "a text 'environment: '"),
        ({"momentum": "0.9"}, "a text 'momentum'"),
    ],
)
def test_wrong_text_is_refused(
    tmp_path: Path, text: dict[str, str | None], why: str
) -> None:
    """Missing, misspelt, impossible, or meant for a terminal."""
    write(tmp_path / "trace", text, {})

    refused(tmp_path / "trace", why)


SINGLE = np.zeros((1, 1), np.float32)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"problem.x": None}, "no tensor 'problem.x'"),
        ({"problem.w2": None}, "no tensor 'problem.w2'"),
        ({"bias": np.zeros(2)}, "a tensor 'bias'"),
        ({"new_w1": np.zeros((20, 2, 2))}, "a tensor 'new_w1'"),
        ({"problem.x": PROBLEM.x.astype(np.float32)}, "of dtype float32 and float64"),
        (
            dict.fromkeys(
                ("problem.x", "problem.y", "problem.w1", "problem.w2"),
                SINGLE.astype(np.float16),
            ),
            "of dtype float16",
        ),
        ({"problem.x": np.zeros((2, 0))}, "of shape (2, 0), (1, 4)"),
        (
            {"problem.x": np.zeros((2, 0)), "problem.y": np.zeros((1, 0))},
            "of shape (2, 0), (1, 0)",
        ),
        ({"problem.x": np.zeros((2, 3))}, "of shape (2, 3), (1, 4)"),
        ({"problem.x": np.zeros(())}, "of shape (), (1, 4)"),
        ({"problem.y": np.zeros(4)}, "of shape (2, 4), (4,)"),
        ({"problem.y": np.zeros((2, 4))}, "of shape (2, 4), (2, 4)"),
        ({"problem.w1": np.zeros((2, 3))}, "(2, 3), (1, 2)"),
        ({"problem.w2": np.zeros((1, 1, 2))}, "(2, 2), (1, 1, 2)"),
        ({"problem.x": PROBLEM.x - np.inf}, "problem.x should be finite"),
        ({"problem.y": PROBLEM.y * np.nan}, "problem.y should be finite"),
        ({"problem.w1": PROBLEM.weights.w1 * np.nan}, "problem.w1 should be finite"),
        ({"problem.y": PROBLEM.y * 2}, "problem.y should be between 0 and 1"),
        ({"problem.w1": PROBLEM.weights.w1 + 1}, "its weights have the sha256"),
    ],
)
def test_wrong_tensors_are_refused(
    tmp_path: Path, tensors: dict[str, Array | None], why: str
) -> None:
    """Without its problem, no trace can be judged."""
    write(tmp_path / "trace", {}, tensors)

    refused(tmp_path / "trace", why)


def test_a_rate_that_the_dtype_cannot_hold_is_refused(tmp_path: Path) -> None:
    """1e39 is infinity in float32."""
    single = recorded("float32")
    text, tensors = file_of(single)
    (tmp_path / "trace").write_bytes(save(tensors, {**text, "lr": "1e39"}))

    refused(tmp_path / "trace", "lr is '1e39': it should be a number, 3.4e+38 at most")


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    """Loading this one would make a folder."""

    class Bomb:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "trace").write_bytes(pickle.dumps(Bomb()))

    refused(tmp_path / "trace", "no safetensors file")
    assert not (tmp_path / "made").exists()


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """The system's own words say why."""
    refused(tmp_path / "trace", "cannot be read: No such file or directory")


def test_what_cannot_be_named_is_refused(tmp_path: Path) -> None:
    """So it is with every other error of the system."""
    refused(tmp_path / ("t" * 500), "cannot be read: File name too long")


def test_a_path_cannot_break_the_line(tmp_path: Path) -> None:
    """A name of a file may hold anything."""
    with pytest.raises(TraceFileError, match=r"\A.*a file \[2J: it cannot be .*\Z"):
        read(tmp_path / "a\nfile\x1b[2J")


@pytest.mark.parametrize("path", [Path("/"), Path("/dev/zero")])
def test_what_is_no_file_is_refused(path: Path) -> None:
    """Folders cannot be read, and devices never end."""
    refused(path, "no file, but a folder, a device or a pipe")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(tmp_path / "trace")

    refused(tmp_path / "trace", "no file, but a folder, a device or a pipe")


def test_a_file_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is loaded; on many systems it takes no disk, either."""
    monkeypatch.setattr(container, "free", lambda: 5_000_000_000)
    with (tmp_path / "trace").open("wb") as file:
        file.truncate(6_000_000_000)

    refused(tmp_path / "trace", "it takes 6 GB, and 5 GB of memory are free")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "implementation is empty"),
        ({"name": "a\nb"}, "not printable"),
        ({"end_to_end": ("sigmoid",)}, "end to end is 'sigmoid'"),
        ({"every": 100_001}, "every is '100001'"),
        ({"final_a2": [0.5]}, "final_a2 is a list"),
        ({"final_a2": np.zeros((1, 4), np.longdouble)}, "final_a2 is float128 (1, 4)"),
    ],
)
def test_nothing_is_written_that_would_not_be_read(
    changes: dict[str, Any], why: str
) -> None:
    """Whoever trained for hours hears of it then, not a year later."""
    one = recorded()

    with pytest.raises(ValueError, match=re.escape(why)):
        to_bytes(replace(one, run=replace(one.run, **changes)))


@pytest.mark.parametrize(
    "environment",
    [{"": "nameless"}, {"gpu": "\x07"}, {"g\npu": ""}, {"gpu": "g" * 1001}],
)
def test_an_environment_that_would_not_be_read_is_not_written(
    environment: dict[str, str],
) -> None:
    """Its names and values come from elsewhere."""
    with pytest.raises(ValueError, match=r"printable|no meaning"):
        to_bytes(replace(recorded(), environment=environment))


def test_a_broken_contract_is_not_saved() -> None:
    """There is no trace that a file could hold."""
    run = record(PROBLEM, SimpleNamespace(), "nobody")

    with pytest.raises(ValueError, match="nobody breaks its contract"):
        to_bytes(Record(PROBLEM, run, {}))


def test_reading_imports_no_framework(tmp_path: Path) -> None:
    """A trace is compared where its framework never was."""
    path = tmp_path / "trace"
    path.write_bytes(to_bytes(recorded()))
    code = (
        "import sys; from pathlib import Path; from compare.traces.file import read; "
        f"read(Path({str(path)!r})); print(*sys.modules)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    assert "safetensors" in done.stdout.split()
    assert not {"torch", "jax"} & set(done.stdout.split())


# What can be compared.


def changed(**changes: Any) -> Record:  # noqa: ANN401
    """Take the record of another problem; its trace does not matter."""
    return replace(recorded(), problem=replace(PROBLEM, **changes))


W1, W2 = PROBLEM.weights


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (recorded("float32"), "dtype is float64 in the one, float32 in the other"),
        (changed(x=PROBLEM.x + 1), "x is (2, 4) with sha256 "),
        (changed(x=PROBLEM.x[:, :3]), "x is (2, 4) with sha256 "),
        (changed(y=1 - PROBLEM.y), "y is (1, 4) with sha256 "),
        (changed(weights=Weights(-W1, W2)), "w1 is (2, 2) with sha256 "),
        (changed(weights=Weights(W1, -W2)), "w2 is (1, 2) with sha256 "),
        (changed(lr=0.1), "lr is 0.9 in the one, 0.1 in the other"),
        (changed(lr=np.nextafter(0.9, 1)), "lr is 0.9 in the one, 0.9000000000000001"),
        (changed(steps=2000), "steps is 20 in the one, 2,000 in the other"),
        (changed(loss="mse"), "loss is bce in the one, mse in the other"),
        (recorded(every=7), "every is 1 in the one, 7 in the other"),
    ],
)
def test_different_problems_are_refused(other: Record, words: str) -> None:
    """The first difference is named, with both values, in one line."""
    message = f"a and c are of different problems: {words}"

    with pytest.raises(DifferentProblemsError, match=re.escape(message)) as caught:
        same_problem({"a": recorded(), "b": recorded(), "c": other})
    assert str(caught.value).isprintable()


def test_the_same_problem_is_accepted(tmp_path: Path) -> None:
    """It does not matter who trained, where, and what it is called."""
    other = replace(saved(tmp_path / "trace", recorded()), environment={}, about="")

    same_problem({"a": recorded(), "b": other})


def test_differences_are_listed_in_order() -> None:
    """What is the same for all is left out, and what is not said counts."""
    found = differences(
        {
            "a": {"version": "1", "python": "3.11", "device": "cpu"},
            "b": {"python": "3.11", "version": "2", "tf32": "on", "device": "cpu"},
        }
    )

    assert list(found.items()) == [
        ("version", {"a": "1", "b": "2"}),
        ("tf32", {"a": "not said", "b": "on"}),
    ]
