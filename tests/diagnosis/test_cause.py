"""The name of the mistake: the right one, or none."""

from dataclasses import replace

import numpy as np
import pytest

from compare.checks.audit import audit
from compare.checks.check import Basis, Check, Claim, Kind, When, mismatch
from compare.checks.completeness import check_trace
from compare.checks.run import Run, fits
from compare.diagnosis.cause import name_cause
from compare.hosts.load import OURS
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import Fault
from compare.selftest.trial import Trials, try_fault
from compare.training.problems import Experiment
from impls.interface import Problem, Trace
from tests.diagnosis.stories import right_trace
from tests.helpers import DTYPES, planted_as, problem_of

TOO_SMALL_IN_FLOAT32 = {"epsilon in the logarithm"}


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


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_mistake_has_its_name(fault: Fault, trials: Trials) -> None:
    """Every fault of the catalogue has the name expected, or none, in each of ours."""
    causes = {p.base: p.cause for p in planted_as(trials, fault.name, "float64")}

    assert causes == dict.fromkeys(OURS, fault.named(300))


@pytest.mark.parametrize(
    "fault",
    [f for f in FAULTS if not f.rounded_away],
    ids=lambda fault: fault.name,
)
def test_a_mistake_has_its_name_in_float32(fault: Fault, trials: Trials) -> None:
    """The names are the same, but for a mistake that is as small as roundings."""
    expected = None if fault.name in TOO_SMALL_IN_FLOAT32 else fault.named(300)
    causes = {p.base: p.cause for p in planted_as(trials, fault.name, "float32")}

    assert causes == dict.fromkeys(OURS, expected)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *(("float64", scale) for scale in (1e-13, 1e-9, 1e-6, 1e-3)),
        *(("float32", scale) for scale in (1e-6, 1e-3)),
    ],
)
@pytest.mark.parametrize("name", ["a1", "loss", "dz2", "dw2", "dz1", "dw1"])
def test_noise_has_no_name(name: str, dtype: str, scale: float) -> None:
    """Random errors are no known mistake, whatever their size."""
    trace = right_trace(dtype)
    values = getattr(trace, name)
    noise = scale * np.random.default_rng(0).normal(size=values.shape)
    noisy = replace(trace, **{name: (values * (1 + noise)).astype(dtype)})
    claim = Claim("audit", ("wrong",), name, "", basis="line")
    check = mismatch(claim, "", "")

    assert name_cause(problem_of(dtype), Run("", noisy), check) is None


@pytest.mark.parametrize(
    ("kind", "quantity", "when", "basis"),
    [
        ("audit", "dw1", "in a step", "line"),
        ("audit", "dw1", "in a step", "weights"),
        ("audit", "new_w1", "in a step", "line"),
        ("audit", "a2", "after training", "weights"),
        ("completeness", "w1", "at the start", "equality"),
        ("completeness", "dw1", "in a step", "equality"),
        ("completeness", "a2", "after training", "equality"),
        ("parity", "dw1", "in a step", "weights"),
    ],
)
def test_nothing_has_no_name(
    kind: Kind, quantity: str, when: When, basis: Basis
) -> None:
    """Nothing is wrong with a right trace, whatever is asked about it."""
    claim = Claim(kind, ("right",), quantity, "", when, basis)

    cause = name_cause(problem_of(), Run("", right_trace()), mismatch(claim, "", ""))

    assert cause is None


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_has_the_roundings_of_its_term(dtype: str) -> None:
    """Where a weight passes 0, the momentum is larger than the weight."""
    experiment = Experiment(table="and", dtype=dtype, steps=150)

    planted = try_fault(experiment, fault_named("momentum left on"), "numpy")

    assert planted.cause == "momentum 0.9"
