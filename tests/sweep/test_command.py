"""`gradparity sweep`: options, statuses, and a sweep that goes on where it was."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from compare.cli import run
from compare.sweep import command as module
from compare.sweep import plan as planning
from compare.sweep.chunk import compare_chunk
from compare.sweep.command import listed, range_of
from compare.sweep.dataset import Dataset
from compare.sweep.plan import Chunk
from compare.sweep.rows import Row
from compare.traces import memory
from compare.traces.memory import needed
from compare.training.problems import Experiment
from tests.helpers import RIGHT, noted, wait_until

REWRITE = "sigmoid from exp(-|z|)"
QUICK = ["sweep", "--impl", "numpy", "--impl", REWRITE, "--jobs", "1"]
"""Neither imports a framework, so that workers start at once."""


def test_sweep_counts_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting of each list has a line, and the worst seeds have a command."""
    lists = ["--lr", "0.1,0.9", "--lr", "0.5", "--dtype", "float64, float32"]

    status = run([*QUICK, "--seeds", "3", "--steps", "50", *lists])

    lines = capsys.readouterr().out.splitlines()
    settings = [line for line in lines if line.startswith("xor, 2-2-1, bce, ")]
    assert status == 0
    assert [line.split(",")[3:5] for line in settings] == [
        [f" {dtype}", f" lr {lr}"]
        for dtype in ("float64", "float32")
        for lr in (0.1, 0.9, 0.5)
    ]
    assert {line.split()[-9] for line in settings} == {"3"}
    assert lines[-1].rstrip().endswith(f"--impl numpy --impl '{REWRITE}'")


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"cannot tell": 2}, 3),
        ({"unstable": 2}, 3),
        ({"cannot tell": 2, "match": 1}, 0),
        ({"match": 1, "could not compare": 1}, 3),
        ({"match": 1, "cannot tell": 2, "differ": 1}, 1),
    ],
)
def test_the_status_of_a_sweep_is_that_of_its_seeds(
    counts: dict[str, int], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seed that differs counts most, then one that matches."""
    monkeypatch.setattr(module, "run_sweep", lambda *_: Counter(counts))

    assert run([*QUICK, "--steps", "50"]) == status


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "0"], "0:0 holds no seed: END must be larger than FIRST"),
        (["--seeds", "5:5"], "5:5 holds no seed"),
        (["--seeds", "5:3"], "5:3 holds no seed"),
        (["--seeds", "one"], "--seeds must be FIRST:END, as 0:1000, not 'one'"),
        (["--seeds", "-1:3"], "seed must be from 0"),
        (["--lr", "0.9,fast"], "--lr takes numbers, not 0.9,fast"),
        (["--lr", "0.9,0.9"], "lr: name each value once"),
        (["--lr", "nan"], "lr must be a positive finite float64, not nan"),
        (["--steps", "0"], "steps must be at least 1, not 0"),
        (["--steps", "1e2"], "--steps takes integers, not 1e2"),
        (["--loss", "mae"], "unknown loss 'mae'"),
        (["--dtype", "float64,float16"], "unknown dtype 'float16'"),
        (["--table", "maybe"], "unknown table 'maybe'"),
        (["--sizes", "2-0-1"], "sizes and samples must be at least 1"),
        (["--samples", "0"], "sizes and samples must be at least 1"),
        (["--jobs", "0"], "--jobs"),
        (["--jobs", "2", "--dask", "tcp://127.0.0.1:1"], "one of --jobs and --dask"),
        (["--dask", "localhost"], "an address, as tcp://host:8786, not localhost"),
        (["--workers-write"], "--workers-write needs a folder"),
        (["--figure", "map.gif"], "must end in .png or .svg"),
        (["--impl", "numpy"], "two implementations or more"),
        (["--impl", "numpy", "--impl", "numpy"], "each once"),
        (["--impl", "numpy", "--impl", "port.py"], "there is no file"),
        (
            ["--impl", "impls.numpy_manual"],
            "numpy and impls.numpy_manual are the same: name each one once",
        ),
        (["--timeout", "0"], "timeout must be more than 0"),
        (
            [
                "--loss",
                "mse",
                "--impl",
                "numpy",
                "--impl",
                "logarithms of a2 and 1 - a2",
            ],
            "with mse: choose from numpy, torch, jax, sigmoid from exp(-|z|)",
        ),
        (["--seed", "3"], "No such option: --seed"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says what is wrong before any work is done; the status is 2."""
    status = run(["sweep", *arguments])

    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("gradparity: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_port_that_exits_at_import_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends a process of its own: not the sweep, with the status of a difference."""
    port = tmp_path / "port.py"
    port.write_text("import os\nos._exit(1)\n")

    status = run(["sweep", "--impl", str(port)])

    words = f"{str(port)!r}: its process ended with status 1 ({port}, line 2)"
    assert status == 3
    assert capsys.readouterr().err == f"gradparity: cannot load {words}\n"


@pytest.mark.slow
def test_a_port_that_hangs_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The time limit reaches the workers, and the next seed is compared."""
    port = tmp_path / "port.py"
    hang = "def train(problem):\n    while problem.weights.w1[0, 0] < 0.45: pass\n"
    port.write_text(f"{RIGHT}right = train\n{hang}    return right(problem)\n")
    arguments = ["--impl", str(port), "--seeds", "2:4", "--steps", "20", "--jobs", "1"]

    status = run(["sweep", *arguments, "--timeout", "4"])

    out, err = capsys.readouterr()
    assert (status, err) == (3, "")
    assert "   2  could not compare " in out
    assert "port: contract: it takes too long" in out
    assert "   3  match " in out


def test_a_job_needs_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk takes the memory of one worker, however many there may be."""
    need = needed(Experiment().sizes, 50, traces=2)
    monkeypatch.setattr(memory, "free", lambda: need)

    assert run([*QUICK, "--steps", "50", "--seeds", "2", "--jobs", "1000"]) == 0


def test_fewer_jobs_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one worker fits, the message says how many do."""
    monkeypatch.setattr(planning, "MOST", 2)
    need = needed(Experiment().sizes, 50, traces=2)
    monkeypatch.setattr(memory, "free", lambda: 2 * need)

    status = run([*QUICK, "--steps", "50", "--seeds", "6", "--jobs", "1000"])

    assert status == 2
    assert capsys.readouterr().err.endswith(" are free: --jobs 2 would fit\n")


def test_no_more_processes_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default there is one for each core; one more than fits would be refused."""
    monkeypatch.setattr(planning, "MOST", 2)
    monkeypatch.setattr(module, "cores", lambda: 3)
    monkeypatch.setattr(memory, "free", lambda: 2 * needed(Experiment().sizes, 50, 2))

    *others, _, _ = QUICK  # no --jobs
    assert run([*others, "--steps", "50", "--seeds", "6"]) == 0


def test_the_seeds_of_a_port_take_the_memory_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are trained one after the other, though there are many in a chunk."""
    port = tmp_path / "port.py"
    port.write_text(RIGHT)
    need = needed(Experiment().sizes, 1, traces=2)
    monkeypatch.setattr(memory, "free", lambda: need)
    arguments = ["--steps", "1", "--seeds", "20", "--jobs", "1"]

    assert run(["sweep", "--impl", str(port), *arguments]) != 2


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", range(3)), ("0:1000", range(1000)), ("7:9", range(7, 9))],
)
def test_range_of_seeds(text: str, seeds: range) -> None:
    """The end is not among them, as in Python."""
    assert range_of(text) == seeds


def test_lists() -> None:
    """Commas and repetitions are the same; numbers are converted."""
    assert listed("lr", ["0.1, 2", "4"]) == [0.1, 2.0, 4.0]
    assert listed("table", ["xor,and"]) == ["xor", "and"]


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sweep six seeds, in three chunks, into a folder."""
    monkeypatch.setattr(planning, "MOST", 2)
    folder = tmp_path / "rows"
    arguments = [*QUICK, "--seeds", "6", "--steps", "50", "-o", str(folder)]
    assert run(arguments) == 0
    return folder, arguments


def test_a_sweep_goes_on_where_it_was(
    swept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the chunk that is missing is computed; the summary is of all."""
    folder, arguments = swept
    run(arguments)
    first = capsys.readouterr().out
    files = sorted(folder.iterdir())
    files[1].unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    status = run(arguments)

    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert status == 0
    assert sorted(after) == files
    assert {path: after[path] for path in before} == before
    assert capsys.readouterr().out == first
    assert f"rows: {folder}" in first


def test_workers_may_write_themselves(swept: Any, tmp_path: Path) -> None:
    """The files have the same names and the same rows."""
    folder, arguments = swept
    other = tmp_path / "other"

    status = run([*arguments, "--workers-write", "-o", str(other)])

    frames = [pd.read_parquet(f).drop(columns="seconds") for f in (folder, other)]
    assert status == 0
    assert [p.name for p in sorted(other.iterdir())] == [
        p.name for p in sorted(folder.iterdir())
    ]
    pd.testing.assert_frame_equal(*frames)


def test_other_options_for_a_folder_are_refused(
    swept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the option; the status is that of wrong usage."""
    _, arguments = swept

    status = run([*arguments, "--lr", "0.5"])

    assert status == 2
    assert "a sweep with --lr [0.9], not [0.5]" in capsys.readouterr().err


def test_figure(tmp_path: Path) -> None:
    """The picture is written; it is not overwritten without --force."""
    figure = tmp_path / "map.png"
    arguments = [*QUICK, "--seeds", "2", "--steps", "20", "--figure", str(figure)]

    assert run(arguments) == 0
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert run(arguments) == 2


def test_a_picture_that_is_not_written_loses_no_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk was full after all seeds were compared."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "write", full)
    figure = ["--figure", str(tmp_path / "map.png")]

    status = run([*QUICK, "--seeds", "2", "--steps", "20", *figure])

    out, err = capsys.readouterr()
    assert status == 3
    assert "xor, 2-2-1, bce, float64, lr 0.9, 20 steps" in out
    assert "no space left" in err


def test_a_seed_without_an_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that gives no result for a chunk does not pass unseen."""
    monkeypatch.setattr(module, "completed", lambda *_: noted([], []))

    status = run([*QUICK, "--seeds", "2", "--steps", "20"])

    assert status == 3
    assert "2 of 2 seeds have no answer" in capsys.readouterr().err


def elsewhere(_: Dataset) -> Callable[[Chunk], list[Row]]:
    """Return what a worker does that sees another folder: it writes none of ours."""
    return compare_chunk


def test_workers_that_do_not_see_the_folder_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first file that is not there says so."""
    monkeypatch.setattr(Dataset, "writer", elsewhere)
    folder = ["--workers-write", "-o", str(tmp_path)]

    status = run([*QUICK, "--seeds", "2", "--steps", "20", *folder])

    assert status == 3
    assert "is not there: do workers see the folder?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_rows(swept: Any, tmp_path: Path) -> None:
    """The scheduler is named on the command line; its workers see the folder."""
    from distributed import LocalCluster  # noqa: PLC0415

    folder, arguments = swept
    arguments = [word for word in arguments if word not in {"--jobs", "1"}]
    other = tmp_path / "other"
    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as workers:
        address = workers.scheduler_address
        status = run(
            [*arguments, "--dask", address, "--workers-write", "-o", str(other)]
        )

    frames = [pd.read_parquet(f).drop(columns="seconds") for f in (folder, other)]
    assert status == 0
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.slow
def test_a_killed_sweep_goes_on(tmp_path: Path) -> None:
    """After kill -9 in the middle, no seed is lost and none is there twice."""
    folder = tmp_path / "rows"
    rates = ",".join(str(n / 10) for n in range(1, 13))
    arguments = [*QUICK, "--seeds", "8", "--steps", "2000", "--lr", rates]
    arguments += ["-o", str(folder)]
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "compare", *arguments]
    ) as sweep:
        wait_until(lambda: [*folder.glob("*.parquet")] or sweep.poll() is not None)
        sweep.kill()
    half = len([*folder.glob("*.parquet")])

    status = run(arguments)

    rows = pd.read_parquet(folder)
    assert 0 < half < 12
    assert status == 0
    assert len(rows.groupby(["lr", "seed"])) == 12 * 8
    assert {*rows.groupby(["lr", "seed"]).size()} == {3}
