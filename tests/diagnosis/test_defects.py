"""What is wrong with a record or its start has its name, and nothing else has one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.run import OPTIONAL, Run
from compare.diagnosis.defects import defects, origins
from compare.training.problems import seeded_weights
from impls import numpy_manual
from impls.interface import Array, Trace, Weights
from tests.helpers import problem_of

PROBLEM = problem_of(steps=20)


def trained() -> Trace:
    """Train without a fault."""
    return numpy_manual.train(PROBLEM)


def test_right_start_has_no_other_origin() -> None:
    """It may be rounded, too: what is given needs no explanation."""
    assert [*origins(PROBLEM, trained())] == []


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        (seeded_weights(7, 2, 2, 1), ["the weights of seed 7"]),
        (seeded_weights(1000, 2, 2, 1), []),
        (Weights(*(w.round(3) for w in PROBLEM.weights)), ["rounded to 3 decimals"]),
        (Weights(*(w[..., ::-1] for w in PROBLEM.weights)), []),
        (
            Weights(PROBLEM.weights.w1[::-1], PROBLEM.weights.w2[:, ::-1]),
            ["hidden units in another order"],
        ),
    ],
    ids=["seed 7", "seed 1000", "rounded", "inputs swapped", "units swapped"],
)
def test_origin_of_other_weights(weights: Weights[Array], names: list[str]) -> None:
    """Seeds are tried up to 1000."""
    trace = numpy_manual.train(replace(PROBLEM, weights=weights))

    assert [*origins(PROBLEM, trace)] == names


@pytest.mark.parametrize("fields", [["dw1"], ["dw1", "w1"]])
def test_another_dtype_is_named(fields: list[str]) -> None:
    """Numbers of another dtype are no trace of the problem."""
    trace = trained()
    cast = {field: getattr(trace, field).astype(np.float32) for field in fields}

    found = defects(PROBLEM, Run("", replace(trace, **cast)), "dw1")

    assert [*found] == ["wrong dtype: float32, not float64"]


def test_another_dtype_is_named_without_intermediates() -> None:
    """What is not returned is not missing."""
    fields: dict[str, Any] = {
        **dict.fromkeys(OPTIONAL),
        "w1": np.zeros((21, 2, 2), "f"),
    }
    trace = replace(trained(), **fields)

    found = defects(PROBLEM, Run("", trace, unknown=OPTIONAL), "w1")

    assert [*found] == ["wrong dtype: float32, not float64"]


@pytest.mark.parametrize(
    ("step", "names"),
    [(5, ["not finite at step 5, though its inputs are"]), (None, [])],
)
def test_number_that_is_not_finite(step: int | None, names: list[str]) -> None:
    """It is named if its inputs are finite, and a right trace has no such number."""
    trace = trained()
    trace.dw1[step if step is not None else slice(0)] = np.nan

    assert [*defects(PROBLEM, Run("", trace), "dw1")] == names


def test_number_whose_inputs_are_not_finite_has_no_name() -> None:
    """The mistake is where the first of them comes from."""
    trace = trained()
    assert trace.dz1 is not None
    trace.dz1[5] = trace.dw1[5] = np.inf

    with np.errstate(all="ignore"):  # as in `name_cause`
        found = [*defects(PROBLEM, Run("", trace), "dw1")]

    assert found == []


def test_missing_steps_are_counted() -> None:
    """All arrays have to lack the same number of steps."""
    short = numpy_manual.train(replace(PROBLEM, steps=17))
    other = replace(short, dw1=trained().dw1)

    assert [*defects(PROBLEM, Run("", short), "loss")] == ["3 of 20 steps missing"]
    assert [*defects(PROBLEM, Run("", other), "loss")] == []


def test_axis_of_length_1_is_missed() -> None:
    """It is named; another shape is not."""
    trace = trained()
    flat, turned = trace.a2[:, 0], trace.a2.mT

    found = [
        [*defects(PROBLEM, Run("", replace(trace, a2=a2)), "a2")]
        for a2 in (flat, turned)
    ]

    assert found == [["axes of length 1 dropped"], []]
