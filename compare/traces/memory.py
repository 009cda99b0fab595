"""How much memory a command takes, known before anything large is created.

`python benchmarks/memory.py` measures the factors, each number in a new process.
"""

from rich.filesize import decimal

from compare.hosts.free_memory import free
from compare.training.problems import Sizes

FACTOR = 24
"""Bytes that a command takes at its peak, for each byte of traces and derivatives.

The smallest network, 2-1-1, takes 21 while PyTorch records it: 7 kB of Python objects
for each step. Comparing takes 6 at most, of any network.
"""
BATCH = {"float64": 12, "float32": 24}
"""How many times less each trace of a batch takes, where no object is of one step only.

A batch of 65 seeds and three implementations, or of 130 in float32, has 768 MB of
traces, and takes 1.7 GB.
"""
BALL = 7
"""How many times as much memory the Hessian of the exact run takes: it holds balls."""
LARGEST = 10**24
"""In bytes; more has no unit."""


def trace_bytes(sizes: Sizes, steps: int) -> int:
    """Return the size of a trace in float64; float32 traces are compared in float64."""
    n_x, n_h, n_y, m = sizes
    weights = n_h * n_x + n_y * n_h
    step = 3 * n_h * m + 3 * n_y * m + 1 + 2 * weights
    return 8 * (steps * step + weights)


def needed(sizes: Sizes, steps: int, traces: int, *, exact: bool = False) -> int:
    """Bound the bytes that a command takes at its peak; arguments as `check_memory`.

    The drift bound needs the derivatives of all outputs by all weights, for every step
    of a run, and one Hessian at a time. The Hessian of the exact run holds balls. Small
    Hessians are computed many at once, up to 50 MB of them; these are not counted.
    """
    weights = sizes.n_h * (sizes.n_x + sizes.n_y)
    hessian = weights**2 * (BALL if exact else 1)
    derivatives = 8 * (steps * sizes.n_y * sizes.m * weights + hessian)
    return FACTOR * (traces * trace_bytes(sizes, steps) + derivatives)


def traces_of_chunk(implementations: int, seeds: int, dtype: str) -> int:
    """Return how many traces take as much, when they are compared, as those of a chunk.

    The chunk takes what a comparison of one seed takes, at least.

    Args:
        implementations: The number of implementations.
        seeds: How many seeds are trained as one batch; 1 if each is trained alone.
        dtype: That of the traces.
    """
    return max(implementations, implementations * seeds // BATCH[dtype])


def jobs_that_fit(sizes: Sizes, steps: int, traces: int) -> int:
    """Return how many processes fit into memory; arguments as `check_memory`."""
    return free() // needed(sizes, steps, traces)


def check_memory(
    sizes: Sizes, steps: int, traces: int, *, exact: bool = False, jobs: int = 1
) -> None:
    """Refuse a command that would not fit.

    Args:
        sizes: The sizes of the problem.
        steps: The number of steps of a run.
        traces: How many traces are in memory at once.
        exact: Whether the exact run is computed.
        jobs: How many processes do that at once.

    Raises:
        ValueError: It would not fit; the message says how many jobs would, or how
            many steps.
    """
    have, of_one = free(), needed(sizes, steps, traces, exact=exact)
    need = jobs * of_one
    if need <= have:
        return
    if of_one <= have:
        advice = f"--jobs {have // of_one} would fit"
    else:
        constant = jobs * needed(sizes, 0, traces, exact=exact)
        fit = max(0, have - constant) * steps // (need - constant)
        advice = f"{fit:,} steps would fit" if fit else "take a smaller network"
    size = decimal(need) if need < LARGEST else f"more than {decimal(LARGEST)}"
    raise ValueError(
        f"{steps:,} steps of a {sizes} network take {size} of memory, and "
        f"{decimal(have)} are free: {advice}"
    )
