"""What the README shows is what one gets."""

import re
from collections import Counter
from pathlib import Path

import pytest

from compare.cli import run
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import plant
from compare.selftest.trial import Trials
from compare.training.compare import compare
from compare.training.load import load
from tests.helpers import DTYPES, first_story, problem_of

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(words: str) -> str:
    """Find the one fenced block that has these words."""
    (found,) = (text for text in README.split("```")[1::2] if words in text)
    return found


SHOWN = block("MATCH  numpy, torch, jax")


def masked(line: str) -> list[str]:
    """Mask what roundings decide in a row: numbers, an element, and the runs.

    Cells are two spaces apart. The audit's element may be of any quantity; elsewhere
    only its index may vary, and of which weights. So may the runs, not how many.
    """
    cells = re.split("  +", line.strip())
    if len(cells) == 7:  # a row of the table of differences
        title, *_, element, between = cells
        any_element = "#" if title == "audit" else re.sub("^(d?w)[12]", r"\1#", element)
        cells[-2] = re.sub(r"\[\d, \d\]", "[#]", any_element)
        cells[-1] = re.sub("numpy|torch|jax", "#", between)
    rounded = r"\d+\.\d+e[+-]\d+|\d+ %|[\d,]+"
    return ["#" if re.fullmatch(rounded, cell) else cell for cell in cells]


def shape(output: str) -> list[list[str]]:
    """Mask what may differ between machines: what roundings decide, and versions."""
    tools, *rows, extent = output.strip().splitlines()
    first = next(i for i, line in enumerate(rows) if line.startswith("gradients"))
    programs = re.sub(r" [^ ,]+(?=,)", " #", tools.rpartition(", ")[0])
    return [
        [programs],
        *map(str.split, rows[:first]),
        *map(masked, rows[first:]),
        [re.sub(r"\d+ %", "#", extent)],
    ]


def test_the_shown_output_is_the_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The block under `make compare` is what the command prints."""
    run([])

    assert shape(SHOWN) == shape(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("MATCH", "DIFFER"),
        ("0.96681587", "0.96681588"),
        ("0 1 1 0", "0 1 1 1"),
        ("step  element", "element  step"),
        ("loss   ", "losses "),
        ("dw1[0, 0]  numpy, torch", "dw1[0, 0]  numpy"),
        ("dw1[0, 0]", "dz1[0, 0]"),
        ("dw1[0, 0]", "w1[0, 0]"),
        ("a2[0, 3]", "a1[0, 3]"),
        ("w2[0, 0]", "w2"),
        ("1.6e-15", "nan"),
        ("3 %", "inf x"),
        ("  3,933  dw1[0, 0]", ""),
        ("audit   ", "audits  "),
        ("at the median step", "at the worst step"),
        ("1.5e-15      1.3e-15", "1.5e-15             "),
        ("MATCH  numpy, torch, jax", "MATCH  numpy, jax, torch"),
        ("seed 2", "seed 3"),
        ("7,500,336 values", "7,500,335 values"),
        ("234 checks", "233 checks"),
        ("torch 2.13.0+cpu, ", ""),
    ],
)
def test_the_masking_leaves_enough(shown: str, printed: str) -> None:
    """What roundings don't decide would be noticed."""
    assert shown in SHOWN
    assert shape(SHOWN) != shape(SHOWN.replace(shown, printed))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("1.6e-15", "9.8e-16"),
        ("  2,378", "    378"),
        ("dw1[0, 0]", "dw2[0, 1]"),
        ("a2[0, 3]", "a2[0, 1]"),
        ("dw1[0, 0]  numpy, torch", "dw1[0, 0]  torch, jax"),
        ("1.1e-10", "9.9e-11"),
        ("51 %    544  dz1[0, 1]  numpy", " 8 %     12  loss       jax"),
        ("4.9e-13", "5.0e-13"),
        ("at most 51 %", "at most 48 %"),
        ("2.13.0+cpu", "2.6.0"),
        ("Linux x86_64", "Darwin arm64"),
    ],
)
def test_the_masking_allows_for_other_machines(shown: str, printed: str) -> None:
    """What roundings decide is not compared, nor what was installed."""
    assert shown in SHOWN
    assert shape(SHOWN) == shape(SHOWN.replace(shown, printed))


def test_the_number_of_faults_is_the_real_one() -> None:
    """The README counts the planted mistakes."""
    assert f"plants {len(FAULTS)} mistakes" in README


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_of_caught_faults_are_the_real_ones(
    dtype: str, trials: Trials
) -> None:
    """The table's first column, for faults and for correct runs."""
    real = [p for p in trials.planted if p.dtype == dtype and p.status != "no fault"]
    caught = [p for p in real if p.status == "caught"]
    right = [c for c in trials.controls if c.dtype == dtype]
    flagged = [c for c in right if c.answer != "match"]

    assert f"| faults in {dtype}, of {len(real)} | {len(caught)} |" in README
    assert f"| correct runs in {dtype}, of {len(right)} | {len(flagged)} |" in README


def test_the_numbers_of_named_faults_are_the_real_ones(trials: Trials) -> None:
    """The README counts the right names, and denies wrong ones."""
    named = [Counter(p.named for p in trials.planted if p.dtype == d) for d in DTYPES]
    real = [
        sum(p.dtype == d and p.status != "no fault" for p in trials.planted)
        for d in DTYPES
    ]

    parts = [f"{count[True]} of the {n}" for count, n in zip(named, real, strict=True)]
    assert f"{' and '.join(parts)} got their right name, none a wrong one" in README
    assert [count[False] for count in named] == [0, 0]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_links_lead_somewhere(path: str) -> None:
    """Every file that is linked to is there."""
    assert (Path(__file__).parent.parent / path).exists()


def numberless(text: str) -> list[str]:
    """Mask all numbers with a fraction or an exponent: they differ in last digits."""
    return re.sub(r"-?\d+(\.\d+)?e-\d+|-?\d+\.\d+", "#", text).split()


def test_the_shown_story_is_the_real_one() -> None:
    """The four lines are those of that fault, planted in NumPy."""
    fault = fault_named("one element off by a billionth in one step")
    both = {"numpy": plant(fault, load("numpy")), "torch": load("torch")}

    story = str(first_story(compare(problem_of(), both)))

    assert numberless(block("first difference: step")) == numberless(story)
    assert "step 150" in story
