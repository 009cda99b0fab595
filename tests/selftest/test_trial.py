"""The self-test reports caught, missed, no fault and false alarms as they are."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from compare.cli import run
from compare.hosts.load import OURS, load
from compare.numerics.error_bars import unit_roundoff
from compare.selftest import trial
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import Fault
from compare.selftest.rewrites import Rewrite, rewritten
from compare.selftest.trial import (
    FaultStatus,
    Trials,
    largest_error,
    try_fault,
    try_rewrite,
)
from compare.training.problems import Experiment
from impls.interface import Array
from tests.helpers import DTYPES, near, planted_as, problem_of

QUICK = ["faults", "--impl", "numpy", "--steps", "100"]
NOTHING = Fault("nothing at all", changes={"dw1": lambda s, _: s.dw1})
UP = 1 + 3 * 2.0**-53
SMALL = Fault("three roundings", changes={"loss": lambda s, _: s.loss * UP})


def offset(z: Array) -> Array:
    """Compute a sigmoid that is a millionth off."""
    a: Array = 1 / (1 + np.exp(-z)) + np.asarray(1e-6, z.dtype)
    return a


WRONG = Rewrite("wrong", "numpy", partial(rewritten, "numpy", sigmoid=offset))
RIGHT = Rewrite("right", "numpy", partial(rewritten, "numpy"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_caught(fault: Fault, dtype: str, trials: Trials) -> None:
    """Each fault is caught in each of ours, but where float32 rounds it away."""
    no_fault = dtype == "float32" and fault.rounded_away
    status: FaultStatus = "no fault" if no_fault else "caught"

    statuses = {p.base: p.status for p in planted_as(trials, fault.name, dtype)}

    assert statuses == dict.fromkeys(OURS, status)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", [NOTHING, SMALL], ids=lambda fault: fault.name)
def test_what_is_not_caught_is_missed(fault: Fault, dtype: str) -> None:
    """A fault that no dtype shows is missed, also if it changes nothing."""
    planted = try_fault(Experiment(dtype=dtype, steps=20), fault, "numpy")

    assert planted.status == "missed"


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.rounded_away], ids=lambda fault: fault.name
)
def test_what_is_no_fault_comes_with_its_proof(fault: Fault, trials: Trials) -> None:
    """What float32 rounds away moves a number by one rounding of float32 at most."""
    changes = [p.change or 0 for p in planted_as(trials, fault.name, "float32")]

    assert 0 < min(changes) <= max(changes) <= 1


def test_rounding_to_float32_is_nearly_one_rounding(trials: Trials) -> None:
    """Of many numbers that are rounded, one is moved by more than half a unit."""
    planted = planted_as(trials, "float32 in the sigmoid", "float32")

    assert min(p.change or 0 for p in planted) > 0.5


@pytest.mark.parametrize("roundings", [5.0, 500.0])
def test_an_error_is_measured_in_roundings(roundings: float) -> None:
    """A loss off by so many roundings of its size is measured as that."""
    problem = problem_of("float64", "mse", steps=20)
    trace = load("numpy").train(problem)
    u = unit_roundoff(np.dtype(np.float32))
    loss = trace.loss.copy()
    loss[7] *= 1 + roundings * u

    error = largest_error(problem, replace(trace, loss=loss), u)

    assert error == near(roundings, 1e-6)


@pytest.mark.parametrize(("rewrite", "answer"), [(RIGHT, "match"), (WRONG, "differ")])
def test_controls_get_a_verdict(rewrite: Rewrite, answer: str) -> None:
    """A rewrite that is wrong gets another answer than one that is right."""
    assert try_rewrite(Experiment(steps=20), rewrite).answer == answer


def shorten(monkeypatch: pytest.MonkeyPatch, *faults: Fault) -> None:
    """Make the command quick: a few faults, two rewrites."""
    monkeypatch.setattr(trial, "FAULTS", faults)
    monkeypatch.setattr(trial, "REWRITES", (RIGHT,))


def test_all_caught_is_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0, a row for each fault and dtype, and what is no fault, with its size."""
    shorten(
        monkeypatch,
        fault_named("dw1 transposed"),
        fault_named("float32 in the sigmoid"),
        fault_named("another seed"),
    )

    status = run(QUICK)

    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "dw1 transposed 1/1 0 audit: dw1 1 right" in lines
    assert "another seed 1/1 0 start: w1 1 unknown" in lines
    assert "no fault in float32" in out
    assert any(line.endswith("float32 in the sigmoid") for line in lines)


def test_a_missed_fault_is_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, and the row says 0 of 1."""
    shorten(monkeypatch, fault_named("dw1 transposed"), NOTHING)

    status = run([*QUICK, "--dtype", "float64"])

    assert status == 1
    assert "nothing at all 0/1 none" in " ".join(capsys.readouterr().out.split())


def test_a_wrong_name_is_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1 for a fault that is caught under a wrong name."""
    shorten(monkeypatch, replace(fault_named("dw1 transposed"), cause="the wrong sign"))

    assert run([*QUICK, "--dtype", "float64"]) == 1


def test_a_flagged_rewrite_is_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, though every fault was caught."""
    shorten(monkeypatch, fault_named("dw1 transposed"))
    monkeypatch.setattr(trial, "REWRITES", (WRONG,))

    assert run([*QUICK, "--dtype", "float64"]) == 1


def test_nothing_caught_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty catalogue proves nothing."""
    shorten(monkeypatch)

    assert run([*QUICK, "--dtype", "float64"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--impl", "flax"], "cannot plant in flax: choose from numpy, torch, jax"),
        (["--dtype", "float16"], "unknown dtype 'float16'"),
    ],
)
def test_wrong_usage(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, before any work is done, and status 2."""
    status = run(["faults", *arguments])

    assert status == 2
    assert words in capsys.readouterr().err
