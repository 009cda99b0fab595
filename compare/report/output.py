"""Files that a command writes. Existing ones are not lost."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from secrets import token_hex
from shutil import copymode
from stat import S_ISLNK, S_ISREG

from rich.console import Console

from compare.interruption import cleaned_by, temporary
from compare.report.as_json import Report, to_json
from compare.report.screen import Detail, to_text

STDOUT = Path("-")


@dataclass(frozen=True)
class Files:
    """The files of a report.

    Attributes:
        json: The file for programs, if any; "-" is standard output.
        figure: The picture, if any.
        page: The page, if any.
        force: Whether existing files are overwritten.
        inputs: What the same command reads, and never overwrites.

    Raises:
        ValueError: A file could not be written; the message says why.
    """

    json: Path | None = None
    figure: Path | None = None
    page: Path | None = None
    force: bool = False
    inputs: Sequence[Path] = ()

    def __post_init__(self) -> None:
        """Check before the work, not after it."""
        if self.json == STDOUT and not sys.stdout:
            raise ValueError("standard output is closed: name a file")
        if self.json != STDOUT:
            self._check(self.json)
        self._check(self.figure, ".png", ".svg")
        self._check(self.page, ".html")
        named = {"--json": self.json, "--figure": self.figure, "--page": self.page}
        given = {o: _real(p) for o, p in named.items() if p and p != STDOUT}
        for a, b in combinations(given, 2):
            if given[a] == given[b]:
                raise ValueError(f"{a} and {b} name the same file")

    def _check(self, path: Path | None, *endings: str) -> None:
        """Check one of the files."""
        if path and endings and path.suffix not in endings:
            raise ValueError(f"{path} must end in {' or '.join(endings)}")
        if path:
            check_writable(path, force=self.force, inputs=self.inputs)


def publish(
    console: Console,
    report: Report,
    files: Files,
    detail: Detail = "normal",
    draw_page: Callable[[Report], bytes] | None = None,
) -> None:
    """Write the files, and print the report even if that fails.

    The files come first, because a closed pipe ends the program.

    Args:
        console: Where the report is printed.
        report: The report.
        files: The files.
        detail: How much is printed.
        draw_page: Builds the content of the page; `compare.page` imports this folder.
    """
    try:
        if files.json:
            write_json(files.json, to_json(report), force=files.force)
        if files.figure:
            from compare.report.figure import draw  # noqa: PLC0415  # it takes its time

            picture = draw(report, files.figure.suffix[1:])
            write(files.figure, picture, force=files.force)
        if files.page and draw_page:
            write(files.page, draw_page(report), force=files.force)
    finally:
        console.print(to_text(report, detail), crop=False)


def write_json(path: Path, content: object, *, force: bool) -> None:
    """Write to a file, or to standard output if its name is "-"."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write(path, text.encode(), force=force)


def check_writable(path: Path, *, force: bool, inputs: Sequence[Path] = ()) -> None:
    """Check that a path can be written to later.

    Raises:
        ValueError: It can't; the message says why.
    """
    try:
        mode = _mode(path)
        if S_ISLNK(mode):
            raise ValueError(f"{path} is a link: choose another name")
        if path == STDOUT or (mode and not S_ISREG(mode)):
            raise ValueError(f"{path} is no file: choose another name")
        if mode and not force:
            raise ValueError(f"{path} exists: choose another name, or add --force")
        if mode and _real(path) in map(_real, inputs):
            raise ValueError(f"{path} is read as well: choose another name")
        with _part_of(path):
            pass  # what can be made beside it can be put in its place
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror}") from error


def _mode(path: Path) -> int:
    """Return the type and the mode of a file, itself if it is a link; 0 if absent."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return 0


def _real(path: Path) -> object:
    """Identify a file, which may have several names; what is not there has its own."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def write(path: Path, content: bytes, *, force: bool) -> None:
    """Write a whole file or nothing, also on a full disk or an interruption.

    Without `force`, a file that appeared since `check_writable` is kept.

    Raises:
        OSError: It can't be written; the message names it.
    """
    try:
        with _part_of(path) as part:
            part.write_bytes(content)
            if not force:
                _put_at_new(part, path)
                return
            if path.exists():
                copymode(path, part)
            part.replace(path)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror}") from error


def _put_at_new(part: Path, path: Path) -> None:
    """Move a file to a name that no other file has, at any time."""
    path.touch(exist_ok=False)  # takes the name, or fails if it is taken
    with cleaned_by(path.unlink):
        try:
            part.replace(path)
        except BaseException:
            path.unlink()
            raise


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Create an empty file beside another, and remove it at the end."""
    with temporary(path.with_name(f".gradparity.{token_hex(8)}")) as part:
        part.touch(exist_ok=False)
        yield part
