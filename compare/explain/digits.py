"""Numbers as digits: which of them differ, and few of them where few are enough."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from itertools import takewhile
from math import isfinite

import numpy as np
from flint import arb

from impls.interface import Array

SHORT = 4
"""Digits of a number in a matrix: enough for pencil and paper."""
MORE = 3
"""Digits of the exact number beyond those of the dtype."""
LAST = 2
"""Digits that are written even if they are equal."""
FEWEST = 6
"""Characters that numbers have in common where these are written once."""
SMALLEST = -5
"""Numbers below 10 to this power have an exponent, and those with too many digits."""
PRECISION = 1000
"""Decimals that are kept: more than the largest and the smallest float take."""
COLUMNS, ROWS = 4, 4
"""How much of a matrix is shown."""


def significant_digits(dtype: np.dtype[np.floating]) -> int:
    """Return how many digits tell all numbers of a dtype apart: 17 or 9."""
    return 17 if dtype == np.float64 else 9


def matrix(numbers: Array, *, cell: str = "", width: int = 0) -> list[str]:
    """Format the first rows and columns, aligned; a scalar is one row of one.

    Args:
        numbers: The matrix.
        cell: What stands in place of each number, such as a blank; "" for the numbers.
        width: The least width of a column.
    """
    table = np.atleast_2d(numbers)
    written = "{:g}" if (table == np.round(table)).all() else f"{{:#.{SHORT}g}}"
    cells = [
        [cell or (written.format(v) if v else "0") for v in row[:COLUMNS]]
        for row in table[:ROWS]
    ]
    width = max(width, *(len(text) for row in cells for text in row)) + 1
    more = " …" if table.shape[1] > COLUMNS else ""
    rows = ["".join(text.rjust(width) for text in row) + more for row in cells]
    return [*rows, *(["…".rjust(len(rows[0]))] if len(table) > ROWS else [])]


def _as_decimal(exact: arb, digits: int) -> Decimal:
    """Return so many digits of a number, or 0 or infinity beyond all floats."""
    nearest = float(exact.mid())
    inside = nearest != 0 and isfinite(nearest)
    return Decimal(exact.mid().str(digits, radius=False) if inside else nearest)


def aligned(exact: arb, found: Mapping[str, float], digits: int) -> list[str]:
    """Write numbers to equal places, each after the digits that all have in common.

    >>> aligned(arb(2).sqrt(), {"a": 1.41421356, "b": 1.41421353}, 9)
    ['exact 1.414213|56237', 'a …56', 'b …53']

    Args:
        exact: The exact number.
        found: Computed numbers, by name.
        digits: How many significant digits of the computed numbers are written.

    Returns:
        The exact number, in more digits, and the others.
    """
    with localcontext(prec=PRECISION):
        truth = _as_decimal(exact, digits + 2 * MORE)
        power = truth.adjusted() if truth else 0
        style = "f" if SMALLEST <= power < digits else "e"
        places = max(0, digits - 1 - (0 if style == "e" else power))
        full = f"{truth:.{places + MORE}{style}}"
        texts = {n: f"{Decimal(v):.{places}{style}}" for n, v in found.items()}
    ends = (full, *(text[:-LAST] for text in texts.values()))
    cut = len(
        [*takewhile(lambda column: len({*column}) == 1, zip(*ends, strict=False))]
    )
    if cut < FEWEST:
        return [f"exact {full}", *(f"{name} {text}" for name, text in texts.items())]
    others = (f"{name} …{text[cut:]}" for name, text in texts.items())
    return [f"exact {full[:cut]}|{full[cut:]}", *others]
