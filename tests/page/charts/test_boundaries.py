"""The answers of a network over the plane of its inputs."""

from compare.hosts.load import load
from compare.page.charts.boundaries import SIDE, boundaries_of
from compare.training.compare import compare
from tests.helpers import problem_of


def test_a_boundary_parts_the_labels() -> None:
    """For XOR, trained long enough, the four samples are on their sides."""
    verdict = compare(problem_of(steps=2000), {"numpy": load("numpy")})

    (boundary,) = boundaries_of(verdict)

    assert boundary.alt.startswith("numpy after training: 4 of 4 samples")
    assert boundary.line.startswith("M")
    assert [sample.label for sample in boundary.samples] == [0, 1, 1, 0]
    assert all(0 <= at <= SIDE for axis in boundary.ticks for at, _ in axis)
    assert ["0" in dict(axis).values() for axis in boundary.ticks] == [True, True]


def test_other_networks_have_no_boundary() -> None:
    """A plane has two inputs."""
    problem = problem_of(steps=5, network="3-4-2")

    assert boundaries_of(compare(problem, {"numpy": load("numpy")})) == ()
