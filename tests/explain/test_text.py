"""The walk as text: two screens of 80 columns."""

import re

import pytest

from compare.cli import run
from compare.numerics.equations import lines

ALONE = ("--impl", "numpy")


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Run the command."""
    assert run(["explain", *options]) == 0
    return capsys.readouterr().out


def test_the_notebook_is_two_screens(capsys: pytest.CaptureFixture[str]) -> None:
    """80 columns; each line of the mathematics has a paragraph, in order."""
    rows = shown(capsys).splitlines()
    statements = [line.statement for line in lines("bce")]
    heads = [s for row in rows for s in statements if row.startswith(s)]

    assert max(map(len, rows)) <= 80
    assert len(rows) <= 64
    assert heads == statements


def test_every_line_has_a_bound_and_says_where_it_comes_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Six roundings at these sizes; nine for sums of six terms."""
    text = shown(capsys, "--sizes", "2-6-1", *ALONE)

    assert text.count("\n  bound ") == 11
    assert "6 roundings of |w1| @ |x|" in text
    assert "9 roundings of |w2| @ |a1|" in text


def test_the_last_lines_say_which_lines_are_wrong_and_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each run has its line; that of the mistake is the last."""
    assert summary_of(
        shown(capsys, "--fault", "hidden units swapped at the start")
    ) == (
        "numpy: every line is right planted: its weights are wrong before this step; "
        "then wrong: z1, a1, dw2, dz1, dw1, new w1, new w2; right: z2, a2, loss, dz2"
    )


def test_a_mistake_of_a_later_step_is_not_in_this_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The summary says so."""
    text = shown(capsys, "--fault", "dw1 zero in the last hundredth", "--step", "0")

    assert summary_of(text) == (
        "numpy: every line is right planted: every line is right"
    )


def summary_of(text: str) -> str:
    """Return the lines after the paragraphs as one."""
    return " ".join(text.rsplit("\n\n", maxsplit=1)[-1].split())


def test_runs_without_a_mistake_have_no_summary(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is nothing to sum up."""
    assert "every line is right" not in shown(capsys)


def test_shares_of_a_bound_have_names_where_they_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One share stands for all if they are equal."""
    text = " ".join(shown(capsys, "--fault", "w2 updated before dz1").split())

    assert re.search(r"used numpy \d+ %, planted 3e\+14 times the bound", text)
    assert re.search(r"\|w1\| @ \|x\|; used \d+ % ", text)


@pytest.mark.parametrize(
    "options",
    [
        [*ALONE, "--sizes", "3-5-2", "--samples", "30"],
        [*ALONE, "--dtype", "float32", "--loss", "mse", "--step", "20"],
        ["--fault", "another seed"],
        ["--fault", "NaN in the last gradient"],
    ],
)
def test_no_line_is_longer_than_a_screen(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Large arrays are summarised."""
    text = shown(capsys, *options)

    assert max(map(len, text.splitlines())) <= 80


def test_what_is_not_returned_is_not_shown(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A port without intermediates has numbers for the others only."""
    path = tmp_path_factory.mktemp("port") / "port.py"
    path.write_text(
        "from types import SimpleNamespace\n"
        "from impls import numpy_manual\n"
        "def forward(w, x):\n"
        "    return SimpleNamespace(a2=numpy_manual.forward(w, x).a2)\n"
        "def loss_and_gradients(*given):\n"
        "    loss, g = numpy_manual.loss_and_gradients(*given)\n"
        "    return loss, SimpleNamespace(dw1=g.dw1, dw2=g.dw2)\n"
    )
    text = shown(capsys, "--impl", str(path))

    assert text.count("\n  bound ") == 6
    assert "error bars, from the weights" in text


def test_a_step_of_a_short_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what was recorded."""
    assert run(["explain", "--fault", "one step short"]) == 3
    assert "can't be walked through" in capsys.readouterr().err
