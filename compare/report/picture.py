"""What all pictures have in common."""


def verbatim(text: str) -> str:
    """Escape the dollar signs: between two of them, matplotlib reads a formula."""
    return text.replace("$", r"\$")
