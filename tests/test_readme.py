"""What the README and docs/ count is what one gets."""

import re
from collections import Counter

import pytest

from compare.hosts.load import load
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import plant
from compare.selftest.trial import Trials
from compare.training.compare import compare
from docs import faults as catalogue
from tests.helpers import DTYPES, first_story, problem_of
from tests.pages import BLOCKS, ROOT, agrees

README, EVIDENCE, FAULTS_PAGE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/evidence.md", "docs/faults.md")
)


def test_the_number_of_faults_is_the_real_one() -> None:
    """The README counts the planted mistakes."""
    assert f"lists {len(FAULTS)} mistakes" in README


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_numbers_of_caught_faults_are_the_real_ones(
    dtype: str, trials: Trials
) -> None:
    """The table's first column, for faults and for correct runs."""
    real = [p for p in trials.planted if p.dtype == dtype and p.status != "no fault"]
    caught = [p for p in real if p.status == "caught"]
    right = [c for c in trials.controls if c.dtype == dtype]
    flagged = [c for c in right if c.answer != "match"]

    faults = f"| faults in {dtype}, of {len(real)} | {len(caught)} |"
    correct = f"| correct runs in {dtype}, of {len(right)} | {len(flagged)} |"
    assert faults in README
    assert correct in README
    assert faults in EVIDENCE
    assert correct in EVIDENCE


def test_the_numbers_of_named_faults_are_the_real_ones(trials: Trials) -> None:
    """The README counts the right names, and denies wrong ones."""
    named = [Counter(p.named for p in trials.planted if p.dtype == d) for d in DTYPES]
    real = [
        sum(p.dtype == d and p.status != "no fault" for p in trials.planted)
        for d in DTYPES
    ]

    parts = [f"{count[True]} of the {n}" for count, n in zip(named, real, strict=True)]
    assert f"{' and '.join(parts)} got their right name, none a wrong one" in EVIDENCE
    assert [count[False] for count in named] == [0, 0]


def test_the_page_of_faults_is_the_one_that_its_command_writes(trials: Trials) -> None:
    """`python docs/faults.py` would change nothing but sizes, which may round."""
    size = re.compile(r"(?<=rounded away: )[\d.e-]+")

    assert size.sub("#", catalogue.page(trials)) == size.sub("#", FAULTS_PAGE)


def test_the_page_of_faults_has_every_sentence() -> None:
    """Each fault is there with the sentence of the catalogue."""
    rows = [f"| {fault.name} | {fault.sentence} |" for fault in FAULTS]

    assert [row for row in rows if row not in FAULTS_PAGE] == []


def test_the_shown_story_is_the_real_one() -> None:
    """The lines are those of that fault, planted in NumPy."""
    fault = fault_named("one element off by a billionth in one step")
    both = {"numpy": plant(fault, load("numpy")), "torch": load("torch")}

    story = str(first_story(compare(problem_of(), both)))

    (shown,) = (b.text for b in BLOCKS if b.text.startswith("first difference: step"))

    assert agrees(shown, story)
    assert "step 150" in story
