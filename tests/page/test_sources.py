"""The source of the implementations, side by side."""

import re
from pathlib import Path

import pytest

from compare.page.sources import CodeLine, side_by_side

ALL = {"first": "numpy", "second": "torch", "third": "jax", "theirs": "port.py"}


def computing(quantity: str, column: int) -> list[str]:
    """List the lines of `differentiate` and `propagate` that compute a quantity."""
    rows = {row.name: row.cells for row in side_by_side(ALL).rows}
    lines: tuple[CodeLine, ...] = (
        rows["propagate"][column] + rows["differentiate"][column]
    )
    return [line.text.strip() for line in lines if quantity in line.quantities]


def test_the_files_are_ours_alone() -> None:
    """No source of a third-party implementation is shown."""
    sources = side_by_side(ALL)

    assert {*sources.files} == {"first", "second", "third"}
    assert all(len(row.cells) == 3 for row in sources.rows)


@pytest.mark.parametrize("column", range(3))
def test_every_line_is_shown_once(column: int) -> None:
    """Together, the cells of a column are the functions, without docstrings."""
    sources = side_by_side(ALL)
    path = Path(__file__).parent.parent.parent / [*sources.files.values()][column]
    texts = path.read_text("utf-8").splitlines()

    shown = {
        line.number: line.text for row in sources.rows for line in row.cells[column]
    }

    assert all(texts[n - 1] == text for n, text in shown.items())
    assert not any('"""' in text for text in shown.values())
    code = [t for t in texts if re.match(r" +\w+, \w+ = |def |@|    return ", t)]
    assert {*code} <= {*shown.values()}


@pytest.mark.parametrize(
    ("quantity", "column", "start"),
    [
        ("z1", 0, "z1 = weights.w1 @ x"),
        ("dz1", 0, "da1 = weights.w2.mT @ dz2"),
        ("dw1", 0, "dw1 = dz1 @ x.mT"),
        ("dw1", 1, "dz2, dw2, dz1, dw1 = torch.autograd.grad"),
        ("dw1", 2, "gradient = jax.grad(total"),
        ("a2", 2, "a2 = jax.nn.sigmoid(z2)"),
    ],
)
def test_a_line_knows_what_it_computes(quantity: str, column: int, start: str) -> None:
    """By hand in NumPy, by the framework in the others."""
    assert any(text.startswith(start) for text in computing(quantity, column))


def test_other_lines_compute_nothing() -> None:
    """A signature lights up with nothing."""
    rows = {row.name: row.cells for row in side_by_side(ALL).rows}

    assert [cell[0].quantities for cell in rows["propagate"]] == [()] * 3
