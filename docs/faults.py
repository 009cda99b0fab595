"""Write the catalogue of faults and what came of each: python docs/faults.py."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.hosts.load import OURS
from compare.selftest.faults import FAULTS
from compare.selftest.rewrites import REWRITES
from compare.selftest.table import reporter
from compare.selftest.trial import Planted, Trials, list_trials, try_all
from compare.training.problems import DTYPES

STEPS = 300
PAGE = Path(__file__).parent / "faults.md"
HEAD = """# Faults and rewrites

This page is written by `python docs/faults.py`. It plants {count} mistakes that people make in each of our three
implementations and in both dtypes, trains {steps} steps, and compares the result with plain NumPy.
`gradparity faults` measures it again; `gradparity explain --fault NAME` walks through the step in which a mistake enters.

A fault is *caught* if the first reported difference is the check named in the second table, in the right
implementation. It is *named* if the report gives the mistake its right name. A fault whose change is smaller than the
rounding of float32 is *rounded away*, and no fault there: the table states its size in roundings, proved in ball arithmetic.
"""


def page(trials: Trials) -> str:
    """Write the whole page."""
    head = HEAD.format(count=len(FAULTS), steps=STEPS)
    parts = (
        ("The mistakes", _table(("fault", "how it is made"), _sentences())),
        ("Results", _table(RESULTS, _results(trials.planted))),
        ("Harmless rewrites", f"{REWRITTEN}\n{_table(CONTROLS, _controls(trials))}"),
    )
    sections = (f"## {title}\n\n{text}" for title, text in parts)
    return "\n".join((head, *sections))


def _table(titles: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Format a table."""
    lines = (titles, ["---"] * len(titles), *rows)
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _sentences() -> Iterator[tuple[str, str]]:
    for fault in FAULTS:
        yield fault.name, fault.sentence


RESULTS = ("fault", "reported by", *DTYPES, "named")


def _results(planted: Sequence[Planted]) -> Iterator[tuple[str, ...]]:
    """Say of each fault where it must be reported, and how often it was."""
    for fault in FAULTS:
        of_fault = [p for p in planted if p.fault == fault.name]
        counts = (_count(of_fault, dtype) for dtype in DTYPES)
        yield fault.name, reporter(fault), *counts, _name(of_fault)


def _count(planted: Sequence[Planted], dtype: str) -> str:
    """Count where a fault was caught, or state a change that is rounded away."""
    of_dtype = [p for p in planted if p.dtype == dtype]
    changes = [p.change for p in of_dtype if p.status == "no fault" and p.change]
    if changes:
        return f"rounded away: {max(changes):.1g}"
    caught = sum(p.status == "caught" for p in of_dtype)
    return f"{caught} of {len(of_dtype)}"


def _name(planted: Sequence[Planted]) -> str:
    named = {p.dtype: p.cause for p in planted if p.named and p.cause}
    caught = {p.dtype for p in planted if p.status == "caught"}
    without = "".join(f"; in {dtype} unknown" for dtype in sorted(caught - {*named}))
    return next(iter(named.values())) + without if named else "unknown"


REWRITTEN = """A correct program may round differently. Each of these must match, with both losses where it has them, in 300 steps (eager JAX in 50):
"""
CONTROLS = ("rewrite", "of", "match", "judged end to end")


def _controls(trials: Trials) -> Iterator[tuple[str, ...]]:
    """Count how often each correct program matches."""
    names = dict.fromkeys((c.name, c.base) for c in trials.controls)
    ends = {rewrite.name: ", ".join(rewrite.end_to_end) for rewrite in REWRITES}
    for name, base in names:
        tried = [c for c in trials.controls if (c.name, c.base) == (name, base)]
        matches = sum(c.answer == "match" for c in tried)
        yield name, base, f"{matches} of {len(tried)}", ends.get(name, "")


def main() -> None:
    """Try everything, which takes a minute or two, and write the page."""
    trials = try_all(*list_trials(STEPS, OURS, DTYPES), print)
    PAGE.write_text(page(trials), encoding="utf-8")


if __name__ == "__main__":
    main()
