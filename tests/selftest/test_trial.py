"""The self-test: it says caught, missed and no fault, and false alarms, as they are."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from compare.cli import run
from compare.selftest import trial
from compare.selftest.faults import FAULTS
from compare.selftest.peers import Evidence, alarms
from compare.selftest.plant import Fault
from compare.selftest.rewrites import Rewrite, rewritten
from compare.selftest.trial import try_fault, try_rewrite
from compare.training.problems import Experiment
from compare.training.load import OURS, load
from impls.interface import Array, Gradients, Weights

BY_NAME = {fault.name: fault for fault in FAULTS}
QUICK = ["faults", "--impl", "numpy", "--steps", "100"]
NOTHING = Fault("nothing at all", "dw1", changes={"dw1": lambda r, _: r.dw1})
UP = 1 + 3 * 2.0**-53
SMALL = Fault("three roundings", "loss", changes={"loss": lambda r, _: r.loss * UP})


def offset(z: Array) -> Array:
    """Compute a sigmoid that is a millionth off."""
    a: Array = 1 / (1 + np.exp(-z)) + np.asarray(1e-6, z.dtype)
    return a


WRONG = Rewrite("wrong", "numpy", partial(rewritten, "numpy", sigmoid=offset))
RIGHT = Rewrite("right", "numpy", partial(rewritten, "numpy"))


@pytest.mark.parametrize("base", OURS)
@pytest.mark.parametrize(
    ("fault", "dtype", "status"),
    [
        ("dw1 transposed", "float64", "caught"),
        ("dw1 transposed", "float32", "caught"),
        ("float32 in the sigmoid", "float64", "caught"),
        ("float32 in the sigmoid", "float32", "no fault"),
        ("learning rate rounded to float32", "float32", "no fault"),
    ],
)
def test_status(fault: str, base: str, dtype: str, status: str) -> None:
    """A float32 leak is a fault in float64, and none in a float32 run."""
    experiment = Experiment(dtype=dtype, steps=20)

    planted = try_fault(experiment, BY_NAME[fault], base)

    assert planted.status == status


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fault", [NOTHING, SMALL], ids=lambda fault: fault.name)
def test_what_is_not_caught_is_missed(fault: Fault, dtype: str) -> None:
    """What no dtype shows is missed: that a plant does nothing is no excuse."""
    planted = try_fault(Experiment(dtype=dtype, steps=20), fault, "numpy")

    assert planted.status == "missed"


def test_what_is_no_fault_comes_with_its_proof() -> None:
    """To round to float32 moves a number by one rounding of float32 at most."""
    experiment = Experiment(dtype="float32", steps=20)

    planted = try_fault(experiment, BY_NAME["float32 in the sigmoid"], "numpy")

    assert planted.change is not None
    assert 0.5 < planted.change <= 1


@pytest.mark.parametrize(("rewrite", "answer"), [(RIGHT, "match"), (WRONG, "differ")])
def test_controls_get_a_verdict(rewrite: Rewrite, answer: str) -> None:
    """A rewrite that is no harmless one is told as such."""
    assert try_rewrite(Experiment(steps=20), rewrite).answer == answer


@pytest.mark.parametrize(
    ("factor", "found"),
    [
        (1.0, set()),
        (1 + 1e-8, set()),
        (1 + 1e-5, {"assert_allclose", "assert_close"}),
        (-1.0, {"assert_allclose", "assert_close", "gradcheck", "check_grads"}),
    ],
)
def test_peers_are_called_for_real(factor: float, found: set[str]) -> None:
    """Each finds what its tolerance can: one factor, in the trace and at one step."""
    problem = Experiment(steps=20).problem()
    trace = load("numpy").train(problem)
    doctored = type(trace)(**{n: a * factor for n, a in vars(trace).items()})

    def function(weights: Weights[Array]) -> tuple[Array, Weights[Array]]:
        d: Gradients[Array]
        value, d = load("numpy").loss_and_gradients(
            weights, problem.x, problem.y, problem.loss
        )
        return value, Weights(d.dw1 * factor, d.dw2 * factor)

    assert alarms(Evidence(trace, doctored, function, problem.weights)) == found


def shorten(monkeypatch: pytest.MonkeyPatch, *faults: Fault) -> None:
    """Make the command quick: a few faults, two rewrites."""
    monkeypatch.setattr(trial, "FAULTS", faults)
    monkeypatch.setattr(trial, "REWRITES", (RIGHT,))


def test_all_caught_is_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0, a row for each fault and dtype, and what is no fault, with its size."""
    shorten(monkeypatch, BY_NAME["dw1 transposed"], BY_NAME["float32 in the sigmoid"])

    status = run(QUICK)

    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "dw1 transposed 1/1 0 dw1 = dz1 @ x.T transposed 1/1 1/1 1/1 1/1" in lines
    assert "no fault in float32" in out
    assert any(line.endswith("float32 in the sigmoid") for line in lines)


def test_a_missed_fault_is_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, and the row says 0 of 1."""
    shorten(monkeypatch, BY_NAME["dw1 transposed"], NOTHING)

    status = run([*QUICK, "--dtype", "float64"])

    assert status == 1
    assert "nothing at all 0/1 none" in " ".join(capsys.readouterr().out.split())


def test_a_wrong_name_is_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1 for a fault that is caught, and called what it is not."""
    shorten(monkeypatch, replace(BY_NAME["dw1 transposed"], cause="the wrong sign"))

    assert run([*QUICK, "--dtype", "float64"]) == 1


def test_a_flagged_rewrite_is_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, though every fault was caught."""
    shorten(monkeypatch, BY_NAME["dw1 transposed"])
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
        (["--steps", "1000000000000"], "of memory are free"),
        (["--dtype", "float16"], "unknown dtype 'float16'"),
        (["--steps", "99"], "--steps"),
    ],
)
def test_wrong_usage(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, before any work is done, and status 2."""
    status = run(["faults", *arguments])

    assert status == 2
    assert words in capsys.readouterr().err
