"""The lesson and its notebook show what their texts say."""

import re
import subprocess
from shutil import which
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from compare import Experiment, compare
from compare.cli import run
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from impls import numpy_manual
from impls.interface import Weights
from tests.helpers import near
from tests.pages import ROOT

LESSON = ROOT / "docs" / "lesson.ipynb"
PAGE = (ROOT / "docs" / "lesson.md").read_text(encoding="utf-8")
WORDS, ONE_STEP = (
    " ".join(text.split())
    for text in (PAGE, (ROOT / "docs" / "one-step.md").read_text(encoding="utf-8"))
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::ResourceWarning")
def test_the_lesson_runs() -> None:
    """Each cell runs; all verdicts are shown with their figures, and the walk."""
    lesson = load()
    folder = {"metadata": {"path": str(ROOT)}}
    NotebookClient(lesson, timeout=300, resources=folder).execute()
    html = [data["text/html"] for data in shown(lesson) if "text/html" in data]
    text = "".join(printed(lesson))

    assert ["MATCH" in h for h in html] == [True, False, False]
    assert ["DIFFER" in h for h in html] == [False, True, True]
    assert all("<svg" in h and "Loss of each implementation" in h for h in html)
    learnt = [re.search("^mistaken .* 0 1 1 0$", h, re.MULTILINE) for h in html]
    assert [*map(bool, learnt)] == [False, True, False]
    assert text.count("the mistake enters here") == 1


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
    r"^\| ([^|]+) \| ([^|]+) \| ([^|]*) ?\| (yes|no|unstable)\b[^|]*\|$",
    PAGE,
    re.MULTILINE,
)
LEARNT = [row for row in ROWS if row[3] != "unstable"]


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
    ("fault", "learns"), [(r[0], r[3]) for r in LEARNT], ids=[r[0] for r in LEARNT]
)
def test_each_mistake_learns_as_listed(fault: str, learns: str) -> None:
    """The trained network predicts every label, or does not."""
    problem = Experiment().problem()
    trace = plant(fault_named(fault), numpy_manual).train(problem)
    right = np.array_equal(np.round(trace.a2[-1]), problem.y)

    assert right == (learns == "yes")


@pytest.mark.slow
def test_the_unstable_mistake_is_a_step_four_times_too_long() -> None:
    """A right program with that learning rate is unstable: its end is chance."""
    (fault,) = (row[0] for row in ROWS if row[3] == "unstable")
    planted = plant(fault_named(fault), numpy_manual).train(
        Experiment(steps=1).problem()
    )
    longer = numpy_manual.train(Experiment(steps=1, lr=3.6).problem())

    assert planted.w1[-1] == near(longer.w1[-1], 1e-12)
    assert planted.w2[-1] == near(longer.w2[-1], 1e-12)
    assert compare(Experiment(lr=3.6)).answer == "unstable"


def test_one_wrong_class_costs_as_much_as_the_page_says() -> None:
    """A probability on the wrong side of 0.5 costs log(2), in a mean of four."""
    assert f"below {np.log(2) / 4:.3f} proves it" in WORDS


@pytest.mark.slow
def test_the_last_losses_are_those_of_the_page() -> None:
    """Of a right run, and of the run that records the sum."""
    problem = Experiment().problem()
    summed = plant(fault_named("loss of the sum, not of the mean"), numpy_manual)

    right = f"the last loss is {numpy_manual.train(problem).loss[-1]:.3f}."
    wrong = f"as large, {summed.train(problem).loss[-1]:.3f}."
    assert right in WORDS
    assert wrong in WORDS


def test_the_command_of_the_worksheet_cuts_the_answers_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is left is the page of blanks."""
    (script,) = re.findall(r"--worksheet \| sed '([^']+)' >", PAGE)
    assert run(["explain", "--worksheet"]) == 0
    whole = capsys.readouterr().out
    sed = [which("sed") or "", script]

    cut = subprocess.run(sed, input=whole, capture_output=True, text=True, check=True)  # noqa: S603

    assert cut.stdout == whole.partition("\f")[0]


def test_the_central_difference_is_near_the_gradient() -> None:
    """Two losses, with one weight larger and smaller by 0.1, and the gradient."""
    problem = Experiment().problem()
    w1, w2 = problem.weights
    step = np.array([[0, 0.1]])
    losses = [
        float(numpy_manual.loss_and_gradients(w, problem.x, problem.y, "bce")[0])
        for w in (Weights(w1, w2 + step), Weights(w1, w2 - step))
    ]
    larger, smaller = (f"{loss:.5f}" for loss in losses)
    slope = f"{(losses[0] - losses[1]) / 0.2:.4f}"

    assert f"({larger} - {smaller}) / 0.2 = {slope}" in ONE_STEP
