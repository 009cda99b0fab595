"""What the README shows is what one gets."""

import re
from pathlib import Path

import pytest

from compare.cli import run
from compare.faults import FAULTS, plant
from compare.problems import Experiment
from compare.story import tell
from compare.verdict import compare
from impls.registry import load

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def shape(output: str) -> list[str]:
    """Mask what differs between machines: rounding errors, where, and versions."""
    lines = [" ".join(line.split()) for line in output.strip().splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("pair"))
    audit = next(i for i, line in enumerate(lines) if line.startswith("audit"))
    masked = [re.sub(r"\S*\d\S*", "#", line) for line in lines[start:audit]]
    names = [line.split(" ")[0] for line in lines[audit:-1]]
    return [*lines[:start], *masked, *names]


def test_the_shown_output_is_the_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The block under `make compare` is what the command prints."""
    shown = README.split("```")[1]

    run([])

    assert shape(shown) == shape(capsys.readouterr().out)


def test_the_masking_leaves_enough() -> None:
    """Another prediction, row or count in the block would be noticed."""
    shown = README.split("```")[1]

    assert shape(shown) != shape(shown.replace("0.96681587", "0.96681588"))
    assert shape(shown) != shape(shown.replace("loss curve", "loss"))


def test_the_number_of_faults_is_the_real_one() -> None:
    """The README counts the planted mistakes."""
    assert f"plants {len(FAULTS)} mistakes" in README
    assert [fault.name for fault in FAULTS if fault.name not in README] == []


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_links_lead_somewhere(path: str) -> None:
    """Every file that is linked to is there."""
    assert (Path(__file__).parent.parent / path).exists()


def numberless(text: str) -> list[str]:
    """Mask all numbers with a fraction or an exponent: they differ in last digits."""
    return re.sub(r"-?\d+(\.\d+)?e-\d+|-?\d+\.\d+", "#", text).split()


def test_the_shown_story_is_the_real_one() -> None:
    """The four lines are those of that fault, planted in NumPy."""
    name = "one element off by a billionth in one step"
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    problem = Experiment(steps=300).problem()
    both = {"torch": load("torch"), "numpy": plant(fault, load("numpy"))}

    story = str(tell(compare(problem, both)))

    assert numberless(README.split("```")[3]) == numberless(story)
    assert "step 150" in story
