"""A verdict as JSON: in full precision, and valid."""

import json
from typing import Any

from compare.hosts.load import load
from compare.report.as_json import Report, counts, to_json
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from tests.helpers import problem_of


def laid_out(fault: str) -> Any:
    """Compare NumPy with a fault in it, and convert the verdict to JSON and back."""
    both = {"right": load("numpy"), "wrong": plant(fault_named(fault), load("numpy"))}
    verdict = compare(problem_of(steps=100), both)
    return json.loads(json.dumps(to_json(Report("", verdict, {})), allow_nan=False))


def test_numbers_are_in_full_precision() -> None:
    """The numbers of the first difference are read back as they were."""
    wrong = plant(fault_named("dw1 transposed"), load("numpy")).train(
        problem_of(steps=100)
    )

    first = laid_out("dw1 transposed")["first_difference"]

    check = first["check"]
    point = check["first"]
    assert (point["step"], check["quantity"], check["basis"]) == (0, "dw1", "line")
    assert point["value"] == wrong.dw1[0][tuple(point["index"])]
    assert first["numbers"][0] == {"of": "wrong", "digits": str(point["value"])}
    assert first["cause"] == "transposed"


def test_what_is_not_finite_is_text() -> None:
    """JSON has no NaN: it is written as text."""
    first = laid_out("NaN in the last gradient")["first_difference"]["check"]["first"]

    assert (first["step"], first["value"], first["difference"]) == (99, "nan", "nan")


def test_counts_are_of_compared_numbers() -> None:
    """Each kind counts its own numbers; the contract has none."""
    both = {"one": load("numpy"), "other": load("torch")}
    verdict = compare(problem_of(steps=20), both)

    found = counts(verdict)

    hidden, output, weights, one_loss = 2 * 4, 4, 4 + 2, 1
    step = 3 * hidden + 3 * output + weights + one_loss  # z, a, dz; dw; loss
    replays = 2 * 2 * 20 * step  # of each run, along both paths
    assert found["audit"] == 2 * (20 * (step + weights) + step) + replays
    paths = 20 * one_loss + 21 * (weights + output)
    assert found["parity"] == 2 * 20 * weights + paths
    assert found["predictions"] == 4
    assert "contract" not in found
    compared = {"completeness", "audit", "parity", "predictions"}
    assert found["total"] == sum(found[kind] for kind in compared)
