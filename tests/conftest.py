"""Fixtures that more than one file of tests uses."""

import pytest

from impls.interface import Implementation
from impls.registry import NAMES, load


@pytest.fixture(params=NAMES)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Give each of the implementations in turn; an absent framework is an error."""
    return load(request.param)
