"""The resolution that a match states is what the audit really notices."""

from dataclasses import replace

import numpy as np
import pytest

from compare.checks.audit import audit
from compare.checks.check import Check, Claim, Resolution, judge
from compare.checks.resolution import coarsest, resolutions
from compare.checks.run import Run
from compare.hosts.load import load
from compare.training.record import record
from tests.helpers import DTYPES, near, problem_of

STEPS = 20
ONE = np.ones(1)
LINES = ("dw1", "dw2", "loss", "a2")


@pytest.fixture(scope="module", params=DTYPES)
def run(request: pytest.FixtureRequest) -> tuple[str, Run]:
    """Record a short run of NumPy in each dtype."""
    problem = problem_of(request.param, steps=STEPS)
    return request.param, record(problem, load("numpy"), "numpy")


def checked(run: tuple[str, Run], quantity: str) -> Check:
    """Audit one line."""
    dtype, recorded = run
    checks = audit(problem_of(dtype, steps=STEPS), recorded)
    return next(check for check in checks if check.quantity == quantity)


def resolved(run: tuple[str, Run], quantity: str) -> Resolution:
    """Return the stated resolution of one line."""
    found = checked(run, quantity).resolution
    assert found is not None
    return found


def failing_steps(run: tuple[str, Run], quantity: str, error: float) -> int:
    """Count the steps in which a relative error, in that step alone, is reported."""
    dtype, recorded = run
    failed = 0
    for step in range(STEPS):
        array = getattr(recorded.trace, quantity).copy()
        array[step] *= 1 + error
        trace = replace(recorded.trace, **{quantity: array})
        failed += (
            checked((dtype, replace(recorded, trace=trace)), quantity).passed is False
        )
    return failed


@pytest.mark.parametrize("quantity", LINES)
def test_an_error_of_the_worst_resolution_is_reported_at_each_step(
    run: tuple[str, Run], quantity: str
) -> None:
    """It is the error that no step lets pass; a tenth of it passes in one at least."""
    worst = resolved(run, quantity).worst

    assert failing_steps(run, quantity, 1.2 * worst) == STEPS
    assert failing_steps(run, quantity, 0.1 * worst) < STEPS


@pytest.mark.parametrize("quantity", LINES)
def test_an_error_of_the_median_resolution_is_reported_at_half_of_the_steps(
    run: tuple[str, Run], quantity: str
) -> None:
    """Half of the steps report it, or more."""
    error = 1.2 * resolved(run, quantity).median

    assert failing_steps(run, quantity, error) >= STEPS // 2


def test_the_worst_run_and_line_count(run: tuple[str, Run]) -> None:
    """What is stated of gradients is the larger of dw1 and dw2, over all runs."""
    fine = [checked(run, quantity) for quantity in ("dw1", "dw2")]
    coarse = replace(fine[0], subject=("other",), resolution=Resolution(0.5, 0.25))

    expected = [resolved(run, quantity).worst for quantity in ("dw1", "dw2")]
    assert resolutions(fine)["gradients"].worst == near(max(expected), 0)
    assert resolutions([*fine, coarse])["gradients"] == (0.5, 0.25)
    assert resolutions(fine).keys() == {"gradients"}


def test_equality_has_no_resolution() -> None:
    """Numbers that must be equal are no evidence of how small an error is seen."""
    equal, bounded = (
        judge(Claim("audit", ("it",), "dw1", "", basis=basis), ONE, ONE, 0.5)
        for basis in ("equality", "line")
    )

    assert equal.resolution is None
    assert coarsest([equal]) is None
    assert coarsest([equal, bounded]) == Resolution(1.0, 1.0)
