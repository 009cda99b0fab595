"""Every command, output and link of the README and of docs/ is as it says."""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import typer

from compare.cli import app
from tests.pages import (
    BLOCKS,
    CONSOLES,
    PAGES,
    ROOT,
    Block,
    agrees,
    prepare,
    transcript,
)

TRACE_FORMAT = "gradparity trace 2"
"""What docs/traces.md says of a file: no command."""
TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
CONTENT = {page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in PAGES}


def name_of(block: object) -> str:
    """Name a console by its page and its last command."""
    assert isinstance(block, Block)
    return f"{block.page}: {block.commands[-1]}"


def is_slow(block: Block) -> bool:
    """Return whether a console takes long: what make test-slow is for."""
    words = block.commands[-1].split()
    long = {"exact", "--lr", "--impl", "make"}
    return words == ["gradparity"] or bool(long & {*words})


CASES = [
    pytest.param(
        block, marks=[pytest.mark.slow] if is_slow(block) else [], id=name_of(block)
    )
    for block in CONSOLES
]


@pytest.mark.parametrize("block", CASES)
def test_each_shown_output_is_the_real_one(
    block: Block,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What processors round differently is left out of the comparison."""
    monkeypatch.chdir(tmp_path)
    prepare(block.page, tmp_path)
    printed = transcript(block, lambda: capsys.readouterr().out)

    assert agrees(block.text, printed), printed


(SHOWN,) = (b.text for b in CONSOLES if b.commands == ["gradparity"])


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
    assert not agrees(SHOWN, SHOWN.replace(shown, printed))


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
    assert agrees(SHOWN, SHOWN.replace(shown, printed))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        (
            "exact 0.0657403690844295|42  numpy …40",
            "exact 0.0657403690844|2  numpy …388",
            True,
        ),
        ("exact 0.0657", "exact 0.0658", False),
        ("used 5 %", "used numpy 5 %, torch 7 %,\njax 5 %", True),
        ("numpy …40  torch …40", "numpy …40", False),
    ],
)
def test_dots_and_digits(shown: str, printed: str, same: bool) -> None:  # noqa: FBT001
    """Three dots stand for any lines, and an ellipsis for equal digits."""
    assert agrees(shown, printed) == same


NAMED = [
    (page, command)
    for page, text in CONTENT.items()
    for command in re.findall(r"`((?:gradparity|make|python) [^`\n]+)`", text)
    if command != TRACE_FORMAT
]
TYPED = [(block.page, command) for block in BLOCKS for command in block.commands]
PROGRAMS = vars(typer.main.get_command(app))["commands"]


@pytest.mark.parametrize(("page", "command"), sorted({*NAMED, *TYPED}))
def test_each_command_exists(page: str, command: str) -> None:
    """Targets, scripts, subcommands and options are there, wherever they are named."""
    program, *words = shlex.split(command)
    exists: dict[str, Callable[[Sequence[str]], bool]] = {
        "make": is_target,
        "python": is_script,
        "gradparity": is_command,
        "pip": bool,
    }

    assert exists[program](words), page


def is_target(words: Sequence[str]) -> bool:
    """Return whether the Makefile has a target."""
    return {*words} <= {*TARGETS}


def is_script(words: Sequence[str]) -> bool:
    """Return whether a script of the project is there, or a module."""
    return words[0] == "-m" or (ROOT / words[0]).is_file()


def is_command(words: Sequence[str]) -> bool:
    """Return whether a command has these options; it is `compare` if it has no name."""
    name, *others = words if words and words[0] in PROGRAMS else ("compare", *words)
    known = {o for p in PROGRAMS[name].params for o in (*p.opts, *p.secondary_opts)}
    named = {word for word in others if word.startswith("-") and word != "-"}
    return named <= {*known, "--help", "--version"}


def test_a_command_that_is_not_there_would_be_noticed() -> None:
    """Options, targets and scripts that do not exist are found."""
    assert not is_command(["explain", "--no-such-option"])
    assert not is_target(["no-such-target"])
    assert not is_script(["benchmarks/no_such_script.py"])


LINKS = [
    (page, link)
    for page, text in CONTENT.items()
    for link in sorted(
        {*re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)}
    )
]


@pytest.mark.parametrize(("page", "link"), [(p, a or b) for p, (a, b) in LINKS])
def test_links_lead_somewhere(page: str, link: str) -> None:
    """Every file and every heading that is linked to is there."""
    path, _, heading = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page

    assert path.startswith("https://") or target.exists()
    assert not heading or heading in headings(target)


def headings(path: Path) -> set[str]:
    """Return the headings of a page as anchors."""
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_readme_is_short() -> None:
    """At most 150 lines."""
    assert len(CONTENT["README.md"].splitlines()) <= 150


def test_running_installs_no_tools_of_development() -> None:
    """`make compare` installs what running needs; `make test` adds the rest."""
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = dict(re.findall(r"^(\S+):.*\n((?:\t.*\n)+)", make, re.MULTILINE))

    assert "'.[all]'" in recipes[".venv/running"]
    assert "'.[dev]'" in recipes[".venv/installed"]
    assert re.search(r"^compare: \.venv/running$", make, re.MULTILINE)
    assert re.search(r"^test: \.venv/installed$", make, re.MULTILINE)
