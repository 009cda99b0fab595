"""Harmless rewrites match, and a declared formula is still held to its bound."""

from dataclasses import replace

import numpy as np
import pytest

from compare.hosts.load import OURS, load
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import REWRITES, Rewrite, rewritten, tanh_sigmoid
from compare.selftest.trial import Trials, beside_ours, is_caught
from tests.helpers import DTYPES, problem_of

OTHER_FORMULAS = [rewrite for rewrite in REWRITES if rewrite.end_to_end]
WIDEST = max(REWRITES, key=lambda rewrite: len(rewrite.end_to_end))


def name_of(rewrite: Rewrite) -> str:
    """Name a case of a test."""
    return f"{rewrite.base}-{rewrite.name}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rewrite", REWRITES, ids=name_of)
def test_every_rewrite_matches(rewrite: Rewrite, dtype: str, trials: Trials) -> None:
    """Other sums, other sigmoids, other losses, other loops: the same network."""
    answers = [
        control.answer
        for control in trials.controls
        if (control.name, control.base) == (rewrite.name, rewrite.base)
        if control.dtype == dtype
    ]

    assert answers == ["match"] * len(rewrite.losses)


@pytest.mark.parametrize("base", OURS)
def test_what_is_rewritten_matches_as_it_is(base: str, trials: Trials) -> None:
    """Both losses in both dtypes: the rewrites start from what matches."""
    plain = [c for c in trials.controls if (c.name, c.base) == ("as it is", base)]

    assert [c.answer for c in plain] == ["match"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rewrite", OTHER_FORMULAS, ids=name_of)
@pytest.mark.parametrize("answer", ["match", "differ"])
def test_end_to_end_is_what_other_formulas_need(
    rewrite: Rewrite, dtype: str, answer: str
) -> None:
    """Once a2 nears 0 and 1, undeclared lines fail; declared, they match."""
    problem = problem_of(dtype, steps=4000)
    if answer == "differ":
        rewrite = replace(rewrite, end_to_end=())

    verdict = beside_ours(problem, rewrite.implementation())

    assert verdict.answer == answer


@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if fault.quantity in WIDEST.end_to_end],
    ids=lambda fault: fault.name,
)
def test_a_fault_behind_another_formula_is_reported(fault: Fault) -> None:
    """In float64 the wider bounds hide no fault of the quantities that get them."""
    problem = problem_of(loss=fault.loss or "bce")

    verdict = beside_ours(problem, plant(fault, WIDEST.implementation()))

    assert is_caught(fault, verdict)


@pytest.mark.parametrize("rewrite", OTHER_FORMULAS, ids=name_of)
def test_what_another_formula_computes_is_judged_from_the_weights(
    rewrite: Rewrite,
) -> None:
    """The declared quantities, and no others, get the wider bound."""
    verdict = beside_ours(problem_of(steps=20), rewrite.implementation())

    audits = [
        check
        for check in verdict.checks
        if (check.subject, check.kind) == (("other",), "audit")
        if check.when == "in a step"
    ]
    from_weights = {c.quantity for c in audits if c.basis == "weights"}
    assert from_weights == {*rewrite.end_to_end}
    assert {c.quantity for c in audits if c.basis == "line"} > {"loss", "new_w1"}


def test_rewriting_leaves_ours_alone() -> None:
    """The original module keeps its own functions."""
    ours = load("numpy")
    before = dict(vars(ours))

    other = rewritten("numpy", sigmoid=tanh_sigmoid)

    assert vars(other)["sigmoid"] is tanh_sigmoid
    assert vars(load("numpy")) == before
    assert np.array_equal(tanh_sigmoid(np.zeros(1)), [0.5])
