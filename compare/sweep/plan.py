"""What a sweep consists of: settings, chunks of seeds, and the names of chunks."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import groupby, islice, product
from typing import Any, NamedTuple

from compare.hosts.load import OURS
from compare.selftest.rewrites import BY_NAME
from compare.traces.memory import trace_bytes
from compare.training.problems import Experiment, check_seed

TRACES = 768_000_000
"""Bytes of the traces that are in memory at once, if one seed has no more."""
MOST = 1_000
"""Seeds in a chunk at most: more make no step of a batch cheaper."""
ALONE = 10_000
"""Steps of a chunk whose seeds are trained one by one: half a minute, for a port."""
OPTIONS = {
    "table": "--table",
    "network": "--sizes",
    "samples": "--samples",
    "loss": "--loss",
    "dtype": "--dtype",
    "lr": "--lr",
    "steps": "--steps",
}
"""The option of each field of an experiment but the seed."""


class Setting(NamedTuple):
    """What the values of an experiment mean, but for its seed: some columns of a row.

    Two texts may mean one network, and no table is the table "xor".
    """

    data: str
    network: str
    loss: str
    dtype: str
    lr: float
    steps: int

    @classmethod
    def of(cls, experiment: Experiment) -> "Setting":
        """Return the setting of an experiment."""
        e = experiment
        return cls(e.data, str(e.sizes), e.loss, e.dtype, e.lr, e.steps)

    def __str__(self) -> str:
        """Describe the setting in a few words."""
        *words, lr, steps = self
        plural = "s" * (steps > 1)
        return f"{', '.join(map(str, words))}, lr {lr}, {steps:,} step{plural}"


@dataclass(frozen=True)
class Chunk:
    """Seeds that one worker compares at once.

    Attributes:
        setting: The experiment of the first seed.
        seeds: The seeds.
        names: The implementations.
        timeout: Seconds that each answer of a port may take; None is any time.
    """

    setting: Experiment
    seeds: Sequence[int]
    names: tuple[str, ...]
    timeout: float | None = None

    @property
    def file_name(self) -> str:
        """The name of its file, which follows from the setting and the seeds alone."""
        data, network, loss, dtype, lr, steps = Setting.of(self.setting)
        data = data.replace(" ", "-")
        setting = f"{data}_{network}_{loss}_{dtype}_lr{lr}_{steps}steps"
        return f"{setting}_seeds{self.seeds[0]:010}-{self.seeds[-1]:010}.parquet"


@dataclass(frozen=True)
class Plan:
    """All options of a sweep that its rows depend on.

    Attributes:
        settings: One experiment for each setting; its seed does not matter.
        seeds: The seeds of each setting.
        names: The implementations.
    """

    settings: tuple[Experiment, ...]
    seeds: range
    names: tuple[str, ...]

    @classmethod
    def of(cls, seeds: range, names: Sequence[str], **options: Sequence[Any]) -> "Plan":
        """Make a setting of each combination of options.

        Args:
            seeds: The seeds.
            names: The implementations.
            options: The values of fields of `Experiment`.

        Raises:
            ValueError: A value is not allowed, two values mean the same, or there are
                no seeds.
        """
        if not seeds:
            raise ValueError(
                f"{seeds.start}:{seeds.stop} holds no seed: END must be larger than "
                "FIRST"
            )
        check_seed(seeds[-1])  # Experiment checks the first
        for name, values in options.items():
            alone = {Setting.of(Experiment(**{name: value})) for value in values}
            if len(alone) < len(values):
                raise ValueError(f"{OPTIONS[name]}: name each value once")
        known: Iterable[dict[str, Any]] = (
            dict(zip(options, values, strict=True))
            for values in product(*options.values())
        )
        settings = tuple(Experiment(seed=seeds[0], **each) for each in known)
        return cls(settings, seeds, tuple(names))

    def chunks(self) -> Iterator[Chunk]:
        """Yield all chunks, setting by setting: as few as can be, of equal sizes.

        The last one of a setting may be smaller.
        """
        for setting in self.settings:
            count = math.ceil(len(self.seeds) / seeds_in_a_chunk(setting, self.names))
            size = math.ceil(len(self.seeds) / count)
            for first in range(0, len(self.seeds), size):
                yield Chunk(setting, self.seeds[first : first + size], self.names)

    @property
    def metadata(self) -> dict[str, str]:
        """What the files of the sweep say of it, each as JSON, and the digest of all.

        Values and settings are sorted, so that sweeps with the same settings say the
        same. `seeds_in_a_file` has one number for each setting.
        """
        experiments = sorted(self.settings, key=Setting.of)
        settings = map(Setting.of, experiments)
        facts: dict[str, object] = {
            name: sorted({*values})
            for name, *values in zip(Setting._fields, *settings, strict=True)
        }
        facts |= {
            "seeds": [self.seeds.start, self.seeds.stop],
            "impl": self.names,
            "seeds_in_a_file": [seeds_in_a_chunk(e, self.names) for e in experiments],
            "version": metadata.version("gradparity"),
        }
        texts = {name: json.dumps(value) for name, value in facts.items()}
        digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
        return {**texts, "digest": digest.hexdigest()}


def are_batched(setting: Experiment, names: Iterable[str]) -> bool:
    """Return whether the seeds of a setting are trained as one batch.

    All implementations are ours or rewrites of ours, which are known to take batches,
    and the data do not depend on the seed.
    """
    return {*OURS, *BY_NAME}.issuperset(names) and not setting.is_drawn


def seeds_in_a_chunk(setting: Experiment, names: Sequence[str]) -> int:
    """Return how many seeds one worker compares at once, at most.

    The number follows from the setting, not from the machine: a sweep that is resumed
    elsewhere has the same chunks. 10,000 steps of the default are 65 seeds, or 130 in
    float32: half a minute. They are one seed, if each seed is trained alone.
    """
    if not are_batched(setting, names):
        return max(1, ALONE // setting.steps)
    of_one = len(names) * trace_bytes(setting.sizes, setting.steps)
    share = 2 if setting.dtype == "float32" else 1
    return max(1, min(MOST, share * TRACES // of_one))


def chunks_of(
    experiments: Iterable[Experiment], names: Sequence[str]
) -> Iterator[Chunk]:
    """Cut experiments into chunks, each of neighbours that differ in their seeds only.

    The experiments are read as they are needed.
    """
    for _, alike in groupby(experiments, lambda e: replace(e, seed=0)):
        group = iter(alike)
        for first in group:
            size = seeds_in_a_chunk(first, names)
            others = (each.seed for each in islice(group, size - 1))
            yield Chunk(first, (first.seed, *others), tuple(names))
