"""Known mistakes: a name, the quantities in which it occurs, and its formula.

A name describes the numbers, not their history: weights that are not updated and a step
that is recorded twice leave the same trace.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from compare.diagnosis.formulas import (
    Formula,
    activation,
    adam,
    added_up,
    against_all_labels,
    from_inputs,
    in_place_of,
    later,
    logarithms,
    logits_twice,
    narrow,
    other_loss,
    rearranged,
    repeated,
    rounded,
    scaled,
    shifted_alike,
    through,
    through_a2,
    times,
)
from compare.numerics.equations import sigmoid
from impls.interface import Activations, Gradients, Loss, Problem

FEW = 10
"""Up to this many samples and hidden units are tried one by one and in pairs."""


class Mistake(NamedTuple):
    """A mistake as text, the quantities in which it occurs, and its formula."""

    words: str
    quantities: tuple[str, ...]
    formula: Formula


UPDATES = ("new_w1", "new_w2")
OF_LOSS = ("loss", *Gradients._fields)
"""The quantities that are divided as the loss is."""
LINES = (*Activations._fields, *OF_LOSS)
"""The quantities that another formula may compute."""
SATURATED = "computed from a2 as rounded, not from z2: use BCEWithLogitsLoss"
"""Logarithms of a2 and of 1 - a2 lose their digits as a2 goes to 1, and are clamped."""


def _of_rounded(words: str, factor: float = 1) -> tuple[Mistake, ...]:
    """List what a loss of a2 as rounded gives, as most losses of probabilities do."""
    return (
        Mistake(words, ("loss",), logarithms(factor=factor)),
        Mistake(words, ("dz2",), through_a2(factor)),
    )


TABLE = (
    Mistake("zero", LINES, times(0)),
    Mistake("the wrong sign", LINES, times(-1)),
    Mistake("stale by one step", LINES, rearranged(later)),
    Mistake("taken after the update", LINES, rearranged(lambda a: later(a, -1))),
    Mistake(
        "overwritten in place: recorded without .copy()",
        LINES,
        rearranged(lambda a: np.broadcast_to(a[-1:], a.shape)),
    ),
    Mistake("transposed", ("dw1", "dw2"), rearranged(lambda a: a.mT)),
    Mistake("that of the other loss", ("loss", "dz2"), other_loss),
    Mistake(
        "sigmoid applied twice", ("a1", "a2"), activation(lambda z: sigmoid(sigmoid(z)))
    ),
    Mistake("no sigmoid", ("a1", "a2"), activation(lambda z: z)),
    Mistake("tanh, not sigmoid", ("a1", "a2"), activation(np.tanh)),
    Mistake("ReLU, not sigmoid", ("a1", "a2"), activation(lambda z: np.maximum(z, 0))),
    Mistake(
        "a1 (1 - a1) left out", ("dz1",), scaled(lambda s: 1 / (s.a1 * (1 - s.a1)))
    ),
    Mistake(
        "z1 (1 - z1), not a1 (1 - a1)",
        ("dz1",),
        scaled(lambda s: s.z1 * (1 - s.z1) / (s.a1 * (1 - s.a1))),
    ),
    Mistake("a1, not a1 (1 - a1)", ("dz1",), scaled(lambda s: 1 / (1 - s.a1))),
    Mistake("1 - a1, not a1 (1 - a1)", ("dz1",), scaled(lambda s: 1 / s.a1)),
    Mistake("w2 taken after its update", ("dz1",), in_place_of("w2", "new_w2")),
    Mistake("x in place of a1", ("dw2",), in_place_of("a1", "x")),
    Mistake("z1 in place of a1", ("dw2",), in_place_of("a1", "z1")),
    Mistake("a1 in place of x", ("dw1",), in_place_of("x", "a1")),
    Mistake(
        "x minus its mean over the samples",
        ("z1", "dw1"),
        from_inputs(lambda x: x - x.mean(axis=-1, keepdims=True), "x"),
    ),
    Mistake("weights not updated", UPDATES, from_inputs(lambda lr: 0 * lr, "lr")),
    Mistake("gradient added, not subtracted", UPDATES, from_inputs(np.negative, "lr")),
    Mistake(
        "learning rate rounded to float32",
        UPDATES,
        from_inputs(through(np.float32), "lr"),
    ),
    Mistake("gradient of the step before", UPDATES, from_inputs(later, "dw1", "dw2")),
    Mistake(
        "the sign of the gradient, not the gradient",
        UPDATES,
        from_inputs(np.sign, "dw1", "dw2"),
    ),
    *(
        Mistake("Adam, not gradient descent", UPDATES, adam(epsilon))
        for epsilon in (1e-8, 1e-7)  # of PyTorch and Optax, and of Keras
    ),
)
CROSS_ENTROPY = (
    Mistake("loss of logits applied after a sigmoid", ("loss", "dz2"), logits_twice(1)),
    *_of_rounded(SATURATED),
    *(
        Mistake(f"1e-{k} added to a2 in its log", ("loss",), logarithms(10.0**-k))
        for k in range(4, 17)
    ),
)
SHOWN = (
    Mistake("the same as in the step before, as if it were cached", LINES, repeated),
    Mistake(
        "added to that of the step before: zero_grad is missing",
        ("dw1", "dw2"),
        added_up,
    ),
    *(
        Mistake(f"rounded to {k} decimals", LINES + UPDATES, rounded(k))
        for k in range(1, 13)
    ),
)


def known_mistakes(problem: Problem) -> Iterator[Mistake]:
    """List the mistakes that the right values and the sizes of a problem determine."""
    (n_y, n_h), m = problem.weights.w2.shape[-2:], problem.y.shape[-1]
    yield from TABLE
    yield from CROSS_ENTROPY if problem.loss == "bce" else ()
    if problem.loss == "mse" and n_y != 2:  # noqa: PLR2004 - otherwise of the other loss
        slope = scaled(lambda s: 1 / (s.a2 * (1 - s.a2)))
        yield Mistake("a2 (1 - a2) left out", ("dz2",), slope)
    yield from _factors(problem.loss, n_y, m)
    for weight, quantity in (("w1", "z1"), ("w2", "z2"), ("w2", "dz1")):
        rows, columns = getattr(problem.weights, weight).shape[-2:]
        if rows == columns:
            turned = from_inputs(lambda w: w.mT, weight)
            yield Mistake(f"{weight} transposed", (quantity,), turned)
        for kind in (np.float16, np.float32):
            words, read = f"{weight} read as {kind.__name__}", through(kind)
            yield Mistake(words, (quantity,), from_inputs(read, weight))
    if n_y == 1:
        words = "each prediction against all labels: shapes (m, 1) and (m,)"
        yield Mistake(words, ("loss", "dz2"), against_all_labels)
    if m <= FEW:
        yield from (e for k in range(m) for e in _missing(k, m))
        yield from (_labels(*pair, m) for pair in combinations(range(m), 2))
    if n_h <= FEW:
        yield from (e for p in combinations(range(n_h), 2) for e in _units(*p, n_h))


def shown_mistakes(problem: Problem) -> Iterator[Mistake]:
    """List the mistakes that the numbers which were found show by themselves."""
    yield from SHOWN
    for kind in (np.float16, np.float32):
        words = f"{kind.__name__} inside {problem.x.dtype}"
        yield Mistake(words, LINES + UPDATES, narrow(kind))
    if problem.x.shape[-1] > 1:
        words = "a bias is added, the same in every sample"
        yield Mistake(words, ("z1", "z2"), shifted_alike)


def _factors(loss: Loss, n_y: int, m: int) -> Iterator[Mistake]:
    """List factors; with two outputs, the mean over them is the name of 2 or 1/2."""
    others = tuple(q for q in LINES if n_y != 2 or q not in OF_LOSS)  # noqa: PLR2004
    yield Mistake("twice as large", others if loss == "mse" else LINES, times(2))
    yield Mistake("half as large", others if loss == "bce" else LINES, times(0.5))
    if m > 2:  # noqa: PLR2004 - otherwise 1/m is a half
        words = f"{m} times too large: the sum over samples, not the mean"
        yield Mistake(words, OF_LOSS, times(m))
        yield from _of_rounded(words, m) if loss == "bce" else ()
        yield Mistake(f"{m} times too small: 1/m twice", OF_LOSS, times(1 / m))
    if n_y > 1 and loss == "bce":
        words = f"1/{n_y} times: the mean over {n_y} outputs, too"
        yield Mistake(words, OF_LOSS, times(1 / n_y))
        yield from _of_rounded(words, 1 / n_y)
        words = "loss of logits applied after a sigmoid, and the mean over outputs, too"
        yield Mistake(words, ("loss", "dz2"), logits_twice(1 / n_y))
    elif n_y > 1:
        words = f"{n_y} times: the sum over {n_y} outputs, not the mean"
        yield Mistake(words, OF_LOSS, times(n_y))


def _missing(k: int, m: int) -> Iterator[Mistake]:
    """Leave out a sample; the mean is over all m, or over the others."""
    words, rest = f"sample {k} missing", np.arange(m) != k
    masked = from_inputs(lambda dz: dz * rest, "dz1", "dz2")
    yield Mistake(words, ("dw1", "dw2"), masked)
    for count in (m, m - 1) if m > 1 else ():
        yield Mistake(words, ("dz2",), times(rest * m / count))
        without = from_inputs(
            lambda a: a[..., rest], "y", "z2", "a2", factor=(m - 1) / count
        )
        yield Mistake(words, ("loss",), without)


def _labels(i: int, j: int, m: int) -> Mistake:
    words, swap = f"labels of samples {i} and {j} swapped", _swap(i, j, m)
    return Mistake(words, ("loss", "dz2"), from_inputs(lambda y: y[:, swap], "y"))


def _units(i: int, j: int, n_h: int) -> Iterator[Mistake]:
    words, swap = f"hidden units {i} and {j} swapped", _swap(i, j, n_h)
    rows = ("z1", "a1", "dz1", "dw1")
    yield Mistake(words, rows, rearranged(lambda a: a[:, swap]))
    yield Mistake(words, ("dw2",), rearranged(lambda a: a[..., swap]))


def _swap(i: int, j: int, n: int) -> list[int]:
    return [{i: j, j: i}.get(k, k) for k in range(n)]
