"""The lesson and its notebook show what their texts say."""

import re
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from compare import Experiment
from compare.cli import run
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from impls import numpy_manual
from tests.pages import ROOT

LESSON = ROOT / "docs" / "lesson.ipynb"
PAGE = (ROOT / "docs" / "lesson.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::ResourceWarning")
def test_the_lesson_runs() -> None:
    """Each cell runs; both verdicts are shown with their figures, and the walk."""
    lesson = load()
    folder = {"metadata": {"path": str(ROOT)}}
    NotebookClient(lesson, timeout=300, resources=folder).execute()
    html = [data["text/html"] for data in shown(lesson) if "text/html" in data]
    text = "".join(printed(lesson))

    assert ["MATCH" in h for h in html] == [True, False]
    assert ["DIFFER" in h for h in html] == [False, True]
    assert all("<svg" in h and "Loss of each implementation" in h for h in html)
    assert text.count("the mistake enters here") == 2


def load() -> Any:
    """Read the notebook."""
    return nbformat.read(LESSON, as_version=4)  # type: ignore[no-untyped-call]


def outputs(lesson: Any) -> list[Any]:
    """List all outputs."""
    return [output for cell in lesson.cells for output in cell.get("outputs", ())]


def shown(lesson: Any) -> list[Any]:
    """List what cells show."""
    return [output["data"] for output in outputs(lesson) if "data" in output]


def printed(lesson: Any) -> list[str]:
    """List what cells print."""
    return [output["text"] for output in outputs(lesson) if "text" in output]


def test_the_lesson_is_stored_without_outputs() -> None:
    """They depend on the processor."""
    assert outputs(load()) == []


ROWS = re.findall(
    r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) ?\| (yes|no) \|$", PAGE, re.MULTILINE
)


def test_the_page_lists_eight_mistakes() -> None:
    """And says how many of them learn."""
    assert len(ROWS) == 8
    assert [learns for *_, learns in ROWS].count("yes") == 3
    assert "Three of the eight do" in PAGE


@pytest.mark.parametrize(
    ("fault", "first", "then"), [row[:3] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_each_mistake_enters_and_spreads_as_listed(
    fault: str, first: str, then: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary of the walk says the same."""
    assert run(["explain", "--fault", fault]) == 0

    summary = " ".join(capsys.readouterr().out.partition("\n\n")[2].split())
    wrong = f"{first}; then wrong: {then.strip()}" if then.strip() else first
    assert f"planted: enters at {wrong}; right: " in summary


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "learns"), [(row[0], row[3]) for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_each_mistake_learns_as_listed(fault: str, learns: str) -> None:
    """The trained network predicts every label, or does not."""
    problem = Experiment().problem()
    trace = plant(fault_named(fault), numpy_manual).train(problem)
    right = np.array_equal(np.round(trace.a2[-1]), problem.y)

    assert right == (learns == "yes")
