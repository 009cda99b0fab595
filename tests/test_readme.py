"""What the README shows is what one gets."""

import re
from pathlib import Path

import pytest

from compare.cli import run
from compare.report.story import tell
from compare.selftest.faults import FAULTS
from compare.selftest.plant import plant
from compare.training.compare import compare
from compare.training.problems import Experiment
from compare.training.load import load

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(words: str) -> str:
    """Find the one fenced block that has these words."""
    (found,) = (text for text in README.split("```")[1::2] if words in text)
    return found


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
    shown = block("MATCH  numpy, torch, jax")

    run([])

    assert shape(shown) == shape(capsys.readouterr().out)


def test_the_masking_leaves_enough() -> None:
    """Another prediction, row or count in the block would be noticed."""
    shown = block("MATCH  numpy, torch, jax")

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
    both = {"numpy": plant(fault, load("numpy")), "torch": load("torch")}

    story = str(tell(compare(problem, both)))

    assert numberless(block("first difference: step")) == numberless(story)
    assert "step 150" in story


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_the_shown_implementation_matches(
    loss: str,
    dtype: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The text of the fourth implementation, as it stands, and what is said of it."""
    code = block("def loss_and_gradients").removeprefix("python\n")
    (tmp_path / "complex_step.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    status = run(
        [
            *("--impl", "numpy", "--impl", "complex_step.py"),
            *("--steps", "300", "--loss", loss, "--dtype", dtype),
        ]
    )

    out = capsys.readouterr().out
    assert status == 0
    told = block("has no train").strip()
    assert (told if loss == "bce" else told.replace("a2, loss,", "a2,")) in out
    assert len(code.splitlines()) <= 25
