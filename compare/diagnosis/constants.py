"""Mistakes with a constant, which is read off the values: a factor, a learning rate."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from compare.diagnosis.formulas import Failure, by_step, constantly, later
from compare.diagnosis.mistakes import UPDATES, Mistake
from compare.numerics.equations import line_of
from impls.interface import Array

ITERATIONS = 20
"""Of a fit whose number of right digits doubles in each."""
STEP = 1e-4
"""The distance of a difference quotient, whose square counts beside 1."""
TERM = 4
"""Roundings of c d beside those of the right line: of c, d, the product and the sum."""
NAMELESS = ""
"""An explanation without a name, so that nothing is named where both fit: an added
constant does what a factor does, where the right value hardly changes."""


class Term(NamedTuple):
    """A value `base + c * slope`, as text, and what c is smaller than."""

    words: str
    base: Array
    slope: Array
    most: float = np.inf


def fitted_mistakes(f: Failure) -> Iterator[Mistake]:
    """List the mistakes with a constant, which is read off the values."""
    quantities = (f.line.quantity,)
    terms = _of_update(f) if f.line.quantity in UPDATES else _of(f)
    for words, base, slope, most in terms:
        c = _constant(f, base, slope)
        if c is not None and c < most:
            bound = f.bound * max(1, abs(c)) + TERM * f.u * abs(c * slope)
            formula = constantly(base + c * slope, bound)
            yield Mistake(words.format(c, c * f.problem.lr), quantities, formula)
    peak = abs(f.found[f.steps]).max()
    c = _shortest(peak * (1 - f.u), peak * (1 + f.u))
    if c is not None:
        formula = constantly(np.clip(f.value, -c, c), f.bound)
        yield Mistake(f"clipped at {c}", quantities, formula)


def _of_update(f: Failure) -> Iterator[Term]:
    """Yield what a new weight may be."""
    w, _, dw = (getattr(f.step, name) for name in f.line.inputs)
    yield Term(f"learning rate {{}}, not {f.problem.lr}", w, -dw)
    yield Term("momentum {}", f.value, w - later(w))
    words = "weight decay {:.3g} times lr, or {:.3g} without lr"
    yield Term(words, f.value, -f.step.lr * w)
    words = "gradients clipped to the norm {:.3g}"
    for norm in _norms(f):
        yield Term(words, w, -f.step.lr * dw / norm, norm[f.steps].min())
    yield Term(NAMELESS, f.value, np.ones_like(f.value))


def _of(f: Failure) -> Iterator[Term]:
    """Yield what any other quantity may be."""
    yield Term("times {}", 0 * f.value, f.value)
    words = "clipped to the norm {:.3g}"
    for norm in _norms(f) if f.line.quantity in ("dw1", "dw2") else ():
        yield Term(words, 0 * f.value, f.value / norm, norm[f.steps].min())
    yield Term(NAMELESS, f.value, np.ones_like(f.value))
    places = (~(abs(f.found - f.value) <= f.bound)).any(axis=0)
    elsewhere = np.where(places, 0, f.value)
    if elsewhere.any():  # zeros elsewhere would be zeros times c, too
        words = ", ".join(map(str, np.argwhere(places).tolist()))
        yield Term(f"times {{}} in {words} only", elsewhere, f.value - elsewhere)
        yield Term(NAMELESS, f.value, np.where(places, np.ones_like(f.value), 0))


def _norms(f: Failure) -> Iterator[Array]:
    """Yield the norm of both gradients together, by which clipping divides.

    `torch.nn.utils.clip_grad_norm_` adds 1e-6 to it; `optax` and Keras add nothing.
    """
    both = (line_of(f.problem.loss, name).value(f.step) for name in ("dw1", "dw2"))
    squares = sum((by_step(dw) ** 2).sum(axis=1) for dw in both)
    norm = np.sqrt(np.asarray(squares))[:, None, None]
    yield from (norm, norm + 1e-6)


def fitted_factor(f: Failure, a2: Callable[[float], Array]) -> float | None:
    """Fit a factor to what was found, by the method of Gauss and Newton."""

    def tangent(c: float) -> tuple[Array, Array]:
        return a2(c), (a2(c + STEP) - a2(c - STEP)) / (2 * STEP)

    c = 1.0
    for _ in range(ITERATIONS):
        value, slope = tangent(c)
        error, size = slope * (f.found - value), slope * slope
        c += error[f.steps].sum() / size[f.steps].sum()
    value, slope = tangent(c)
    return _constant(f, value - c * slope, slope)


def _constant(f: Failure, base: Array, slope: Array) -> float | None:
    """Find the c with which `base + c * slope` is within bounds of what was found.

    The bounds are those of the right value, and of the roundings of `c * slope`.
    """
    base, slope, found, bound = (a[f.steps] for a in (base, slope, f.found, f.bound))
    guess, bar = (found - base) / slope, bound / abs(slope)
    finite = np.isfinite(guess) & np.isfinite(bar)
    if not finite.any():
        return None
    guess, bar = guess[finite], bar[finite]
    c = abs(guess[bar.argmin()])
    bar = bar * max(1, c) + TERM * f.u * c
    return _shortest((guess - bar).max(), (guess + bar).min())


def _shortest(low: float, high: float) -> float | None:
    """Return the number between two that has the fewest digits."""
    numbers = (float(f"{(low + high) / 2:.{digits}g}") for digits in range(1, 18))
    return next((c for c in numbers if low <= c <= high), None)
