"""The rows of a sweep in a folder: one Parquet file for each chunk.

A file is written beside its place, read back, synced and renamed, so that a file with
the name of a chunk is whole. The list of files is the record of what is done.

Source of the format: https://parquet.apache.org/docs/file-format/
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

from compare.interruption import temporary
from compare.sweep.chunk import compare_chunk
from compare.sweep.plan import OPTIONS, Chunk, Plan
from compare.sweep.rows import TYPES, Row


def pyarrow() -> Any:  # noqa: ANN401
    """Import pyarrow, which is optional.

    Raises:
        ImportError: It is not installed; the message says how to get it.
    """
    try:
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImportError(
            "pyarrow is not installed: pip install -e '.[sweep]'"
        ) from error
    return pyarrow


def schema(metadata: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Return the schema of the files: the columns of `Row`, and what is said of all."""
    pa = pyarrow()
    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    columns = []
    for name, kind in TYPES.items():
        optional = kind not in types
        (plain,) = (t for t in types if t in (kind, *getattr(kind, "__args__", ())))
        columns.append(pa.field(name, types[plain], nullable=optional))
    return pa.schema(columns, metadata=dict(metadata))


def write_rows(rows: Sequence[Row], path: Path, metadata: Mapping[str, str]) -> None:
    """Write the file of a chunk, whole or not at all.

    Its name until then begins with a dot, so that no reader of the folder sees it.

    Args:
        rows: The rows.
        path: The file.
        metadata: What the file says of the sweep.

    Raises:
        OSError: It can't be written; nothing is left of it.
    """
    pa = pyarrow()
    with temporary(path.with_name(f".{path.name}.{token_hex(4)}.tmp")) as part:
        table = pa.Table.from_pylist([*map(asdict, rows)], schema(metadata))
        pa.parquet.write_table(table, part)
        found = pa.parquet.read_metadata(part).num_rows
        if found != len(rows):
            raise OSError(f"cannot write {path}: {found} of {len(rows)} rows are there")
        _sync(part)
        part.replace(path)
    if os.name == "posix":
        _sync(path.parent)  # the new name


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    mode = os.O_RDONLY if path.is_dir() else os.O_RDWR
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def compare_and_write(folder: str, metadata: Mapping[str, str], chunk: Chunk) -> int:
    """Compare a chunk and write its file, in a worker; return the number of rows."""
    rows = compare_chunk(chunk)
    write_rows(rows, Path(folder, chunk.file_name), metadata)
    return len(rows)


@dataclass(frozen=True)
class Dataset:
    """The folder of a sweep.

    Attributes:
        folder: The folder.
        plan: The sweep.
    """

    folder: Path
    plan: Plan

    def prepare(self) -> None:
        """Make the folder, or check that it is one of the same sweep, and clean it.

        Raises:
            ValueError: It holds rows of other options, and the message names one; or it
                can't be made, or no file can be made in it.
        """
        pyarrow()
        if self.folder.is_file():
            raise ValueError(f"{self.folder} is a file: name a folder")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary(self.folder / f".{token_hex(4)}.tmp") as part:
                part.touch()
            for rest in self.folder.glob(".*.parquet.*.tmp"):
                rest.unlink()  # of a killed sweep: polars would not read the folder
        except OSError as error:
            raise ValueError(f"cannot write {self.folder}: {error.strerror}") from error
        files = {path.name for path in self.folder.glob("*.parquet")}
        if files:
            self._check_plan(self.folder / min(files))
        if strangers := files - {chunk.file_name for chunk in self.plan.chunks()}:
            raise ValueError(
                f"{self.folder} holds {min(strangers)}, which is not of this sweep: "
                "name another folder"
            )

    def _check_plan(self, file: Path) -> None:
        """Check that a file is one of the same sweep."""
        pa = pyarrow()
        try:
            found = pa.parquet.read_schema(file).metadata or {}
        except pa.ArrowInvalid as error:
            raise ValueError(f"{file} is no Parquet file: {error}") from error
        if b"digest" not in found:
            raise ValueError(f"{file} is not of a sweep: name another folder")
        for name, value in self.plan.metadata.items():
            known = found.get(name.encode(), b"null").decode()
            if known != value:
                raise ValueError(
                    f"{self.folder} holds a sweep with {OPTIONS.get(name, name)} "
                    f"{known}, not {value}: name another folder"
                )

    def path(self, chunk: Chunk) -> Path:
        """Return the file of a chunk."""
        return self.folder / chunk.file_name

    def todo(self) -> Iterator[Chunk]:
        """Yield the chunks that have no file."""
        return (c for c in self.plan.chunks() if not self.path(c).exists())

    def write(self, chunk: Chunk, rows: Sequence[Row]) -> None:
        """Write the file of a chunk."""
        write_rows(rows, self.path(chunk), self.plan.metadata)

    def writer(self) -> Callable[[Chunk], int]:
        """Return what a worker calls to compare a chunk and write its file."""
        folder = str(self.folder.resolve())
        return partial(compare_and_write, folder, self.plan.metadata)

    def rows(self) -> Iterator[list[Row]]:
        """Read the rows of each chunk that is done."""
        return (self.read(c) for c in self.plan.chunks() if self.path(c).exists())

    def read(self, chunk: Chunk) -> list[Row]:
        """Read the rows of a chunk.

        Raises:
            OSError: Its file is not there, or damaged.
        """
        pa, path = pyarrow(), self.path(chunk)
        try:
            table = pa.parquet.read_table(path, partitioning=None)
        except FileNotFoundError as error:
            raise OSError(f"{path} is not there: do workers see the folder?") from error
        except pa.ArrowInvalid as error:
            raise OSError(f"{path} is damaged: remove it, and start again") from error
        return [Row(**row) for row in table.to_pylist()]
