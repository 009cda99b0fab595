"""The process of one implementation: load it, and call functions with it when asked.

What third-party code does to a process stays in this one. Messages are pickled, and go
through private copies of standard input and output. Third-party code reads nothing from
its standard input, and what it prints goes to standard error.

Nothing large is imported before the process can notice the end of its parent.
"""

import faulthandler
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from compare.hosts.load import Description
    from impls.interface import Implementation

LENGTH = 8
"""Bytes before each request: its length."""


def main(name: str, device: str, report: str) -> None:
    """Load an implementation, reply with its description, and answer requests.

    Args:
        name: Its name.
        device: Where it computes.
        report: The file for the line at which the process ends, if it ends early.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported
    incoming, replies = private_streams()
    requests = read_all(incoming)
    watch_the_end(Path(report))
    limit_memory()
    implementation: Implementation | None = None

    def load() -> "Description | Exception":
        nonlocal implementation
        from compare.hosts.load import load_quickly

        implementation, reply = load_quickly(name, device)
        return reply

    answer(replies, load)
    limit_memory()  # what loading took is not counted

    def call(request: bytes) -> object:
        function, arguments = pickle.loads(request)  # noqa: S301  # ours
        return function(**arguments, implementation=implementation)

    for request in requests:
        answer(replies, partial(call, request))


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Copy standard input and output; leave an empty input, and stderr as the output.

    Returns:
        The stream of requests and that of replies.
    """
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return streams


def read_all(requests: BinaryIO) -> Iterator[bytes]:
    """Read requests in a thread, and yield them; the process ends when its parent does.

    The thread reads while third-party code runs, so that the end is noticed then, too.
    What the process has started ends with it, if it leads a group, as Windows has none.
    """
    queue: SimpleQueue[bytes] = SimpleQueue()
    leave, own = os._exit, os.getpid()
    kill = os.killpg if sys.platform != "win32" and os.getpgrp() == own else None

    def read() -> None:
        with suppress(OSError):  # third-party code may close every file
            while length := requests.read(LENGTH):
                queue.put(requests.read(int.from_bytes(length)))
        if kill:
            kill(own, signal.SIGKILL)
        leave(0)

    Thread(target=read, daemon=True).start()
    return iter(queue.get, None)


def watch_the_end(report: Path) -> None:
    """Write the running line to a file if the process crashes, exits or is too slow.

    Too slow is what the parent says, by a signal that Windows does not have.
    """
    file = report.open("wb", buffering=0)
    with suppress(OSError):  # Windows keeps it; elsewhere, nothing is left of it
        report.unlink()
    faulthandler.enable(file, all_threads=False)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file, all_threads=False)
    leave = os._exit

    def report_and_leave(status: int) -> None:
        faulthandler.dump_traceback(file, all_threads=False)
        leave(status)

    os._exit = report_and_leave  # type: ignore[assignment]


def limit_memory() -> None:
    """Let the process take what it has and what is free, but not the whole machine.

    Linux counts the memory that can be written to; frameworks reserve much more.
    """
    if sys.platform != "linux":
        return
    import resource  # Windows has none

    from compare.hosts.free_memory import free

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data
    most = pages * resource.getpagesize() + free()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def answer(replies: BinaryIO, call: Callable[[], object]) -> None:
    """Call a function, and send its result: (True, result) or (False, error line)."""
    try:
        reply = pickle.dumps((True, call()), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # noqa: BLE001  # also one that ends a program
        from compare.contract.calls import error_line

        reply = pickle.dumps((False, error_line(error)))
    replies.write(reply)
    replies.flush()
