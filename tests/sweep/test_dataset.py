"""The folder of a sweep: whole files, no seed lost, none twice."""

import errno
import os
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from compare.sweep import plan as planning
from compare.sweep.chunk import compare_chunk
from compare.sweep.dataset import (
    Dataset,
    schema,
    write_rows,
)
from compare.sweep.plan import Plan
from compare.sweep.rows import Row

NAMES = ("numpy", "sigmoid from exp(-|z|)")


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Cut six seeds into three chunks."""
    monkeypatch.setattr(planning, "MOST", 2)
    return Plan.of(range(6), NAMES, steps=[20])


@pytest.fixture
def done(plan: Plan, tmp_path: Path) -> Dataset:
    """Write all chunks of a sweep."""
    dataset = Dataset(tmp_path / "rows", plan)
    dataset.prepare()
    for chunk in dataset.todo():
        dataset.write(chunk, compare_chunk(chunk))
    return dataset


def test_each_chunk_is_a_file(done: Dataset) -> None:
    """Nothing else is in the folder, and nothing is left to do."""
    names = {path.name for path in done.folder.iterdir()}

    assert names == {chunk.file_name for chunk in done.plan.chunks()}
    assert not [*done.todo()]


def test_columns_have_types_and_the_file_says_what_it_is(done: Dataset) -> None:
    """The schema is explicit: that of an empty file is the same."""
    file = next(done.folder.iterdir())

    found = pq.read_schema(file)

    metadata = {k.decode(): v.decode() for k, v in found.metadata.items()}
    assert found.names == [field.name for field in fields(Row)]
    assert found.equals(schema({}))
    assert metadata == done.plan.metadata
    assert {f.name: str(f.type) for f in found}["half_step"] == "int64"
    assert not found.field("seed").nullable
    assert found.field("other").nullable


def test_pandas_reads_the_folder(done: Dataset) -> None:
    """As it is, with all seeds once."""
    frame = pd.read_parquet(done.folder)

    assert len(frame) == 6 * 3
    assert {*Counter(frame["seed"]).items()} == {(seed, 3) for seed in range(6)}
    assert (frame["answer"] == "match").all()


def test_polars_reads_the_folder(done: Dataset) -> None:
    """As it is, with all seeds once."""
    frame = pl.read_parquet(done.folder / "*.parquet")

    assert sorted(frame["seed"].unique()) == [*range(6)]
    assert frame.filter(pl.col("other").is_null())["solved"].null_count() == 0


def test_a_killed_sweep_leaves_a_folder_that_polars_reads(done: Dataset) -> None:
    """Half a file is removed when the sweep goes on; what a user put there stays."""
    chunk = next(done.plan.chunks())
    half = done.folder / f".{chunk.file_name}.0123abcd.tmp"
    half.write_text("half")
    notes = done.folder / "notes.parquet.tmp"
    notes.write_text("mine")

    done.prepare()

    assert not half.exists()
    assert notes.read_text() == "mine"
    notes.unlink()
    assert sorted(pl.read_parquet(done.folder)["seed"].unique()) == [*range(6)]


def test_half_a_file_is_no_row(done: Dataset) -> None:
    """What kill -9 leaves behind is not read, and its chunk is still to do."""
    chunk = next(done.plan.chunks())
    path = done.path(chunk)
    path.rename(path.with_name(f".{path.name}.abcd.tmp"))

    assert [c.file_name for c in done.todo()] == [chunk.file_name]
    assert len(pd.read_parquet(done.folder)) == 4 * 3
    assert sum(map(len, done.rows())) == 4 * 3


def test_rows_come_back_as_they_were(done: Dataset) -> None:
    """All columns survive, in the order of the chunks."""
    chunk = next(done.plan.chunks())
    rows = compare_chunk(chunk)
    done.write(chunk, rows)

    found = next(done.rows())

    assert found == rows


@pytest.mark.parametrize("fails", ["write_table", "read_metadata"])
def test_a_failure_leaves_nothing(
    fails: str, done: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk neither a file nor a part of one is there."""
    chunk = next(done.plan.chunks())
    rows = compare_chunk(chunk)
    done.path(chunk).unlink()

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, fails, full)
    with pytest.raises(OSError, match="No space left"):
        done.write(chunk, rows)

    assert len([*done.folder.iterdir()]) == 2


def test_missing_rows_are_seen(done: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read back before it gets its name."""
    chunk = next(done.plan.chunks())
    rows = compare_chunk(chunk)
    done.path(chunk).unlink()
    write = pq.write_table
    monkeypatch.setattr(pq, "write_table", lambda table, to: write(table[:-1], to))

    with pytest.raises(OSError, match="5 of 6 rows are there"):
        done.write(chunk, rows)

    assert not done.path(chunk).exists()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"lr": [0.5]}, r"--lr \[0.9\], not \[0.5\]"),
        ({"steps": [21]}, r"--steps \[20\], not \[21\]"),
        ({"seeds": range(7)}, r"seeds \[0, 6\], not \[0, 7\]"),
        ({"names": ("numpy", "torch")}, "impl "),
    ],
    ids=["lr", "steps", "seeds", "impl"],
)
def test_other_options_are_refused(
    other: dict[str, Any], words: str, done: Dataset
) -> None:
    """The message names the option, and nothing is changed."""
    options = {"seeds": range(6), "names": NAMES, "steps": [20], **other}
    before = {path: path.read_bytes() for path in done.folder.iterdir()}

    with pytest.raises(ValueError, match=words):
        Dataset(done.folder, Plan.of(**options)).prepare()

    assert {path: path.read_bytes() for path in done.folder.iterdir()} == before


def test_another_version_is_refused(
    done: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two versions may not mean the same."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.9")

    with pytest.raises(ValueError, match=r'version "0\.1\.0", not "9\.9"'):
        done.prepare()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("taken", "{} is a file: name a folder"),
        ("taken/rows", "cannot write {}: Not a directory"),
    ],
)
def test_a_folder_that_can_not_be_made_is_refused(
    place: str, why: str, plan: Plan, tmp_path: Path
) -> None:
    """The message is that of every file that a command can't write."""
    (tmp_path / "taken").write_text("mine")
    folder = tmp_path / place

    with pytest.raises(ValueError, match=f"^{why.format(folder)}$"):
        Dataset(folder, plan).prepare()


def test_a_folder_that_takes_no_file_is_refused(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is known before a seed is compared, and nothing is left there."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "touch", refuse)

    with pytest.raises(ValueError, match=f"{tmp_path}: Permission denied"):
        Dataset(tmp_path, plan).prepare()

    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_no_parquet_is_refused(plan: Plan, tmp_path: Path) -> None:
    """It is an error of usage: the folder is not that of a sweep."""
    (tmp_path / "mine.parquet").write_text("mine")

    with pytest.raises(ValueError, match="no Parquet file"):
        Dataset(tmp_path, plan).prepare()


def test_rows_of_something_else_are_refused(plan: Plan, tmp_path: Path) -> None:
    """They are Parquet, and of no sweep."""
    pd.DataFrame({"mine": [1]}).to_parquet(tmp_path / "mine.parquet")

    with pytest.raises(ValueError, match=r"mine.parquet is not of a sweep"):
        Dataset(tmp_path, plan).prepare()


def test_a_file_beside_those_of_the_plan_is_refused(done: Dataset) -> None:
    """Readers of the folder would take its rows, too."""
    first = done.path(next(done.plan.chunks()))
    (done.folder / "xor.parquet").write_bytes(first.read_bytes())

    with pytest.raises(ValueError, match=r"xor.parquet, which is not of this"):
        done.prepare()


def test_a_damaged_file_is_named(done: Dataset) -> None:
    """The message says what to do."""
    path = done.path(next(done.plan.chunks()))
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(OSError, match=f"{path} is damaged: remove it"):
        [*done.rows()]


def test_a_worker_writes_the_same_file(done: Dataset, tmp_path: Path) -> None:
    """With the same name, rows and metadata; the time alone may differ."""
    chunk = next(done.plan.chunks())
    other = Dataset(tmp_path / "other", done.plan)
    other.prepare()

    count = other.writer()(chunk)

    a, b = (pq.read_table(d.path(chunk)).drop(["seconds"]) for d in (done, other))
    assert count == 6
    assert a.equals(b, check_metadata=True)


def test_absent_pyarrow_says_how_to_get_it(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the extra, before any work is done."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(ImportError, match=r"pip install -e '.\[sweep\]'"):
        Dataset(tmp_path, plan).prepare()


def test_an_empty_chunk_has_the_schema(tmp_path: Path, plan: Plan) -> None:
    """The types of the columns do not follow from the rows."""
    write_rows([], tmp_path / "none.parquet", plan.metadata)

    assert pq.read_schema(tmp_path / "none.parquet").equals(schema({}))
