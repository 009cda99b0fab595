"""The picture of a sweep shows what its summary holds."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from compare.sweep import figure as module
from compare.sweep.figure import COLOURS, COLUMNS, draw, worst_answers
from compare.sweep.summary import ANSWERS, Summary
from tests.sweep.made import seed_rows
from tests.sweep.test_summary import DEFAULT, summary_of

MANY = 10 * COLUMNS
MATCH, DIFFER = (ANSWERS.index(answer) + 1 for answer in ("match", "differ"))
RED = [0xC1, 0x27, 0x2D]


@pytest.fixture
def summary() -> Summary:
    """Sum up three seeds at two learning rates."""
    return summary_of(
        3,
        [r for seed in range(3) for r in seed_rows(seed)],
        [r for seed in range(2) for r in seed_rows(seed, "unstable", lr=2.0)],
        lr=[0.9, 2.0],
    )


def drawn(summary: Summary, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """Draw, and return the figure."""
    figures = []

    def kept(*arguments: object, **options: object) -> Figure:
        figures.append(Figure(*arguments, **options))  # type: ignore[arg-type]
        return figures[-1]

    monkeypatch.setattr(module, "Figure", kept)
    draw(summary, "png")
    return figures[0]


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")], ids=["png", "svg"]
)
def test_formats(ending: str, start: bytes, summary: Summary) -> None:
    """Both formats are files of their kind."""
    assert draw(summary, ending).startswith(start)


def test_the_same_sweep_has_the_same_bytes(summary: Summary) -> None:
    """Nothing depends on the time or on chance, and text stays text."""
    first = draw(summary, "svg")

    assert first == draw(summary, "svg")
    assert b"dc:date" not in first
    assert b">Drift of the trained weights</text>" in first


def test_a_sweep_without_rows_is_drawn() -> None:
    """Nothing was compared, or all of it could not be."""
    rows = seed_rows(0, "could not compare")[:1]

    assert draw(summary_of(1, rows), "png")


def test_map_has_the_answer_of_each_seed(
    summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each learning rate is a row, the smallest at the bottom; no answer is 0."""
    *_, axes = drawn(summary, monkeypatch).axes

    (image,) = axes.images
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert np.asarray(image.get_array()).tolist() == [[1, 1, 1], [2, 2, 0]]
    assert labels == ["lr 0.9", "lr 2"]
    assert image.origin == "lower"


@pytest.mark.parametrize("seed", [0, 1, 4_321, 5_000, MANY - 1])
def test_one_difference_among_many_seeds_is_drawn(seed: int) -> None:
    """Its column shows it, whatever the other answers there are."""
    answers = np.full(MANY, MATCH, np.uint8)
    answers[seed - 1 : seed + 2] = DIFFER - 1
    answers[seed] = DIFFER

    (columns,) = worst_answers([answers])

    assert columns.shape == (COLUMNS,)
    assert np.flatnonzero(columns == DIFFER) == [seed // 10]


@pytest.mark.parametrize("seeds", [1, 2, 999, 1000])
def test_few_seeds_have_a_column_each(seeds: int) -> None:
    """No answer covers another."""
    answers = np.arange(seeds, dtype=np.uint8)

    assert np.array_equal(worst_answers([answers, answers]), [answers, answers])


def test_each_column_has_a_pixel(tmp_path: Path) -> None:
    """Also beside the longest labels: every second column is red, and all are seen."""
    long = DEFAULT._replace(
        data="1000 drawn samples",
        network="100-100-10",
        loss="mse",
        dtype="float32",
        lr=1.25e-05,
        steps=1_000_000,
    )
    summary = summary_of(MANY, seed_rows(0))
    summary.answers[DEFAULT][:] = MATCH
    summary.answers[long] = np.full(MANY, MATCH, np.uint8)
    summary.answers[long][5::20] = DIFFER
    (tmp_path / "map.png").write_bytes(draw(summary, "png"))

    pixels = np.rint(255 * imread(tmp_path / "map.png")[..., :3])

    red = (pixels == RED).all(-1)
    in_map = red[np.argmax(red.sum(1))]
    assert np.count_nonzero(np.diff(in_map.astype(int)) == 1) == COLUMNS // 2


def test_colours_are_those_of_the_answers(
    summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A difference is red; only the answers that occur are named."""
    summary.add(seed_rows(2, "differ", lr=2.0))

    (legend,) = drawn(summary, monkeypatch).legends

    names = [text.get_text() for text in legend.get_texts()]
    colours = [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    assert names == ["match", "unstable", "differ"]
    assert colours == [COLOURS[1], COLOURS[2], "#c1272d"]


def test_histogram_and_drift(summary: Summary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each implementation has a step line, and each pair a point below its bound."""
    shares, drifts, _ = drawn(summary, monkeypatch).axes

    legend = shares.get_legend()
    assert legend is not None
    labels = [label.get_text() for label in legend.get_texts()]
    assert labels == ["bounds of numpy", "bounds of jax"]
    points, line = drifts.lines
    assert np.asarray(points.get_xydata()).tolist() == [[1e-10, 1e-14]] * 5
    assert np.array_equal(line.get_xdata(), line.get_ydata())
