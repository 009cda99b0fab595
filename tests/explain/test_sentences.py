"""Each line has its reason, and the frameworks are named where they differ."""

import pytest

from compare.explain.sentences import INSTEAD, WHY, instead, reason
from compare.explain.worksheet import DA1
from compare.numerics.equations import line_of, lines
from impls.interface import Loss
from tests.helpers import LOSSES


@pytest.mark.parametrize("loss", LOSSES)
def test_every_line_has_its_reason(loss: Loss) -> None:
    """Eleven lines, eleven sentences."""
    reasons = [reason(line) for line in lines(loss)]

    assert len({*reasons}) == len(lines(loss))


def test_no_sentence_is_left_over() -> None:
    """Each reason is that of a line, and each framework's words belong to one."""
    used = {reason(line) for loss in LOSSES for line in (*lines(loss), DA1)}

    assert used == {*WHY.values()}
    assert {key for does in INSTEAD.values() for key in does} <= WHY.keys()


def test_the_two_losses_have_reasons_of_their_own() -> None:
    """The gradient of one is not that of the other."""
    bce, mse = (reason(line_of(loss, "dz2")) for loss in LOSSES)

    assert bce != mse


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        (["numpy"], ""),
        (["numpy", "torch"], "torch: goes back through @"),
        (["jax"], "jax: differentiates by w2"),
        (["torch", "jax"], "torch: goes back through @; jax: differentiates by w2"),
    ],
)
def test_only_what_is_compared_is_explained(runs: list[str], words: str) -> None:
    """A third-party implementation may do anything."""
    assert instead(line_of("bce", "dw2"), runs) == words
