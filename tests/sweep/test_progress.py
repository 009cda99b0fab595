"""The bar says how fast a sweep goes, also between chunks."""

import re
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Task, TaskID

from compare.sweep import progress
from compare.sweep.progress import Pace, seeds_bar
from tests.helpers import Terminal


def task(elapsed: float, completed: int, at_last: float, before: int = 0) -> Task:
    """Make a task that began so many seconds ago; its last chunk ended `at_last`."""
    made = Task(
        TaskID(0),
        "",
        100,
        completed,
        _get_time=lambda: elapsed,
        fields={"before": before, "at_last": at_last},
    )
    made.start_time = 0.0
    return made


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (task(3, 0, 0), "0 seeds, 0:00:03"),
        (task(10, 20, 10), "20 seeds, 0:00:10, 2.0 seeds/s, 0:00:40 left"),
        (task(14, 20, 10), "20 seeds, 0:00:14, 2.0 seeds/s, 0:00:36 left"),
        (task(10, 60, 10, 40), "60 seeds, 0:00:10, 2.0 seeds/s, 0:00:20 left"),
        (task(3, 40, 0, 40), "40 seeds, 0:00:03"),
        (task(90, 20, 10), "20 seeds, 0:01:30, 2.0 seeds/s, 0:00:00 left"),
    ],
    ids=["no chunk yet", "one", "later", "resumed", "resumed, none yet", "late"],
)
def test_pace(given: Task, words: str) -> None:
    """The rate is that of finished chunks; the time left goes down each second."""
    assert Pace().render(given).plain == words


def test_the_bar_advances_by_seeds() -> None:
    """On a terminal it shows seeds; in a pipe, nothing in so short a time.

    A console that is forced to be a terminal is none, as where FORCE_COLOR is set.
    """
    shown, hidden = (
        Console(file=file, force_terminal=True, width=100)
        for file in (Terminal(), StringIO())
    )

    with seeds_bar(shown, 10, 2) as advance, seeds_bar(hidden, 10, 2) as other:
        advance(8)
        other(8)

    assert "10 seeds" in shown.file.getvalue()  # type: ignore[attr-defined]
    assert hidden.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_pipe_gets_lines_of_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They say how far it is, at most so often."""
    monkeypatch.setattr(progress, "QUIET", 0.0)
    with seeds_bar(Console(file=StringIO()), 10, 2) as advance:
        advance(3)

    assert re.fullmatch(r"5 seeds, 0:00:00, .* left\n", capsys.readouterr().err)
