"""What `gradparity faults` prints."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.checks.check import Check
from compare.report.as_json import header, plain
from compare.report.layout import Prose, new_table
from compare.selftest.plant import Fault
from compare.selftest.trial import Control, Planted, Trials


def faults_to_text(trials: Trials) -> RenderableType:
    """Show where each fault was reported, and the answers on correct programs."""
    parts: list[RenderableType] = []
    for dtype in dict.fromkeys(planted.dtype for planted in trials.planted):
        planted = [p for p in trials.planted if p.dtype == dtype]
        parts += [_faults(dtype, planted), "", _no_faults(dtype, planted), ""]
    return Group(*parts, _controls(trials.controls))


def _faults(dtype: str, planted: Sequence[Planted]) -> Table:
    """Show each fault in a row: how often it was caught, where, and its name."""
    table = new_table(dtype, ">caught", ">step", "reported by", "named")
    real = [p for p in planted if p.status != "no fault"]
    for name in dict.fromkeys(p.fault for p in real):
        of_name = [p for p in real if p.fault == name]
        firsts = [p.first for p in of_name if p.first]
        steps = sorted({check.first.step for check in firsts if check.first})
        found = dict.fromkeys(reporter(check) for check in firsts)
        caught, causes = _counts(of_name)
        where = ", ".join(map(str, steps)), ", ".join(found) or "none"
        table.add_row(name, caught, *where, causes)
    caught, causes = _counts(real)
    table.add_row("all", caught, "", "", causes, style="bold")
    return table


def reporter(check: Check | Fault) -> str:
    """Name the check that reports a fault, as in "audit: dw1" or "start: w1"."""
    where = "start" if check.when == "at the start" else check.kind
    return f"{where}: {check.quantity.replace('_', ' ')}"


def _counts(planted: Sequence[Planted]) -> tuple[str, str]:
    """Say how many were caught, and how many were named rightly."""
    outcomes = {"right": True, "wrong": False, "unknown": None}
    named = Counter(p.named for p in planted)
    causes = ", ".join(f"{named[o]} {w}" for w, o in outcomes.items() if named[o])
    return f"{sum(p.status == 'caught' for p in planted)}/{len(planted)}", causes


def _no_faults(dtype: str, planted: Sequence[Planted]) -> Text:
    """List the faults that a dtype rounds away, and the size of their change."""
    found: dict[str, list[float]] = {}
    for p in planted:
        if p.status == "no fault" and p.change is not None:
            found.setdefault(p.fault, []).append(p.change)
    rows = (f"  {max(c):<7.2g}  {name}" for name, c in found.items())
    head = (
        f"no fault in {dtype}: its change of a line, in roundings of {dtype}, at most"
    )
    return Text("\n".join([head, *rows]) if found else f"each is a fault in {dtype}")


def _controls(controls: Sequence[Control]) -> Table:
    """Show the answers on each correct implementation."""
    table = new_table("harmless rewrite", "of", ">match", "end to end")
    for name, base in dict.fromkeys((c.name, c.base) for c in controls):
        of_name = [c for c in controls if (c.name, c.base) == (name, base)]
        table.add_row(name, base, _matches(of_name), ", ".join(of_name[0].end_to_end))
    for dtype in dict.fromkeys(c.dtype for c in controls):
        of_dtype = [c for c in controls if c.dtype == dtype]
        table.add_row("all", dtype, _matches(of_dtype), style="bold")
    return table


def _matches(controls: Sequence[Control]) -> str:
    return f"{sum(c.answer == 'match' for c in controls)}/{len(controls)}"


def fault_to_text(fault: Fault, trials: Trials) -> RenderableType:
    """Describe one fault, and show the story of each run that it was planted in."""
    rows, several = [fault.sentence], len(trials.planted) > 1
    for p in trials.planted:
        rows += ["", *[f"{p.base}, {p.dtype}:"] * several]
        rows += str(p.story or p.status).splitlines()
    return Group(*map(Prose, rows))


def to_json(trials: Trials) -> dict[str, Any]:
    """Convert all trials; `docs/schema.json` describes the result."""
    planted = [
        {
            "fault": p.fault,
            "implementation": p.base,
            "dtype": p.dtype,
            "status": p.status,
            "cause": p.cause,
            "named": p.named,
            "change": p.change,
            "story": str(p.story).splitlines() if p.story else None,
        }
        for p in trials.planted
    ]
    rewrites = [asdict(control) for control in trials.controls]
    laid_out = {**header(), "planted": planted, "rewrites": rewrites}
    return {key: plain(value) for key, value in laid_out.items()}
