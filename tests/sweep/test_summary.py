"""The summary counts each seed once, and shows how to see the worst."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from compare.checks.verdict import Answer
from compare.hosts.load import OURS
from compare.sweep import summary as module
from compare.sweep.plan import Plan, Setting
from compare.sweep.rows import Row
from compare.sweep.summary import ANSWERS, WORST, Summary, command, to_text
from tests.sweep.made import row, seed_rows

DEFAULT = Setting("xor", "2-2-1", "bce", "float64", 0.9, 10_000)


def summary_of(seeds: int, *rows: Any, **options: Any) -> Summary:
    """Sum up rows, one call for each list."""
    summary = Summary(Plan.of(range(seeds), OURS, **options))
    for each in rows:
        summary.add(each)
    return summary


def text(summary: Summary) -> list[str]:
    """Print a summary, and return its lines."""
    out = StringIO()
    Console(file=out, width=300).print(to_text(summary))
    return out.getvalue().splitlines()


def test_answers_are_those_of_a_verdict() -> None:
    """Each answer has its place."""
    assert {*ANSWERS} == {*Answer.__args__}  # type: ignore[attr-defined]


def test_each_seed_counts_once() -> None:
    """Not each row, in whatever order chunks come."""
    summary = summary_of(
        5,
        seed_rows(4, "differ"),
        seed_rows(0) + seed_rows(1, "unstable"),
        seed_rows(2),
    )

    assert summary.counts_of(DEFAULT) == {
        "match": 2,
        "unstable": 1,
        "cannot tell": 0,
        "differ": 1,
        "could not compare": 0,
    }
    assert summary.answers[DEFAULT].tolist() == [1, 2, 1, 0, 5]
    assert summary.solved[DEFAULT] == 3


def test_settings_are_counted_apart() -> None:
    """A setting has a line, in the order of the plan, whichever chunk is done first."""
    summary = summary_of(
        4,
        [r for seed in range(4) for r in seed_rows(seed, "unstable", lr=2.0)],
        [r for seed in range(4) for r in seed_rows(seed)],
        lr=[0.9, 2.0],
    )

    head, first, second, *_ = text(summary)

    assert head.split()[:3] == ["setting", "match", "unstable"]
    assert first.startswith("xor, 2-2-1, bce, float64, lr 0.9, 10,000 steps")
    assert first.split()[-9:] == [*"40000", "0.0", "%", "50.0", "%"]
    assert second.split()[-9:] == [*"04000", "100.0", "%", "50.0", "%"]
    assert summary.counts["match"] == summary.counts["unstable"] == 4


def test_the_worst_come_first() -> None:
    """By their answers, then by the largest share of a bound; few are kept."""
    shares = {seed: 0.1 + seed / 100 for seed in range(20)}
    rows = [r for seed, share in shares.items() for r in seed_rows(seed, share=share)]

    wrong = seed_rows(25, "differ", 2e15, reason="jax: dw1[0, 0] at step 3")
    summary = summary_of(30, rows, wrong)

    assert [r.seed for r in summary.worst] == [25, 19, 18, 17, 16]
    assert len(summary.worst) == WORST
    lines = text(summary)
    at = lines.index("worst seeds") + 2
    words = " ".join(lines[at].split())
    assert words == "25 differ 2e+15 x jax: dw1[0, 0] at step 3 gradparity --seed 25"
    assert "29 %  numpy: audit: a1[0, 0] at step 3  " in lines[at + 1]


def test_equally_bad_seeds_come_in_their_order() -> None:
    """Whichever chunk is done first, the summary is the same."""
    summary = summary_of(9, *(seed_rows(seed) for seed in (7, 3, 8, 1, 5, 2)))

    assert [r.seed for r in summary.worst] == [1, 2, 3, 5, 7]


def test_a_difference_is_the_worst_answer() -> None:
    """As the exit status has it: implementations that stop hide no wrong number."""
    stopped = [r for seed in range(WORST) for r in seed_rows(seed, "could not compare")]
    summary = summary_of(9, stopped, seed_rows(7, "differ", 2.0))

    assert [r.seed for r in summary.worst] == [7, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "names", "columns", "expected"),
    [
        ({}, OURS, {"seed": 2}, "gradparity"),
        (
            {"lr": [2.0], "network": ["2-3-1"], "table": ["and"], "loss": ["mse"]},
            OURS,
            {"lr": 2.0, "network": "2-3-1", "data": "and", "loss": "mse"},
            "gradparity --table and --sizes 2-3-1 --loss mse --lr 2.0 --seed 0",
        ),
        (
            {"dtype": ["float32"], "steps": [50]},
            ("numpy", "my port.py"),
            {"dtype": "float32", "steps": 50},
            (
                "gradparity --dtype float32 --steps 50 --seed 0 --impl numpy "
                "--impl 'my port.py'"
            ),
        ),
        (
            {},
            ("numpy", "sigmoid from exp(-|z|)"),
            {"seed": 7},
            "gradparity sweep --seeds 7:8 --impl numpy --impl 'sigmoid from exp(-|z|)'",
        ),
    ],
    ids=["defaults", "options", "names", "rewrite"],
)
def test_command_that_shows_a_seed(
    options: dict[str, Any],
    names: tuple[str, ...],
    columns: dict[str, Any],
    expected: str,
) -> None:
    """It has all options that are not the default."""
    plan = Plan.of(range(9), names, **options)

    assert command(plan, row(**columns)) == expected


def test_shares_and_drifts_are_kept_for_the_picture() -> None:
    """The share of each implementation is counted, also if it is above 1."""
    summary = summary_of(3, seed_rows(0), seed_rows(1, "differ", 9.0))

    assert {name: int(n.sum()) for name, n in summary.shares.items()} == {
        "numpy": 2,
        "jax": 2,
    }
    assert summary.shares["numpy"][[25, 49]].tolist() == [1, 1]
    assert summary.drifts == [[(1e-14, 1e-10)]] * 2


def pairs(seed: int, drift: float, bound: float = 1e-10) -> list[Row]:
    """Make the rows of the three pairs of a seed, of the drifts 1, 2 and 3 x drift."""
    return [
        row(seed=seed, other=other, drift=drift * n, drift_bound=bound)
        for n, other in enumerate("abc", 1)
    ]


def test_few_drifts_are_kept_of_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are spread evenly, with all pairs of a seed, and unstable ones take none."""
    monkeypatch.setattr(module, "POINTS", 30)
    unstable = [r for seed in range(50) for r in pairs(seed, 1.0, np.inf)]
    stable = [r for seed in range(50, 150) for r in pairs(seed, 1e-14 * (seed - 49))]

    summary = summary_of(150, unstable, stable)

    assert [len(each) for each in summary.drifts] == [3] * 7
    steps = [round(drift / 1e-14) for (drift, _), *_ in summary.drifts]
    assert steps == [1, 17, 33, 49, 65, 81, 97]


def test_drifts_that_no_logarithm_shows() -> None:
    """Those of 0 are counted; those that are no numbers are left out."""
    summary = summary_of(9, pairs(0, 0.0), pairs(1, np.nan), pairs(2, np.inf))

    assert (summary.drifts, summary.equal) == ([], 3)


def test_a_seed_takes_one_byte() -> None:
    """The size of a summary hardly depends on the number of seeds."""
    summary = summary_of(1000, seed_rows(999))

    assert summary.answers[DEFAULT].nbytes == 1000
    assert summary.answers[DEFAULT].dtype == np.uint8
