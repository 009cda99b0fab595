"""What a sweep comes to: counts, the worst seeds, and how to see each."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.text import Text

from compare.hosts.load import OURS
from compare.report.answer import used
from compare.report.layout import new_table
from compare.selftest.rewrites import REWRITES
from compare.sweep.plan import FIELDS, Plan
from compare.sweep.rows import Row
from compare.training.problems import Experiment

ANSWERS: tuple[str, ...] = (
    "match",
    "unstable",
    "cannot tell",
    "differ",
    "could not compare",
)
"""From the best to the worst."""
OPTION = {"network": "sizes"}
"""The options that are not named like their fields."""
WORST = 5
"""How many seeds are shown."""
BINS = np.linspace(0, 1, 51)
"""The edges of the histogram of shares of a bound."""
POINTS = 20_000
"""How many pairs the picture shows."""


class Setting(NamedTuple):
    """The columns of a row that name its setting."""

    data: str
    network: str
    loss: str
    dtype: str
    lr: float
    steps: int

    def __str__(self) -> str:
        """Describe the setting in a few words."""
        *words, lr, steps = self
        plural = "s" * (steps > 1)
        return f"{', '.join(map(str, words))}, lr {lr}, {steps:,} step{plural}"


@dataclass(eq=False)
class Summary:
    """The sum of all rows; its size does not depend on how many there are.

    But for one byte for each seed.

    Attributes:
        plan: The sweep.
        answers: By setting, the place of the answer of each seed in `ANSWERS`, from 1;
            0 if it is not known yet.
        solved: By setting, how many seeds predict every label.
        worst: The worst seeds by their answers, then by the share of a bound that they
            used: of each, the row that used most.
        shares: By implementation, how many rows used which share of a bound.
        drifts: Pairs of a drift and its bound.
    """

    plan: Plan
    answers: dict[Setting, npt.NDArray[np.uint8]] = field(default_factory=dict)
    solved: Counter[Setting] = field(default_factory=Counter)
    worst: list[Row] = field(default_factory=list)
    shares: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    drifts: list[tuple[float, float]] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many seeds have which answer, in all settings."""
        return sum(map(self.counts_of, self.answers), start=Counter())

    def counts_of(self, setting: Setting) -> Counter[str]:
        """Count the answers of a setting."""
        known = np.bincount(self.answers[setting], minlength=len(ANSWERS) + 1)
        return Counter(dict(zip(ANSWERS, known[1:].tolist(), strict=True)))

    def add(self, rows: Iterable[Row]) -> None:
        """Add the rows of whole seeds, seed by seed."""
        for seed, of_seed in groupby(rows, lambda row: row.seed):
            self._add_seed(seed, [*of_seed])

    def _add_seed(self, seed: int, rows: Sequence[Row]) -> None:
        first = rows[0]
        setting = Setting(*(getattr(first, name) for name in Setting._fields))
        of_setting = self.answers.setdefault(
            setting, np.zeros(len(self.plan.seeds), np.uint8)
        )
        of_setting[self.plan.seeds.index(seed)] = ANSWERS.index(first.answer) + 1
        self.solved[setting] += bool(first.solved)
        most = max(rows, key=_badness)
        self.worst = nlargest(WORST, [*self.worst, most], key=_badness)
        for row in rows:
            if row.other is None and row.share is not None:
                counts, _ = np.histogram(min(row.share, BINS[-1]), BINS)
                known = self.shares.get(row.implementation, 0)
                self.shares[row.implementation] = known + counts
            elif row.drift is not None and len(self.drifts) < POINTS:
                self.drifts.append((row.drift, row.drift_bound or float("inf")))


def _badness(row: Row) -> tuple[int, float]:
    """Order rows by their answers, then by the share of a bound that they used."""
    return ANSWERS.index(row.answer), row.share or 0.0


def to_text(summary: Summary) -> RenderableType:
    """Show the answers of each setting, and the worst seeds."""
    answers = new_table(
        "setting", *(f">{a}" for a in ANSWERS), ">share unstable", ">share solved"
    )
    for setting in summary.answers:
        counts = summary.counts_of(setting)
        total = counts.total()
        answers.add_row(
            str(setting),
            *(str(counts[answer]) for answer in ANSWERS),
            f"{100 * counts['unstable'] / total:.1f} %",
            f"{100 * summary.solved[setting] / total:.1f} %",
        )
    worst = new_table(">seed", "answer", ">bound used", "where", "command")
    for row in summary.worst:
        worst.add_row(
            str(row.seed),
            row.answer,
            "-" if row.share is None else used(row.share),
            where(row),
            command(summary.plan, row),
        )
    return Group(answers, Text("\nworst seeds"), worst)


def where(row: Row) -> str:
    """Name the first difference of a seed or, if none, where most was used."""
    if row.answer in ("differ", "could not compare"):
        return row.reason
    who = row.implementation + (f", {row.other}" if row.other else "")
    return f"{who}: {row.kind}: {row.element} at step {row.step}"


def command(plan: Plan, row: Row) -> str:
    """Return the command that shows a seed.

    Only `sweep` takes the name of a rewrite.
    """
    options = [
        word
        for name in FIELDS
        if (value := getattr(setting_of(plan, row), name)) != getattr(Experiment, name)
        for word in (f"--{OPTION.get(name, name)}", str(value))
    ]
    named = () if plan.names == OURS else plan.names
    impls = [word for name in named for word in ("--impl", name)]
    rewrites = {rewrite.name for rewrite in REWRITES}
    if rewrites.isdisjoint(plan.names):
        seed = [] if row.seed == Experiment.seed else ["--seed", str(row.seed)]
        return shlex.join(["gradparity", *options, *seed, *impls])
    seed = ["--seeds", f"{row.seed}:{row.seed + 1}"]
    return shlex.join(["gradparity", "sweep", *options, *seed, *impls])


def setting_of(plan: Plan, row: Row) -> Experiment:
    """Find the setting of a row."""
    return next(
        e
        for e in plan.settings
        if (e.data, str(e.sizes), e.loss, e.dtype, e.lr, e.steps)
        == (row.data, row.network, row.loss, row.dtype, row.lr, row.steps)
    )
