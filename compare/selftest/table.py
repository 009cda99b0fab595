"""What `gradparity faults` prints."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.report.screen import new_table
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
    table = new_table(dtype, ">caught", ">step", "first difference", "cause")
    real = [p for p in planted if p.status != "no fault"]
    for name in dict.fromkeys(p.fault for p in real):
        _fault(table, name, [p for p in real if p.fault == name])
    n = sum(p.status == "caught" for p in real)
    right, wrong = (
        sum(p.named is is_right for p in real) for is_right in (True, False)
    )
    causes = f"{right} right, {wrong} wrong, {len(real) - right - wrong} unknown"
    table.add_row("all", f"{n}/{len(real)}", "", "", causes, style="bold")
    return table


def _fault(table: Table, name: str, planted: Sequence[Planted]) -> None:
    firsts = [p.first for p in planted if p.first]
    steps = sorted({check.first.step for check in firsts if check.first})
    table.add_row(
        name,
        f"{sum(p.status == 'caught' for p in planted)}/{len(planted)}",
        ", ".join(map(str, steps)),
        ", ".join(dict.fromkeys(check.statement for check in firsts)) or "none",
        ", ".join(dict.fromkeys(p.cause or "unknown" for p in planted)),
    )


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
        _control(table, (name, base), of_name)
    for dtype in dict.fromkeys(c.dtype for c in controls):
        of_dtype = [c for c in controls if c.dtype == dtype]
        _control(table, ("all", dtype), of_dtype, style="bold")
    return table


def _control(
    table: Table, title: tuple[str, str], controls: Sequence[Control], style: str = ""
) -> None:
    quantities = {c.end_to_end for c in controls}
    table.add_row(
        *title,
        f"{sum(c.answer == 'match' for c in controls)}/{len(controls)}",
        ", ".join(*quantities) if len(quantities) == 1 else "",
        style=style,
    )
