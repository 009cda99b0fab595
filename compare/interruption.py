"""What happens when a signal ends the program: it leaves no process and no file.

Nothing is raised in the place that a signal interrupts. Third-party code could swallow
it, and the import of a framework would abort. So what is unfinished is noted here, and
the program ends at once.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

SHOW_CURSOR = b"\r\x1b[K\x1b[?25h"
"""Clears the line of a progress bar, which hides the cursor."""

SIGNALS = tuple(
    signal.Signals[name]
    for name in ("SIGHUP", "SIGINT", "SIGTERM")
    if name in signal.Signals.__members__
)
"""The signals that end the program; SIGHUP, of a closed terminal, not on Windows."""

_cleaning: list[Callable[[], object]] = []
_stages: list[str] = []


@contextmanager
def cleaned_by(clean: Callable[[], object]) -> Iterator[None]:
    """Call a function if a signal ends the program in this context."""
    _cleaning.append(clean)
    try:
        yield
    finally:
        _cleaning.remove(clean)


@contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """Remove a file at the end of the context, or if a signal ends the program."""
    remove = partial(path.unlink, missing_ok=True)
    with cleaned_by(remove):
        try:
            yield path
        finally:
            remove()


@contextmanager
def waiting_for(stage: str) -> Iterator[None]:
    """Say what was waited for if a signal ends the program in this context."""
    _stages.append(f" while {stage}")
    try:
        yield
    finally:
        _stages.pop()


def end(number: int, _: FrameType | None) -> NoReturn:
    """End the program: the handler of a signal.

    It cleans up, writes one line, and exits with the status of shells for the signal.
    """
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    for clean in reversed(_cleaning):
        with suppress(OSError):
            clean()
    name = signal.Signals(number).name
    line = f"gradparity: ended by {name}{''.join(_stages[-1:])}\n"
    with suppress(OSError):  # a stream may be closed
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
        os.write(2, line.encode())
    os._exit(128 + number)
