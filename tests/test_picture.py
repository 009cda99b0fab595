"""The README's picture is the one that its command draws."""

import re

import pytest

from compare import Comparison, Experiment, compare
from docs.picture import FOLDER, SCHEMES, picture
from impls.interface import Array


def texts(svg: str) -> list[str]:
    """List what can be read in a picture."""
    return re.findall(r">([^<>]+)</text>", svg)


@pytest.fixture(scope="module")
def verdict() -> Comparison:
    """Train what the picture shows, for fewer steps."""
    return compare(Experiment(steps=20), ["numpy", "torch"])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_picture_says_what_its_command_writes(scheme: str) -> None:
    """`python docs/picture.py` would change no number and no word."""
    stored = (FOLDER / f"network-{scheme}.svg").read_text(encoding="utf-8")

    assert texts(stored) == texts(picture(compare(Experiment()), scheme).decode())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_number_of_the_step_is_in_the_picture(
    scheme: str, verdict: Comparison
) -> None:
    """Values of the last sample, weights and gradients; the same in both schemes."""
    stored = texts((FOLDER / f"network-{scheme}.svg").read_text(encoding="utf-8"))
    trace = verdict.runs[0].trace
    assert trace.a1 is not None

    def all_shown(numbers: Array, digits: str) -> bool:
        return {format(v, digits) for v in numbers.flat} <= {*stored}

    assert all_shown(trace.a1[0, :, 3], ".3g")
    assert all_shown(trace.a2[0, :, 3], ".3g")
    assert all_shown(trace.w1[0], ".3f")
    assert all_shown(trace.w2[0], ".3f")
    assert all_shown(trace.dw1[0], ".4f")
    assert all_shown(trace.dw2[0], ".4f")


def test_both_schemes_differ_in_colour_alone(verdict: Comparison) -> None:
    """The words are the same; neither has a background of its own."""
    light, dark = (picture(verdict, scheme).decode() for scheme in SCHEMES)

    assert texts(light) == texts(dark)
    assert light != dark
