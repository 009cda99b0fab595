"""Settings, chunks, and what the files of a sweep say of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from typing import Any

import pytest

from compare.hosts.load import OURS
from compare.sweep import plan as module
from compare.sweep.plan import Chunk, Plan, chunks_of, seeds_in_a_chunk
from compare.training.problems import Experiment
from tests.helpers import noted

NAMES = ("numpy", "torch")


def seeds_of(chunks: Sequence[Chunk]) -> list[int]:
    """List the seeds of chunks, in their order."""
    return [seed for chunk in chunks for seed in chunk.seeds]


def test_settings_are_the_product_of_the_options() -> None:
    """Each value of an option is combined with each of the others."""
    plan = Plan.of(range(3), NAMES, lr=[0.1, 2.0], loss=["bce", "mse"], steps=[5])

    assert [(e.lr, e.loss, e.steps) for e in plan.settings] == [
        (0.1, "bce", 5),
        (0.1, "mse", 5),
        (2.0, "bce", 5),
        (2.0, "mse", 5),
    ]


@pytest.mark.parametrize(
    ("seeds", "options", "words"),
    [
        (range(0), {}, "0:0 holds no seed: END must be larger than FIRST"),
        (range(2**32 - 1, 2**32 + 1), {}, "seed must be from 0"),
        (range(-1, 2), {}, "seed must be from 0"),
        (range(3), {"lr": [0.9, 0.9]}, "--lr: name each value once"),
        (range(3), {"network": ["2-2-1", "02-2-1"]}, "--sizes: name each value once"),
        (range(3), {"loss": ["bce", "mae"]}, "unknown loss 'mae'"),
    ],
    ids=["none", "last", "first", "twice", "same", "unknown"],
)
def test_wrong_options_are_an_error(
    seeds: range, options: dict[str, Any], words: str
) -> None:
    """The message says which, before any work is done."""
    with pytest.raises(ValueError, match=words):
        Plan.of(seeds, NAMES, **options)


def test_chunks_cover_each_setting_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No seed is lost, none is twice, and the last chunk is shorter."""
    monkeypatch.setattr(module, "MOST", 4)
    plan = Plan.of(range(5, 15), NAMES, steps=[5], lr=[0.1, 0.9])

    chunks = [*plan.chunks()]

    assert [len(chunk.seeds) for chunk in chunks] == [4, 4, 2] * 2
    assert seeds_of(chunks) == 2 * [*range(5, 15)]
    assert [chunk.setting.lr for chunk in chunks] == [0.1] * 3 + [0.9] * 3
    assert len({chunk.file_name for chunk in chunks}) == 6


def test_name_of_a_file() -> None:
    """It names the setting and the seeds."""
    chunk = Chunk(Experiment(lr=1e-05, steps=50), range(40, 60), NAMES)
    drawn = Chunk(Experiment(network="3-4-2", samples=7), (9,), NAMES)

    assert chunk.file_name == (
        "xor_2-2-1_bce_float64_lr1e-05_50steps_seeds0000000040-0000000059.parquet"
    )
    assert drawn.file_name.startswith("7-drawn-samples_3-4-2_bce_float64_lr0.9_10000")


@pytest.mark.parametrize(
    ("seeds", "sizes"), [(4, [4]), (5, [3, 2]), (9, [3, 3, 3]), (10, [4, 4, 2])]
)
def test_chunks_are_few_and_of_equal_sizes(
    monkeypatch: pytest.MonkeyPatch, seeds: int, sizes: list[int]
) -> None:
    """No worker gets a full chunk while another gets one seed."""
    monkeypatch.setattr(module, "MOST", 4)
    plan = Plan.of(range(seeds), NAMES, steps=[5])

    assert [len(chunk.seeds) for chunk in plan.chunks()] == sizes


@pytest.mark.parametrize(
    ("setting", "seeds"),
    [
        (Experiment(), 65),
        (Experiment(dtype="float32"), 130),
        (Experiment(steps=10**7), 1),
        (Experiment(steps=100), 1000),
    ],
    ids=["default", "float32", "long", "short"],
)
def test_size_of_a_chunk(setting: Experiment, seeds: int) -> None:
    """It follows from the traces of three implementations."""
    assert seeds_in_a_chunk(setting, OURS) == seeds


@pytest.mark.parametrize(
    ("setting", "names", "seeds"),
    [
        (Experiment(), ("numpy", "port.py"), 1),
        (Experiment(steps=300), ("numpy", "port.py"), 33),
        (Experiment(steps=20_000), ("numpy", "port.py"), 1),
        (Experiment(network="3-4-2", steps=500), OURS, 20),
    ],
    ids=["default", "short", "long", "drawn data"],
)
def test_size_of_a_chunk_of_seeds_that_are_trained_alone(
    setting: Experiment, names: tuple[str, ...], seeds: int
) -> None:
    """All cores get some, and little is lost when a sweep is stopped."""
    assert seeds_in_a_chunk(setting, names) == seeds


def test_metadata_says_all_that_rows_depend_on() -> None:
    """All is JSON; the digest is that of all, the version included."""
    plan = Plan.of(range(2, 9), NAMES, lr=[0.1, 0.9], table=["and"])

    found = plan.metadata

    assert {name: json.loads(found[name]) for name in found.keys() - {"digest"}} == {
        "data": ["and"],
        "network": ["2-2-1"],
        "loss": ["bce"],
        "dtype": ["float64"],
        "lr": [0.1, 0.9],
        "steps": [10_000],
        "seeds": [2, 9],
        "impl": [*NAMES],
        "seeds_in_a_file": [97, 97],
        "version": metadata.version("gradparity"),
    }
    assert len(found["digest"]) == 64


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ({"table": ["xor"]}, {}),
        ({"lr": [0.9, 0.1]}, {"lr": [0.1, 0.9]}),
        (
            {"steps": [9000, 5000], "dtype": ["float32", "float64"]},
            {"dtype": ["float64", "float32"], "steps": [5000, 9000]},
        ),
        ({"network": ["02-3-1"]}, {"network": ["2-3-1"]}),
        ({"network": ["3-4-2"], "samples": [10]}, {"network": ["3-4-2"]}),
    ],
    ids=["table", "order of values", "order of options", "network", "samples"],
)
def test_equal_sweeps_have_equal_metadata(
    options: dict[str, Any], others: dict[str, Any]
) -> None:
    """Each goes on where the other was stopped."""
    a, b = (Plan.of(range(9), NAMES, **each) for each in (options, others))

    assert a.metadata == b.metadata
    assert {c.file_name for c in a.chunks()} == {c.file_name for c in b.chunks()}


def test_metadata_has_the_size_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With other sizes, a folder would have the same seeds in two files."""
    plan = Plan.of(range(9), NAMES, steps=[5000, 10_000])
    before = plan.metadata

    monkeypatch.setattr(module, "TRACES", module.TRACES // 2)

    after = plan.metadata
    assert json.loads(before["seeds_in_a_file"]) == [195, 97]
    assert json.loads(after["seeds_in_a_file"]) == [97, 48]
    assert {n for n in before if before[n] != after[n]} == {"seeds_in_a_file", "digest"}


@pytest.mark.parametrize(
    "other",
    [
        Plan.of(range(3), NAMES, lr=[0.1]),
        Plan.of(range(4), NAMES),
        Plan.of(range(3), ("numpy", "jax")),
    ],
    ids=["lr", "seeds", "impl"],
)
def test_digest_differs_with_each_option(other: Plan) -> None:
    """Two sweeps have one digest only if their rows are the same."""
    assert other.metadata["digest"] != Plan.of(range(3), NAMES).metadata["digest"]


def test_neighbours_make_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments that differ only in their seeds are a batch; order is kept."""
    monkeypatch.setattr(module, "MOST", 3)
    a, b = Experiment(steps=5), Experiment(steps=6)
    experiments = [replace(a, seed=s) for s in (9, 2, 7, 1)] + [replace(b, seed=4)]

    found = [*chunks_of(experiments, NAMES)]

    assert [(c.setting.steps, [*c.seeds]) for c in found] == [
        (5, [9, 2, 7]),
        (5, [1]),
        (6, [4]),
    ]
    assert {chunk.names for chunk in found} == {NAMES}


def test_experiments_are_read_as_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A million experiments are not in memory at once."""
    monkeypatch.setattr(module, "MOST", 3)
    read: list[Experiment] = []
    experiments = (Experiment(steps=5, seed=seed) for seed in range(100))

    next(chunks_of(noted(experiments, read), NAMES))

    assert len(read) <= 4
