"""What `gradparity list` and `gradparity exact` print."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from compare.checks.printable import printable
from compare.hosts.listing import Listed
from compare.numerics.exact_run import ExactRun
from compare.report.layout import new_table
from compare.training.problems import Experiment


def implementations_to_text(implementations: Sequence[Listed]) -> Table:
    """Show the source and the framework of each, or how to install it."""
    table = new_table("name", "from", "framework", "missing")
    for one in implementations:
        framework = f"{one.framework or 'not declared'} {one.version or ''}"
        cells = one.name, one.source, framework, one.remedy
        table.add_row(*map(printable, cells))
    return table


def exact_to_text(experiment: Experiment, run: ExactRun, digits: int) -> Text:
    """Format the exact run before and after its last update, to so many digits."""
    e = experiment
    rows = [
        f"{e.data}, {e.loss}, {e.dtype} weights of seed {e.seed}, lr {e.lr}, exactly",
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
