"""Which steps are shown, and their numbers."""

from base64 import b64decode
from dataclasses import replace
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pytest

from compare.hosts.load import load
from compare.page.shown import encode, show
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from tests.helpers import BLACK_BOX, problem_of


def test_the_steps_hold_the_worst_of_each_line() -> None:
    """Besides steps from the first to the last, those nearest to a bound.

    A check before training has no step in the run.
    """
    verdict = compare(problem_of(), {n: load(n) for n in ("numpy", "torch")})
    audited = [c for c in verdict.checks if (c.kind, c.when) == ("audit", "in a step")]
    worst = {c.worst.step for c in audited if c.worst.use > 0}

    shown = show(verdict)

    assert worst <= {*shown.reasons} <= {*shown.steps}
    assert {0, 299} <= {*shown.steps}
    before = tuple(c for c in verdict.checks if c.kind == "contract")
    assert any(c.worst.use > 0 for c in before)
    assert not show(replace(verdict, checks=before)).reasons


def test_a_reason_is_said_once() -> None:
    """Of all steps, a line of a run uses most of its bound in one."""
    verdict = compare(problem_of(), {n: load(n) for n in ("numpy", "torch")})
    dz1 = next(
        c
        for c in verdict.checks
        if (c.kind, c.when, c.label, c.subject)
        == ("audit", "in a step", "dz1", ("torch",))
    )
    words = f"dz1 of torch uses most of its bound here: {100 * dz1.worst.use:.3g} %"

    reasons = show(verdict).reasons

    assert [n for n, reason in reasons.items() if reason == words] == [dz1.worst.step]
    named = [r for r in reasons.values() if r.startswith("dz1 of torch ")]
    assert named == [words]
    assert not any("_" in reason for reason in reasons.values())


@pytest.mark.parametrize(
    ("fault", "phase"),
    [
        (None, "forward"),
        ("float32 in the sigmoid", "forward"),
        ("epsilon in the logarithm", "loss"),
        ("dw1 transposed", "backward"),
        ("stale gradient", "update"),
    ],
)
def test_a_page_opens_where_there_is_something_to_see(
    fault: str | None, phase: str
) -> None:
    """The step is computed to the first difference; the sample has no input 0."""
    numpy = load("numpy")
    run = plant(fault_named(fault), numpy) if fault else numpy

    shown = show(compare(problem_of(steps=5), {"run": run}))

    assert (shown.phase, shown.sample) == (phase, 3)


@pytest.mark.parametrize(
    "options",
    [{}, {"network": "4-6-2", "samples": 12}, {"network": "4-8-3", "samples": 20}],
    ids=str,
)
def test_the_first_difference_is_shown_first(options: dict[str, Any]) -> None:
    """It is among the steps, with its reason, even where there is room for few."""
    wrong = plant(fault_named("one element 1 % off in one step"), load("numpy"))
    problem = problem_of(**options)
    verdict = compare(problem, {"numpy": load("numpy"), "wrong": wrong})

    shown = show(verdict)

    assert verdict.first_difference_step == 150
    assert shown.steps[shown.row] == 150
    assert shown.reasons[150] == "The first difference"


def test_the_exact_numbers_are_those_of_the_weights() -> None:
    """z1 of the first element at step 0, computed in decimal digits."""
    verdict = compare(problem_of(steps=5), {"numpy": load("numpy")})
    shown = show(verdict)
    z1 = next(q for q in shown.quantities if q.name == "z1")
    getcontext().prec = 60

    w1 = verdict.problem.weights.w1
    expected = Decimal(float(w1[0, 0])) + Decimal(float(w1[0, 1]))  # of sample (1, 1)

    assert shown.exact[0][z1.start + 3] == format(expected, ".20g")


def test_what_a_run_does_not_record_is_missing() -> None:
    """A black box has no intermediates."""
    verdict = compare(problem_of(steps=5), {"numpy": load("numpy"), "box": BLACK_BOX})

    shown = show(verdict)

    assert shown.missing["box"] == ("z1", "a1", "z2", "dz2", "dz1")
    assert shown.missing["numpy"] == ()
    assert np.isnan(shown.runs["box"]).any()


def test_a_network_with_too_many_numbers_has_no_steps() -> None:
    """The page would be too large."""
    problem = problem_of(steps=5, network="3-4-2", samples=3000)

    shown = show(compare(problem, {"numpy": load("numpy")}))

    assert shown.steps == ()


def test_numbers_are_encoded_bit_for_bit() -> None:
    """The bytes are those of little-endian float64."""
    numbers = np.array([[0.1, np.nan], [-0.0, 1e-310]])

    decoded = np.frombuffer(b64decode(encode(numbers)), "<f8")

    assert decoded.tobytes() == numbers.tobytes()
