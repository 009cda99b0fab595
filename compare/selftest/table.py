"""What `gradparity faults` prints."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compare.report.screen import new_table
from compare.selftest.peers import PEERS
from compare.selftest.trial import Control, Findings, Planted

_LEGEND = """\
n/m: n of m runs were reported; of harmless rewrites, that is a false alarm.
assert_allclose, assert_close: with their defaults, on all arrays of both traces.
gradcheck, check_grads: with their defaults, on loss and gradient at the weights of one
step; they are not shown the start, the update or the record."""


def faults_to_text(findings: Findings) -> RenderableType:
    """Say who reported which fault, what is no fault, and who blames correct runs."""
    parts: list[RenderableType] = []
    for dtype in dict.fromkeys(planted.dtype for planted in findings.planted):
        planted = [p for p in findings.planted if p.dtype == dtype]
        parts += [_faults(dtype, planted), "", _no_faults(dtype, planted), ""]
    return Group(*parts, _controls(findings.controls), "", Text(_LEGEND))


def _share(of: Sequence[Planted | Control], peer: str) -> str:
    return f"{sum(peer in one.alarms for one in of)}/{len(of)}"


def _faults(dtype: str, planted: Sequence[Planted]) -> Table:
    """Show each fault in a row: how many of its plants were caught, where, by whom."""
    peers = (f">{peer}" for peer in PEERS)
    table = new_table(dtype, ">caught", ">step", "first difference", "cause", *peers)
    real = [p for p in planted if p.status != "no fault"]
    for name in dict.fromkeys(p.fault for p in real):
        _fault(table, name, [p for p in real if p.fault == name])
    n = sum(p.status == "caught" for p in real)
    shares = (_share(real, peer) for peer in PEERS)
    right, wrong = (
        sum(p.named is is_right for p in real) for is_right in (True, False)
    )
    causes = f"{right} right, {wrong} wrong, {len(real) - right - wrong} unknown"
    table.add_row("all", f"{n}/{len(real)}", "", "", causes, *shares, style="bold")
    return table


def _fault(table: Table, name: str, planted: Sequence[Planted]) -> None:
    firsts = [p.first for p in planted if p.first]
    steps = sorted({check.first.step for check in firsts if check.first})
    table.add_row(
        name,
        f"{sum(p.status == 'caught' for p in planted)}/{len(planted)}",
        ", ".join(map(str, steps)),
        ", ".join(dict.fromkeys(check.words for check in firsts)) or "none",
        ", ".join(dict.fromkeys(p.cause or "unknown" for p in planted)),
        *(_share(planted, peer) for peer in PEERS),
    )


def _no_faults(dtype: str, planted: Sequence[Planted]) -> Text:
    """Name what the dtype rounds away, and what exact arithmetic says of it."""
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
    """Show each correct implementation: its verdicts, and the false alarms."""
    peers = (f">{peer}" for peer in PEERS)
    table = new_table("harmless rewrite", "of", ">match", "end to end", *peers)
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
        *(_share(controls, peer) for peer in PEERS),
        style=style,
    )
