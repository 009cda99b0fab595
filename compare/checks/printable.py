"""Third-party text, made safe to print: file names, messages, descriptions.

A line feed could begin a line that looks like an answer, an escape sequence could clear
the screen, and a bidirectional mark could reverse a word.
"""

from collections.abc import Iterable

LONGEST = 200
"""In characters: of a name, a message or a description."""
LONGEST_LINE = 1000
"""In characters: of a line that is made of several of them."""


def printable(text: object, longest: int = LONGEST) -> str:
    """Escape what is not printable, and leave out the middle of what is too long."""
    line = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)
    )
    half = longest // 2
    return line if len(line) <= longest else f"{line[: half - 1]}…{line[-half:]}"


def printable_names(names: Iterable[object]) -> list[str]:
    """Make names printable; equal ones get a number from the second on."""
    found: list[str] = []
    for name in map(printable, names):
        label, n = name, 1
        while label in found:
            n += 1
            label = f"{name}_{n}"
        found.append(label)
    return found
