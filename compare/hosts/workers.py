"""A process that holds one implementation: started, asked, and ended by us.

`hosts.serve` is what runs in it.
"""

import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from threading import Thread, Timer
from time import sleep
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

from compare.checks.check import Promise
from compare.checks.printable import LONGEST_LINE, printable
from compare.contract.calls import place_of
from compare.hosts.load import Description
from compare.hosts.serve import LENGTH

T = TypeVar("T")
LINES = 1000
"""Lines that a process prints, and that are shown."""
FRAME = re.compile(r'  File "(.*)", line (\d+)')
"""A line of the report of a process that has ended."""
PATIENCE = 0.2
"""Seconds of a wait: for that report, for the end of a process, for an answer."""


class WorkerError(RuntimeError):
    """A process gave no answer; the message says why.

    Attributes:
        promise: The promise of the contract that this breaks.
    """

    def __init__(self, why: str, promise: Promise) -> None:
        """Keep the promise."""
        super().__init__(why)
        self.promise = promise


class Worker:
    """An implementation in a process of its own; see `hosts.host.Host`."""

    about: Description | None = None
    ended = False

    def __init__(
        self, label: str, name: str, device: str, timeout: float | None
    ) -> None:
        """Start the process, which begins to load.

        Args:
            label: Marks the lines that the process prints.
            name: The name of the implementation.
            device: Where it computes.
            timeout: Seconds that each answer may take, the first one included.
        """
        self.name, self._timeout, self._is_late = name, timeout, False
        file, self._report_name = mkstemp(prefix="gradparity-")
        self._report = os.fdopen(file)
        code = (
            f"import sys; sys.path[:] = {[*map(str, sys.path)]!r}; "
            "from compare.hosts.serve import main; "
            f"main({name!r}, {device!r}, {self._report_name!r})"
        )
        # -P: nothing is imported from the current folder; -u: a crash loses no line.
        self._process = _popen([sys.executable, "-P", "-u", "-c", code])
        self._caller = ThreadPoolExecutor(1)
        self._threads = [
            Thread(target=_show, args=(self._stream("stderr"), label), daemon=True),
            Thread(target=self._end_with_its_children, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._first: Future[Any] = self._caller.submit(self._receive)

    def load(self) -> None:
        """Wait until the implementation is loaded.

        Raises:
            WorkerError: The process gave no answer.
            Exception: The implementation can't be loaded; see `load.load_on`.
        """
        found = first_done([self._first]).result()
        if isinstance(found, Exception):
            raise found
        self.about = found

    def ask(self, function: Callable[..., T], **arguments: object) -> Future[T]:
        """Send a request; the future raises `WorkerError` if there is no answer."""
        return self._caller.submit(self._call, (function, arguments))

    def _call(self, request: tuple[Callable[..., T], dict[str, object]]) -> T:
        message = pickle.dumps(request, pickle.HIGHEST_PROTOCOL)
        stream = self._stream("stdin")
        try:
            stream.write(len(message).to_bytes(LENGTH) + message)
            stream.flush()
        except OSError:
            self._fail()
        answer: T = self._receive()
        return answer

    def _receive(self) -> Any:  # noqa: ANN401
        timer = Timer(self._timeout or 0, self._expire)
        if self._timeout is not None:
            timer.start()
        try:
            is_answer, answer = pickle.load(self._stream("stdout"))  # noqa: S301  # ours
        except Exception:  # noqa: BLE001  # third-party code may write anything there
            self._fail()
        finally:
            timer.cancel()
        if not is_answer:
            raise WorkerError(answer, Promise.ANSWERS)
        return answer

    def _expire(self) -> None:
        self._is_late = True
        if hasattr(signal, "SIGUSR1"):
            self._process.send_signal(signal.SIGUSR1)  # it reports its line
            sleep(PATIENCE)
        self.kill()

    def _fail(self) -> NoReturn:
        """Say how the process has ended, and in which line."""
        self.ended = True
        try:
            status = self._process.wait(PATIENCE)
            how = f"its process ended with status {status}"
        except subprocess.TimeoutExpired:
            self.kill()
            status, how = 0, "its process answers no longer"
        if status < 0:
            how = f"its process ended by {_signal_name(-status)}"
        lines = FRAME.findall(self._report.read())
        place = place_of([(file, int(line)) for file, line in reversed(lines)])
        if self._is_late:
            late = f"it takes longer than {self._timeout:g} s{place}"
            raise WorkerError(late, Promise.IN_TIME)
        raise WorkerError(how + place, Promise.LIVES)

    def _stream(self, name: str) -> BinaryIO:
        return cast("BinaryIO", getattr(self._process, name))

    def _end_with_its_children(self) -> None:
        self._process.wait()
        self.kill()  # what it has started would keep its streams open

    def kill(self) -> None:
        """End the process and, except on Windows, what it has started."""
        with suppress(ProcessLookupError, PermissionError):  # it has ended
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """End the process, and remove its report."""
        self.kill()
        with suppress(OSError):  # Windows removes no open file
            Path(self._report_name).unlink(missing_ok=True)

    def close(self) -> None:
        """End the process, and leave nothing of it."""
        self.kill()
        self._caller.shutdown()
        for thread in self._threads:
            thread.join(PATIENCE)  # what has left the group may still print
        for name in ("stdin", "stdout"):
            with suppress(OSError):  # of a request that was not sent
                self._stream(name).close()
        self._report.close()
        self.abandon()


def first_done(futures: Collection[Future[T]]) -> Future[T]:
    """Wait until one is done: Ctrl-C on Windows must wait until each wait ends."""
    while not wait(futures, PATIENCE, FIRST_COMPLETED).done:
        pass
    return next(future for future in futures if future.done())


def _popen(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process that Ctrl-C in a terminal does not reach."""
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows has it
    return subprocess.Popen(  # noqa: S603  # our own code
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=flags,
        process_group=None if flags else 0,
    )


def _signal_name(number: int) -> str:
    names = {int(each): each.name for each in signal.Signals}
    return names.get(number, f"signal {number}")


def _show(lines: BinaryIO, label: str) -> None:
    """Show the lines that a process prints, up to a limit."""
    count = 0
    with lines:
        while line := lines.readline(LONGEST_LINE):
            count += 1
            words = "no more lines are shown"
            if count <= LINES:
                words = printable(line.decode(errors="replace").expandtabs().rstrip())
            if count <= LINES + 1 and sys.stderr:
                with suppress(OSError, ValueError):  # it may be closed, or full
                    sys.stderr.write(f"{label}: {words}\n")
