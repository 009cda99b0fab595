"""The places of the numbers."""

from compare.page.quantities import quantities_of
from tests.helpers import problem_of


def test_the_places_of_the_numbers_follow_each_other() -> None:
    """No place is used twice, and none is left out."""
    quantities = quantities_of(problem_of(network="3-4-2", samples=7))

    places = [place for q in quantities for place, _ in q.places]

    assert places == [*range(len(places))]
