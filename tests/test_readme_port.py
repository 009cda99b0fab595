"""The port that the README shows is right and short, and every command takes it."""

from pathlib import Path

import pytest

from compare import Experiment, compare
from compare.cli import run
from compare.hosts.load import labels
from tests.pages import BLOCKS, ROOT

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text(encoding="utf-8")
PORTING = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
PORT, LONG = (block.text for block in BLOCKS if block.file == "my_port.py")


def python(words: str) -> str:
    """Find the one block of Python in docs/porting.md that has these words."""
    (found,) = (
        block.text
        for block in BLOCKS
        if (block.page, block.language) == ("docs/porting.md", "python")
        and words in block.text
    )
    return found


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Save the port under the README's name, in the current folder."""
    (tmp_path / "my_port.py").write_text(PORT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "my_port.py:network"


def test_the_port_is_short() -> None:
    """It has at most 25 lines, and both pages show the same."""
    assert [*filter(None, LONG.splitlines())] == [*filter(None, PORT.splitlines())]
    assert len(PORT.splitlines()) <= 25
    assert "as `my_port.py`" in README
    assert "gradparity --impl my_port.py:network" in README


def test_the_port_passes_every_check(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All lines of `gradparity check` say so, but for a loss that is not given."""
    assert run(["check", port]) == 0

    *lines, last = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"passed"}
    assert lines[-1] == "not checked: your loss: criteria= gives no mse"
    assert last.startswith("MATCH  my_port:network")


def test_the_shown_pytest_cases_have_these_names(port: str) -> None:
    """The names in docs/porting.md are those of the cases."""
    assert labels([port, "path/to/other.py"]) == ["my_port:network", "other"]
    assert '"other-loss"' in python("parametrize_with_checks(")
    assert "`test_my_port[my_port:network-dw1]`" in PORTING


def test_the_shown_python_runs(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines under "In Python" print the answer."""
    exec(python("verdict = compare("), {})  # noqa: S102  # our own text

    assert capsys.readouterr().out == "match\n"
    assert compare(Experiment(steps=20), ["numpy", port]).answer == "match"
