"""The option --page of `compare` and `diff`."""

import os
from pathlib import Path

import pytest

from compare.cli import run
from tests.helpers import RIGHT

OPTIONS = ["--steps", "20", "--impl", "numpy", "--impl", "torch"]


def test_compare_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It holds the command that makes it again, and the screen is printed as well."""
    page = tmp_path / "p.html"
    page.write_text("old")

    status = run([*OPTIONS, "--page", str(page), "--force"])

    html = page.read_text("utf-8")
    assert status == 0
    assert not html.startswith("old")
    assert "MATCH  numpy, torch" in capsys.readouterr().out
    assert "<title>match: numpy, torch" in html
    assert "<span>--steps</span> <span>20</span> <span>--impl</span>" in html
    assert "impls/torch_autograd.py" in html


def test_diff_writes_a_page(tmp_path: Path) -> None:
    """Source is shown of our implementations, whatever their files are called."""
    traces = [tmp_path / f"{name}-run.safetensors" for name in ("numpy", "torch")]
    recorded = [
        run(["record", path.stem.split("-")[0], "--steps", "20", "-o", str(path)])
        for path in traces
    ]
    page = tmp_path / "p.html"

    status = run(["diff", *map(str, traces), "--page", str(page)])

    html = page.read_text("utf-8")
    assert (recorded, status) == ([0, 0], 0)
    assert "<title>match: numpy-run, torch-run" in html
    assert "impls/torch_autograd.py" in html


def test_a_page_names_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    """On Linux, a name is any bytes; those that are no text are escaped."""
    port, page = tmp_path / os.fsdecode(b"bad\xff.py"), tmp_path / "p.html"
    port.write_text(RIGHT)

    status = run(["--impl", str(port), "--steps", "20", "--page", str(page)])

    assert status == 0
    assert r"bad\udcff.py" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [("p.htm", "must end in .html"), ("there.html", "exists"), ("-", "must end in")],
)
def test_a_page_that_cannot_be_written_is_an_error(
    name: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is found before the work, and what is there is kept."""
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "there.html"
    there.write_text("kept")

    status = run([*OPTIONS, "--page", name])

    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert there.read_text() == "kept"


def test_two_files_need_two_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page and JSON can't be one file."""
    name = str(tmp_path / "p.html")

    assert run([*OPTIONS, "--page", name, "--json", name]) == 2
    assert "--json and --page name the same file" in capsys.readouterr().err
