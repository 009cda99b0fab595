"""The README and the pages of docs/: their commands, outputs and links."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from compare.cli import run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BASE = "impls/numpy_manual.py"
"""What a block of changed lines is applied to."""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    file: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a console, or of a shell."""
        lines = r"^\$ (.*)$" if self.language == "console" else r"^(.*)$"
        shell = self.language in {"console", "sh"}
        return re.findall(lines, self.text.strip(), re.MULTILINE) if shell else []


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page; a word after the language names a file."""
    page = path.relative_to(ROOT).as_posix()
    fenced = r"^```(\w*) ?(\S*)\n(.*?)^```$"
    content = path.read_text(encoding="utf-8")
    for language, file, text in re.findall(fenced, content, re.MULTILINE | re.DOTALL):
        yield Block(page, language, file, text)


BLOCKS = [block for page in PAGES for block in blocks(page)]
CONSOLES = [block for block in BLOCKS if block.language == "console"]


def prepare(page: str, folder: Path) -> None:
    """Create the files that a page shows: whole, or as one changed line of ours."""
    for block in BLOCKS:
        if block.page == page and block.file:
            text = changed(block.text) if block.language == "diff" else block.text
            (folder / block.file).write_text(text, encoding="utf-8")


def changed(difference: str) -> str:
    """Replace a line of NumPy's implementation, with or without its comment."""
    (old, new) = (line[1:] for line in difference.splitlines())
    source = (ROOT / BASE).read_text(encoding="utf-8")
    found = re.findall(rf"^{re.escape(old)}(?:  #.*)?$", source, re.MULTILINE)
    (whole,) = found
    return source.replace(whole, new)


def transcript(block: Block, output: Callable[[], str]) -> str:
    """Run the commands of a console in the current folder.

    Args:
        block: The console.
        output: Returns what was printed since its last call.
    """
    text = ""
    for command in block.commands:
        execute(command)
        text += f"$ {command}\n{output()}"
    return text


def execute(command: str) -> None:
    """Run one command; `make compare` is `gradparity`."""
    program, *words = shlex.split(command)
    if program == "make":
        assert words == ["compare"]
        run([])
    else:
        assert program == "gradparity"
        run(words)


# What may differ between machines.


def masked(text: str) -> str:
    """Mask what roundings decide: small numbers, last digits, shares and elements."""
    return "\n".join(" ".join(row(line)) for line in text.splitlines() if line.strip())


def row(line: str) -> list[str]:
    """Mask a line; of a table of differences, also which element and which runs.

    Cells are two spaces apart. The audit's element may be of any quantity; elsewhere
    only its index may vary, and of which weights. So may the runs, not how many.
    """
    if line.startswith("python "):
        programs = line.rpartition(", ")[0]
        return re.sub(r" [^ ,]+(?=,)", " #", programs).split()
    cells = re.split("  +", line.strip())
    if len(cells) == 7 and not line.startswith(" "):
        title, *_, element, between = cells
        any_element = "#" if title == "audit" else re.sub("^(d?w)[12]", r"\1#", element)
        cells[-2] = re.sub(r"\[\d, \d\]", "[#]", any_element)
        cells[-1] = re.sub("numpy|torch|jax", "#", between)
        cells[4] = re.sub(r"^[\d,]+$", "#", cells[4])
    return numbers("  ".join(cells)).split()


def numbers(text: str) -> str:
    """Mask numbers with an exponent, and the last digits of others."""
    text = re.sub(r"-?\d+(\.\d+)?e[+-]?\d+( x)?|\d+ %", "#", text)
    text = re.sub(r"(?<=\d)\|(?=\d)", "", text)  # where digits begin to differ
    text = re.sub(r"…[\d]+", "…#", text)
    text = re.sub(r"(-?\d+\.\d{9})\d+", r"\1", text)
    return re.sub(r"[\d,]+(?= bytes)", "#", text)


def agrees(shown: str, printed: str) -> bool:
    """Compare masked texts; a line of three dots stands for any lines.

    Shares of a bound are one if all are equal; more of them may need another line.
    """
    parts = re.split(r"^\.\.\.$", masked(shown), flags=re.MULTILINE)
    pattern = ".*".join(re.escape(unbroken(part)) for part in parts)
    return re.fullmatch(pattern, unbroken(masked(printed)), re.DOTALL) is not None


def unbroken(text: str) -> str:
    """Join the lines of a text, and the shares of a bound."""
    line = " ".join(text.split())
    return re.sub(r"used( (numpy |torch |jax |planted )?#,?)+", "used #", line)
