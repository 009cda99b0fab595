"""In an unstable run every planted fault is still a difference, found in its place.

At learning rate 2.0, training on XOR amplifies rounding: lr times sharpness passes 2
at step 586, and from step 704 on there is no bound on how far two runs may be apart.
Float32 holds 2.0 exactly, so a learning rate that is rounded to it must be another.
"""

from functools import cache

import pytest

from compare.checks.run import Run
from compare.checks.verdict import Verdict, decide
from compare.hosts.load import load
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.selftest.trial import is_caught
from compare.training.record import record
from impls.interface import Implementation, Loss, Problem
from tests.helpers import problem_of, replayed

pytestmark = pytest.mark.slow
STEPS = 720
BOUNDED = 704
"""The first step without a bound."""


def unstable_problem(loss: Loss, lr: float) -> Problem:
    """Create the notebook's problem with a learning rate that is too large."""
    return problem_of(loss=loss, steps=STEPS, lr=lr)


@cache
def right_run(loss: Loss, lr: float) -> Run:
    """Train the right implementation once for all faults."""
    return record(unstable_problem(loss, lr), load("numpy"), "ours")


def verdict_on(
    implementation: Implementation, loss: Loss = "bce", lr: float = 2.0
) -> Verdict:
    """Compare an implementation, as "other", with the right run."""
    problem = unstable_problem(loss, lr)
    both = {"ours": load("numpy"), "other": implementation}
    runs = [right_run(loss, lr), record(problem, implementation, "other")]
    return decide(problem, replayed(problem, both, runs))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_an_unstable_run_is_a_difference(fault: Fault) -> None:
    """Instability excuses nothing: the first difference is the check of the fault."""
    lr = 2.0001 if fault.name == "learning rate rounded to float32" else 2.0

    verdict = verdict_on(plant(fault, load("numpy")), fault.loss or "bce", lr)

    assert verdict.answer == "differ"
    assert is_caught(fault, verdict)


@pytest.mark.parametrize("step", [100, BOUNDED + 10])
@pytest.mark.parametrize("size", [1e-3, 1e-9, 1e-13])
def test_a_fault_of_any_size_is_a_difference(size: float, step: int) -> None:
    """One gradient is wrong in one step, before or after all bounds are lost."""
    fault = Fault(
        "one gradient off",
        "dw1",
        changes={"dw1": lambda s, _: s.dw1 * (1 + size)},
        happens=lambda n, _: n == step,
    )

    verdict = verdict_on(plant(fault, load("numpy")))

    assert verdict.answer == "differ"
    assert is_caught(fault, verdict)
    first = verdict.first_difference
    assert first is not None
    assert first.first is not None
    assert first.first.step == step


def test_without_a_fault_it_is_unstable() -> None:
    """The faults above are planted in a run that has bounds for its lines alone."""
    verdict = verdict_on(load("numpy"))

    assert verdict.answer == "unstable"
    assert verdict.drift.first_invalid_step == BOUNDED
