"""Numbers and facts as the page writes them, equations, and the command."""

from math import radians, tan
from pathlib import Path

import numpy as np
import pytest

from compare.hosts.load import load
from compare.page.command import compare_command, diff_command
from compare.page.diagram import diagram_of, equation
from compare.page.words import checks_table, compact, environment_table, full, sample
from compare.report.as_json import Report, counts
from compare.training.compare import compare
from compare.training.problems import Experiment
from tests.helpers import near, problem_of


@pytest.mark.parametrize(
    ("number", "exact", "dtype", "html"),
    [
        (0.1, "0.1", "float64", "0.1"),
        (0.30000000000000004, "0.3", "float64", "0.3<mark>0000000000000004</mark>"),
        (0.5, "", "float64", "0.5"),
        (float("nan"), "0.5", "float64", "<mark>nan</mark>"),
        (0.10000000149011612, "0.1", "float32", "0.1"),
    ],
)
def test_digits_that_differ_are_marked(
    number: float, exact: str, dtype: str, html: str
) -> None:
    """The exact number is rounded to the dtype first."""
    assert full(number, exact, dtype) == html


def test_short_numbers() -> None:
    """Four digits, and a minus sign."""
    x = problem_of(network="6-2-1", samples=1).x[:, 0]

    numbers = (-0.123456, -4.0567e-5, 12345.0, float("inf"))

    assert [compact(n) for n in numbers] == ["−0.1235", "−4.06e−5", "12340", "–"]
    assert sample(x).endswith(", …)")


def test_an_equation_is_typeset() -> None:
    """Numbers stand below, and markup in a statement is text."""
    assert equation("dw2 = dz2 @ a1.T") == (
        "<var>dw<sub>2</sub></var> = <var>dz<sub>2</sub></var> @ "
        "<var>a<sub>1</sub></var><sup>T</sup>"
    )
    assert "<b>" not in equation("<b>z1</b>")


def test_the_diagram_has_all_weights() -> None:
    """An edge for each weight; a network that is too large has no picture."""
    diagram = diagram_of(problem_of())

    assert diagram is not None
    assert [edge.element for edge in diagram.edges] == [
        "edge-w1-0-0",
        "edge-w1-0-1",
        "edge-w1-1-0",
        "edge-w1-1-1",
        "edge-w2-0-0",
        "edge-w2-0-1",
    ]
    assert diagram_of(problem_of(network="7-2-1")) is None


@pytest.mark.parametrize("n", range(6))
def test_a_label_stands_beside_its_edge(n: int) -> None:
    """It starts on the edge, outside the unit, and has the direction of the edge."""
    diagram = diagram_of(problem_of())

    assert diagram is not None
    (x1, y1, x2, y2), label = diagram.edges[n].ends, diagram.edges[n].label
    assert label is not None
    assert label.anchor == "start"
    assert tan(radians(label.angle)) == near((y2 - y1) / (x2 - x1), rel=1e-12)
    assert x1 < label.x < (x1 + x2) / 2


@pytest.mark.parametrize(
    ("network", "sides"),
    [("1-4-1", {"w1": "end", "w2": "start"}), ("3-2-1", {"w1": None, "w2": "start"})],
)
def test_labels_stand_where_there_is_room(
    network: str, sides: dict[str, str | None]
) -> None:
    """At the layer with more units; with more than four edges, there are none."""
    diagram = diagram_of(problem_of(network=network))

    assert diagram is not None
    found = {e.weight: e.label and e.label.anchor for e in diagram.edges}
    assert found == sides


def test_environments_differ_where_two_state_a_setting() -> None:
    """What only one framework has is no difference."""
    environments = {
        "a": {"threads": "1", "system": "Linux", "xla": "on"},
        "b": {"threads": "2", "system": "Linux"},
        "c": {"system": "Linux"},
    }
    verdict = compare(problem_of(steps=5), {"numpy": load("numpy")})

    table = environment_table(Report("", verdict, environments))

    assert table.head == ("setting", "a", "b", "c")
    assert table.rows == (("threads", "1", "2", "not stated"),)


def test_the_checks_are_counted() -> None:
    """The kinds add up to the numbers of the screen; the contract's stand apart."""
    verdict = compare(problem_of(steps=5), {n: load(n) for n in ("numpy", "torch")})

    table = checks_table(verdict)

    (*kinds, together), contract = (
        np.array(
            [
                [int(cell.replace(",", "")) for cell in row[1:]]
                for row in table.rows[:-1]
            ]
        ),
        table.rows[-1],
    )
    n = counts(verdict)
    assert np.sum(kinds, axis=0).tolist() == together.tolist()
    assert together.tolist() == [n["checks"], n["checks"], 0, 0, n["total"]]
    assert int(contract[1]) == len(verdict.checks) - n["checks"]


def test_the_command_makes_the_same_again() -> None:
    """Options that are not the defaults, in their order, quoted for a shell."""
    experiment = Experiment(network="3-4-2", loss="mse", lr=2.0)
    page = Path("a page.html")

    command = compare_command(experiment, ["numpy", "b.py"], "cuda", page, exact=True)

    assert command == (
        "gradparity compare --lr 2.0 --loss mse --sizes 3-4-2 --impl numpy --impl b.py "
        "--device cuda --exact --page 'a page.html'"
    )
    assert diff_command([Path("a"), Path("b")], page) == (
        "gradparity diff --page 'a page.html' a b"
    )
    assert diff_command([Path("-a"), Path("b")], page) == (
        "gradparity diff --page 'a page.html' -- -a b"
    )
