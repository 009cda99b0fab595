"""Standard streams: closed, in a pipe, or a terminal with a progress bar."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from compare.report.layout import WIDTH
from compare.report.output import STDOUT


def prepare_streams() -> None:
    """Let no file take the number of a closed stream, and print any character."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def plain_console(json_file: Path | None = None) -> Console:
    """Create a console without markup that breaks no lines in a pipe.

    It leaves standard output to the JSON that goes there.
    """
    console = Console(
        stderr=json_file == STDOUT,
        markup=False,
        highlight=False,
        emoji=False,
        force_jupyter=False,
    )
    terminal = console.file.isatty()  # that of a closed stream is none
    console.width = max(WIDTH, console.width) if terminal else 10_000
    return console


@contextmanager
def progress(console: Console, stages: int) -> Iterator[Callable[[str], object]]:
    """Show a bar that advances with each stage; in a pipe, show nothing.

    Rich takes any stream for a terminal where FORCE_COLOR is set, as CI often does.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = not console.file.isatty()
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=stages, completed=-1)
        yield lambda stage: bar.update(task, advance=1, description=stage)
