"""Chunks on any executor of `concurrent.futures`.

An engine runs a chunk at least once: Dask computes a chunk again if a worker died, and
so does this module with processes of its own. A chunk is done when its result is here,
or when its file has its name.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from multiprocessing import resource_tracker
from threading import Thread
from typing import TypeVar

from compare.hosts.environment import cores
from compare.hosts.load import OURS
from compare.interruption import cleaned_by
from compare.sweep.chunk import compare_chunk
from compare.sweep.plan import Chunk, chunks_of
from compare.sweep.rows import Row
from compare.training.problems import Experiment

T = TypeVar("T")

IN_FLIGHT = 2
"""Chunks for each worker: one that it computes, and one that waits for it."""
DEATHS = 3
"""How many times in a row workers die, with no chunk done, before a sweep gives up."""

Engine = AbstractContextManager[tuple[Executor, Callable[[], int]]]
"""An executor, and how many chunks it can have at once now: workers come and go."""
PATIENCE = 60.0
"""Seconds until a cluster must have a worker."""


def sweep(
    experiments: Iterable[Experiment],
    implementations: Iterable[str] = OURS,
    executor: Executor | None = None,
    in_flight: int | None = None,
    timeout: float | None = None,
) -> Iterator[Row]:
    """Compare implementations on many experiments, and yield a row for each result.

    >>> from compare import Experiment
    >>> from compare.sweep import sweep
    >>> experiments = [Experiment(seed=seed, steps=20) for seed in range(3)]
    >>> rows = list(sweep(experiments, ["numpy", "torch"]))
    >>> {row.answer for row in rows}
    {'match'}

    Args:
        experiments: What to compare. Neighbours that differ only in their seeds are
            trained as one batch. They are read as they are needed.
        implementations: Their names, as on the command line.
        executor: Where to compute; in this process if there is none.
        in_flight: How many chunks the executor has at once; by default, two for each
            core of this machine.
        timeout: Seconds that each answer of a port may take; None is any time.

    Yields:
        The rows of each seed, by chunks in the order of completion.
    """
    found = chunks_of(experiments, [*implementations])
    chunks = (replace(chunk, timeout=timeout) for chunk in found)
    if executor is None:
        for chunk in chunks:
            yield from compare_chunk(chunk)
        return
    most = in_flight or IN_FLIGHT * cores()
    engine = nullcontext((executor, lambda: most))
    for _, rows in completed(compare_chunk, chunks, lambda: engine):
        yield from rows


def completed(
    work: Callable[[Chunk], T],
    chunks: Iterable[Chunk],
    engine: Callable[[], Engine],
) -> Generator[tuple[Chunk, T]]:
    """Yield each chunk and its result, in the order of completion.

    Results are dropped as soon as they are yielded.

    Args:
        work: The function that computes a chunk: one that can be imported, not a
            closure.
        chunks: They are read as they are needed.
        engine: Starts an executor, at first and whenever its workers have died.

    Raises:
        RuntimeError: Workers died DEATHS times, and no chunk was done meanwhile.
    """
    died, left, lost = 0, iter(chunks), list[Chunk]()
    while True:
        running: dict[Future[T], Chunk] = {}
        with engine() as (executor, room):
            try:
                while True:
                    most = room()
                    while len(running) < most and (chunk := _next(lost, left)):
                        lost.append(chunk)  # stays if its submission raises an error
                        future = executor.submit(work, chunk)
                        running[future] = lost.pop()
                    if not running:
                        return
                    yield from _finished(running)
                    died = 0
            except BrokenExecutor as error:
                died += 1
                if died >= DEATHS:
                    raise RuntimeError(
                        "workers die before a chunk is done: is there enough memory?"
                    ) from error
                lost += running.values()
            finally:
                for future in running:
                    future.cancel()


def _next(lost: list[Chunk], left: Iterator[Chunk]) -> Chunk | None:
    """Take a chunk whose worker died, or else the next one; None at the end."""
    return lost.pop() if lost else next(left, None)


def _finished(running: dict[Future[T], Chunk]) -> Iterator[tuple[Chunk, T]]:
    """Wait for some chunks, and remove them; one whose worker died stays."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        result = future.result()
        yield running.pop(future), result


@contextmanager
def processes(jobs: int) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Start processes on this machine, and end them whatever happens."""
    others = {*multiprocessing.active_children()}
    context = multiprocessing.get_context("spawn")  # JAX can't be forked

    def kill() -> None:
        for child in {*multiprocessing.active_children()} - others:
            child.kill()

    # Nothing is imported from the current folder.
    with cleaned_by(kill), _variable("PYTHONSAFEPATH", "1"):
        _track_silently()
        executor = ProcessPoolExecutor(jobs, context, initializer=_become_worker)
        try:
            yield executor, lambda: IN_FLIGHT * jobs
        except BaseException:
            kill()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def _track_silently() -> None:
    """Start the process that removes the semaphores that a signal leaves behind.

    Python starts it anyway; here it does not warn of them.
    """
    if os.name == "posix":
        with _variable("PYTHONWARNINGS", "ignore"):
            resource_tracker.ensure_running()


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for processes that start in this context."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _become_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, however that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Use the workers of a Dask cluster, also those that join later.

    Raises:
        ImportError: `distributed` is not installed; the message says how to get
            it.
        OSError: There is no scheduler at this address, or it has no worker.
    """
    try:
        from distributed import Client  # noqa: PLC0415  # it is optional
    except ModuleNotFoundError as error:
        raise ImportError(
            "distributed is not installed: pip install -e '.[dask]'"
        ) from error
    with Client(address) as client:  # type: ignore[no-untyped-call]
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise TimeoutError(
                f"{address} has no worker after {PATIENCE:.0f} s: start one"
            ) from error

        def room() -> int:
            threads: dict[str, int] = client.nthreads()
            return IN_FLIGHT * max(1, sum(threads.values()))

        yield client.get_executor(pure=False), room
