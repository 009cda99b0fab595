"""The program: `gradparity`, or `python -m compare`.

A signal may come at any time, so its handlers are there before anything else is
imported.
"""

import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Any

PATIENCE = 0.3
"""Seconds that cleaning up may take before the program ends without it."""
AGAIN = 0.02
"""Seconds until a signal is repeated that came at a bad moment."""
PACKAGES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))

_stopping: list["Stopped"] = []


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


def stop(number: int, frame: FrameType | None) -> None:
    """End the processes that this one has started, and unwind as soon as it may.

    Until then the signal is repeated. If that takes too long, or if what is raised here
    is swallowed somewhere, the program ends without unwinding.
    """
    stopped = Stopped(number)
    if not _stopping:
        _stopping.append(stopped)
        _later(PATIENCE, lambda: os._exit(stopped.end()))
    kill_children()
    if not may_raise(frame):
        _later(AGAIN, lambda: signal.raise_signal(number))
        return
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise stopped


def may_raise(frame: FrameType | None) -> bool:
    """Return whether an error may be raised in a frame.

    Not in an import, where C++ code of a framework would abort, nor in a package, which
    may have been called by the garbage collector.
    """
    if frame is None or frame.f_code.co_filename.startswith(PACKAGES):
        return False
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        frame = frame.f_back
    return True


def _later(seconds: float, call: Callable[[], object]) -> None:
    timer = Timer(seconds, call)
    timer.daemon = True
    timer.start()


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
