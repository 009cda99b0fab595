"""A command that is too large is refused before it begins; what would fit is named."""

import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compare.checks.verdict import decide
from compare.hosts.load import load
from compare.traces import memory
from compare.traces.memory import (
    check_memory,
    needed,
    trace_bytes,
    traces_of_chunk,
)
from compare.training.problems import Experiment, Sizes, lopsided, sizes_of
from compare.training.record import record
from compare.training.replay import carry
from impls.interface import Array, Problem, Weights
from tests.helpers import problem_of

SIZES = Experiment().sizes


def with_many_inputs(steps: int) -> Problem:
    """Create a 30-5-1 network and a hundred samples: its Jacobian exceeds its trace."""
    random = np.random.RandomState(1)
    x, y = random.randn(30, 100), random.randint(2, size=(1, 100)) * 1.0
    weights: Weights[Array] = Weights(random.rand(5, 30) / 30, random.rand(1, 5))
    return replace(problem_of(steps=steps), x=x, y=y, weights=weights)


PROBLEMS = {
    "2-2-1": problem_of(steps=1000),
    "2-2-1 in float32": problem_of("float32", steps=1000),
    "2-32-1": problem_of(steps=400, network="2-32-1"),
    "30-5-1": with_many_inputs(steps=20),
}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@pytest.mark.parametrize(
    "problem",
    [problem_of(steps=20, network="2-5-1"), lopsided("bce", "float64")],
    ids=["2-5-1", "3-4-2"],
)
def test_the_size_is_that_of_the_arrays(problem: Problem) -> None:
    """The size of a trace is known to the byte."""
    run = record(problem, load("numpy"), "numpy")

    found = sum(array.nbytes for array in vars(run.trace).values())
    assert trace_bytes(sizes_of(problem), problem.steps) == found


def refusal(monkeypatch: pytest.MonkeyPatch, have: int, steps: int) -> str:
    """Ask for three traces in so much memory, and return the message."""
    monkeypatch.setattr(memory, "free", lambda: have)
    with pytest.raises(ValueError, match=r"of memory, and ") as caught:
        check_memory(SIZES, steps, 3)
    return str(caught.value)


@pytest.mark.parametrize("exact", [True, False])
def test_a_command_that_just_fits_is_accepted(
    monkeypatch: pytest.MonkeyPatch, *, exact: bool
) -> None:
    """With a byte less it is refused."""
    need = needed(SIZES, 10_000, 3, exact=exact)

    monkeypatch.setattr(memory, "free", lambda: need)
    check_memory(SIZES, 10_000, 3, exact=exact)
    monkeypatch.setattr(memory, "free", lambda: need - 1)
    with pytest.raises(ValueError, match=r"of memory, and "):
        check_memory(SIZES, 10_000, 3, exact=exact)


def test_a_refusal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what was asked for, what that takes, what is free and what would fit."""
    assert re.fullmatch(
        r"10,000,000,000 steps of a 2-2-1 network take \d+\.\d TB of memory, "
        r"and 21\.0 GB are free: [\d,]+ steps would fit",
        refusal(monkeypatch, 21 * 10**9, 10**10),
    )


@pytest.mark.parametrize("have", [10**7, 10**9, 10**10])
@pytest.mark.parametrize("steps", [10**7, 10**9, 10**30])
def test_the_steps_that_are_named_would_fit(
    monkeypatch: pytest.MonkeyPatch, have: int, steps: int
) -> None:
    """One step more would not."""
    words = refusal(monkeypatch, have, steps)
    fit = int(re.findall(r": ([\d,]+) steps", words)[0].replace(",", ""))

    assert needed(SIZES, fit, 3) <= have < needed(SIZES, fit + 1, 3)


@pytest.mark.parametrize("fit", [1, 7])
def test_fewer_jobs_are_named_if_one_fits(
    monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    """One more would not fit, and what is named is accepted."""
    have = (fit + 1) * needed(SIZES, 10_000, 3) - 1
    monkeypatch.setattr(memory, "free", lambda: have)

    check_memory(SIZES, 10_000, 3, jobs=fit)
    with pytest.raises(ValueError, match=f" are free: --jobs {fit} would fit$"):
        check_memory(SIZES, 10_000, 3, jobs=fit + 1)


def test_fewer_steps_are_named_if_no_job_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """They fit with as many jobs as were asked for."""
    monkeypatch.setattr(memory, "free", lambda: 2 * needed(SIZES, 400, 3))

    check_memory(SIZES, 400, 3, jobs=2)
    with pytest.raises(ValueError, match=r" are free: 400 steps would fit$"):
        check_memory(SIZES, 10_000, 3, jobs=2)


@pytest.mark.parametrize(
    ("seeds", "dtype", "traces"),
    [(1, "float64", 3), (12, "float64", 3), (65, "float64", 16), (130, "float32", 16)],
)
def test_a_batch_takes_a_twelfth_and_one_seed_all(
    seeds: int, dtype: str, traces: int
) -> None:
    """A few seeds take no less than one that is compared alone."""
    assert traces_of_chunk(3, seeds, dtype) == traces


def test_a_network_of_which_no_step_fits_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No number of steps is named."""
    words = refusal(monkeypatch, needed(SIZES, 1, 3) - 1, 10**10)

    assert words.endswith(" are free: take a smaller network")


@pytest.mark.parametrize(
    "less",
    [
        needed(SIZES, 10**6, 2, exact=True),
        needed(SIZES, 10**6 - 1, 3, exact=True),
        needed(SIZES, 10**6, 3, exact=False),
        needed(SIZES._replace(n_h=1), 10**6, 3, exact=True),
        needed(SIZES._replace(m=3), 10**6, 3, exact=True),
    ],
    ids=["traces", "steps", "no exact run", "hidden units", "samples"],
)
def test_less_takes_less(less: int) -> None:
    """Each argument counts."""
    assert less < needed(SIZES, 10**6, 3, exact=True)


def test_a_wide_network_takes_the_square_of_its_weights() -> None:
    """The Hessian exceeds the trace: a small file can ask for much."""
    sizes = Sizes(2, 5000, 1, 4)

    assert trace_bytes(sizes, 1) < 2e6
    assert needed(sizes, 1, 2) > 8 * 15_000**2


def test_many_inputs_take_their_derivatives_by_the_weights() -> None:
    """Every output of every sample has a derivative by every weight, at every step."""
    sizes = Sizes(784, 10, 1, 100)
    more = needed(sizes, 2000, 1) - needed(sizes, 1000, 1)

    assert more > 2 * 8 * 1000 * 100 * (10 * 785)


@pytest.mark.parametrize("steps", [10**400, 10**28])
def test_any_number_of_steps_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """A size that has no unit is no error of arithmetic."""
    assert " take more than 1.0 YB of memory, " in refusal(monkeypatch, 10**9, steps)


def peak(work: Callable[[], object]) -> int:
    """Count the bytes that Python and NumPy allocate at the peak of some work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@each_problem
def test_recording_takes_no_more_than_expected(problem: Problem) -> None:
    """It takes the trace at least, and at most what is asked for one."""
    sizes = sizes_of(problem)
    taken = peak(lambda: record(problem, load("numpy"), "numpy"))

    assert trace_bytes(sizes, problem.steps) / 2 < taken
    assert taken <= needed(sizes, problem.steps, 1)


@pytest.mark.slow
@each_problem
@pytest.mark.parametrize("traces", [1, 3])
def test_comparing_takes_no_more_than_expected(problem: Problem, traces: int) -> None:
    """Nor does it take much less: the traces and all derivatives are needed."""
    run = record(problem, load("numpy"), "numpy")
    runs = [replace(run, name=f"run {n}") for n in range(traces)]
    taken = peak(lambda: decide(problem, carry(problem, runs)))

    expected = needed(sizes_of(problem), problem.steps, traces)
    assert expected / 15 < taken <= expected


def test_the_exact_run_takes_no_more_than_expected() -> None:
    """The balls of the exact run lie in memory that Python does not count."""
    code = """
from pathlib import Path
from compare.numerics.exact_run import exact_run
from compare.training.problems import Experiment
def peak():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
exact_run(Experiment(steps=1).problem())
before = peak()
exact_run(Experiment(steps=1, network="2-60-1").problem())
print(peak() - before)
"""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    expected = needed(Experiment(network="2-60-1").sizes, 1, 1, exact=True)
    assert expected / 4 < int(done.stdout) <= expected
