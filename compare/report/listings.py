"""What the other commands print: names, the exact run, many seeds, planted faults."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from compare.numerics.exact_run import ExactRun
from compare.report.screen import new_table
from compare.training.problems import Experiment
from compare.training.registry import Listed


def implementations_to_text(implementations: Sequence[Listed]) -> Table:
    """Say where each comes from and what it computes with, or how to get that."""
    table = new_table("name", "from", "framework", "missing")
    for one in implementations:
        framework = f"{one.framework or 'not said'} {one.version or ''}"
        table.add_row(one.name, one.source, framework, one.remedy)
    return table


def exact_to_text(experiment: Experiment, run: ExactRun, digits: int) -> Text:
    """Print the exact run before and after its last update, to so many digits."""
    e = experiment
    rows = [
        f"{e.table}, {e.loss}, {e.dtype} weights of seed {e.seed}, lr {e.lr}, exactly",
        f"certified to {run.radius:.1e}, computed with {run.bits} bits",
    ]
    for index, when in ((-2, "before"), (-1, "after")):
        rows += ["", f"{when} update {e.steps:,}:"]
        for name in ("loss", "a2", "w1", "w2"):
            numbers = np.atleast_1d(getattr(run, name)[index])
            rows += [
                f"  {name + ''.join(f'[{i}]' for i in place if numbers.ndim > 1):9}"
                f" {ball.str(digits, radius=False)}"
                for place, ball in np.ndenumerate(numbers)
            ]
    return Text("\n".join(rows))
