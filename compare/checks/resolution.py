"""What a match would have noticed: a match of a blunt comparison says little.

The resolution of a check comes from its bounds alone. Nothing is sampled.
"""

from collections.abc import Iterable

from compare.checks.check import Check, Resolution

QUANTITIES = {
    "gradients": ("dw1", "dw2"),
    "loss": ("loss",),
    "weights": ("w1", "w2", "new_w1", "new_w2"),
    "predictions": ("a2",),
}
"""What is summarised under one name. Parity has w1 and w2, the audit their updates."""


def coarsest(checks: Iterable[Check]) -> Resolution | None:
    """Return the worst resolution of some checks; None if none of them has a bound."""
    known = [c.resolution for c in checks if c.resolution]
    if not known:
        return None
    return Resolution(max(r.worst for r in known), max(r.median for r in known))


def resolutions(checks: Iterable[Check]) -> dict[str, Resolution]:
    """Return the worst resolution of all audited runs, for each of `QUANTITIES`."""
    audited = [c for c in checks if c.kind == "audit" and c.when == "in a step"]
    found = {
        name: coarsest(check for check in audited if check.quantity in quantities)
        for name, quantities in QUANTITIES.items()
    }
    return {name: each for name, each in found.items() if each}
