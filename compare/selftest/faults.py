"""Mistakes that people make, to be planted."""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np

from compare.diagnosis.formulas import through
from compare.numerics.equations import Step
from compare.selftest.plant import Change, Fault
from compare.training.problems import seeded_weights
from impls.interface import Array, Problem, Trace, Weights


def _element(name: str, change: Callable[[Array], Array]) -> Change:
    """Change the first element of a quantity."""

    def changed(step: Step[Array], _: Step[Array]) -> Array:
        value = np.array(getattr(step, name))
        value[..., 0, 0] = change(value[..., 0, 0])
        return value

    return changed


def _doctored(**changes: Callable[[Array], Array]) -> Callable[[Trace], Trace]:
    return lambda trace: replace(
        trace,
        **{name: change(getattr(trace, name)) for name, change in changes.items()},
    )


def _with_nan(array: Array) -> Array:
    array = np.array(array)
    array[-1, 0, 0] = np.nan
    return array


def _epsilon(step: Step[Array], _: Step[Array]) -> Array:
    y, a2 = step.y, step.a2
    logs = y * np.log(a2 + 1e-7) + (1 - y) * np.log(1 - a2 + 1e-7)
    return np.asarray(-logs.sum() / y.shape[-1])


def _trained(**changes: Callable[[Problem], Any]) -> Callable[[Problem], Problem]:
    return lambda p: replace(p, **{name: new(p) for name, new in changes.items()})


def _other_seed(p: Problem) -> Weights[Array]:
    (n_h, n_x), n_y = p.weights.w1.shape, len(p.weights.w2)
    w1, w2 = seeded_weights(2**31, n_x, n_h, n_y)
    return Weights(w1.astype(p.x.dtype), w2.astype(p.x.dtype))


def fault_named(name: str) -> Fault:
    """Find a fault by its name.

    Raises:
        ValueError: There is none; the message lists similar names.
    """
    faults = {fault.name: fault for fault in FAULTS}
    if name in faults:
        return faults[name]
    close = " or ".join(map(repr, get_close_matches(name, faults)))
    advice = close or "one that `gradparity faults --list` prints"
    raise ValueError(f"no fault is called {name!r}: choose {advice}")


_start = partial(Fault, reported="w1", kind="completeness", when="at the start")

FAULTS = (
    # The start, and what is trained.
    _start(
        "another seed",
        problem=_trained(weights=_other_seed),
        sentence="The weights are drawn, but not from the seed that was agreed on.",
    ),
    _start(
        "start weights rounded to float32",
        problem=_trained(
            weights=lambda p: Weights(*map(through(np.float32), p.weights))
        ),
        cause="rounded to float32",
        rounded_away=True,
        sentence="The weights pass through a float32 array before training begins.",
    ),
    _start(
        "hidden units swapped at the start",
        problem=_trained(
            weights=lambda p: Weights(p.weights.w1[::-1], p.weights.w2[:, ::-1])
        ),
        cause="hidden units in another order",
        sentence="The same network in another order, which learns the same.",
    ),
    _start(
        "seed weights overwritten in place",
        doctor=_doctored(w1=lambda w: 0 * w + w[-1], w2=lambda w: 0 * w + w[-1]),
        cause="overwritten in place: recorded without .copy()",
        sentence="The update writes into the array that the seed weights are kept in.",
    ),
    Fault(
        "learning rate 0.1 % off",
        "new_w1",
        problem=_trained(lr=lambda p: p.lr * 1.001),
        cause="learning rate 0.9009, not 0.9",
        sentence="The learning rate was typed from memory.",
    ),
    Fault(
        "learning rate rounded to float32",
        "new_w1",
        problem=_trained(lr=lambda p: float(np.float32(p.lr))),
        cause="learning rate rounded to float32",
        rounded_away=True,
        sentence="The learning rate is kept in a float32 tensor.",
    ),
    Fault(
        "labels of two samples swapped",
        "loss",
        problem=_trained(y=lambda p: p.y[:, [1, 0, *range(2, p.y.shape[1])]]),
        cause="labels of samples 0 and 1 swapped",
        sentence="The inputs were shuffled, and the labels of two of them were not.",
    ),
    Fault(
        "one step short",
        "w1",
        "completeness",
        problem=_trained(steps=lambda p: p.steps - 1),
        cause="1 of {steps} steps missing",
        sentence="The loop ends one step early.",
    ),
    # The forward pass.
    Fault(
        "float32 in the sigmoid",
        changes={"a1": lambda s, _: through(np.float32)(s.a1)},
        cause="float32 inside float64",
        rounded_away=True,
        sentence="The hidden activation is computed in float32 and cast back.",
    ),
    Fault(
        "epsilon in the logarithm",
        changes={"loss": _epsilon},
        loss="bce",
        cause="1e-7 added to a2 in its log",
        sentence="A small number keeps log from zero, and changes it everywhere.",
    ),
    Fault(
        "loss of the sum, not of the mean",
        changes={"loss": lambda s, _: s.loss * s.y.shape[-1]},
        cause="4 times too large: the sum over samples, not the mean",
        sentence="The sum is divided by len(y), which is 1: it is no mean.",
    ),
    Fault(
        "loss rounded to five decimals",
        changes={"loss": lambda s, _: np.round(s.loss, 5)},
        cause="rounded to 5 decimals",
        sentence="The loss is read back from a log that was written for people.",
    ),
    Fault(
        "loss logged after the update",
        "loss",
        doctor=_doctored(loss=lambda loss: np.append(loss[1:], loss[-1:])),
        cause="taken after the update",
        sentence="The loss is computed with the new weights, and that is recorded.",
    ),
    # The backward pass.
    Fault(
        "gradient of the sum, 1/m missing",
        changes={"dz2": lambda s, _: s.dz2 * s.y.shape[-1]},
        cause="4 times too large: the sum over samples, not the mean",
        sentence="The gradient of the sum, not of the mean: m times too large.",
    ),
    Fault(
        "mean over outputs, not over samples",
        changes={"dz2": lambda s, _: s.dz2 * s.y.shape[-1] / s.y.shape[-2]},
        cause="4 times too large: the sum over samples, not the mean",
        sentence="The mean is taken over the wrong axis.",
    ),
    Fault(
        "cross-entropy's gradient under the squared error",
        changes={"dz2": lambda s, _: (s.a2 - s.y) / s.y.shape[-1]},
        loss="mse",
        cause="that of the other loss",
        sentence="The loss is the squared error; the gradient is the cross-entropy's.",
    ),
    Fault(
        "the squared error's gradient under cross-entropy",
        changes={"dz2": lambda s, _: 2 * (s.a2 - s.y) * s.a2 * (1 - s.a2) / s.y.size},
        loss="bce",
        cause="that of the other loss",
        sentence="The loss is the cross-entropy; the gradient is the squared error's.",
    ),
    Fault(
        "one sample dropped",
        changes={"dz2": lambda s, _: s.dz2 * (np.arange(s.y.shape[-1]) > 0)},
        cause="sample 0 missing",
        sentence="The first sample is masked out of the gradient.",
    ),
    Fault(
        "float32 in the output gradient",
        changes={"dw2": lambda s, _: through(np.float32)(s.dw2)},
        cause="float32 inside float64",
        rounded_away=True,
        sentence="One product is computed in float32.",
    ),
    Fault(
        "w2 updated before dz1",
        changes={
            "dz1": lambda s, _: ((s.w2 - s.lr * s.dw2).mT @ s.dz2) * s.a1 * (1 - s.a1)
        },
        cause="w2 taken after its update",
        sentence="The backward pass goes through weights that are new already.",
    ),
    Fault(
        "sigmoid's derivative left out",
        changes={"dz1": lambda s, _: s.w2.mT @ s.dz2},
        cause="a1 (1 - a1) left out",
        sentence="The error is passed back as if the hidden units were linear.",
    ),
    Fault(
        "sigmoid's derivative at z, not at a",
        changes={"dz1": lambda s, _: (s.w2.mT @ s.dz2) * s.z1 * (1 - s.z1)},
        cause="z1 (1 - z1), not a1 (1 - a1)",
        sentence="z1 (1 - z1) is used in place of a1 (1 - a1).",
    ),
    Fault(
        "wrong slope of a sample whose inputs are 0",
        changes={"dz1": _element("dz1", lambda v: v * 1.5)},
        cause="times 1.5 in [0, 0] only",
        sentence="A wrong dz1 that changes no weight: its inputs are 0.",
    ),
    Fault(
        "dw1 transposed",
        changes={"dw1": lambda s, _: s.dw1.mT},
        square=True,
        cause="transposed",
        sentence="A 2 by 2 gradient has the right shape either way.",
    ),
    Fault(
        "dw1 with the wrong sign",
        changes={"dw1": lambda s, _: -s.dw1},
        cause="the wrong sign",
        sentence="The hidden weights climb where they should descend.",
    ),
    Fault(
        "dw1 with the wrong sign in the last step",
        changes={"dw1": lambda s, _: -s.dw1},
        happens=lambda n, total: n == total - 1,
        sentence="The same, where no later step can show it.",
    ),
    Fault(
        "dw1 zero in the last hundredth",
        changes={"dw1": lambda s, _: 0 * s.dw1},
        happens=lambda n, total: n >= total - total // 100,
        cause="zero",
        sentence="The hidden layer is frozen towards the end.",
    ),
    Fault(
        "gradients 0.01 % too large",
        changes={
            "dw2": lambda s, _: s.dw2 * 1.0001,
            "dw1": lambda s, _: s.dz1 @ s.x.mT * 1.0001,
        },
        cause="times 1.0001",
        sentence="Each gradient is multiplied by 1.0001.",
    ),
    Fault(
        "one element 1 % off in one step",
        changes={"dw1": _element("dw1", lambda v: v * 1.01)},
        happens=lambda n, total: n == total // 2,
        sentence="A bit flips in the third digit, once.",
    ),
    Fault(
        "one element off by a millionth in one step",
        changes={"dw1": _element("dw1", lambda v: v * (1 + 1e-6))},
        happens=lambda n, total: n == total // 2,
        rounded_away=True,
        sentence="A bit flips in the seventh digit, once.",
    ),
    Fault(
        "one element off by a billionth in one step",
        changes={"dw1": _element("dw1", lambda v: v * (1 + 1e-9))},
        happens=lambda n, total: n == total // 2,
        rounded_away=True,
        sentence="A bit flips in the tenth digit, once.",
    ),
    Fault(
        "errors that cancel in the mean, in the first step",
        changes={"dw1": lambda s, _: s.dw1 + 1e-3 * np.resize([1, -1], s.dw1.shape)},
        happens=lambda n, _: n == 0,
        sentence="A number is added to one element and subtracted from the next.",
    ),
    Fault(
        "gradient clipped at 0.01",
        changes={
            "dw2": lambda s, _: np.clip(s.dw2, -0.01, 0.01),
            "dw1": lambda s, _: np.clip(s.dz1 @ s.x.mT, -0.01, 0.01),
        },
        cause="clipped at 0.01",
        sentence="Clipping was left on from another project.",
    ),
    # The update.
    Fault(
        "stale gradient",
        changes={
            "new_w1": lambda s, past: s.w1 - s.lr * past.dw1,
            "new_w2": lambda s, past: s.w2 - s.lr * past.dw2,
        },
        cause="gradient of the step before",
        sentence="The update uses the gradient of the step before.",
    ),
    Fault(
        "momentum left on",
        changes={
            "new_w1": lambda s, past: s.w1 - s.lr * s.dw1 + 0.9 * (s.w1 - past.w1),
            "new_w2": lambda s, past: s.w2 - s.lr * s.dw2 + 0.9 * (s.w2 - past.w2),
        },
        cause="momentum 0.9",
        sentence="The optimiser was made with a momentum of 0.9.",
    ),
    Fault(
        "weight decay left on",
        changes={
            "new_w1": lambda s, _: s.w1 - s.lr * (s.dw1 + 1e-4 * s.w1),
            "new_w2": lambda s, _: s.w2 - s.lr * (s.dw2 + 1e-4 * s.w2),
        },
        cause="weight decay 0.0001 times lr, or 9e-05 without lr",
        sentence="The optimiser was made with a weight decay of 1e-4.",
    ),
    Fault(
        "weights frozen in the last hundredth",
        changes={"new_w1": lambda s, _: s.w1, "new_w2": lambda s, _: s.w2},
        happens=lambda n, total: n >= total - total // 100,
        cause="weights not updated",
        sentence="The update stops early, and the loop does not.",
    ),
    # The record.
    Fault(
        "NaN in the last gradient",
        "dw1",
        "completeness",
        doctor=_doctored(dw1=_with_nan),
        cause="not finite at step {last}, though its inputs are",
        sentence="One number of the last step is not a number.",
    ),
    Fault(
        "a2 of shape (4,), not (1, 4)",
        "a2",
        "completeness",
        doctor=_doctored(a2=lambda a: a[:, 0]),
        cause="axes of length 1 dropped",
        sentence="An axis was squeezed away, and broadcasting would hide it.",
    ),
    Fault(
        "a step recorded twice",
        "new_w1",
        doctor=lambda trace: Trace(
            **{
                name: np.append(a[:1], a[:-1], axis=0)
                for name, a in vars(trace).items()
            }
        ),
        sentence="A row is written twice, and the last is lost.",
    ),
)
