"""What is too large is refused before it is trained, and what would fit is named."""

import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.completeness import arrays
from compare.checks.verdict import decide
from compare.traces import memory
from compare.traces.memory import (
    LONGEST,
    TooLargeError,
    check,
    comparing,
    in_words,
    needed,
    size,
    training,
)
from compare.training.problems import Experiment
from compare.training.record import record
from compare.training.load import load
from compare.training.replay import carry
from impls.interface import Array, Weights


def refusal(monkeypatch: pytest.MonkeyPatch, have: int, steps: int, every: int) -> str:
    """Ask for a trace in so much memory, and give the words of the refusal."""
    monkeypatch.setattr(memory, "free", lambda: have)
    with pytest.raises(TooLargeError) as caught:
        check(Experiment(steps=steps).problem(), every, traces=3)
    return str(caught.value)


@pytest.mark.parametrize("every", [1, 7, 50])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_size_is_that_of_the_arrays(dtype: str, every: int) -> None:
    """To the byte, whatever the sizes of the network."""
    problem = Experiment(steps=20, dtype=dtype, hidden=5).problem()
    run = record(problem, load("numpy"), "numpy", every)

    found = [array for array, _ in arrays(problem, run).values() if array is not None]
    assert size(problem, every) == sum(array.nbytes for array in found)


def test_what_fits_is_accepted() -> None:
    """The notebook's run takes 4 MB."""
    check(Experiment().problem(), traces=3)


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with its size, what is free, and what would fit."""
    words = refusal(monkeypatch, 21 * 10**9, 10**10, 1)

    assert re.fullmatch(
        r"a trace of 10,000,000,000 steps takes 3.92 TB, work on it \d+\.?\d* TB, "
        "and 21 GB of memory are free: "
        "record each K-th step alone, --every 5000 would fit",
        words,
    )


@pytest.mark.parametrize("have", [10**9, 10**10])
@pytest.mark.parametrize(
    ("steps", "asked"), [(10**7, 1), (10**9, 1), (10**9, 20), (2 * 10**9, 1)]
)
def test_the_option_that_is_named_would_fit(
    monkeypatch: pytest.MonkeyPatch, have: int, steps: int, asked: int
) -> None:
    """It fits, and a smaller one would not."""
    words = refusal(monkeypatch, have, steps, asked)
    every = int(re.findall(r"--every (\d+)", words)[0])
    problem = Experiment(steps=steps).problem()

    assert needed(problem, every, 3, trained=True) <= have
    assert needed(problem, every * 2 // 5, 3, trained=True) > have


@pytest.mark.parametrize(
    ("steps", "every"), [(10**30, 1), (10**10, 1), (10**10, LONGEST)]
)
def test_what_no_option_makes_fit_is_said(
    monkeypatch: pytest.MonkeyPatch, steps: int, every: int
) -> None:
    """Of some trainings, not even each 100,000th step would fit."""
    assert refusal(monkeypatch, 10**8, steps, every).endswith(
        "free: take fewer steps, or a smaller network"
    )


def test_too_few_recorded_steps_do_not_fit_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that lies between two of them is in memory at once."""
    words = refusal(monkeypatch, 10**8, 10**6, LONGEST)

    assert words.endswith("--every 100 would fit")


@pytest.mark.parametrize(
    "smaller", [{"traces": 2}, {"trained": False, "traces": 0}, {"every": 10}]
)
def test_less_takes_less(smaller: dict[str, Any]) -> None:
    """Fewer traces, none trained here, fewer steps recorded."""
    problem = Experiment(steps=10**6).problem()
    all_of_it: dict[str, Any] = {"every": 1, "traces": 5, "trained": True}

    assert needed(problem, **{**all_of_it, **smaller}) < needed(problem, **all_of_it)


def test_a_wide_network_takes_the_square_of_its_weights() -> None:
    """Its second derivatives are more than its trace: a small file can ask for much."""
    problem = Experiment(hidden=5000, steps=1).problem()

    assert size(problem, 1) < 2e6
    assert needed(problem, 1, 2, trained=False) > 15000**2 * 8


def test_many_inputs_take_their_derivatives_by_the_weights() -> None:
    """Every output of every sample has one by every weight, at every step."""
    x, y = np.zeros((784, 100)), np.zeros((1, 100))
    weights: Weights[Array] = Weights(np.zeros((10, 784)), np.zeros((1, 10)))
    problem = replace(Experiment(steps=1000).problem(), x=x, y=y, weights=weights)
    more = comparing(replace(problem, steps=2000), 1, 1) - comparing(problem, 1, 1)

    assert more > 2 * 8 * 1000 * y.size * (weights.w1.size + weights.w2.size)


def test_traces_are_kept_while_others_are_trained() -> None:
    """Each takes its own size."""
    problem = Experiment(steps=10**6).problem()
    one, none = (needed(problem, 1, n, trained=True) for n in (1, 0))

    assert one - none == size(problem, 1)


def test_what_is_free_is_what_the_system_says() -> None:
    """It is a number of bytes, of less than all there are."""
    assert 0 < memory.free() < 2**50


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (999.6, "1 kB"),
        (1000, "1 kB"),
        (392_000_048, "392 MB"),
        (3_920_000_000, "3.92 GB"),
        (999_600_000_000, "1 TB"),
        (3.9e18, "4 EB"),
        (10**33, "1,000,000,000,000,000 EB"),
    ],
)
def test_bytes_are_counted_in_words(count: float, words: str) -> None:
    """Three digits, and never a power of ten."""
    assert in_words(count) == words


def peak(work: Callable[[], object]) -> int:
    """Count the bytes that Python and NumPy have at most while something is done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("steps", "every"),
    [
        (2000, 1),
        (2000, 2),
        (5000, 50),
    ],
)
def test_training_takes_no_more_than_expected(steps: int, every: int) -> None:
    """Nor much less; all of what was between two recorded steps is let go."""
    problem = Experiment(steps=steps).problem()
    taken = peak(lambda: record(problem, load("numpy"), "numpy", every))

    expected = training(problem, every)
    assert expected / 10 < taken <= expected


@pytest.mark.parametrize(
    ("dtype", "every", "hidden", "traces"),
    [
        ("float64", 1, 2, 3),
        ("float64", 2, 32, 1),
        ("float32", 1, 32, 3),
        ("float32", 2, 2, 1),
    ],
)
def test_comparing_takes_no_more_than_expected(
    dtype: str, every: int, hidden: int, traces: int
) -> None:
    """Nor much less: error bars and second derivatives are all accounted for."""
    steps = 4000 // hidden
    problem = Experiment(steps=steps * every, dtype=dtype, hidden=hidden).problem()
    run = record(problem, load("numpy"), "numpy", every)
    runs = [replace(run, name=f"run {n}") for n in range(traces)]
    taken = peak(lambda: decide(problem, carry(problem, runs)))

    expected = comparing(problem, every, traces)
    assert expected / 4 < taken + traces * size(problem, every) <= expected
