"""What a sweep consists of: settings, chunks of seeds, and the names of chunks."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import groupby, islice, product
from typing import Any

from compare.hosts.load import OURS
from compare.selftest.rewrites import REWRITES
from compare.traces.memory import trace_bytes
from compare.training.problems import Experiment

TRACES = 384_000_000
"""Bytes of the traces that are in memory at once, if one seed has no more."""
MOST = 1_000
"""Seeds in a chunk at most: more make no step of a batch cheaper."""
ALONE = 10_000
"""Steps of a chunk whose seeds are trained one by one: half a minute, for a port."""
FIELDS = ("table", "network", "samples", "loss", "dtype", "lr", "steps")
"""The fields of an experiment that make a setting: all but the seed."""


@dataclass(frozen=True)
class Chunk:
    """Seeds that one worker compares at once.

    Attributes:
        setting: The experiment of the first seed.
        seeds: The seeds.
        names: The implementations.
    """

    setting: Experiment
    seeds: Sequence[int]
    names: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """The name of its file, which follows from the setting and the seeds alone."""
        e = self.setting
        data = e.data.replace(" ", "-")
        setting = f"{data}_{e.sizes}_{e.loss}_{e.dtype}_lr{e.lr}_{e.steps}steps"
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
    def of(
        cls, seeds: range, names: Sequence[str], **options: Sequence[object]
    ) -> "Plan":
        """Make a setting of each combination of options.

        Args:
            seeds: The seeds.
            names: The implementations.
            options: The values of fields of `Experiment`.

        Raises:
            ValueError: A value is not allowed, a value comes twice, or there are no
                seeds.
        """
        if not seeds:
            raise ValueError(
                f"{seeds.start}:{seeds.stop} holds no seed: END must be larger than "
                "FIRST"
            )
        for name, values in options.items():
            if len({*values}) < len(values):
                raise ValueError(f"{name}: name each value once")
        known: Iterable[dict[str, Any]] = (
            dict(zip(options, values, strict=True))
            for values in product(*options.values())
        )
        settings = [Experiment(seed=seeds[0], **each) for each in known]
        replace(settings[0], seed=seeds[-1])  # checks the last seed
        return cls(tuple(settings), seeds, tuple(names))

    def chunks(self) -> Iterator[Chunk]:
        """Yield all chunks, setting by setting."""
        for setting in self.settings:
            size = seeds_in_a_chunk(setting, self.names)
            for first in range(0, len(self.seeds), size):
                yield Chunk(setting, self.seeds[first : first + size], self.names)

    @property
    def metadata(self) -> dict[str, str]:
        """What the files of the sweep say of it: the options, their digest, a version.

        Each option is JSON.
        """
        options: dict[str, object] = {
            name: list(dict.fromkeys(getattr(each, name) for each in self.settings))
            for name in FIELDS
        }
        options |= {"seeds": [self.seeds.start, self.seeds.stop], "impl": self.names}
        texts = {name: json.dumps(value) for name, value in options.items()}
        texts["version"] = json.dumps(metadata.version("gradparity"))
        digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
        return {**texts, "digest": digest.hexdigest()}


def are_batched(setting: Experiment, names: Iterable[str]) -> bool:
    """Return whether the seeds of a setting are trained as one batch.

    All implementations are ours or rewrites of ours, which are known to take batches,
    and the data do not depend on the seed.
    """
    known = {*OURS, *(rewrite.name for rewrite in REWRITES)}
    return known.issuperset(names) and not setting.is_drawn


def seeds_in_a_chunk(setting: Experiment, names: Sequence[str]) -> int:
    """Return how many seeds one worker compares at once.

    The number follows from the setting, not from the machine: a sweep that is resumed
    elsewhere has the same chunks. 10,000 steps of the default are 32 seeds, or 65 in
    float32: some ten seconds. They are one seed, if each seed is trained alone.
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
