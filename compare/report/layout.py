"""Text and tables that keep to a screen of 80 columns."""

import re
from dataclasses import dataclass
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from compare.checks.printable import printable

WIDTH = 80
LONGEST_NAME = 20
"""In characters: of a name in a table."""


def elide(name: str, longest: int) -> str:
    """Leave out the first parts of a path or a dotted name, or the middle of a word."""
    parts = re.split(r"(?=[/\\:])", name)
    while len(name) > longest and len(parts) > 1:
        del parts[0]
        name = f"…{''.join(parts)}"
    return printable(name, longest)


@dataclass(frozen=True)
class Prose:
    """A line that is wrapped between words, or in a word that is longer than a line.

    What follows is indented further, so that no name can begin a line of its own.
    """

    line: str
    style: str = ""

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Wrap to the width of the console; a wide character takes two columns."""
        indent = " " * (2 + len(self.line) - len(self.line.lstrip()))
        cells = "".join(c + "\0" * (cell_len(c) - 1) for c in self.line)
        halved = cells != self.line  # a wide character may be, at the end of a line
        parts = wrap(
            cells,
            options.max_width - halved,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        for part in parts or [""]:
            yield Text(part.replace("\0", ""), self.style, overflow="ignore")


def new_table(*columns: str) -> Table:
    """Create a table without lines; `>` before a title aligns its column right."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        justify: JustifyMethod = "right" if ">" in column else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return table
