"""The name of the mistake: the right one, or none."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from compare.checks.audit import audit
from compare.checks.check import Check, Kind, Claim, mismatch
from compare.checks.completeness import continuity, fits
from compare.checks.run import Run
from compare.report.cause import name_cause
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.training.problems import Experiment, seeded_weights
from compare.training.load import load
from impls.interface import Loss, Problem, Trace, Weights

TOO_SMALL_IN_FLOAT32 = {"epsilon in the logarithm"}


@cache
def problem_of(dtype: str = "float64", loss: Loss = "bce") -> Problem:
    """Give a run long enough for every fault to happen."""
    return Experiment(dtype=dtype, loss=loss, steps=300).problem()


def first_difference(problem: Problem, trace: Trace) -> Check:
    """Find the failed check that a verdict would show first."""
    run = Run("wrong", trace)
    checks = check_trace(problem, run)
    checks += audit(problem, run) if fits(problem, run) else []
    failed = [check for check in checks if check.first]
    return min(failed, key=lambda check: check.first.step if check.first else 0)


def named(problem: Problem, trace: Trace) -> str | None:
    """Name the cause of the first difference."""
    return name_cause(problem, Run("", trace), first_difference(problem, trace))


def planted(fault: Fault, dtype: str = "float64", into: str = "numpy") -> str | None:
    """Name the cause of a planted fault."""
    problem = problem_of(dtype, fault.loss or "bce")
    return named(problem, plant(fault, load(into)).train(problem))


def right_trace(dtype: str = "float64") -> Trace:
    """Train without a fault."""
    return load("numpy").train(problem_of(dtype))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_mistake_has_its_name(fault: Fault) -> None:
    """Every fault of the catalogue has the name expected, or none."""
    assert planted(fault) == fault.named(300)


@pytest.mark.parametrize(
    "fault",
    [f for f in FAULTS if not f.rounded_away],
    ids=lambda fault: fault.name,
)
def test_a_mistake_has_its_name_in_float32(fault: Fault) -> None:
    """The names are the same, but for a mistake that is as small as roundings."""
    expected = None if fault.name in TOO_SMALL_IN_FLOAT32 else fault.named(300)

    assert planted(fault, "float32") == expected


@pytest.mark.parametrize("into", ["torch", "jax"])
@pytest.mark.parametrize(
    "fault",
    [f for f in FAULTS if f.quantity in {"new_w1", "dz2", "dz1"}],
    ids=lambda fault: fault.name,
)
def test_a_mistake_has_its_name_in_every_implementation(
    fault: Fault, into: str
) -> None:
    """The roundings of a framework hide no mistake."""
    assert planted(fault, into=into) == fault.named(300)


def test_four_fifths_of_the_catalogue_are_named() -> None:
    """That many the project asks for."""
    names = [fault.named(300) for fault in FAULTS]

    assert sum(name is not None for name in names) >= 0.8 * len(FAULTS)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("scale", [1e-13, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("name", ["a1", "loss", "dz2", "dw2", "dz1", "dw1"])
def test_noise_has_no_name(name: str, scale: float, dtype: str) -> None:
    """Random errors are no known mistake, whatever their size."""
    trace = right_trace(dtype)
    values = getattr(trace, name)
    noise = scale * np.random.default_rng(0).normal(size=values.shape)
    noisy = replace(trace, **{name: (values * (1 + noise)).astype(dtype)})
    what = Claim("audit", ("wrong",), name, "")

    assert name_cause(problem_of(dtype), Run("", noisy), mismatch(what, "", "")) is None


@pytest.mark.parametrize(
    ("kind", "quantity"),
    [
        ("audit", "dw1"),
        ("audit", "new_w1"),
        ("audit", "final a2"),
        ("continuity", "first w1"),
        ("continuity", "dw1"),
        ("continuity", "final a2"),
        ("parity", "dw1"),
    ],
)
def test_nothing_has_no_name(kind: Kind, quantity: str) -> None:
    """Nothing is wrong with a right trace, whatever is asked about it."""
    check = mismatch(Claim(kind, ("right",), quantity, ""), "", "")

    assert name_cause(problem_of(), Run("", right_trace()), check) is None


@pytest.mark.parametrize(
    ("steps", "name"), [([150], None), ([9, 150], None), ([9, 99, 150], "zero")]
)
def test_several_steps_are_three(steps: list[int], name: str | None) -> None:
    """An explanation that fits one or two failing steps is none."""
    trace = right_trace()
    dw1 = trace.dw1.copy()
    dw1[steps] = 0

    assert named(problem_of(), replace(trace, dw1=dw1)) == name


def test_an_explanation_of_some_failures_is_none() -> None:
    """Three steps have the wrong sign, and a fourth is wrong in another way."""
    trace = right_trace()
    factor = np.ones((300, 1, 1))
    factor[[9, 99, 150]], factor[200] = -1, 1.5

    assert named(problem_of(), replace(trace, dw1=factor * trace.dw1)) is None


def test_rivals_leave_the_cause_unknown() -> None:
    """A loss that hardly changes is as well off by a term as by a factor."""
    trace = right_trace("float32")
    loss = (trace.loss + 7e-6).astype(np.float32)

    assert named(problem_of("float32"), replace(trace, loss=loss)) is None


def test_a_single_wrong_weight_has_no_factor() -> None:
    """Of one element of `dw2` that is wrong, a factor of all is not said."""
    trace = right_trace()
    dw2 = trace.dw2 * np.array([1 + 1e-9, 1])

    name = named(problem_of(), replace(trace, dw2=dw2))

    assert name == "times 1.000000001 in [0, 0] only"


def test_weights_of_another_seed_are_recognised() -> None:
    """If it is a small one."""
    problem = problem_of()
    start = seeded_weights(7, 2, 2, 1)
    trace = load("numpy").train(replace(problem, weights=start))

    assert named(problem, trace) == "the weights of seed 7"


def test_frozen_weights_are_not_overwritten_ones() -> None:
    """Last weights like the first are no proof: a run that stood still has them too."""
    problem = problem_of()
    weights = Weights(problem.weights.w1 + 1, problem.weights.w2)
    trace = load("numpy").train(replace(problem, weights=weights, lr=0.0))

    assert named(problem, trace) is None


@pytest.mark.parametrize("fields", [["dw1"], ["dw1", "w1"], ["loss"]])
def test_another_dtype_is_named(fields: list[str]) -> None:
    """Numbers of another dtype are no trace of the problem."""
    trace = right_trace()
    cast = {field: getattr(trace, field).astype(np.float32) for field in fields}

    name = named(problem_of(), replace(trace, **cast))

    assert name == "float32 in place of float64"
