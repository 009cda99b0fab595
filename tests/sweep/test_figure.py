"""The picture of a sweep shows what its summary holds."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from compare.sweep import figure as module
from compare.sweep.figure import draw
from compare.sweep.summary import Summary
from tests.sweep.made import seed_rows
from tests.sweep.test_summary import summary_of


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
