"""How much memory a command takes, known before anything large is created.

`python benchmarks/memory.py` measures the factors, each number in a new process.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from rich.filesize import decimal

from compare.training.problems import Sizes

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
"""The control groups of Linux, which limit containers, and those of this process."""
FACTOR = 24
"""Bytes that a command takes at its peak, for each byte of traces and derivatives.

The smallest network, 2-1-1, takes 21 while PyTorch records it: 7 kB of Python objects
for each step. Comparing takes 6 at most, of any network.
"""
BALL = 7
"""How many times as much memory the Hessian of the exact run takes: it holds balls."""
LARGEST = 10**24
"""In bytes; more has no unit."""


class TooLargeError(ValueError):
    """A command would not fit into memory."""


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


def free() -> int:
    """Return how many bytes of memory are free: of the machine, or of a container."""
    return max(0, min([psutil.virtual_memory().available, *_left_by_groups()]))


def _left_by_groups() -> Iterator[int]:
    """Yield what the limit of each of our control groups, and of those above, leaves.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/memory.html.
    """
    lines = OWN_GROUPS.read_text().splitlines() if OWN_GROUPS.exists() else []
    for line in lines:  # 0::/path of version 2, 4:memory:/path of version 1
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            top = GROUPS / controllers
            group = top / path.lstrip("/")  # absent in a container that sees its own
            for folder in (group, *group.parents):
                if folder.is_relative_to(top):
                    yield from _left_by_group(folder)


def _left_by_group(folder: Path) -> Iterator[int]:
    """Yield what a limit leaves, if there is one; cached files make room."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(OSError, ValueError):  # no such file, or "max": no limit
            bound, taken = (int((folder / n).read_text()) for n in (limit, used))
            statistics = (folder / "memory.stat").read_text().split()
            yield bound - taken + int(statistics[statistics.index(cache) + 1])


def check_memory(sizes: Sizes, steps: int, traces: int, *, exact: bool = False) -> None:
    """Refuse a command that would not fit.

    Args:
        sizes: The sizes of the problem.
        steps: The number of steps of a run.
        traces: How many traces are in memory at once.
        exact: Whether the exact run is computed.

    Raises:
        TooLargeError: It would not fit; the message says how many steps would.
    """
    have, need = free(), needed(sizes, steps, traces, exact=exact)
    if need <= have:
        return
    constant = needed(sizes, 0, traces, exact=exact)
    fit = max(0, have - constant) * steps // (need - constant)
    advice = f"{fit:,} steps would fit" if fit else "take a smaller network"
    size = decimal(need) if need < LARGEST else f"more than {decimal(LARGEST)}"
    raise TooLargeError(
        f"{steps:,} steps of a {sizes} network take {size} of memory, and "
        f"{decimal(have)} are free: {advice}"
    )
