"""The public Python interface: `import compare`."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import compare as public
from compare import Experiment, check, compare, read_trace
from compare.cli import run
from compare.hosts.load import OURS
from impls import numpy_manual
from impls.interface import Problem
from tests.helpers import WRONG


@pytest.mark.parametrize("name", public.__all__[1:])
def test_each_docstring_has_an_example_that_runs(name: str) -> None:
    """The examples are run, and print what they say."""
    examples = doctest.DocTestFinder(recurse=False).find(
        getattr(public, name), name, globs={}
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    results = [runner.run(example) for example in examples]

    assert sum(result.attempted for result in results) > 1
    assert sum(result.failed for result in results) == 0


def test_the_example_of_the_package_runs() -> None:
    """The docstring of the package has one, too."""
    results = doctest.testmod(public)

    assert (results.failed, results.attempted > 0) == (0, True)


def test_all_names_can_be_imported() -> None:
    """`__all__` lists what the package has."""
    module = import_module("compare")

    assert all(hasattr(module, name) for name in module.__all__)
    assert {"Experiment", "check", "compare", "read_trace"} <= {*module.__all__}


def test_importing_it_imports_no_framework() -> None:
    """PyTorch, JAX and the plotting library are imported when they are needed."""
    code = (
        "import sys, compare; "
        "print([n for n in ('torch', 'jax', 'matplotlib') if n in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert done.stdout.strip() == "[]"


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Write a port with a mistake."""
    path = tmp_path / "port.py"
    path.write_text(WRONG)
    return path


def test_names_and_objects_are_compared(port: Path) -> None:
    """A file is named by its stem, a module by its name; a path is a name."""
    verdict = compare(Experiment(steps=20), iter([numpy_manual, port]))

    assert verdict.answer == "differ"
    assert [run.name for run in verdict.runs] == ["impls.numpy_manual", "port"]
    assert [*verdict.environments] == ["port"]


def test_a_problem_can_be_compared() -> None:
    """An experiment is not needed where there is a problem."""
    problem = Experiment(steps=20).problem()

    assert compare(problem, ["numpy", "torch"]).answer == "match"


@pytest.mark.parametrize(
    "judge",
    [
        lambda problem: compare(problem, [numpy_manual]),
        lambda problem: check(numpy_manual, problems=[problem]),
    ],
    ids=["compare", "check"],
)
def test_a_wrong_problem_is_no_fault_of_an_implementation(
    judge: Callable[[Problem], object],
) -> None:
    """It is refused before anything is loaded."""
    problem = replace(Experiment(steps=20).problem(), steps=0)

    with pytest.raises(ValueError, match="steps is 0"):
        judge(problem)


EXPERIMENT = Experiment(steps=20)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("xor", OURS), "^a problem must be an Experiment or a Problem, .* not a str$"),
        ((OURS, EXPERIMENT), "Experiment or a Problem, .*, not a tuple$"),
        ((Experiment, OURS), r"as Experiment\(steps=100\), not a type$"),
        ((EXPERIMENT, "numpy"), "^give a list of two implementations .*, not a str$"),
        ((EXPERIMENT, {"port": numpy_manual}), "two implementations .*, not a dict$"),
        ((EXPERIMENT, numpy_manual), "two implementations or more, not a module$"),
        ((EXPERIMENT, ["numpy"]), "two implementations or more, not 1$"),
        ((EXPERIMENT, []), "two implementations or more, not 0$"),
        ((EXPERIMENT, ["numpy", None]), "^an implementation must be .*, not nothing$"),
        ((EXPERIMENT, ["numpy", b"torch"]), "a name, a path, .*, not a bytes$"),
        ((EXPERIMENT, ["numpy", ["torch"]]), "a name, a path, .*, not a list$"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: tuple[Any, Any], words: str
) -> None:
    """The message says what was expected, and what was found."""
    with pytest.raises((TypeError, ValueError), match=words):
        compare(*arguments)


def test_a_problem_too_large_for_memory_is_refused() -> None:
    """It is a problem as well as an experiment."""
    problem = Experiment(steps=10**13).problem()

    with pytest.raises(ValueError, match="steps would fit"):
        compare(problem)


def test_a_notebook_shows_the_screen_and_the_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """HTML of the text that the command line prints, the figure, and no output."""
    path = tmp_path / "a<b>.py"
    path.write_text(WRONG)

    html = compare(Experiment(steps=20), ["numpy", str(path)])._repr_html_()

    assert html.startswith("<pre")
    assert "DIFFER  numpy, a&lt;b&gt;" in html
    assert "a<b>" not in html
    assert "dw1 = dz1 @ x.T" in html
    assert html.count("<svg") == 1
    assert html.endswith("</svg>\n")
    assert capsys.readouterr().out == ""


def test_check_is_the_command_line_and_pytest(port: Path) -> None:
    """One finding fails for one mistake; a path is a name."""
    assert [f.name for f in check(port) if f.fails] == ["dw1"]


def test_experiments_are_problems() -> None:
    """They may come from a generator."""
    problems = (Experiment(steps=steps) for steps in (1, 20))

    assert {f.status for f in check(numpy_manual, problems=problems)} == {"passed"}


def test_a_recorded_trace_can_be_read(tmp_path: Path) -> None:
    """A path as text will do."""
    output = str(tmp_path / "trace.safetensors")
    assert run(["record", "numpy", "--steps", "20", "-o", output]) == 0

    assert read_trace(output).run.name == "numpy"
