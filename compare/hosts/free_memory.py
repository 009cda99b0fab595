"""How much memory is free: a container may have less than its machine."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
"""The control groups of Linux, which limit containers, and those of this process."""


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
