"""Output to the terminal and to files. Existing files are not lost."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shutil import copymode

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from compare.report.as_json import Report, to_json
from compare.report.screen import WIDTH, Detail, to_text

STDOUT = Path("-")


class UnwritableError(ValueError):
    """A file can't be written where it was asked for."""


@dataclass(frozen=True)
class Files:
    """The files of a report.

    Attributes:
        json: The file for programs, if any; "-" is standard output.
        figure: The picture, if any.
        force: Whether existing files are overwritten.

    Raises:
        UnwritableError: A file could not be written; the message says why.
    """

    json: Path | None = None
    figure: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        """Check before the work, not after it."""
        if self.json and self.figure and self.json.resolve() == self.figure.resolve():
            raise UnwritableError("--json and --figure name the same file")
        if self.json != STDOUT:
            check_writable(self.json, (), force=self.force)
        check_writable(self.figure, (".png", ".svg"), force=self.force)


def publish(
    console: Console, report: Report, files: Files, detail: Detail = "normal"
) -> None:
    """Write the files, and print the report even if that fails.

    The files come first, because a closed pipe ends the program.
    """
    try:
        if files.json:
            write_json(files.json, to_json(report))
        if files.figure:
            from compare.report.figure import draw  # noqa: PLC0415  # it takes its time

            write(files.figure, draw(report, files.figure.suffix[1:]))
    finally:
        console.print(to_text(report, detail), crop=False)


def write_json(path: Path, content: object) -> None:
    """Write to a file, or to standard output if its name is "-"."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write(path, text.encode())


def check_writable(path: Path | None, endings: Sequence[str], *, force: bool) -> None:
    """Check that a path can be written to later.

    Raises:
        UnwritableError: It can't; the message says why.
    """
    if path is None:
        return
    if endings and path.suffix not in endings:
        raise UnwritableError(f"{path} must end in {' or '.join(endings)}")
    try:
        if str(path) == "-" or (path.exists() and not path.is_file()):
            raise UnwritableError(f"{path} is no file: choose another name")
        if path.exists() and not force:
            raise UnwritableError(f"{path} exists: choose another name, or add --force")
        with _part_of(path.resolve()):
            pass  # what can be made beside it can be put in its place
    except OSError as error:
        raise UnwritableError(f"cannot write {path}: {error.strerror}") from error


def write(path: Path, content: bytes) -> None:
    """Write a whole file or nothing, also on a full disk or an interruption.

    Raises:
        OSError: It can't be written; the message names it.
    """
    try:
        with _part_of(path.resolve()) as part:  # of a link, where it leads
            part.write_bytes(content)
            if path.exists():
                copymode(path, part)
            part.replace(path.resolve())
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Create an empty file beside another, and remove it at the end."""
    part = path.with_name(f"{path.name}.{token_hex(4)}")
    part.touch(exist_ok=False)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def plain_console(json_file: Path | None = None) -> Console:
    """Create a console without markup that breaks no lines in a pipe.

    It leaves standard output to the JSON that goes there.
    """
    stream = sys.stderr if json_file == STDOUT else sys.stdout
    console = Console(
        file=stream, markup=False, highlight=False, emoji=False, force_jupyter=False
    )
    console.width = max(WIDTH, console.width) if stream.isatty() else 10_000
    return console


@contextmanager
def progress(console: Console, stages: int) -> Iterator[Callable[[str], object]]:
    """Show a bar that advances with each stage; in a pipe, show nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=stages, completed=-1)
        yield lambda stage: bar.update(task, advance=1, description=stage)
