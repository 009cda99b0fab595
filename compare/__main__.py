"""The program: `gradparity`, or `python -m compare`.

A signal may come at any time, so its handlers are there before anything else is
imported.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Any

PATIENCE = 0.5
"""Seconds that cleaning up may take before the program ends without it."""


class Stopped(BaseException):
    """A signal ends the program; the notes say what the program was waiting for."""

    def __init__(self, number: int) -> None:
        """Keep the number of the signal."""
        self.number = number

    def end(self) -> int:
        """Write one line, and return the exit status of shells for this signal."""
        name = signal.Signals(self.number).name
        notes = getattr(self, "__notes__", [])
        line = " ".join(["gradparity: ended by", name, *notes])
        with suppress(OSError):  # standard error may be closed
            os.write(2, f"{line}\n".encode())
        return 128 + self.number


def main() -> None:
    """Run as a program, in one thread: more threads only wait on so small arrays."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported
        from compare.cli import run  # noqa: PLC0415  # it takes its time

        status = run(sys.argv[1:])
    except Stopped as stopped:
        os._exit(stopped.end())  # at once: nothing is left to be cleaned up
    sys.exit(status)


def stop(number: int, _: FrameType | None) -> None:
    """End the processes that this one has started, and unwind.

    Some callers swallow what a handler raises: then the program ends without unwinding.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    kill_children()
    stopped = Stopped(number)
    last_resort = Timer(PATIENCE, lambda: os._exit(stopped.end()))
    last_resort.daemon = True
    last_resort.start()
    raise stopped


def kill_children() -> None:
    """Kill workers and the processes of a sweep, if their modules are there."""
    if kill_all := _found("compare.hosts.workers", "kill_all"):
        kill_all()
    if active_children := _found("multiprocessing", "active_children"):
        for child in active_children():
            child.kill()


def _found(module: str, name: str) -> Callable[[], Any] | None:
    """Find a function; None if its module is not imported, or not to the end."""
    return getattr(sys.modules.get(module), name, None)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python has put the current folder first, where any module would replace one.
        here = sys.path.pop(0)
        if Path(here) == Path(__file__).parents[1]:
            sys.path.append(here)  # run from the source tree
    main()
