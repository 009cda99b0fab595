"""What the command line prints, where, and how it explains itself."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from compare.cli import run
from compare.selftest.faults import FAULTS

COMMANDS = ["compare", "record", "diff", "list", "exact", "sweep", "faults"]
SHORT = ["--impl", "numpy", "--impl", "torch", "--steps", "20"]
Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS)], ids=str)
def test_help_has_the_exit_statuses(
    command: list[str], option: str, capsys: Captured
) -> None:
    """Every command says what its exit status means."""
    assert run([*command, option]) == 0

    assert "Exit status: 0 " in capsys.readouterr().out


def test_help_explains_each_column(capsys: Captured) -> None:
    """A column that is shown is explained, on a line of its own."""
    run(SHORT)
    header = next(
        line for line in capsys.readouterr().out.splitlines() if "used" in line
    )
    run(["compare", "--help"])
    explained = re.findall(r"\n    (\w+)  ", capsys.readouterr().out)

    assert {"largest", "bound", "used", "step", "between"} <= {*header.split()}
    assert {*header.split()} <= {*explained}


def test_the_version_is_the_package_s(capsys: Captured) -> None:
    """One line, and no comparison."""
    assert run(["--version"]) == 0

    assert capsys.readouterr().out == f"gradparity {metadata.version('gradparity')}\n"


def test_completion_completes(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A shell gets the commands that begin so."""
    monkeypatch.setenv("_GRADPARITY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "gradparity fa")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert run([]) == 0

    assert capsys.readouterr().out.split() == ["faults"]


def test_json_has_standard_output_for_itself(capsys: Captured) -> None:
    """The screen goes to standard error."""
    assert run([*SHORT, "--json", "-"]) == 0

    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "match"
    assert err.splitlines()[-3] == "MATCH  numpy, torch"


def test_quiet_and_verbose_exclude_each_other(capsys: Captured) -> None:
    """That is wrong usage."""
    assert run([*SHORT, "--quiet", "--verbose"]) == 2

    assert "one of --verbose and --quiet" in capsys.readouterr().err


def test_quiet_prints_the_answer_alone(capsys: Captured) -> None:
    """Three lines."""
    assert run([*SHORT, "--quiet"]) == 0

    answer, problem, extent = capsys.readouterr().out.splitlines()
    assert answer == "MATCH  numpy, torch"
    assert problem.endswith("20 steps")
    assert "% of any bound" in extent


def test_a_file_name_can_t_imitate_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """A line feed in a name begins no line, and an escape sequence is shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a\nMATCH  x, \x1b[31my.py").write_text(
        "from compare.selftest.faults import fault_named\n"
        "from compare.selftest.plant import plant\n"
        "from compare.hosts.load import load\n"
        "network = plant(fault_named('dw1 transposed'), load('numpy'))\n"
    )
    names = ["--impl", "numpy", "--impl", "a\nMATCH  x, \x1b[31my.py:network"]

    assert run([*names, "--steps", "20"]) == 1

    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("MATCH")] == []
    assert "\\nMATCH" in out
    assert "\x1b" not in out


def test_an_error_message_is_one_printable_line(capsys: Captured) -> None:
    """What is quoted from the command line is escaped on standard error."""
    assert run(["--impl", "numpy", "--impl", "no\x1b[2J\nsuch.py"]) == 2

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_no_color_is_respected(no_colour: str) -> None:
    """A forced terminal is coloured, unless NO_COLOR is set."""
    program = "import sys; from compare.cli import run; sys.exit(run(sys.argv[1:]))"
    environment = {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": no_colour}
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, *SHORT, "--quiet"],
        env=environment,
        capture_output=True,
        check=True,
    )

    assert (b"\x1b[1;32mMATCH" in done.stdout) == (no_colour == "")


def test_a_fault_is_planted_and_told(capsys: Captured) -> None:
    """First its sentence, then the story."""
    name = "dw1 transposed"
    (fault,) = (fault for fault in FAULTS if fault.name == name)

    assert run(["faults", "--fault", name, "--steps", "100"]) == 0

    sentence, blank, *story = capsys.readouterr().out.splitlines()
    assert sentence == fault.sentence
    assert not blank
    assert story[0].startswith("first difference: step 0, dw1 = dz1 @ x.T")
    assert story[0].endswith("cause: transposed")
    assert re.match(r"  planted 0\.\d+, numpy 0\.\d+, exact", story[1])
    assert len(story) == 4


def test_an_unknown_fault_is_wrong_usage(capsys: Captured) -> None:
    """A name that is nearly right is suggested."""
    assert run(["faults", "--fault", "dw1 transpose"]) == 2

    assert "'dw1 transposed'" in capsys.readouterr().err


def test_the_faults_are_listed(capsys: Captured) -> None:
    """One name a line, and nothing is planted."""
    assert run(["faults", "--list"]) == 0

    assert capsys.readouterr().out.splitlines() == [fault.name for fault in FAULTS]
