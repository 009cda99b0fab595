"""What widely used checks say of the planted faults, with their defaults.

Run as `python benchmarks/peers.py`; it takes minutes. The faults and the harmless
rewrites are those of `gradparity faults`.

`numpy.testing.assert_allclose` and `torch.testing.assert_close` get every array of both
traces, all steps at once, which is more than they are usually given. `gradcheck` of
PyTorch and `check_grads` of JAX compare a gradient with differences of the loss at one
point. They get loss and gradient as the implementation computes them, at the weights
of one step, and so can see nothing of the start, the update or the record.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import torch
from jax import test_util

from compare.checks.verdict import Verdict
from compare.hosts.load import OURS, load
from compare.selftest.plant import Fault, plant, spread
from compare.selftest.rewrites import Rewrite
from compare.selftest.trial import beside_ours, is_caught, list_trials
from compare.training.problems import DTYPES, Experiment
from compare.training.record import step_at
from impls.interface import Array, Implementation, Problem, Trace, Weights

STEPS = 300
NOTHING = Fault("nothing")
Function = Callable[[Weights[Array]], tuple[Array, Weights[Array]]]
"""The loss and the gradient at some weights."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the peers are shown of an implementation.

    Attributes:
        right: The trace of a correct run.
        other: The trace of the implementation.
        function: The loss and the gradient of the implementation.
        weights: The weights at which those are checked.
    """

    right: Trace
    other: Trace
    function: Function
    weights: Weights[Array]


def allclose(evidence: Evidence) -> None:
    """Compare every array with that of the right trace, to 1e-7 of each element."""
    for name, steps in vars(evidence.right).items():
        np.testing.assert_allclose(getattr(evidence.other, name), steps)


def close(evidence: Evidence) -> None:
    """Compare the same arrays within PyTorch's tolerance for the dtype."""
    for name, steps in vars(evidence.right).items():
        torch.testing.assert_close(
            *(torch.tensor(np.array(a)) for a in (getattr(evidence.other, name), steps))
        )


def gradcheck(evidence: Evidence) -> None:
    """Compare the gradient with differences of the loss, along each axis."""

    class Differentiated(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *weights: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
            with torch.enable_grad():  # autograd may be what the function uses
                loss, gradient = evidence.function(
                    Weights(*(w.detach().numpy() for w in weights))
                )
            ctx.save_for_backward(*(torch.tensor(d) for d in gradient))
            return torch.tensor(loss)

        @staticmethod
        def backward(ctx: Any, factor: torch.Tensor) -> Any:  # noqa: ANN401
            return tuple(factor * d for d in ctx.saved_tensors)

    weights = [torch.tensor(w, requires_grad=True) for w in evidence.weights]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that float32 is likely to fail
        passes = torch.autograd.gradcheck(
            Differentiated.apply, weights, raise_exception=False
        )
    if not passes:
        raise AssertionError


def check_grads(evidence: Evidence) -> None:
    """Compare the gradient with differences of the loss, in a random direction."""

    def numbers(weights: tuple[jax.Array, ...]) -> tuple[Array, Weights[Array]]:
        return evidence.function(Weights(*map(np.asarray, weights)))

    @jax.custom_jvp
    def differentiated(*weights: jax.Array) -> jax.Array:
        return jax.numpy.asarray(numbers(weights)[0])

    @differentiated.defjvp
    def _(weights: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:  # noqa: ANN401
        loss, gradient = numbers(weights)
        parts = [(d * t).sum() for d, t in zip(gradient, tangents, strict=True)]
        return jax.numpy.asarray(loss), parts[0] + parts[1]

    with jax.enable_x64(True):
        weights = tuple(map(jax.numpy.asarray, evidence.weights))
        test_util.check_grads(differentiated, weights, order=1)  # type: ignore[no-untyped-call]


PEERS: dict[str, Callable[[Evidence], None]] = {
    "assert_allclose": allclose,
    "assert_close": close,
    "gradcheck": gradcheck,
    "check_grads": check_grads,
}


def alarms(evidence: Evidence) -> frozenset[str]:
    """Name the peers that report an error in what they are given."""

    def reports(peer: Callable[[Evidence], None]) -> bool:
        try:
            peer(evidence)
        except AssertionError:
            return True
        return False

    return frozenset(name for name, peer in PEERS.items() if reports(peer))


def gradient_function(
    fault: Fault, implementation: Implementation, problem: Problem
) -> Function:
    """Return the loss and the gradient with the fault in its first step.

    A fault in the update or in the record does not show in them.
    """
    really = fault.problem(problem)

    def function(weights: Weights[Array]) -> tuple[Array, Weights[Array]]:
        step = step_at(implementation, really, weights)
        step = spread(fault, really, step, step)
        return step.loss, Weights(step.dw1, step.dw2)

    return function


def evidence_of(
    fault: Fault, implementation: Implementation, verdict: Verdict
) -> Evidence:
    """Collect what the peers are given, from the runs of a verdict."""
    problem = verdict.problem
    right, other = (run.trace for run in verdict.runs)
    n = next(n for n in range(problem.steps) if fault.happens(n, problem.steps))
    function = gradient_function(fault, implementation, problem)
    return Evidence(right, other, function, Weights(right.w1[n], right.w2[n]))


def on_fault(experiment: Experiment, fault: Fault, base: str) -> frozenset[str]:
    """Plant a fault, and name the checks that report it."""
    problem = replace(experiment, loss=fault.loss or experiment.loss).problem()
    verdict = beside_ours(problem, plant(fault, load(base)))
    found = alarms(evidence_of(fault, load(base), verdict))
    return found | {"gradparity"} if is_caught(fault, verdict) else found


def on_rewrite(experiment: Experiment, rewrite: Rewrite) -> frozenset[str]:
    """Name the checks that report a correct implementation."""
    steps = min(experiment.steps, rewrite.most_steps)
    implementation = rewrite.implementation()
    verdict = beside_ours(replace(experiment, steps=steps).problem(), implementation)
    found = alarms(evidence_of(NOTHING, implementation, verdict))
    return found if verdict.answer == "match" else found | {"gradparity"}


def main() -> None:
    """Print how many of the faults, and of the correct runs, each check reports."""
    reported: defaultdict[str, Counter[str]] = defaultdict(Counter)
    faults, rewrites = list_trials(STEPS, OURS, DTYPES)
    for experiment, fault, base in faults:
        if experiment.dtype == "float64" or not fault.rounded_away:
            found = on_fault(experiment, fault, base)
            reported[f"faults in {experiment.dtype}"].update(found | {"all"})
    for experiment, rewrite in rewrites:
        found = on_rewrite(experiment, rewrite)
        reported[f"correct runs in {experiment.dtype}"].update(found | {"all"})
    names = ("gradparity", *PEERS)
    print(f"{'reported':32}", *(f"{name:>15}" for name in names))
    for row, counts in reported.items():
        title = f"{row}, of {counts['all']}"
        print(f"{title:32}", *(f"{counts[name]:15}" for name in names))


if __name__ == "__main__":
    main()
