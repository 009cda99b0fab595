"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping

from compare.checks.printable import printable_names
from compare.checks.verdict import Verdict, decide
from compare.training.record import record
from compare.training.replay import replay
from impls.interface import Array, Implementation, Problem


def compare(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Train all implementations, and compare everything they computed.

    Args:
        problem: What to train.
        implementations: By name; what is not printable in a name is escaped.
        notify: Called with a description of each stage before it begins.
        exact: The path of the exact run, to compare every run with it as well.
    """
    names = printable_names(implementations)
    implementations = dict(zip(names, implementations.values(), strict=True))
    runs = []
    for name, implementation in implementations.items():
        notify(f"training {name}")
        runs.append(record(problem, implementation, name))
    runs = [*replay(problem, implementations, runs)]
    return decide(problem, runs, notify, exact)
