"""Traces in files: every bit comes back, and any program can write one."""

import re
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from compare.checks.run import OPTIONAL, Run
from compare.checks.verdict import Verdict, decide
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.traces.file import (
    read,
    same_problem,
    to_bytes,
)
from compare.traces.schema import Record
from compare.training.compare import compare
from compare.training.record import record
from compare.training.replay import carry
from impls.interface import Weights
from tests.traces.files import PROBLEM, Tensors, recorded, write


def flat(record: Record) -> dict[tuple[str, str], object]:
    """List all that a file restores, arrays as their bytes."""
    run = {**vars(record.run), "trace": None, "contract": None, "answers": None}
    parts = {
        "record": {"environment": dict(record.environment), "about": record.about},
        "problem": vars(record.problem),
        "run": run,
        "trace": vars(record.run.trace),
    }
    return {
        (part, name): plain(value)
        for part, values in parts.items()
        for name, value in values.items()
    }


def plain(value: object) -> object:
    """Turn arrays into what can be compared bit by bit."""
    match value:
        case np.ndarray():
            return str(value.dtype), value.shape, value.tobytes()
        case Weights(w1, w2):
            return plain(w1), plain(w2)
        case _:
            return value


def saved(path: Path, record: Record) -> Record:
    """Write and read."""
    path.write_bytes(to_bytes(record))
    return read(path)


def with_trace(**arrays: Any) -> Record:
    """Take a good record with some arrays of its trace changed."""
    one = recorded()
    return replace(one, run=replace(one.run, trace=replace(one.run.trace, **arrays)))


def verdict(found: Record, run: Run) -> Verdict:
    """Compare what was read with a run."""
    runs = [replace(found.run, name="found"), run]
    return decide(found.problem, carry(found.problem, runs))


# What is written comes back.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_bit_comes_back(tmp_path: Path, dtype: str) -> None:
    """A file restores the problem, all arrays of a run, and its description."""
    one = recorded(dtype)

    assert flat(saved(tmp_path / "trace", one)) == flat(one)


def test_a_trace_has_one_file(tmp_path: Path) -> None:
    """Saving twice, or what was read, gives the same bytes."""
    contents = {to_bytes(recorded()) for _ in range(20)}

    (content,) = contents
    assert to_bytes(saved(tmp_path / "trace", recorded())) == content


def test_the_first_tensor_is_aligned() -> None:
    """Its numbers begin at a multiple of 8 bytes, as the format asks."""
    abouts = ["xor, seed 2" + "." * n for n in range(8)]
    contents = [to_bytes(replace(recorded(), about=about)) for about in abouts]

    assert {int.from_bytes(c[:8], "little") % 8 for c in contents} == {0}


def test_unknown_quantities_stay_unknown(tmp_path: Path) -> None:
    """A run without intermediates that a plain loop trained is restored as one."""
    hidden: dict[str, Any] = dict.fromkeys(OPTIONAL)
    one = with_trace(**hidden)
    run = replace(
        one.run,
        unknown=OPTIONAL,
        end_to_end=("loss", "a2", "new_w1"),
        looped=True,
        plain_loss=True,
    )
    one = replace(one, run=run)

    assert flat(saved(tmp_path / "trace", one)) == flat(one)


@pytest.mark.parametrize("bits", [0x7FF8_0000_DEAD_BEEF, 0xFFF0_0000_0000_0001])
def test_a_nan_keeps_its_bits(tmp_path: Path, bits: int) -> None:
    """A NaN may be quiet or signalling, and have either sign."""
    z1 = recorded().run.trace.z1
    assert z1 is not None
    z1 = z1.copy()
    z1.view(np.uint64)[3, 1, 2] = bits

    found = saved(tmp_path / "trace", with_trace(z1=z1)).run.trace.z1
    assert found is not None
    assert found.view(np.uint64)[3, 1, 2] == bits


@pytest.mark.parametrize("lr", [0.1 + 0.2, 5e-324, 1e300])
def test_the_learning_rate_keeps_its_bits(tmp_path: Path, lr: float) -> None:
    """Every digit of the learning rate is written."""
    one = replace(recorded(), problem=replace(PROBLEM, lr=lr))

    assert saved(tmp_path / "trace", one).problem.lr.hex() == lr.hex()


def test_the_order_in_memory_does_not_matter(tmp_path: Path) -> None:
    """An array that is column by column in memory is row by row in the file."""
    w1 = recorded().run.trace.w1
    turned = np.asfortranarray(w1)
    assert turned.flags.c_contiguous is False

    found = saved(tmp_path / "trace", with_trace(w1=turned)).run.trace.w1
    assert found.tolist() == w1.tolist()


def test_a_trace_matches_its_own_file(tmp_path: Path) -> None:
    """No check can tell a run from the file it was saved to."""
    live = recorded()
    found = saved(tmp_path / "trace", live)

    assert verdict(found, live.run).answer == "match"


@pytest.mark.parametrize(
    "name",
    ["another seed", "dw1 transposed", "one step short", "NaN in the last gradient"],
)
def test_a_fault_is_found_in_the_file(tmp_path: Path, name: str) -> None:
    """The first difference is that of the live comparison, to the last digit."""
    faulty = plant(fault_named(name), load("numpy"))
    live = compare(PROBLEM, {"numpy": load("numpy"), "faulty": faulty})
    run = record(PROBLEM, faulty, "faulty")

    found = saved(tmp_path / "trace", Record(PROBLEM, run, {}))
    late = decide(PROBLEM, carry(PROBLEM, [recorded().run, found.run]))
    assert live.answer == late.answer == "differ"
    assert repr(late.first_difference) == repr(live.first_difference)


# Any program can write a trace.


def write_by_hand(path: Path, rate: float) -> None:
    """Train the notebook's network and write its trace as `docs/traces.md` says."""
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
        "format": "gradparity trace 2",
        "implementation": "mine",
        "loss": "bce",
        "lr": "0.9",
        "steps": "20",
        "weights sha256": sha256(start[0].tobytes() + start[1].tobytes()).hexdigest(),
    }
    save_file(tensors, path, text)


@pytest.mark.parametrize(("rate", "answer"), [(0.9, "match"), (0.9009, "differ")])
def test_a_file_of_another_program_is_compared(
    tmp_path: Path, rate: float, answer: str
) -> None:
    """The page of the format is enough to write a trace; a mistake in it is found."""
    write_by_hand(tmp_path / "trace", rate)

    assert verdict(read(tmp_path / "trace"), recorded().run).answer == answer


@pytest.mark.parametrize(
    ("tensors", "label"),
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
def test_a_bad_training_in_a_valid_file_is_a_difference(
    tmp_path: Path, tensors: Tensors, label: str
) -> None:
    """The verdict names what is missing or has another shape."""
    found = verdict(read(write(tmp_path / "trace", {}, tensors)), recorded().run)

    assert found.answer == "differ"
    assert found.first_difference is not None
    assert found.first_difference.label == label


def test_steps_that_are_missing_take_no_memory(tmp_path: Path) -> None:
    """A small file may claim any number of steps."""
    found = read(write(tmp_path / "trace", {"steps": str(2**53)}, {}))

    assert found.problem.steps == 2**53
    assert verdict(found, found.run).answer == "differ"


# No malformed trace is written.


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "implementation is empty"),
        ({"name": "a\nb"}, "not printable"),
        ({"end_to_end": ("sigmoid",)}, "end to end is 'sigmoid'"),
        ({"final_a2": [0.5]}, "final_a2 is a list"),
        ({"final_a2": np.zeros((1, 4), np.longdouble)}, "final_a2 is float128 (1, 4)"),
    ],
)
def test_a_trace_that_cannot_be_read_is_not_written(
    changes: dict[str, Any], why: str
) -> None:
    """An error is found when a trace is saved, not when it is needed."""
    one = recorded()

    with pytest.raises(ValueError, match=re.escape(why)):
        to_bytes(replace(one, run=replace(one.run, **changes)))


@pytest.mark.parametrize(
    "environment",
    [{"": "nameless"}, {"gpu": "\x07"}, {"g\npu": ""}, {"gpu": "g" * 1001}],
)
def test_an_environment_that_cannot_be_read_is_not_written(
    environment: dict[str, str],
) -> None:
    """The names and values of an environment come from the machine."""
    with pytest.raises(ValueError, match=r"printable|no meaning"):
        to_bytes(replace(recorded(), environment=environment))


def test_a_broken_contract_is_not_saved() -> None:
    """There is no trace that a file could hold."""
    run = record(PROBLEM, SimpleNamespace(), "empty")

    with pytest.raises(ValueError, match="empty breaks its contract"):
        to_bytes(Record(PROBLEM, run, {}))


def test_reading_imports_no_framework(tmp_path: Path) -> None:
    """A trace is compared where its framework is not installed."""
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


def changed(**changes: Any) -> Record:
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
    ],
)
def test_different_problems_are_refused(other: Record, words: str) -> None:
    """The first difference is named, with both values, in one line."""
    message = f"a and c are of different problems: {words}"

    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        same_problem({"a": recorded(), "b": recorded(), "c": other})
    assert str(caught.value).isprintable()


def test_the_same_problem_is_accepted(tmp_path: Path) -> None:
    """The implementation, its environment and the name of the file do not matter."""
    other = replace(saved(tmp_path / "trace", recorded()), environment={}, about="")

    same_problem({"a": recorded(), "b": other})
