"""`gradparity sweep`: from its options to its rows, its summary and its picture."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from compare.hosts.environment import cores
from compare.hosts.host import check_distinct, start
from compare.report.output import Files, write
from compare.sweep.chunk import compare_chunk, labelled
from compare.sweep.dataset import Dataset
from compare.sweep.engine import Engine, cluster, completed, processes
from compare.sweep.plan import Chunk, Plan, are_batched, seeds_in_a_chunk
from compare.sweep.progress import seeds_bar
from compare.sweep.summary import Summary, to_text
from compare.traces.memory import check_memory, jobs_that_fit, traces_of_chunk

NUMBERS: Mapping[str, Callable[[str], object]] = {
    "lr": float,
    "steps": int,
    "samples": int,
}
"""The options that are numbers."""


@dataclass(frozen=True)
class Options:
    """What to sweep, where to compute it, and what to write.

    Attributes:
        plan: The sweep.
        engine: Starts the workers.
        dataset: The folder of the rows, if any.
        files: Where the picture goes, if there is one.
        workers_write: Whether workers write the files.
        timeout: Seconds that each answer of a port may take; None is any time.
    """

    plan: Plan
    engine: Callable[[], Engine]
    dataset: Dataset | None
    files: Files
    workers_write: bool
    timeout: float | None

    @classmethod
    def of(  # noqa: PLR0913  # the options of a command
        cls,
        seeds: str,
        names: Sequence[str],
        given: Mapping[str, Sequence[str] | None],
        files: Files,
        *,
        folder: Path | None,
        jobs: int | None,
        dask: str | None,
        workers_write: bool,
        timeout: float | None,
    ) -> "Options":
        """Check the options before any work is done.

        Args:
            seeds: FIRST:END, or END.
            names: The implementations.
            given: The values of each field of an experiment; None if not given.
            files: Where the picture goes, if there is one.
            folder: The folder of the rows.
            jobs: The number of processes; None is one for each core, or as many as
                fit into memory.
            dask: The address of a scheduler, in place of processes.
            workers_write: Whether workers write the files.
            timeout: Seconds that each answer of a port may take; None is any time.

        Raises:
            ValueError: The options are wrong; the message says which, and why.
            LookupError: There is no such implementation.
            ImportError: Something that they need is not installed.
        """
        if dask and jobs:
            raise ValueError("choose one of --jobs and --dask")
        if dask and not dask.rpartition(":")[2].isdigit():
            raise ValueError(
                f"--dask must be an address, as tcp://host:8786, not {dask}"
            )
        if workers_write and not folder:
            raise ValueError("--workers-write needs a folder: add --output DIR")
        values = {name: listed(name, each) for name, each in given.items() if each}
        plan = Plan.of(range_of(seeds), names, **values)
        count = len([*islice(plan.chunks(), jobs or cores())])
        for each in plan.settings:
            named = labelled(names, each.loss)
            if not dask:
                most = seeds_in_a_chunk(each, names) if are_batched(each, names) else 1
                seeds_at_once = min(most, len(plan.seeds))
                traces = traces_of_chunk(len(names), seeds_at_once, each.dtype)
                if not jobs:
                    fit = jobs_that_fit(each.sizes, each.steps, traces)
                    count = max(1, min(count, fit))
                check_memory(each.sizes, each.steps, traces, jobs=count)
        with start(named, timeout=timeout) as hosts:
            check_distinct(hosts)
        dataset = Dataset(folder, plan) if folder else None
        if dataset:
            dataset.prepare()
        engine = partial(cluster, dask) if dask else partial(processes, count)
        return cls(plan, engine, dataset, files, workers_write, timeout)


def range_of(seeds: str) -> range:
    """Read FIRST:END, or END.

    Raises:
        ValueError: It is neither.
    """
    first, colon, end = seeds.rpartition(":")
    try:
        return range(int(first) if colon else 0, int(end))
    except ValueError as error:
        message = f"--seeds must be FIRST:END, as 0:1000, not {seeds!r}"
        raise ValueError(message) from error


def listed(name: str, values: Sequence[str]) -> list[Any]:
    """Split values at commas, and convert those of an option of numbers.

    Raises:
        ValueError: One is no number, or no integer where one is needed.
    """
    words = [word.strip() for value in values for word in value.split(",")]
    convert = NUMBERS.get(name, str)
    try:
        return [convert(word) for word in words]
    except ValueError as error:
        numbers = "integers" if convert is int else "numbers"
        raise ValueError(f"--{name} takes {numbers}, not {','.join(words)}") from error


def run_sweep(console: Console, options: Options) -> Counter[str]:
    """Compare what is not done yet, print the summary, and count the answers.

    Raises:
        RuntimeError: There is no answer for some seeds.
    """
    plan, dataset = options.plan, options.dataset
    total = len(plan.settings) * len(plan.seeds)
    chunks = dataset.todo() if dataset else plan.chunks()
    todo = [replace(chunk, timeout=options.timeout) for chunk in chunks]
    before = total - sum(len(chunk.seeds) for chunk in todo)
    by_workers = dataset if options.workers_write else None
    work: Callable[[Chunk], Any] = by_workers.writer() if by_workers else compare_chunk
    summary = Summary(plan)
    with (
        seeds_bar(console, total, before) as advance,
        closing(completed(work, todo, options.engine)) as found,
    ):
        for rows in dataset.rows() if dataset else ():
            summary.add(rows)
        for chunk, result in found:
            if dataset and not by_workers:
                dataset.write(chunk, result)
            summary.add(by_workers.read(chunk) if by_workers else result)
            advance(len(chunk.seeds))
    try:
        if figure := options.files.figure:
            from compare.sweep.figure import draw  # noqa: PLC0415  # it takes its time

            picture = draw(summary, figure.suffix[1:])
            write(figure, picture, force=options.files.force)
    finally:
        console.print(to_text(summary), crop=False)
    if dataset:
        console.print(f"\nrows: {dataset.folder}")
    if missing := total - summary.counts.total():
        raise RuntimeError(f"{missing} of {total} seeds have no answer")
    return summary.counts
