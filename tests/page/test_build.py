"""The file: its size, its policy, its scripts."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from compare.hosts.load import OURS, load
from compare.page.build import ASSETS, SCRIPTS, build, joined_scripts
from compare.report.as_json import Report
from compare.training.compare import compare
from tests.helpers import problem_of
from tests.page.conftest import verdict_for

LARGEST = 700_000
"""In bytes, of a page."""


def content(html: str, tag: str) -> str:
    """Return what stands between the last tags of a kind."""
    *_, last = re.findall(f"<{tag}[^>]*>(.*?)</{tag}>", html, re.DOTALL)
    return str(last)


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_policy_names_the_hash(file_of: Callable[[str], Path], tag: str) -> None:
    """Only this script and this style may be used."""
    html = file_of("nothing there").read_text("utf-8")

    digest = b64encode(sha256(content(html, tag).encode()).digest()).decode()

    assert f"{tag}-src &#39;sha256-{digest}&#39;" in html
    assert "default-src &#39;none&#39;" in html


def test_no_style_stands_in_an_attribute(file_of: Callable[[str], Path]) -> None:
    """The policy would forbid it, and scripts in attributes, too."""
    html = file_of("differ").read_text("utf-8")
    page = html.replace(content(html, "script"), "")

    assert re.findall(r"<[a-z]+[^>]*\s(?:style|on[a-z]+)=", page) == []


def test_the_scripts_are_all_the_modules() -> None:
    """Each module is joined once, after what it imports, and nothing is imported."""
    modules = {path.name for path in ASSETS.iterdir() if path.name.endswith(".js")}
    imports = [
        (name, imported)
        for name in SCRIPTS
        for imported in re.findall(
            r'from "\./(.*)";', (ASSETS / name).read_text("utf-8")
        )
    ]

    assert {*SCRIPTS} == modules
    assert all(SCRIPTS.index(first) < SCRIPTS.index(name) for name, first in imports)
    assert re.findall(r"^(import|export)\b", joined_scripts(), re.MULTILINE) == []


def test_every_output_is_shown(file_of: Callable[[str], Path]) -> None:
    """Its labels, and the probabilities of each run."""
    html = file_of("large").read_text("utf-8")
    head, _ = html.split("</header>")

    found = re.findall(r'<tr><th scope="row">(.+?)</th>(.+?)</tr>', head)

    cells = [[name, *re.findall("<td>(.+?)</td>", row)] for name, row in found]
    problem, runs = verdict_for("large").problem, verdict_for("large").runs
    assert cells == [
        [f"{name}, output {i}", *(digits % number for number in row[:4])]
        for name, rows, digits in (
            ("label", problem.y, "%g"),
            *((run.name, run.final_a2, "%.8f") for run in runs),
        )
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("name", "offered"), [("large", 0), ("nothing there", 1)])
def test_only_a_square_gradient_is_transposed(
    file_of: Callable[[str], Path], name: str, offered: int
) -> None:
    """The mistake is offered where w1 has as many rows as columns."""
    html = file_of(name).read_text("utf-8")

    assert html.count('{"name": "dw1 transposed"') == offered


def test_the_network_reads_like_numpy_manual() -> None:
    """The implementation is about 100 lines, with functions of the same names."""
    source = (ASSETS / "network.js").read_text("utf-8")

    names = re.findall(r"(?:function\*?|const) (\w+)(?: =|\()", source)

    assert len(source.splitlines()) <= 100
    assert [
        n for n in names if n in {"propagate", "cost", "differentiate", "train"}
    ] == [
        "propagate",
        "cost",
        "differentiate",
        "train",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"steps": 10_000}, {"network": "3-4-2", "samples": 3000}], ids=str
)
def test_a_page_is_small(options: dict[str, Any]) -> None:
    """Neither many steps nor many numbers make it large."""
    problem = problem_of(**{"steps": 50} | options)
    verdict = compare(problem, {name: load(name) for name in OURS})

    page = build(Report("", verdict, {}), "gradparity", {name: name for name in OURS})

    assert verdict.answer == "match"
    assert len(page) <= LARGEST
