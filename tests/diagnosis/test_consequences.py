"""One mistake is one failed finding: what follows from it says so."""

from types import SimpleNamespace
from typing import Any

import pytest

from compare.contract.calls import rewired
from compare.diagnosis.findings import Finding
from compare.diagnosis.mistakes import UPDATES
from compare.testing import check_implementation, parametrize_with_checks
from impls import numpy_manual
from impls.interface import Array, Loss, Problem, Trace, Weights
from tests.helpers import problem_of, returning

QUICK = [problem_of(steps=20)]


def summed(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> tuple[Any, Any]:
    """Take the sum over samples, and return the gradients of the weights alone."""
    value, d = numpy_manual.loss_and_gradients(weights, x, y, loss)
    m = y.dtype.type(y.shape[-1])
    return m * value, SimpleNamespace(dw1=m * d.dw1, dw2=m * d.dw2)


def by_status(implementation: object) -> dict[str, list[Finding]]:
    """Return the findings by their status."""
    found: dict[str, list[Finding]] = {}
    for finding in check_implementation(implementation, problems=QUICK):
        found.setdefault(finding.status, []).append(finding)
    return found


def names(findings: list[Finding]) -> list[str]:
    """Return the names of findings."""
    return [finding.name for finding in findings]


TRANSPOSED = rewired(returning(dw1=lambda dw1: dw1.mT), train=None)
TWICE = rewired(returning(loss=lambda loss: 2 * loss), train=None)
SUM = rewired(
    SimpleNamespace(
        forward=lambda weights, x: SimpleNamespace(
            a2=numpy_manual.forward(weights, x).a2
        ),
        loss_and_gradients=summed,
    )
)
BOTH = rewired(
    returning(loss=lambda loss: 2 * loss, dw1=lambda dw1: dw1.mT), train=None
)


def test_one_wrong_gradient_is_one_failure() -> None:
    """What is computed from dw1 follows from it, and says so."""
    found = by_status(TRANSPOSED)

    assert names(found["failed"]) == ["dw1"]
    assert {finding.reason for finding in found["follows"]} == {"follows from dw1"}
    followers = {"gradients", "weights", "loss_curve", "replay", "after_training"}
    assert followers <= {*names(found["follows"])}
    assert not any(finding.fails for finding in found["follows"])


def test_two_mistakes_are_two_failures() -> None:
    """A second mistake is no consequence of the first."""
    found = by_status(BOTH)

    assert names(found["failed"]) == ["loss", "dw1"]
    reasons = {finding.name: finding.reason for finding in found["follows"]}
    assert reasons["weights"] == "follows from dw1"


def test_a_wrong_update_is_no_consequence_of_a_later_gradient() -> None:
    """The update of step 3 fails, dw1 from step 10 on: both fail."""

    def train(problem: Problem) -> Trace:
        trace = numpy_manual.train(problem)
        trace.w2[4:] *= 1 + 1e-6
        trace.dw1[10:] *= 1 + 1e-6
        return trace

    found = by_status(rewired(numpy_manual, train=train))

    assert {"new_w2", "dw1"} <= {*names(found["failed"])}
    reasons = {finding.name: finding.reason for finding in found["follows"]}
    assert reasons["weights"] == "follows from new_w2"


def test_a_function_that_only_training_does_without() -> None:
    """Training is right and the function is not: the replay fails, the rest follows."""
    found = by_status(rewired(TRANSPOSED, train=numpy_manual.train))

    assert names(found["failed"]) == ["replay"]
    reasons = {finding.name: finding.reason for finding in found["follows"]}
    assert reasons == {
        "after_training": "follows from replay",
        "gradients": "follows from replay",
    }


def test_probabilities_without_intermediates() -> None:
    """Judged from the weights, dw1 follows from a2, which it is computed from."""

    def forward(weights: Weights[Array], x: Array) -> Any:
        return SimpleNamespace(a2=numpy_manual.forward(weights, x).a2 * 0.9)

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> Any:
        value, d = numpy_manual.loss_and_gradients(weights, x, y, loss)
        return value, SimpleNamespace(dw1=d.dw1.mT, dw2=d.dw2)

    box = SimpleNamespace(forward=forward, loss_and_gradients=loss_and_gradients)
    found = by_status(box)

    assert names(found["failed"]) == ["a2"]
    assert {finding.reason for finding in found["follows"]} == {"follows from a2"}


def test_a_wrong_reference_is_the_root() -> None:
    """The failures of a pair follow from the reference that is wrong."""
    findings = check_implementation("numpy", against=TRANSPOSED, problems=QUICK)

    assert [finding.name for finding in findings if finding.fails] == ["reference"]
    follows = {finding.reason for finding in findings if finding.status == "follows"}
    assert follows == {"follows from reference"}


def outcomes(port: object, *expected: str) -> dict[str, list[str]]:
    """Run the cases of a port as pytest does, and return their names by outcome."""
    why = {f"SimpleNamespace-{name}": "known" for name in expected}
    mark = parametrize_with_checks([port], problems=QUICK, expected_failures=why)
    _, cases = mark.args
    found: dict[str, list[str]] = {}
    for case in cases:
        implementation, check = case.values
        outcome = "passed"
        try:
            check(implementation)
        except AssertionError:
            outcome = "xfailed" if case.marks else "failed"
        except pytest.skip.Exception as skipped:
            outcome = str(skipped.msg)
        found.setdefault(outcome, []).append(check.name)
    return found


def test_one_mistake_is_one_red_test() -> None:
    """Consequences are skipped with their reason."""
    found = outcomes(TWICE)

    assert found.pop("failed") == ["loss"]
    expected = ["after_training", "replay", "loss_curve"]
    assert found.pop("follows from loss") == expected
    (own,) = (words for words in found if words.startswith("not checked: your opt"))
    assert found.pop(own) == [*UPDATES]
    assert [*found] == ["passed"]


def test_an_expected_root_is_enough() -> None:
    """What follows from an expected failure is skipped, too."""
    found = outcomes(TWICE, "loss")

    assert found["xfailed"] == ["loss"]
    assert "loss_curve" in found["follows from loss"]
    assert "failed" not in found


def test_a_consequence_may_be_expected() -> None:
    """A consequence that is listed fails as expected, and is not skipped."""
    found = outcomes(TWICE, "loss", "loss_curve")

    assert found["xfailed"] == ["loss", "loss_curve"]
    assert "loss_curve" not in found["follows from loss"]


def test_an_expected_consequence_does_not_hide_its_root() -> None:
    """The root still fails."""
    assert outcomes(TWICE, "loss_curve")["failed"] == ["loss"]


def test_a_mistake_in_several_lines_is_one_red_test() -> None:
    """The sum in place of the mean is in the loss and in each gradient: one name."""
    findings = check_implementation(SUM, problems=QUICK)

    failed = [finding.name for finding in findings if finding.fails]
    reasons = {f.name: f.reason for f in findings if f.status == "follows"}
    assert failed == ["loss"]
    assert reasons["dw1"] == reasons["dw2"] == "follows from loss"
