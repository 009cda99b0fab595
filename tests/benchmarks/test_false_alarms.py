"""What comes of a fault is told apart: caught, no mistake there, or missed."""

import sys
from dataclasses import replace

import pytest

from benchmarks import false_alarms
from benchmarks.false_alarms import main, outcome, random_experiment
from compare.selftest.faults import fault_named
from compare.selftest.plant import Fault
from compare.selftest.trial import try_fault
from compare.training.problems import Experiment

XOR = Experiment(table="xor", steps=100)
AND = replace(XOR, table="and")
SIGN = fault_named("dw1 with the wrong sign")


@pytest.mark.parametrize(
    ("experiment", "name", "expected"),
    [
        (XOR, "dw1 transposed", "caught"),
        (
            replace(XOR, table=None, network="3-2-1"),
            "dw1 transposed",
            "raises an error",
        ),
        (XOR, "labels of two samples swapped", "caught"),
        (AND, "labels of two samples swapped", "changes no number"),
        (
            replace(XOR, dtype="float32"),
            "float32 in the sigmoid",
            "smaller than a rounding of float32",
        ),
        (
            replace(AND, dtype="float32"),
            "epsilon in the logarithm",
            "within the roundings of correct lines",
        ),
    ],
)
def test_outcome_of_a_fault(experiment: Experiment, name: str, expected: str) -> None:
    """What is not caught has its reason, which was computed."""
    fault = fault_named(name)

    found = outcome(experiment, fault, try_fault(experiment, fault, "numpy"))

    assert found == expected


def test_fault_that_nothing_reports_is_missed() -> None:
    """A wrong sign changes numbers by more than any line may be off."""
    planted = replace(try_fault(XOR, SIGN, "numpy"), status="missed", first=None)

    assert outcome(XOR, SIGN, planted) == "missed"


def test_fault_that_another_check_reports_is_not_missed() -> None:
    """The check is named."""
    fault = replace(SIGN, reported="dw2")

    assert outcome(XOR, fault, try_fault(XOR, fault, "numpy")) == "reported by dw1"


@pytest.mark.parametrize(
    ("fault", "status"), [(SIGN, 0), (replace(SIGN, cause="transposed"), 1)]
)
def test_wrong_name_is_failure(
    fault: Fault, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command fails if any fault is missed or misnamed."""
    monkeypatch.setattr(false_alarms, "FAULTS", (fault,))
    monkeypatch.setattr(sys, "argv", ["false_alarms.py", "faults", "100"])

    assert main() == status


def test_random_experiments_are_valid_and_different() -> None:
    """Every size, loss, dtype and learning rate occurs."""
    experiments = [random_experiment(seed) for seed in range(100)]

    assert {e.sizes.n_x for e in experiments} == {*range(1, 7)}
    assert {e.sizes.m for e in experiments} == {*range(1, 13)}
    assert {(e.loss, e.dtype) for e in experiments} >= {
        ("bce", "float64"),
        ("mse", "float32"),
    }
