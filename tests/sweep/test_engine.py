"""Engines: processes here and a Dask cluster give the rows of one process, once."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import psutil
import pytest

from compare.sweep import engine as engine_module
from compare.sweep import plan as planning
from compare.sweep import sweep
from compare.sweep.chunk import compare_chunk
from compare.sweep.engine import (
    cluster,
    completed,
    processes,
)
from compare.sweep.plan import Chunk, Plan
from compare.sweep.rows import Row
from tests.helpers import noted, wait_until
from tests.sweep.workers import die_always, die_once

NAMES = ("numpy", "sigmoid from exp(-|z|)")
"""Neither imports a framework, so that workers start at once."""
SEEDS = range(24)


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Cut 24 seeds into six chunks."""
    monkeypatch.setattr(planning, "MOST", 4)
    return Plan.of(SEEDS, NAMES, steps=[100], lr=[8.0], dtype=["float32"])


def untimed(rows: list[Row]) -> list[Row]:
    """Leave out the time, and sort the rows by seed; equal ones stay."""
    names = ("seed", "implementation", "other")
    return sorted(
        (replace(row, seconds=0.0) for row in rows),
        key=lambda row: [str(getattr(row, name)) for name in names],
    )


def in_this_process(plan: Plan) -> list[Row]:
    """Compute all rows without an engine."""
    return untimed([row for chunk in plan.chunks() for row in compare_chunk(chunk)])


def test_two_processes_give_the_rows_of_one_though_a_worker_is_killed(
    plan: Plan, tmp_path: Path
) -> None:
    """The chunk of the dead worker is computed again: no row is lost, none is twice."""
    work = partial(die_once, str(tmp_path))

    found = [*completed(work, plan.chunks(), partial(processes, 2))]

    rows = untimed([row for _, of_chunk in found for row in of_chunk])
    assert [path.name for path in tmp_path.iterdir()] == ["asked 8"]
    assert rows == in_this_process(plan)
    assert {*Counter(chunk.file_name for chunk, _ in found).values()} == {1}
    assert not multiprocessing.active_children()


class Fragile(Executor):
    """An executor that takes one chunk, and then finds that its workers have died."""

    def __init__(self) -> None:
        """Wrap a thread, which takes no chunk yet."""
        self.inner, self.taken = ThreadPoolExecutor(1), 0

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        """Fail as a process pool does if a worker has died meanwhile."""
        self.taken += 1
        if self.taken == 2:
            raise BrokenExecutor
        return self.inner.submit(*arguments, **options)


def test_a_chunk_that_no_worker_took_is_not_lost(plan: Plan) -> None:
    """Workers may die between two chunks: then the next is not submitted."""
    executor = Fragile()

    with executor.inner:
        found = completed(
            compare_chunk, plan.chunks(), lambda: nullcontext((executor, lambda: 1))
        )
        rows = untimed([row for _, of_chunk in found for row in of_chunk])

    assert executor.taken == 7
    assert rows == in_this_process(plan)


def test_workers_that_always_die_are_an_error(plan: Plan) -> None:
    """A chunk that no worker survives is tried three times."""
    with pytest.raises(RuntimeError, match="workers die before a chunk is done"):
        list(completed(die_always, plan.chunks(), partial(processes, 1)))


def test_a_sweep_that_is_left_ends_its_processes(plan: Plan) -> None:
    """Whoever takes no more rows, as after Ctrl-C, leaves no process behind."""
    with closing(
        completed(compare_chunk, plan.chunks(), partial(processes, 2))
    ) as found:
        next(found)
        children = multiprocessing.active_children()

    assert len(children) == 2
    assert not any(child.is_alive() for child in children)


LEFT = """
import sys, time
from functools import partial
from compare.sweep.engine import completed, processes
from compare.sweep.plan import Plan
from tests.sweep.test_engine import NAMES, compare_chunk

if __name__ == "__main__":
    plan = Plan.of(range(1000), NAMES, steps=[20_000])
    for _ in completed(compare_chunk, plan.chunks(), partial(processes, 2)):
        pass
"""


def workers_of(parent: int) -> list[psutil.Process]:
    """List the processes that a sweep has started."""
    children = psutil.Process(parent).children()
    return [c for c in children if "spawn_main" in " ".join(c.cmdline())]


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """They see its end, though it could not tell them."""
    script = tmp_path / "left.py"
    script.write_text(LEFT)
    parent = subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, script], env={**os.environ, "PYTHONPATH": "."}
    )
    wait_until(lambda: len(workers_of(parent.pid)) > 1 or parent.poll() is not None)
    workers = workers_of(parent.pid)

    time.sleep(2)  # they have become workers
    parent.kill()
    parent.wait()

    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


class Counting(Executor):
    """An executor that counts how many chunks it has at once."""

    def __init__(self, inner: Executor) -> None:
        """Wrap an executor."""
        self.inner, self.running, self.most = inner, 0, 0
        self.futures: list[Any] = []

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        """Take only what Dask takes: arguments by position."""
        assert not options
        future = self.inner.submit(*arguments)
        self.running += 1
        self.most = max(self.most, self.running)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: object) -> None:
        self.running -= 1


def test_few_chunks_are_in_flight(plan: Plan) -> None:
    """Chunks are read when there is room for them, and no sooner."""
    read: list[Chunk] = []
    chunks = noted(plan.chunks(), read)

    with ThreadPoolExecutor(1) as inner:
        executor = Counting(inner)
        found = completed(
            compare_chunk, chunks, lambda: nullcontext((executor, lambda: 2))
        )
        next(found)
        after_one = len(read)
        rest = [*found]

    assert after_one <= 3
    assert executor.most == 2
    assert len(rest) == 5


def test_workers_that_join_later_get_chunks(plan: Plan) -> None:
    """The engine is asked again how many chunks it can have at once."""
    room = chain([1], repeat(3))

    with ThreadPoolExecutor(1) as inner:
        executor = Counting(inner)
        engine = nullcontext((executor, lambda: next(room)))
        found = [*completed(compare_chunk, plan.chunks(), lambda: engine)]

    assert executor.most == 3
    assert len(found) == 6


@pytest.mark.parametrize("threads", [0, 1], ids=["here", "executor"])
def test_sweep_from_python(threads: int, plan: Plan) -> None:
    """Experiments give the rows of a plan with the same settings and seeds."""
    experiments = (replace(plan.settings[0], seed=seed) for seed in plan.seeds)

    with ThreadPoolExecutor(1) as executor:
        found = [*sweep(experiments, NAMES, executor if threads else None)]

    assert untimed(found) == in_this_process(plan)


def test_each_chunk_has_the_time_limit(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to the worker with the chunk."""
    limits = []

    def note(chunk: Chunk) -> list[Row]:
        limits.append(chunk.timeout)
        return []

    monkeypatch.setattr(engine_module, "compare_chunk", note)
    experiments = (replace(plan.settings[0], seed=seed) for seed in plan.seeds)

    assert not [*sweep(experiments, NAMES, timeout=4.0)]
    assert limits == [4.0] * 6


def test_absent_dask_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with (
        pytest.raises(ImportError, match=r"pip install -e '.\[dask\]'"),
        cluster("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a killed worker
def test_a_dask_cluster_gives_the_rows_of_one_process_though_a_worker_is_killed(
    plan: Plan, tmp_path: Path
) -> None:
    """The scheduler gives the chunk of the dead worker to another."""
    from distributed import LocalCluster  # noqa: PLC0415

    work = partial(die_once, str(tmp_path))
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as workers:
        engine = partial(cluster, workers.scheduler_address)
        found = [*completed(work, plan.chunks(), engine)]

    rows = untimed([row for _, of_chunk in found for row in of_chunk])
    assert [path.name for path in tmp_path.iterdir()] == ["asked 8"]
    assert rows == in_this_process(plan)
    assert {*Counter(chunk.file_name for chunk, _ in found).values()} == {1}


@pytest.mark.slow
def test_a_cluster_without_workers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep does not wait for ever."""
    from distributed import LocalCluster  # noqa: PLC0415

    monkeypatch.setattr(engine_module, "PATIENCE", 0.5)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0, dashboard_address=None, host="127.0.0.1"
        ) as workers,
        pytest.raises(TimeoutError, match="has no worker after 0 s: start one"),
        cluster(workers.scheduler_address),
    ):
        pass
