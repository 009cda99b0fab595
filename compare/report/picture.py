"""What all pictures have in common."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gradparity",
    "font.size": 9,
}
"""Text stays text, and the same picture has the same bytes."""


def picture(figure: Callable[[], Figure], ending: str) -> bytes:
    """Draw a figure.

    Args:
        figure: Creates it.
        ending: The format, "png" or "svg".

    Returns:
        The content of a file in that format.
    """
    content = BytesIO()
    metadata = {"Date": None} if ending == "svg" else {}
    with rc_context(SETTINGS):
        figure().savefig(content, format=ending, dpi=150, metadata=metadata)
    return content.getvalue()


def verbatim(text: str) -> str:
    """Escape the dollar signs: between two of them, matplotlib reads a formula."""
    return text.replace("$", r"\$")
