"""Third-party text can't imitate our own, or move the cursor."""

import unicodedata

import pytest

from compare.checks.check import Claim, mismatch
from compare.checks.printable import LONGEST, printable, printable_names

UNSAFE = [
    chr(n) for n in range(0x3000) if unicodedata.category(chr(n)) in ("Cc", "Cf", "Zl")
]
SEQUENCES = [
    "a\nMATCH  x, y",
    "\x1b[2Jgone",
    "\x1b]0;title\x07",
    "\u202egnp",
    "\u2066abc\u2069",
    "\udc80",
]


@pytest.mark.parametrize("text", SEQUENCES)
def test_the_rest_is_escaped_and_stays_legible(text: str) -> None:
    """Nothing unprintable is left, and the letters are."""
    shown = printable(text)

    assert shown.isprintable()
    assert shown.startswith(text[:1] if text[0].isprintable() else "\\")
    assert shown.encode().decode("unicode_escape") == text


def test_no_control_character_is_left() -> None:
    """Controls, formats and line separators of the Unicode database are escaped."""
    assert [c for c in UNSAFE if not printable(c).startswith("\\")] == []


def test_plain_text_is_unchanged() -> None:
    """Letters of any script, and spaces, stay."""
    assert printable("Übung (à la 網路) 1") == "Übung (à la 網路) 1"


def test_a_long_text_keeps_both_ends() -> None:
    """The file and the line at the end of a message survive the cut."""
    shown = printable(f"ValueError: {'x' * 999} (port.py, line 7)")

    assert len(shown) == LONGEST
    assert shown.startswith("ValueError: x")
    assert shown.endswith("x (port.py, line 7)")


def test_equal_names_stay_apart() -> None:
    """Names that are equal once they are printable get numbers."""
    long = "x" * 300

    names = printable_names(["a\nb", "a\\nb", long, f"{long[:150]}y{long[:149]}"])

    assert len(set(names)) == 4
    assert names[:2] == ["a\\nb", "a\\nb_2"]


def test_what_was_found_is_printable() -> None:
    """A check holds no unprintable description."""
    check = mismatch(Claim("contract", ("a",), "answer", "returns"), "\x1b[31m", "b")

    assert check.worst.value == "\\x1b[31m"
