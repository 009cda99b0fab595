"""What a trace takes of memory: known before the first step is trained.

What recording and comparing take beside the trace is measured, not derived: run
`python benchmarks/memory.py` to see it, each number in a process of its own.
"""

from math import prod

import numpy as np
import psutil

from compare.checks.completeness import layout
from compare.numerics.rounding import CHUNK
from impls.interface import Problem

LONGEST = 100_000
"""Steps from one recorded to the next: the comparison computes every one again."""
CHOICES = [n * 10**power for power in range(5) for n in (1, 2, 5)] + [LONGEST]
"""For K, to suggest."""
OBJECTS = 7_000
"""Bytes that a step takes beside its numbers while it is a row of small arrays.

PyTorch's take the most, 6,200.
"""
COPIES = 5
"""Float64s that comparing takes for each recorded number, and once more for working.

Measured: up to 3.5 (float32) or 4.4 (float64) for each trace, and 5.5 once. They are
values, error bars, gradients at others' weights, and the long doubles of one trace.
"""
JACOBIANS, HESSIANS = 2, 6
"""How many of each are in memory at once, parts and sums together."""


class TooLargeError(ValueError):
    """A trace would not fit into memory; the message says what would."""


def free() -> int:
    """Count the bytes that are free: the system's, whatever a container may allow."""
    return int(psutil.virtual_memory().available)


def numbers(problem: Problem, every: int) -> int:
    """Count the numbers of a trace, the weights after each recorded update among them.

    Args:
        problem: What is trained.
        every: K, if each K-th step is recorded.
    """
    shapes = layout(problem, every)
    updated = [shapes["dw1"], shapes["dw2"]] if every > 1 else []
    return sum(map(prod, [*shapes.values(), *updated]))


def size(problem: Problem, every: int) -> int:
    """Count the bytes of a trace; arguments as those of `numbers`."""
    return numbers(problem, every) * problem.x.dtype.itemsize


def training(problem: Problem, every: int) -> int:
    """Bound the bytes of recording: of the rows, and of one part between two."""
    part = min(every, problem.steps) if every > 1 else 0
    step = numbers(problem, 1) // problem.steps * problem.x.dtype.itemsize
    (rows,) = layout(problem, every)["loss"]
    return (rows + part) * (OBJECTS + 2 * step)


def comparing(problem: Problem, every: int, traces: int) -> int:
    """Bound the bytes of comparing so many traces; of saving one, if it is of none."""
    (rows,) = layout(problem, every)["loss"]
    weights = sum(w.size for w in problem.weights)
    floats = COPIES * (traces + 1) * numbers(problem, every)
    if traces:
        floats += JACOBIANS * rows * problem.y.size * weights
        floats += HESSIANS * min(rows, CHUNK) * weights**2
    return floats * np.dtype(np.float64).itemsize


def needed(problem: Problem, every: int, traces: int, *, trained: bool) -> int:
    """Bound the bytes of a whole command; arguments as those of `check`."""
    compared = comparing(problem, every, traces)
    if not trained:
        return compared
    return max(
        training(problem, every) + traces * size(problem, every),
        compared,
    )


def check(
    problem: Problem, every: int = 1, traces: int = 0, *, trained: bool = True
) -> None:
    """Refuse what would not fit.

    Args:
        problem: What is trained.
        every: K, if each K-th step is recorded.
        traces: How many traces are compared; none, if one is trained and saved.
        trained: Whether they are trained here, not read.

    Raises:
        TooLargeError: It would not; the message says how large a trace is, and what
            would make it smaller.
    """
    have, need = free(), needed(problem, every, traces, trained=trained)
    if need <= have:
        return
    fits = (
        choice
        for choice in CHOICES
        if needed(problem, choice, traces, trained=trained) <= have
    )
    best = next(fits, None)
    raise TooLargeError(
        f"a trace of {problem.steps:,} steps takes {in_words(size(problem, every))}, "
        f"work on it {in_words(need)}, and {in_words(have)} of memory are free: "
        + (
            f"record each K-th step alone, --every {best} would fit"
            if best
            else "take fewer steps, or a smaller network"
        )
    )


def in_words(count: float) -> str:
    """Write down a number of bytes."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if count < 999.5:  # noqa: PLR2004  # which rounds to 1000
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.0f} EB"
