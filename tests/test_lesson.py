"""The notebook of the lesson runs, and shows what its text says."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.pages import ROOT

LESSON = ROOT / "docs" / "lesson.ipynb"


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
