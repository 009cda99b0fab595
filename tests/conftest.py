"""Fixtures that more than one file of tests uses."""

import os

import pytest

from compare.hosts.load import OURS, load
from compare.selftest.trial import Trials, list_trials, try_all
from compare.training.problems import DTYPES
from impls.interface import Implementation

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as `compare.cli.main` does


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the whole catalogue: slow, and all in one process."""
    for item in items:
        if "trials" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("trials"))


@pytest.fixture(params=OURS)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Give each of the implementations in turn; an absent framework is an error."""
    return load(request.param)


@pytest.fixture(scope="session")
def trials() -> Trials:
    """Try the whole catalogue once: it takes a minute, and several tests read it."""
    return try_all(*list_trials(300, OURS, DTYPES))
