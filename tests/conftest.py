"""Fixtures that more than one file of tests uses."""

import os

import pytest

from compare.training.load import OURS, load
from impls.interface import Implementation

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as `compare.cli.main` does


@pytest.fixture(params=OURS)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Give each of the implementations in turn; an absent framework is an error."""
    return load(request.param)
