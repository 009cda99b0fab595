"""The worksheet: a page of blanks without hints, and a page of answers."""

import re
from itertools import pairwise

import numpy as np
import pytest

from compare.cli import run
from compare.numerics.equations import lines
from compare.training.problems import Experiment
from impls import numpy_manual
from tests.helpers import problem_of

BLANK = "_" * 10
WIDE = ("--sizes", "3-5-2", "--loss", "mse", "--samples", "30")


def pages(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Print a worksheet of NumPy's implementation, and split it at the page break."""
    assert run(["explain", "--impl", "numpy", "--worksheet", *options]) == 0
    return capsys.readouterr().out.split("\f")


def test_there_is_a_blank_for_each_number(capsys: pytest.CaptureFixture[str]) -> None:
    """They are on the first page only."""
    sheet, answers = pages(capsys)

    assert sheet.count(BLANK) == 8 + 8 + 4 + 4 + 1 + 4 + 2 + 8 + 8 + 4 + 4 + 2
    assert BLANK not in answers


def test_the_first_page_has_no_answer_and_no_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither numbers nor shapes nor reasons: the formulas alone."""
    sheet, answers = pages(capsys)
    hints = ["0.06574", "(2, 4)", "slope", "adds"]

    assert [hint for hint in hints if hint in sheet] == []
    assert [hint for hint in hints if hint not in answers] == []
    assert [
        line.statement
        for line in lines("bce")
        if line.quantity != "dz1" and line.statement not in sheet
    ] == []
    assert "da1 = w2.T @ dz2" in sheet
    assert "dz1 = da1 * a1 * (1 - a1)" in sheet


def test_da1_is_computed_before_dz1(capsys: pytest.CaptureFixture[str]) -> None:
    """On paper the product is a line of its own: w2 times dz2, for two outputs too."""
    answers = pages(capsys, "--sizes", "2-2-2", "--samples", "3")[1]
    problem = Experiment(network="2-2-2", samples=3).problem()
    _, gradients = numpy_manual.loss_and_gradients(
        problem.weights, problem.x, problem.y, "bce"
    )
    da1 = problem.weights.w2.T @ gradients.dz2
    (row,) = re.findall("da1 = w2.T @ dz2 .*", answers)

    assert row.split()[-3:] == [f"{v:#.4g}" for v in da1[0]]


def test_both_pages_have_the_labels_above_dz2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is the error of the answers: a2 - y."""
    labels = r"^y +0 +1 +1 +0\ndz2 = \(a2 - y\) / m "
    found = [re.findall(labels, p, re.MULTILINE) for p in pages(capsys)]

    assert [*map(len, found)] == [1, 1]


def test_the_second_page_begins_with_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not every printer turns the page at a form feed: the word shows where to cut."""
    sheet, answers = pages(capsys)

    assert answers.startswith("Answers\n")
    assert "Answers" not in sheet


def test_both_pages_name_the_samples(capsys: pytest.CaptureFixture[str]) -> None:
    """By their inputs, above each quantity that has a column for each of them."""
    names = r"\(0, 0\) +\(0, 1\) +\(1, 0\) +\(1, 1\)$"
    counts = [len(re.findall(names, p, re.MULTILINE)) for p in pages(capsys)]

    assert counts == [7, 7]


def test_long_inputs_are_no_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Drawn samples are counted."""
    assert re.search(
        "sample 0 +sample 1 +sample 2 +sample 3 …", pages(capsys, *WIDE)[0]
    )


def test_the_rows_of_blanks_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """There is room to write."""
    rows = pages(capsys)[0].splitlines()
    blank = [BLANK in row for row in rows]

    assert not any(a and b for a, b in pairwise(blank))


def test_the_answers_are_those_of_the_notebook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The numbers of dw2, to four significant digits, and no digits beyond."""
    answers = pages(capsys)[1]
    problem = problem_of()
    _, gradients = numpy_manual.loss_and_gradients(
        problem.weights, problem.x, problem.y, "bce"
    )
    (row,) = re.findall("dw2 = dz2 @ a1.T .*", answers)

    assert row.split()[-2:] == [f"{v:.4g}" for v in np.ravel(gradients.dw2)]
    assert "exact" not in answers


@pytest.mark.parametrize("options", [(), WIDE], ids=["xor", "wide"])
def test_a_page_of_paper_has_room(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """80 columns; the first page of XOR has at most 66 lines."""
    sheet, answers = pages(capsys, *options)

    assert max(map(len, (sheet + answers).splitlines())) <= 80
    assert options or len(sheet.splitlines()) <= 66


def test_a_worksheet_has_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """Its answers are right ones."""
    assert run(["explain", "--worksheet", "--fault", "dw1 transposed"]) == 2
    assert "--worksheet and --fault" in capsys.readouterr().err
