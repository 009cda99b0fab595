"""The findings: every check under one name, by its typed fields."""

from collections import Counter
from itertools import chain
from typing import Any

import pytest

from compare.diagnosis.findings import findings_of
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from impls import numpy_manual
from tests.helpers import BLACK_BOX, box, fail, problem_of

LOSS_OF_SUM = plant(fault_named("loss of the sum, not of the mean"), load("numpy"))


@pytest.mark.parametrize(
    "implementation",
    [numpy_manual, BLACK_BOX, LOSS_OF_SUM, box(train=fail), box(forward=None), object],
    ids=["right", "black box", "wrong", "cannot train", "no forward", "nothing"],
)
def test_every_check_belongs_to_one_name(implementation: Any) -> None:
    """No check of a verdict is left out of the findings, and none counts twice."""
    both = {"reference": load("numpy"), "asked": implementation}
    verdict = compare(problem_of(steps=20), both)

    checks = chain.from_iterable(f.checks for f in findings_of([verdict]))

    assert Counter(map(id, checks)) == Counter(map(id, verdict.checks))
