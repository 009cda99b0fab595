"""The walk as text: two screens of 80 columns, and the worksheet."""

import re

import numpy as np
import pytest

from compare.cli import run
from compare.numerics.equations import lines
from impls import numpy_manual
from tests.helpers import problem_of

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
    assert len(rows) <= 60
    assert heads == statements


def test_the_numbers_are_those_of_the_notebook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The matrix of dw2 at step 0 is NumPy's, to four digits."""
    (row,) = re.findall(r"dw2 = dz2 @ a1.T .*", shown(capsys, *ALONE))
    problem = problem_of()
    _, gradients = numpy_manual.loss_and_gradients(
        problem.weights, problem.x, problem.y, "bce"
    )

    assert row.split()[-2:] == [f"{v:.4g}" for v in np.ravel(gradients.dw2)]


def test_every_line_has_a_bound_and_says_where_it_comes_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Six roundings at these sizes; nine for sums of six terms."""
    text = shown(capsys, "--sizes", "2-6-1", *ALONE)

    assert text.count("bound") == 12  # and once in the legend
    assert "6 roundings of |w1| @ |x|" in text
    assert "9 roundings of |w2| @ |a1|" in text


def test_a_planted_mistake_is_marked_where_it_enters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The mark comes after the paragraph of its line, with the wrong numbers."""
    text = shown(capsys, "--fault", "dw1 transposed")
    before, mark, after = text.partition("-> planted: the mistake enters here")

    assert before.rindex("dw1 = dz1") > before.rindex("dz1 = (w2.T")
    assert mark
    assert after.split()[:4] == ["0.005831", "0.002777", "0.005045", "0.002329"]
    assert after.count("-> planted: right, from a wrong input") == 1


def test_the_worksheet_is_blank_up_to_the_page_break(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The answers follow: one blank for each number of the step."""
    sheet, answers = shown(capsys, *ALONE, "--worksheet").split("\f")

    assert sheet.count("_______") == 8 + 8 + 4 + 4 + 1 + 4 + 2 + 8 + 4 + 4 + 2
    assert "0.06574" not in sheet
    assert "0.06574" in answers
    assert "_______" not in answers


@pytest.mark.parametrize(
    "options",
    [
        [*ALONE, "--sizes", "3-5-2", "--samples", "30"],
        [*ALONE, "--sizes", "3-5-2", "--worksheet"],
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

    assert text.count("bound") == 7
    assert "error bars, from the weights" in text


def test_a_step_of_a_short_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says where to look instead."""
    assert run(["explain", "--fault", "one step short"]) == 3
    assert "no whole trace" in capsys.readouterr().err
