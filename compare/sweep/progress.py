"""A progress bar for work that is done in large chunks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.text import Text

QUIET = 10.0
"""Seconds between two lines in a pipe."""


class Pace(ProgressColumn):
    """The time so far, the rate, and the time left; it moves between chunks, too."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Say how fast the work goes, once a chunk is done."""
        elapsed = task.elapsed or 0.0
        words = f"{task.completed:,.0f} seeds, {_clock(elapsed)}"
        done = task.completed - task.fields["before"]
        if not done or task.total is None:
            return Text(words)
        at_last = task.fields["at_last"]
        left = (task.total - task.completed) * at_last / done - (elapsed - at_last)
        return Text(f"{words}, {done / at_last:.1f} seeds/s, {_clock(left)} left")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=max(0, round(seconds))))


@contextmanager
def seeds_bar(
    console: Console, total: int, before: int
) -> Iterator[Callable[[int], None]]:
    """Show a bar that advances by the seeds of each chunk.

    It pulses until the first chunk is done. In a pipe, standard error gets a line at
    the end of a chunk, if some seconds have passed since the one before.

    Args:
        console: Where to show it.
        total: The number of seeds.
        before: How many were done before.
    """
    hidden = not console.file.isatty()  # see `report.console.progress`
    with Progress(
        BarColumn(), Pace(), console=console, transient=True, disable=hidden
    ) as bar:
        task = bar.add_task(
            "", total=None, completed=before, before=before, at_last=0.0
        )

        shown = 0.0

        def advance(seeds: int) -> None:
            nonlocal shown
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, total=total, advance=seeds, at_last=elapsed)
            if hidden and elapsed - shown >= QUIET:
                shown = elapsed
                typer.echo(Pace().render(bar.tasks[0]).plain, err=True)

        yield advance
