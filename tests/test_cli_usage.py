"""Exit statuses: 2 for wrong usage, 3 for what can't be done, 1 for a difference only.

Standard streams may be closed or full, and a locale may know few characters.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copy

import pytest

from compare.cli import run
from tests.helpers import RIGHT

pytestmark = pytest.mark.slow

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale that knows ASCII only, without Python's remedies."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a port, and with a link to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "port.py").write_text(RIGHT)
    (tmp_path / "pört.py").write_text(RIGHT)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.py").symlink_to("loop.py")
    return tmp_path


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a shell, with its redirections."""
    return subprocess.run(  # noqa: S603  # our own program
        ["/bin/bash", "-c", f"set -o pipefail; {sys.executable} -m compare {command}"],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
    )


MANY = "9" * 401
LONG = "n" * 303


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "loop"],
        ["--json", "loop", "--force"],
        ["--json", "loop/a.json"],
        ["--figure", "loop/a.png"],
        ["record", "numpy", "-o", "loop"],
        ["diff", "loop", "port.py"],
        ["diff", "port.py", "loop/trace"],
        ["--impl", "numpy", "--impl", "loop"],
        ["--impl", "numpy", "--impl", "loop.py"],
        ["--impl", "numpy", "--impl", "loop/port.py"],
        ["--steps", MANY],
        ["--seed", MANY],
        ["--lr", MANY],
        ["--samples", MANY],
        ["--sizes", f"2-{MANY}-1"],
        ["--sizes", f"2-{MANY * 20}-1"],
        ["--steps", MANY * 20],
        ["exact", "--digits", MANY],
        ["exact", "--steps", MANY],
        ["sweep", "--seeds", MANY],
        ["sweep", "--first", MANY],
        ["sweep", "--jobs", MANY],
        ["faults", "--steps", MANY],
        ["--json", LONG],
        ["--json", LONG, "--force"],
        ["--figure", f"{LONG}.png"],
        ["record", "numpy", "-o", LONG],
        ["diff", LONG, "port.py"],
        ["--impl", "numpy", "--impl", LONG],
        ["--impl", "numpy", "--impl", f"{LONG}.py"],
        ["check", "loop.py"],
        ["check", f"{LONG}.py"],
        ["faults", "--fault", LONG],
        ["--table", LONG],
        [LONG],
        [f"--{LONG}"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_wrong_usage_is_2(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Loops of links, huge numbers and long names are one line, before any work."""
    before = {*folder.iterdir()}

    assert run(arguments) == 2

    out, err = capsys.readouterr()
    assert (out, err.count("\n"), {*folder.iterdir()}) == ("", 1, before)
    assert err.startswith("gradparity: ")


@pytest.mark.parametrize("stream", [">&-", "2>&-", "2>/dev/full"])
def test_wrong_usage_is_2_where_nothing_can_be_said(stream: str) -> None:
    """The status of a usage error does not depend on its message."""
    assert shell(f"--bogus {stream}").returncode == 2


@pytest.mark.parametrize("command", ["--version", "list"])
def test_a_full_disk_is_3(folder: Path, command: str) -> None:
    """What was asked for could not be printed."""
    assert folder.exists()
    done = shell(f"{command} >/dev/full")

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)


@pytest.mark.parametrize(
    ("stream", "status"), [("| true", 3), (">&-", 0), (">/dev/full", 3)]
)
def test_files_are_written_without_a_screen(
    folder: Path, stream: str, status: int
) -> None:
    """The status is never that of a difference."""
    done = shell(f"--impl port.py --steps 20 --json a.json --figure a.png {stream}")

    assert done.returncode == status
    assert done.stderr.count("\n") <= 1
    assert json.loads((folder / "a.json").read_text())["verdict"] == "match"
    assert (folder / "a.png").stat().st_size > 1000


def test_a_figure_needs_no_screen(folder: Path) -> None:
    """A setting of matplotlib for windows may name what is not installed."""
    done = shell("--impl port.py --steps 20 --figure a.png", MPLBACKEND="none such")

    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "a.png").stat().st_size > 1000


def test_json_needs_standard_output(folder: Path) -> None:
    """It is wrong usage to close the stream that is asked for."""
    done = shell("--impl port.py --steps 20 --json - >&-")

    assert done.returncode == 2
    assert "standard output is closed" in done.stderr
    assert folder.exists()


NEXT = """
import os
from compare.report.console import prepare_streams
prepare_streams()
os._exit(os.open(os.devnull, os.O_RDONLY))
"""
"""A program whose exit status is the number of the next file."""


def test_no_file_takes_the_number_of_a_closed_stream() -> None:
    """What a library prints would get into it."""
    done = subprocess.run(  # noqa: S603  # our own program
        ["/bin/bash", "-c", f"{sys.executable} -c '{NEXT}' <&- >&- 2>&-"], check=False
    )

    assert done.returncode > 2


@pytest.mark.parametrize(
    "environment", [ASCII, {"PYTHONIOENCODING": "ascii"}], ids=["locale", "stream"]
)
@pytest.mark.parametrize(
    "command",
    [
        "--impl pört.py --steps 20 --json ü.json -q",
        "record pört.py -o ü --steps 20",
    ],
)
def test_any_name_is_printed_in_any_locale(
    folder: Path, command: str, environment: dict[str, str]
) -> None:
    """A character that the stream can't encode is escaped."""
    done = shell(command, **environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert [path for path in folder.iterdir() if path.stem == "ü"]


def test_a_name_is_cut_in_any_locale(folder: Path) -> None:
    """The mark of what was left out is no ASCII."""
    deep = folder / ("deep/" * 30)
    deep.mkdir(parents=True)
    copy(folder / "port.py", deep)

    done = shell(f"--impl port.py --impl {deep}/port.py --steps 20 -q", **ASCII)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2026/deep/" in done.stdout


def test_a_name_that_is_taken_meanwhile_is_3(folder: Path) -> None:
    """The screen is shown, and the file of the other command is kept."""
    (folder / "slow.py").write_text(
        "from pathlib import Path\n"
        "from impls.numpy_manual import forward, loss_and_gradients\n"
        "from impls import numpy_manual\n"
        "def train(problem):\n"
        "    Path('a.json').write_text('precious')\n"
        "    return numpy_manual.train(problem)\n"
    )

    done = shell("--impl slow.py --steps 20 --json a.json")

    assert (done.returncode, (folder / "a.json").read_text()) == (3, "precious")
    assert "\nMATCH  numpy, slow\n" in done.stdout
    assert done.stderr == "gradparity: cannot write a.json: File exists\n"


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_recording_twice_gives_the_same_bytes(folder: Path, name: str) -> None:
    """A trace can be compared by its hash."""
    outputs = ("one", "other")
    statuses = [run(["record", name, "-o", o, "--steps", "50"]) for o in outputs]

    assert statuses == [0, 0]
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()
