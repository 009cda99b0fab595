"""A run: the trace of one implementation, trained here or read from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from compare.checks.check import Check, is_array
from impls.interface import Array, Problem, Trace, Weights

OPTIONAL = ("z1", "a1", "z2", "dz2", "dz1")
"""The quantities that a third-party implementation need not return."""


@dataclass(frozen=True, eq=False)
class Run:
    """A trace, and how it was obtained.

    Attributes:
        name: The name of the implementation.
        trace: Its training.
        final_a2: The probabilities of `forward` at the trained weights, (n_y, m); empty
            if the trace is incomplete.
        end_to_end: The quantities that the implementation computes by another formula.
        unknown: The intermediates that the implementation does not return.
        replayed: What the functions return at the weights before each update, of each
            complete run by its name, this one included: by quantity, with the step as
            the first axis.
        carried: Whether that is dw1 and dw2 alone, computed from the recorded ones for
            want of an implementation; see `training.replay.carry`.
        contract: The checks made before training, or instead of it.
        looped: Whether the implementation has no `train`, so that a plain loop
            trained it.
        plain_loss: Whether the loss is not its own, but that of `torch_module`.
        answers: What else the functions return at the trained weights, by quantity;
            empty if only the trace is known.
    """

    name: str
    trace: Trace
    final_a2: Array = field(default_factory=lambda: np.empty(0))
    end_to_end: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    replayed: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    carried: bool = False
    contract: tuple[Check, ...] = ()
    looped: bool = False
    plain_loss: bool = False
    answers: Mapping[str, Array] = field(default_factory=dict)


def before_updates(run: Run) -> Weights[Array]:
    """Return the weights before each of N updates, where gradients were recorded."""
    return Weights(run.trace.w1[:-1], run.trace.w2[:-1])


def other_formulas(run: Run) -> frozenset[str]:
    """Return which of a1, a2 and dz2 may be computed by another formula.

    That is declared, or unknown for dz2 if it is not returned.
    """
    other = {"a1", "a2", "dz2"} & {*run.end_to_end}
    return frozenset(other | ({"dz2"} & {*run.unknown}))


def after_training(run: Run) -> dict[str, Array]:
    """Return what the functions gave at the trained weights, by quantity."""
    return {"a2": run.final_a2, **run.answers}


def shapes(problem: Problem) -> dict[str, tuple[int, ...]]:
    """Return the shape of each field of a trace, in the order of a step."""
    (w1, w2), m, n = problem.weights, problem.x.shape[-1], problem.steps
    hidden, output = (n, len(w1), m), (n, len(w2), m)
    return {
        "w1": (n + 1, *w1.shape),
        "w2": (n + 1, *w2.shape),
        "z1": hidden,
        "a1": hidden,
        "z2": output,
        "a2": output,
        "loss": (n,),
        "dz2": output,
        "dw2": (n, *w2.shape),
        "dz1": hidden,
        "dw1": (n, *w1.shape),
    }


def required(
    problem: Problem, run: Run
) -> dict[str, tuple[Array | None, tuple[int, ...]]]:
    """Pair each array that a run must have, or has anyway, with its right shape.

    The keys are the fields of a trace, in the order of a step.
    """
    pairs = {
        name: (getattr(run.trace, name, None), shape)
        for name, shape in shapes(problem).items()
    }
    return {
        name: (array, shape)
        for name, (array, shape) in pairs.items()
        if name not in run.unknown or array is not None
    }


def fits(problem: Problem, run: Run) -> bool:
    """Return whether a run has all arrays, in the shapes and the dtype of an audit."""
    dtype = problem.x.dtype
    expected = required(problem, run).values()
    return all(is_array(array, shape, dtype) for array, shape in expected)
