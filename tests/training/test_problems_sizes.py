"""Networks of any sizes, with drawn data in place of a truth table."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.cli import run
from compare.traces.file import read
from compare.training import problems
from compare.training.problems import Experiment, Sizes
from tests.helpers import DTYPES

QUICK = ["--steps", "20"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sizes_are_those_of_the_arrays(dtype: str) -> None:
    """Sizes are known without the arrays, which have them."""
    experiment = Experiment(network="3-4-2", samples=7, dtype=dtype)
    problem = experiment.problem()

    assert experiment.sizes == Sizes(3, 4, 2, 7)
    assert (problem.x.shape, problem.y.shape) == ((3, 7), (2, 7))
    assert [w.shape for w in problem.weights] == [(4, 3), (2, 4)]
    arrays = (problem.x, problem.y, *problem.weights)
    assert {str(array.dtype) for array in arrays} == {dtype}
    assert {*np.unique(problem.y)} == {0, 1}


def test_data_depend_on_the_seed_alone() -> None:
    """The same seed draws the same data, another seed draws others."""
    one, same, other = (
        Experiment(network="3-4-2", seed=seed).problem().x for seed in (1, 1, 2)
    )

    assert np.array_equal(one, same)
    assert not np.isclose(one, other).any()


def test_two_inputs_and_one_output_are_a_table() -> None:
    """The weights are those of the notebook, whatever the number of hidden units."""
    problem = Experiment(network="2-5-1", table="nor").problem()

    assert problem.y.tolist() == [[1, 0, 0, 0]]
    assert problem.x.tolist() == [[0, 0, 1, 1], [0, 1, 0, 1]]
    assert Experiment(network="2-5-1").about == "xor, seed 2"
    assert Experiment(network="2-5-1", samples=4).about == "4 drawn samples, seed 2"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"network": "3-4-2", "table": "xor"}, "table xor has two inputs"),
        ({"samples": 4, "table": "and"}, "table and has two inputs"),
        ({"network": "3-4"}, "sizes must be inputs-hidden-outputs, as 3-4-2"),
        ({"network": "a-b-c"}, "sizes must be inputs-hidden-outputs, as 3-4-2"),
        ({"network": "2-0-1"}, "at least 1: 2-0-1"),
        ({"samples": 0}, "at least 1: 2-2-1, 0"),
    ],
)
def test_what_is_not_allowed_is_said(options: dict[str, object], words: str) -> None:
    """Wrong sizes, and a table for a network that it does not fit."""
    with pytest.raises(ValueError, match=words):
        Experiment(**options)  # type: ignore[arg-type]


def test_compare_takes_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """The command draws the data, and says so."""
    arguments = ["--impl", "torch", "--sizes", "3-4-2", "--samples", "5", *QUICK]

    assert run(arguments) == 0
    assert "5 drawn samples, seed 2: 3-4-2, bce" in capsys.readouterr().out


def test_memory_is_checked_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A network that does not fit is wrong usage, at once."""
    assert run(["--sizes", "2-900000000-1"]) == 2
    assert "take a smaller network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "free"),
    [
        ({"network": f"2-{10**9}-1"}, 10**9),
        ({"network": f"{10**9}-2-1", "samples": 1}, 10**9),
        ({"samples": 10**9}, 10**9),
        ({"network": "3-4-2", "samples": 6}, 16 * 10 * 5 - 1),
    ],
)
def test_arrays_that_do_not_fit_are_not_made(
    options: dict[str, Any], free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in Python, the sizes are checked before a number is drawn."""
    monkeypatch.setattr(problems, "free", lambda: free)
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError, match="are free: take smaller sizes"):
            Experiment(**options).problem()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1e6


def test_arrays_that_just_fit_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes no more than is asked for."""
    experiment = Experiment(network="300-400-200", samples=100)
    need = 16 * (400 + 100) * (300 + 200)
    monkeypatch.setattr(problems, "free", lambda: need)
    tracemalloc.start()
    try:
        experiment.problem()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert need / 4 < peak <= need


def test_a_trace_has_the_sizes(tmp_path: Path) -> None:
    """`record` takes sizes as well."""
    output = tmp_path / "trace.safetensors"

    assert run(["record", "numpy", "-o", str(output), "--sizes", "3-1-2", *QUICK]) == 0
    assert read(output).problem.weights.w1.shape == (1, 3)


def test_exact_takes_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """The exact run has one weight for each input and hidden unit."""
    assert run(["exact", "--sizes", "1-3-1", "--samples", "2", "--steps", "2"]) == 0
    assert "w1[2][0]" in capsys.readouterr().out
