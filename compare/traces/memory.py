"""What a command takes of memory, known before anything large is made.

`python benchmarks/memory.py` measures the factor, each number in a new process.
"""

import psutil
from rich.filesize import decimal

from compare.training.problems import Sizes

FACTOR = 24
"""Bytes that a command takes at its peak, for each byte of its traces in float64."""


class TooLargeError(ValueError):
    """The traces of a command would not fit into memory."""


def trace_bytes(sizes: Sizes, steps: int) -> int:
    """Return the size of a trace in float64; float32 traces are compared in float64."""
    n_x, n_h, n_y, m = sizes
    weights = n_h * n_x + n_y * n_h
    step = 3 * n_h * m + 3 * n_y * m + 1 + 2 * weights
    return 8 * (steps * step + weights)


def needed(sizes: Sizes, steps: int, traces: int) -> int:
    """Bound the bytes that a command with so many traces takes at its peak.

    The drift bound holds one Hessian, the square of the number of weights, at a time.
    """
    hessian = 8 * (sizes.n_h * (sizes.n_x + sizes.n_y)) ** 2
    return FACTOR * (traces * trace_bytes(sizes, steps) + hessian)


def free() -> int:
    """Return how many bytes of memory are free."""
    return int(psutil.virtual_memory().available)


def check_memory(sizes: Sizes, steps: int, traces: int) -> None:
    """Refuse a command that would not fit.

    Args:
        sizes: The sizes of the problem.
        steps: The number of steps of a run.
        traces: How many traces are in memory at once.

    Raises:
        TooLargeError: It would not fit; the message says how many steps would.
    """
    have, need = free(), needed(sizes, steps, traces)
    if need <= have:
        return
    constant = needed(sizes, 0, traces)
    fit = max(0, have - constant) * steps // (need - constant)
    advice = f"--steps {fit} would fit" if fit else "take a smaller network"
    raise TooLargeError(
        f"{steps:,} steps of a {sizes} network take {decimal(need)} of memory, and "
        f"{decimal(have)} are free: {advice}"
    )
