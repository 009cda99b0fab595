"""Numbers and facts as the page writes them."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

import numpy as np
from markupsafe import Markup, escape

from compare.checks.check import Check, Kind
from compare.checks.verdict import Verdict
from compare.page.charts.plot import Table
from compare.page.shown import Shown
from compare.report.as_json import Report
from impls.interface import Array

INPUTS = 4
"""How many inputs of a sample are written."""
OUTCOMES = {True: "passed", False: "failed", None: "cannot tell"}
SLOPES = {
    "bce": "d loss / d a2 is (a2 − y) / (a2 (1 − a2) m). The slope of the sigmoid is "
    "a2 (1 − a2). In their product it cancels.",
    "mse": "d loss / d a2 is 2 (a2 − y) / (m n_y), and the slope of the sigmoid is "
    "a2 (1 − a2).",
}
WHYS = {
    loss: {
        "z1": "Each hidden unit multiplies its inputs by its weights and adds them up.",
        "a1": "The sigmoid turns the sum into a number between 0 and 1.",
        "z2": "The output does the same with the hidden activations.",
        "a2": "This is the answer: the probability that the label is 1.",
        "loss": "How wrong the answers are, on average over the samples.",
        "dz2": slope,
        "dw2": "A weight is multiplied by a1: its gradient is the error times a1, "
        "added up over the samples.",
        "dz1": "The error goes back through w2, then through the sigmoid, whose slope "
        "is a1 (1 − a1).",
        "dw1": "A weight is multiplied by x: as for dw2.",
        "new_w1": "A step against the gradient, lr times as long.",
        "new_w2": "The same, for w2.",
    }
    for loss, slope in SLOPES.items()
}
"""Why each line follows from the ones before, by loss and quantity."""


def compact(number: float) -> str:
    """Write a number with few digits, for a picture; `compact` of numbers.js."""
    if not np.isfinite(number):
        return "–"
    short = float(f"{number:.3e}")
    is_small = 0 < abs(short) < 1e-4  # noqa: PLR2004
    text = f"{short:.2e}".replace("e-0", "e-") if is_small else f"{short:g}"
    return text.replace("-", "−")


def sample(column: Array) -> str:
    """Write the inputs of a sample; of many, the first."""
    more = ", …" if len(column) > INPUTS else ""
    return f"({', '.join(map(compact, column[:INPUTS]))}{more})"


def full(number: float, exact: str, dtype: str) -> Markup:
    """Write all digits of a number, and mark those that are not the exact ones.

    Args:
        number: The number.
        exact: The exact one, as text; "" if it is unknown, and then none is marked.
        dtype: To which the exact one is rounded.
    """
    kind = np.dtype(dtype).type
    text = str(kind(number))
    right = str(kind(exact)) if exact else text
    if text == right:
        return escape(text)
    same = next((i for i, c in enumerate(text) if right[i : i + 1] != c), len(text))
    return Markup("{}<mark>{}</mark>").format(text[:same], text[same:])


def value(shown: Shown, name: str, *index: int) -> str:
    """Write an element of the first run in the first step that is shown."""
    quantity = next(q for q in shown.quantities if q.name == name)
    place = int(np.ravel_multi_index(index, quantity.shape)) if index else 0
    return compact(
        float(next(iter(shown.runs.values()))[shown.row, quantity.start + place])
    )


def checks_table(verdict: Verdict) -> Table:
    """Count the checks of each kind, of all runs, and last those of the contract."""
    kinds = {
        kind: [check for check in verdict.checks if check.kind == kind]
        for kind in get_args(Kind)
    }
    contract = kinds.pop("contract")
    named = {**kinds, "together": verdict.counted, "and of the contract": contract}
    rows = tuple(_counted(name, checks) for name, checks in named.items() if checks)
    return Table(("check", "checks", *OUTCOMES.values(), "values"), rows)


def _counted(name: str, checks: Sequence[Check]) -> tuple[str, ...]:
    outcomes = Counter(OUTCOMES[check.passed] for check in checks)
    numbers = sum(check.count for check in checks)
    counts = (len(checks), *(outcomes[o] for o in OUTCOMES.values()), numbers)
    return name, *(f"{count:,}" for count in counts)


def environment_table(report: Report) -> Table:
    """List where those environments differ that state a setting."""
    environments = report.environments.values()
    keys = dict.fromkeys(key for each in environments for key in each)
    rows = tuple(
        (key, *(each.get(key, "not stated") for each in environments))
        for key in keys
        if len({each[key] for each in environments if key in each}) > 1
    )
    return Table(("setting", *report.environments), rows)
