"""The holes found in other tools' code, each tried on us: none lets a fault through.

The tools and the versions they were read in: MLCommons test_traindiffs, reprod_log,
PaDiff, Polygraphy, the PyTorch to Flax tests of transformers, llm.c, numpy.testing,
torch.testing, gradcheck, torchtitan, msprobe, Keras.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from compare.checks.verdict import Verdict
from compare.hosts.load import load
from compare.selftest.plant import Fault, plant
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls.interface import Array, Implementation, Problem, Trace, Weights


def compared(one: Implementation, other: Implementation, problem: Problem) -> Verdict:
    """Compare two implementations."""
    return compare(problem, {"one": one, "other": other})


def doctored(doctor: Callable[[Trace], Trace]) -> Implementation:
    """Train as NumPy does, and change the trace."""
    return plant(Fault("", doctor=doctor), load("numpy"))


def put(
    name: str, place: tuple[int, ...], change: Callable[[Array], Array]
) -> Callable[[Trace], Trace]:
    """Change one number of a trace."""

    def doctor(trace: Trace) -> Trace:
        array = np.array(getattr(trace, name))
        array[place] = change(array[place])
        return replace(trace, **{name: array})

    return doctor


def opposite(trace: Trace) -> Trace:
    """Make errors that cancel in the mean and in the signed sum."""
    wrong = trace.dw1 + 1e-3 * np.array([[1, -1], [-1, 1]])
    return replace(trace, dw1=wrong)


PROBLEM = Experiment(steps=120).problem()
HOLES: dict[str, Callable[[Trace], Trace]] = {
    "only the last step compared (MLCommons)": put("dw1", (0, 0, 0), lambda v: 1.5 * v),
    "a tolerance of 100 % (MLCommons)": put("loss", (119,), lambda v: 1.9 * v),
    "NaN is not greater (reprod_log)": put("a2", (60, 0, 1), lambda v: v * np.nan),
    "(4, 1) against (1, 4) (reprod_log)": lambda t: replace(t, a2=t.a2.mT),
    "one element in the mean (reprod_log)": put("z1", (7, 1, 3), lambda v: v + 5e-4),
    "only the first step compared (PaDiff)": put("dw2", (119, 0, 1), lambda v: -v),
    "steps sorted as text (PaDiff)": lambda t: replace(
        t, loss=t.loss[np.argsort([str(n) for n in range(120)])]
    ),
    "opposite errors cancel (PaDiff, transformers)": opposite,
    "an output missing (Polygraphy)": lambda t: replace(t, dz1=cast("Array", None)),
    "another tensor under the name (Polygraphy)": lambda t: replace(t, dw1=t.w1[:-1]),
    "a sign below atol (Polygraphy, torch)": put("dw1", (119, 0, 0), lambda v: -v),
    "NaN set to 0 (transformers)": put("z2", (3, 0, 0), lambda v: v * np.nan),
    "thresholds of other tensors (llm.c)": lambda t: replace(t, w1=t.w1 * (1 + 1e-12)),
    "float32 against float64 (numpy)": lambda t: replace(
        t, loss=t.loss.astype(np.float32)
    ),
    "a scalar against an array (numpy)": lambda t: replace(t, loss=t.loss[0]),
    "0.09 % passes (gradcheck)": put("dw1", (50, 0, 0), lambda v: v * 1.0009),
    "five decimals compared (torchtitan)": lambda t: replace(t, loss=t.loss.round(5)),
    "a change of half of the maximum (msprobe)": put(
        "z1", (9, 1, 3), lambda v: 1.4 * v
    ),
    "1e-3 of a run (Keras)": lambda t: replace(t, w2=t.w2 + 9e-4),
}


@pytest.mark.parametrize("hole", HOLES)
def test_no_hole_lets_a_fault_through(hole: str) -> None:
    """What passes there differs here."""
    verdict = compared(load("numpy"), doctored(HOLES[hole]), PROBLEM)

    assert verdict.answer == "differ"
    assert verdict.first_difference is not None
    assert verdict.first_difference.subject == ("other",)


def test_saturation_hides_no_factor() -> None:
    """At |z| of 11 to 13 gradcheck and check_grads pass gradients 1.5 times too big."""
    weights = Weights(np.full((2, 2), 12.0), np.full((1, 2), -6.0))
    problem = replace(PROBLEM, weights=weights, steps=3)
    wrong = plant(
        Fault("", changes={"dw1": lambda row, _: 1.5 * (row.dz1 @ row.x.mT)}),
        load("numpy"),
    )

    assert compared(load("numpy"), load("numpy"), problem).answer == "match"
    assert compared(load("numpy"), wrong, problem).answer == "differ"


def test_nothing_doctored_is_a_match() -> None:
    """The tests above fail for no other reason than their hole."""
    assert compared(load("numpy"), doctored(lambda t: t), PROBLEM).answer == "match"
