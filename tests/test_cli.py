"""The command line: what it prints, what it writes, and its exit status."""

import json
import re
import subprocess
import sys
import tracemalloc
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from compare.cli import app, files_of, run
from compare.report.layout import elide
from compare.training.problems import Experiment
from impls import numpy_manual
from tests.helpers import RIGHT

QUICK = ["--impl", "numpy", "--impl", "jax", "--steps", "20"]


def test_the_answer_fits_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments, a match prints at most 22 lines of 80 columns."""
    assert run([]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 80


# The options of an experiment.

EVERY_FIELD = tuple(field.name for field in fields(Experiment))
FIELDS = {
    "compare": EVERY_FIELD,
    "record": EVERY_FIELD,
    "exact": EVERY_FIELD,
}
"""The fields of an experiment that each command can set."""
ARGUMENTS = {"record": ["numpy", "-o", "trace"]}
"""The arguments that a command needs."""
NAMES = {"network": "sizes"}
"""The options that are not named like their fields."""
WRONG_VALUES = {
    "table": ("maybe", "unknown table 'maybe': choose from xor, and, or"),
    "seed": ("-1", "seed must be from 0 to 4294967295, not -1"),
    "lr": ("nan", "lr must be a positive finite float64, not nan"),
    "steps": ("0", "steps must be at least 1, not 0"),
    "loss": ("mae", "unknown loss 'mae': choose from bce, mse"),
    "dtype": ("float16", "unknown dtype 'float16': choose from float64, float32"),
    "network": ("2-0-1", "sizes and samples must be at least 1: 2-0-1, 4"),
    "samples": ("0", "sizes and samples must be at least 1: 2-2-1, 0"),
}
COMMANDS_AND_FIELDS = [(c, name) for c, names in FIELDS.items() for name in names]


def options(command: str) -> dict[str, Any]:
    """Return the options of a command by the field that they set."""
    parameters = vars(typer.main.get_command(app))["commands"][command].params
    return {p.name: p for p in parameters if p.name in EVERY_FIELD}


@pytest.mark.parametrize("command", FIELDS)
def test_a_command_offers_the_fields_of_an_experiment(command: str) -> None:
    """Each command offers its own fields, in the order of the experiment."""
    assert tuple(options(command)) == FIELDS[command]


@pytest.mark.parametrize(("command", "name"), COMMANDS_AND_FIELDS)
def test_an_option_is_the_same_for_every_command(command: str, name: str) -> None:
    """An option has one name and one help, and the default of its field."""
    option, of_compare = options(command)[name], options("compare")[name]

    assert option.opts == [f"--{NAMES.get(name, name)}"]
    assert option.default == getattr(Experiment(), name)
    assert option.help == of_compare.help
    assert option.help


@pytest.mark.parametrize(("command", "name"), COMMANDS_AND_FIELDS)
def test_a_wrong_value_is_one_line(
    command: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is an error of usage in every command, and no file is written."""
    monkeypatch.chdir(tmp_path)
    value, words = WRONG_VALUES[name]

    status = run(
        [command, *ARGUMENTS.get(command, []), f"--{NAMES.get(name, name)}", value]
    )

    out, err = capsys.readouterr()
    assert (status, out, list(tmp_path.iterdir())) == (2, "", [])
    assert err.startswith("gradparity: ")
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--table", "nor", "--seed", "7"], "nor, seed 7: 2-2-1, bce, float64, lr 0.9"),
        (["--loss", "mse", "--sizes", "2-5-1"], "xor, seed 2: 2-5-1, mse, float64"),
        (["--lr", "0.25", "--dtype", "float32"], "2-2-1, bce, float32, lr 0.25"),
    ],
)
def test_an_option_reaches_the_problem(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The headline names the problem that was compared."""
    assert run([*QUICK, *options]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--steps", "1000000000000"],
        ["--sizes", "2-100000000-1"],
        ["record", "numpy", "-o", "trace", "--sizes", "2-100000000-1"],
        ["exact", "--sizes", "2-100000000-1"],
        ["exact", "--steps", "1000000000000"],
        ["sweep", "--steps", "1000000000000"],
        ["faults", "--steps", "1000000000000"],
    ],
)
def test_too_much_is_refused_before_anything_large_is_created(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal is one line, and takes no memory itself."""
    run(arguments)  # what this imports is not counted
    capsys.readouterr()
    tracemalloc.start()
    try:
        status = run(arguments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert " of memory, and " in err
    assert peak < 30e6


# What is printed and written.


def test_a_pipe_gets_the_answer_alone() -> None:
    """A pipe gets no progress bar and no control codes."""
    command = [sys.executable, "-m", "compare", *QUICK]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-3].startswith("MATCH")
    assert "\x1b" not in done.stdout


def test_json_describes_what_was_compared(tmp_path: Path) -> None:
    """JSON has the problem, the implementations and their environments."""
    path = tmp_path / "report.json"

    assert run([*QUICK, "--json", str(path)]) == 0

    report = json.loads(path.read_text())
    assert report["problem"]["lr"] == 0.9
    numpy, jax = report["implementations"]
    assert (numpy["name"], jax["name"]) == ("numpy", "jax")
    assert jax["environment"].keys() >= {"python", "framework", "device"}


@pytest.mark.parametrize(
    ("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml")]
)
def test_figure_is_of_the_kind_its_name_says(
    name: str, magic: bytes, tmp_path: Path
) -> None:
    """The ending of the name chooses PNG or SVG."""
    run([*QUICK, "--figure", str(tmp_path / name)])

    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--impl", "numpy", "--impl", "flax"], "unknown implementation 'flax'"),
        (["--impl", "numpy"], "two implementations or more"),
        (["--impl", "numpy", "--impl", "numpy"], "two implementations or more"),
        (["--steps", "many"], "--steps must be an integer, not 'many'"),
        (["--seed", "1.5"], "--seed must be an integer, not '1.5'"),
        (["--seed", "1" * 5000], "--seed must be an integer of fewer digits, not 111"),
        (["--lr", "abc"], "--lr must be a number, not 'abc'"),
        (["--timeout", "soon"], "--timeout must be a number, not 'soon'"),
        (["exact", "--digits", "0"], "--digits must be at least 1, not 0"),
        (["exact", "--digits", "300"], "--digits must be at most 200, not 300"),
        (["explain", "--step", "-1"], "--step must be at least 0, not -1"),
        (["faults", "--steps", "5"], "--steps must be at least 100, not 5"),
        (["--figure", "loss.gif"], "must end in .png or .svg"),
        (["--json", "no/such/folder/a.json"], "cannot write no/such/folder/a.json"),
        (["--json", "same.png", "--figure", "./same.png"], "the same file"),
        (["--json", "."], ". is no file: choose another name"),
        (["--json", ".", "--force"], ". is no file: choose another name"),
        (["--figure", "-"], "- must end in .png or .svg"),
        (["--bogus"], "--bogus"),
        (["bogus"], "bogus"),
        (["--impl", "numpy", "--impl", "impls.numpy_manual"], "are the same"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says what is wrong before any work is done; the status is 2."""
    status = run(arguments)

    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("gradparity: ")
    assert err.count("\n") == 1
    assert words in err


def test_nothing_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that exists is kept, unless --force is given."""
    path = tmp_path / "mine.json"
    path.write_text("precious")

    refused = run([*QUICK, "--json", str(path)])
    kept = path.read_text()
    forced = run([*QUICK, "--json", str(path), "--force"])

    assert (refused, kept) == (2, "precious")
    assert "--force" in capsys.readouterr().err
    assert (forced, json.loads(path.read_text())["verdict"]) == (0, "match")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "arguments",
    [
        ["diff", "a.py", "b.py", "--json", "b.py"],
        ["diff", "a.py", "b.py", "--json", "hard.json"],
        ["record", "b.py", "-o", "./b.py"],
        ["check", "b.py", "--json", "b.py"],
        ["--impl", "numpy", "--impl", "b.py:network", "--json", "b.py"],
        ["--impl", "b", "--json", "b.py"],
        ["check", "b:network", "--json", "./b.py"],
        ["record", "c.b", "-o", "c/b.py"],
        ["record", "c", "-o", "c/__init__.py"],
    ],
    ids=" ".join,
)
def test_an_input_is_not_written(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By force neither; a second name of the file is recognized."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").mkdir()
    (tmp_path / "b.py").write_text("precious")
    (tmp_path / "hard.json").hardlink_to(tmp_path / "b.py")
    (tmp_path / "c" / "b.py").touch()
    (tmp_path / "c" / "__init__.py").touch()

    assert run([*arguments, "--force"]) == 2

    assert "is read as well: choose another name" in capsys.readouterr().err
    assert (tmp_path / "b.py").read_text() == "precious"


def test_the_source_of_ours_is_an_input() -> None:
    """A short name stands for a module."""
    assert Path(numpy_manual.__file__) in files_of(["numpy"])


def test_an_absent_framework_stops_the_self_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one line with the command that installs it; the status is 3."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "impls.torch_autograd", raising=False)

    status = run(["faults", "--steps", "100", "--impl", "torch"])

    out, err = capsys.readouterr()
    assert (status, out) == (3, "")
    assert err == "gradparity: 'torch' is not installed: pip install -e '.[torch]'\n"


LISTS = """
from dataclasses import replace
from impls import numpy_manual
from impls.numpy_manual import forward, loss_and_gradients
def train(problem):
    trace = numpy_manual.train(problem)
    return replace(trace, a2=trace.a2.tolist())
"""
FORGETS = """
from impls.numpy_manual import forward as right, loss_and_gradients, train
calls = 0
def forward(weights, x):
    global calls
    calls += 1
    found = right(weights, x)
    return found if calls < 6 else found._replace(a2=found.a2.tolist())
"""
DOUBLE = """
ours = loss_and_gradients
def loss_and_gradients(*arguments):
    loss, gradients = ours(*arguments)
    return 2 * loss, gradients
"""
WRITES = """
ours = train
def train(problem):
    trace = ours(problem)
    problem.x[0, 0] = 5
    return trace
"""
WRONG = """
from impls.numpy_manual import forward, loss_and_gradients
from impls import numpy_manual
from dataclasses import replace
def train(problem):
    trace = numpy_manual.train(problem)
    trace.dw1[7, 0, 1] *= 1 + 1e-9
    return trace
"""


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    """Write an implementation whose dw1 is a billionth off at step 7."""
    path = tmp_path / "wrong.py"
    path.write_text(WRONG)
    return str(path)


def test_a_difference_says_where(
    wrong: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The step, the line, the element, both numbers and the bound are shown."""
    path = tmp_path / "r.json"
    status = run(
        ["--impl", "numpy", "--impl", wrong, "--steps", "20", "--json", str(path)]
    )

    out = capsys.readouterr().out
    check = json.loads(path.read_text())["first_difference"]["check"]
    first = check["first"]
    assert status == 1
    assert "\n\nDIFFER  numpy, wrong\n" in out
    assert "first difference: step 7, dw1 = dz1 @ x.T, dw1[0, 1]; cause unknown" in out
    assert "\n  wrong 0.0" in out
    assert (first["step"], first["index"], check["quantity"]) == (7, [0, 1], "dw1")
    assert check["subject"] == ["wrong"]
    assert first["value"] != first["reference"]
    assert first["difference"] > first["bound"]


def test_exact_prints_certified_digits(capsys: pytest.CaptureFixture[str]) -> None:
    """They are those of a step in decimal arithmetic, before and after its update."""
    assert run(["exact", "--steps", "1", "--digits", "20"]) == 0

    before, after = capsys.readouterr().out.split("after update 1:")
    assert "loss      0.71664456142728686634\n" in before
    assert "loss      0.70995303746491453668\n" in after
    assert "a2[0][0]  0.57896781593978931045\n" in after


def test_exact_digits_may_be_many(capsys: pytest.CaptureFixture[str]) -> None:
    """The precision is raised as needed; more digits begin with the fewer."""
    run(["exact", "--steps", "20", "--digits", "100"])
    many = capsys.readouterr().out.splitlines()
    run(["exact", "--steps", "20", "--digits", "40"])
    few = capsys.readouterr().out.splitlines()

    assert len(many[4].split()[1]) == 102
    assert many[4].startswith(few[4][:-1])


def test_unreachable_precision_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that no allowed precision encloses is reported in one line, status 3."""
    status = run(["exact", "--lr", "1e308", "--steps", "30"])

    out, err = capsys.readouterr()
    assert (status, out) == (3, "")
    assert "bits give the exact run to within" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_compare_with_the_exact_run(
    dtype: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The distance of each implementation from the exact run is checked and drawn."""
    json_file, figure = tmp_path / "a.json", tmp_path / "a.png"

    files = ["--json", str(json_file), "--figure", str(figure)]
    status = run([*QUICK, "--exact", "--dtype", dtype, *files])

    checks = json.loads(json_file.read_text())["checks"]
    found = {(*c["subject"], c["quantity"]) for c in checks if c["kind"] == "exact"}
    assert status == 0
    assert "from exact" in capsys.readouterr().out
    assert figure.stat().st_size > 1000
    assert found == {
        (name, quantity)
        for name in ("numpy", "jax")
        for quantity in ("loss", "w1", "w2", "a2")
    }


@pytest.mark.parametrize(
    ("code", "answer", "expected"), [("", "CANNOT TELL", 3), (DOUBLE, "DIFFER", 1)]
)
def test_without_the_exact_run_the_others_are_compared(
    code: str,
    answer: str,
    expected: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says that it is missing."""
    path = tmp_path / "port.py"
    path.write_text(RIGHT + code)

    status = run(["--impl", str(path), "--lr", "1e308", "--steps", "5", "--exact"])

    out, err = capsys.readouterr()
    assert (status, err.count("\n")) == (expected, 1)
    assert f"\n{answer}  numpy, port\n" in out
    assert err.startswith("gradparity: not compared with the exact run: at step 1, ")


def test_help_lists_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    """The help describes each exit status."""
    status = run(["--help"])

    assert status == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "3 unstable, cannot tell, or could not compare" in words


def test_list_names_all_implementations(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of ours has a row, with its framework and version."""
    status = run(["list"])

    rows = [line.split()[:4] for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert [row[0] for row in rows] == ["name", "numpy", "torch", "jax"]
    assert rows[1] == ["numpy", "built", "in", "numpy"]


def record(folder: Path, name: str, *options: str) -> str:
    """Save a short trace, and return its path."""
    path = folder / f"{Path(name).stem}.safetensors"
    assert run(["record", name, "-o", str(path), "--steps", "20", *options]) == 0
    return str(path)


@pytest.mark.parametrize("options", [(), ("--dtype", "float32")])
def test_saved_traces_are_compared(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Traces that were recorded one by one get a verdict; the screen is as short."""
    files = [record(tmp_path, name, *options) for name in ("numpy", "torch", "jax")]
    picture = tmp_path / "a.svg"
    capsys.readouterr()

    status = run(["diff", *files, "--figure", str(picture)])

    out = capsys.readouterr().out
    assert status == 0
    assert picture.stat().st_size > 1000
    assert "MATCH  numpy, torch, jax" in out
    assert "torch 2." in out.splitlines()[0]
    assert len(out.splitlines()) <= 24  # two for a remark on so short a training
    assert max(map(len, out.splitlines())) <= 80


def test_any_file_name_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files of one name are named by their paths; "exact" is an ordinary name."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = record(tmp_path / "a", "numpy"), record(tmp_path / "b", "numpy")
    exact = tmp_path / "exact.safetensors"
    Path(other).rename(exact)

    same = run(["diff", one, str(exact)])
    Path(exact).rename(other)
    longer = run(["diff", one, other])

    out = capsys.readouterr().out
    assert (same, longer) == (0, 0)
    assert "MATCH  numpy, exact\n" in out
    assert len(re.findall("^gradients .* both", out, re.MULTILINE)) == 2
    assert elide(one, 70) in out.rpartition("MATCH")[2]
    assert elide(other, 70) in out.rpartition("MATCH")[2]


def test_saved_traces_may_differ(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake is found in a trace as it is found in the run."""
    files = [record(tmp_path, name) for name in ("numpy", wrong)]

    status = run(["diff", *files, "--json", str(tmp_path / "a.json")])

    first = json.loads((tmp_path / "a.json").read_text())["first_difference"]
    assert status == 1
    assert "first difference: step 7, dw1 = dz1 @ x.T" in capsys.readouterr().out
    assert first["check"]["subject"] == ["wrong"]


def test_different_problems_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The field that is different is named, and nothing is compared."""
    one, other = record(tmp_path, "numpy"), record(tmp_path, "jax", "--lr", "0.5")
    capsys.readouterr()

    status = run(["diff", one, other])

    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err == (
        "gradparity: numpy and jax are of different problems: "
        "lr is 0.9 in the one, 0.5 in the other\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diff", "one"], "name two traces or more, each once"),
        (["diff", "none", "gone"], "none: it cannot be read: No such file"),
        (["diff", __file__, "gone"], "it is no safetensors file"),
        (["record", "numpy"], "Missing option"),
        (["record", "numpy", "-o", __file__], "exists: choose another name"),
        (["record", "flax", "-o", "x"], "unknown implementation 'flax'"),
        (["--device", "tpu"], "unknown device 'tpu': choose from cpu, cuda"),
        (["record", "numpy", "-o", "x", "--device", "cuda"], "computed on the CPU"),
    ],
)
def test_an_impossible_command_is_one_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The error is found before the work, and no file is written."""
    monkeypatch.chdir(tmp_path)

    status = run(arguments)

    out, err = capsys.readouterr()
    assert (status, out, list(tmp_path.iterdir())) == (2, "", [])
    assert err.startswith("gradparity: ")
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "def forward(weights): ...\ndef loss_and_gradients(w, x): ...\n",
            "forward(weights)",
        ),
        (RIGHT + WRITES, "it writes into its inputs"),
    ],
    ids=["before training", "after it"],
)
def test_a_broken_contract_is_not_recorded(
    code: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broken promise is named, the status is 3, and no file is written."""
    path = tmp_path / "port.py"
    path.write_text(code)

    status = run(["record", str(path), "-o", str(tmp_path / "x"), "--steps", "20"])

    assert status == 3
    assert words in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_a_trace_that_no_file_can_hold_is_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one line, the status is 3, and no file is written."""
    path = tmp_path / "port.py"
    path.write_text(LISTS)

    status = run(["record", str(path), "-o", str(tmp_path / "x"), "--steps", "20"])

    assert status == 3
    assert capsys.readouterr().err == (
        "gradparity: ValueError: a2 is a list: it should be of float64 or float32 "
        "or float16\n"
    )
    assert list(tmp_path.iterdir()) == [path]


def test_a_list_after_training_is_a_difference_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict is printed, and an incomplete run has no predictions."""
    port, path = tmp_path / "port.py", tmp_path / "a.json"
    port.write_text(FORGETS)

    arguments = ["--impl", "numpy", "--impl", str(port), "--steps", "20"]
    status = run([*arguments, "--json", str(path)])

    assert status == 1
    assert "\nDIFFER" in capsys.readouterr().out
    assert json.loads(path.read_text())["implementations"][1]["a2"] is None


def test_a_file_is_not_compared_with_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two paths of one file are recognized."""
    path, again = tmp_path / "a", tmp_path / "b" / ".." / "a"
    (tmp_path / "b").mkdir()
    run(["record", "numpy", "-o", str(path), "--steps", "20"])

    assert run(["diff", str(path), str(again)]) == 2
    assert "name two traces or more, each once" in capsys.readouterr().err
