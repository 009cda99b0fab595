"""Traces and stories of planted faults, for the tests of stories and their numbers."""

from fractions import Fraction
from functools import cache

from compare.diagnosis.story import Story
from compare.hosts.load import load
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from impls.interface import Array, Trace
from tests.helpers import first_story, problem_of

BILLIONTH = "one element off by a billionth in one step"


@cache
def right_trace(dtype: str = "float64") -> Trace:
    """Train NumPy without a fault."""
    return load("numpy").train(problem_of(dtype))


@cache
def wrong_trace(name: str) -> Trace:
    """Train NumPy with a fault."""
    return plant(fault_named(name), load("numpy")).train(problem_of())


@cache
def story_about(name: str) -> Story:
    """Return the first story of a planted fault."""
    wrong = plant(fault_named(name), load("numpy"))
    story = first_story(compare(problem_of(), {"right": load("numpy"), "wrong": wrong}))
    assert story is not None
    return story


def terms_of_dw1(trace: Trace, step: int) -> Array:
    """Multiply what the first element of dw1 sums: the inputs are 0 or 1."""
    assert trace.dz1 is not None
    terms: Array = trace.dz1[step, 0] * problem_of().x[0]
    return terms


def exact_dw1(trace: Trace, step: int) -> Fraction:
    """Compute the first element of dw1 from the recorded dz1, in rational numbers."""
    return sum(map(Fraction, terms_of_dw1(trace, step)), Fraction(0))
