"""The peers are called for real, on what an implementation computes."""

from dataclasses import fields

import pytest

from benchmarks.peers import Evidence, alarms, on_fault, on_rewrite
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.rewrites import REWRITES
from compare.training.problems import Experiment
from impls.interface import Array, Gradients, Trace, Weights
from tests.helpers import problem_of


@pytest.mark.parametrize(
    ("factor", "found"),
    [
        (1.0, set()),
        (1 + 1e-8, set()),
        (1 + 1e-5, {"assert_allclose", "assert_close"}),
        (-1.0, {"assert_allclose", "assert_close", "gradcheck", "check_grads"}),
    ],
)
def test_peers_report_what_their_tolerance_can(factor: float, found: set[str]) -> None:
    """One factor is put in the trace and in the gradient at one step."""
    problem = problem_of(steps=20)
    trace = load("numpy").train(problem)
    doctored = Trace(**{f.name: getattr(trace, f.name) * factor for f in fields(Trace)})

    def function(weights: Weights[Array]) -> tuple[Array, Weights[Array]]:
        d: Gradients[Array]
        value, d = load("numpy").loss_and_gradients(
            weights, problem.x, problem.y, problem.loss
        )
        return value, Weights(d.dw1 * factor, d.dw2 * factor)

    assert alarms(Evidence(trace, doctored, function, problem.weights)) == found


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        ("dw1 transposed", set()),
        ("stale gradient", {"gradcheck", "check_grads"}),
        (
            "one element off by a billionth in one step",
            {"assert_allclose", "assert_close", "gradcheck", "check_grads"},
        ),
    ],
)
def test_a_fault_is_shown_to_all(fault: str, missing: set[str]) -> None:
    """A fault of the gradient shows to all peers, one of the update to two."""
    peers = {"assert_allclose", "assert_close", "gradcheck", "check_grads"}

    found = on_fault(Experiment(steps=100), fault_named(fault), "numpy")

    assert found == {"gradparity"} | (peers - missing)


def test_a_rewrite_is_shown_to_all() -> None:
    """In float32, two peers report a correct program."""
    rewrite = next(r for r in REWRITES if r.name == "sigmoid from torch.tanh")

    found = on_rewrite(Experiment(steps=300, dtype="float32"), rewrite)

    assert found == {"assert_allclose", "gradcheck"}
