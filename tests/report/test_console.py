"""A bar is shown on a terminal only."""

from io import StringIO

import pytest
from rich.console import Console

from compare.report.console import progress
from tests.helpers import Terminal


@pytest.mark.parametrize(
    ("file", "is_shown"), [(Terminal(), True), (StringIO(), False)]
)
def test_a_bar_is_for_a_terminal(file: StringIO, *, is_shown: bool) -> None:
    """Not for a pipe that is forced to have colours, as FORCE_COLOR does in CI."""
    with progress(Console(file=file, force_terminal=True), stages=2) as notify:
        notify("training")

    assert ("training" in file.getvalue()) == is_shown
