"""What a sweep comes to: counts, the worst seeds, and how to see each."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import groupby
from math import comb, inf

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.text import Text

from compare.hosts.load import OURS
from compare.report.answer import used
from compare.report.layout import new_table
from compare.selftest.rewrites import BY_NAME
from compare.sweep.plan import OPTIONS, Plan, Setting
from compare.sweep.rows import Row
from compare.training.problems import Experiment

ANSWERS: tuple[str, ...] = (
    "match",
    "unstable",
    "cannot tell",
    "could not compare",
    "differ",
)
"""From the best to the worst, as the exit status counts them."""
WORST = 5
"""How many seeds are shown."""
BINS = np.linspace(0, 1, 51)
"""The edges of the histogram of shares of a bound."""
POINTS = 20_000
"""How many pairs the picture shows at most."""


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
        drifts: By seed, the drift of each pair and its bound, if a logarithmic axis can
            show both; of all seeds with such pairs, evenly spread.
        drawable: How many seeds have such pairs.
        every: Of so many of these seeds, one is in `drifts`; it doubles when there are
            too many.
        equal: How many pairs have equal trained weights: their drift is 0.
    """

    plan: Plan
    answers: dict[Setting, npt.NDArray[np.uint8]] = field(init=False)
    solved: Counter[Setting] = field(default_factory=Counter)
    worst: list[Row] = field(default_factory=list)
    shares: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    drifts: list[list[tuple[float, float]]] = field(default_factory=list)
    drawable: int = 0
    every: int = 1
    equal: int = 0

    def __post_init__(self) -> None:
        """List the settings in the order of the plan: chunks end in any order."""
        seeds = len(self.plan.seeds)
        self.answers = {
            Setting.of(each): np.zeros(seeds, np.uint8) for each in self.plan.settings
        }

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
        place = self.plan.seeds.index(seed)
        self.answers[first.setting][place] = ANSWERS.index(first.answer) + 1
        self.solved[first.setting] += bool(first.solved)
        most = max(rows, key=_badness)
        self.worst = nlargest(WORST, [*self.worst, most], key=_badness)
        for row in rows:
            if row.other is None and row.share is not None:
                counts, _ = np.histogram(min(row.share, BINS[-1]), BINS)
                known = self.shares.get(row.implementation, 0)
                self.shares[row.implementation] = known + counts
        self._add_drifts(rows)

    def _add_drifts(self, rows: Sequence[Row]) -> None:
        """Keep or drop all pairs of a seed, so that no pair of names is left out."""
        pairs = [(r.drift, r.drift_bound or inf) for r in rows if r.drift is not None]
        self.equal += sum(drift == 0 for drift, _ in pairs)
        drawable = [(d, bound) for d, bound in pairs if 0 < d < inf and bound < inf]
        if not drawable:
            return
        if self.drawable % self.every == 0:
            self.drifts.append(drawable)
        self.drawable += 1
        if len(self.drifts) > POINTS // comb(len(self.plan.names), 2):
            del self.drifts[1::2]
            self.every *= 2


def _badness(row: Row) -> tuple[int, float, int]:
    """Order rows by answers, then by the share of a bound, then by seeds, backwards."""
    return ANSWERS.index(row.answer), row.share or 0.0, -row.seed


def to_text(summary: Summary) -> RenderableType:
    """Show the answers of each setting, and the worst seeds."""
    answers = new_table(
        "setting", *(f">{a}" for a in ANSWERS), ">share unstable", ">share solved"
    )
    for setting in summary.answers:
        counts = summary.counts_of(setting)
        total = counts.total() or 1
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
    experiment = {Setting.of(each): each for each in plan.settings}[row.setting]
    options = [
        word
        for name, option in OPTIONS.items()
        if (value := getattr(experiment, name)) != getattr(Experiment, name)
        for word in (option, str(value))
    ]
    named = () if plan.names == OURS else plan.names
    impls = [word for name in named for word in ("--impl", name)]
    if BY_NAME.keys().isdisjoint(plan.names):
        seed = [] if row.seed == Experiment.seed else ["--seed", str(row.seed)]
        return shlex.join(["gradparity", *options, *seed, *impls])
    seed = ["--seeds", f"{row.seed}:{row.seed + 1}"]
    return shlex.join(["gradparity", "sweep", *options, *seed, *impls])
