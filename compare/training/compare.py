"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping

from compare.checks.verdict import Verdict, decide
from compare.training.record import record
from compare.training.replay import ask
from impls.interface import Array, Implementation, Problem


def compare(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
    every: int = 1,
) -> Verdict:
    """Record, ask and decide, as the functions of these names."""
    runs = []
    for name, implementation in implementations.items():
        notify(f"training {name}")
        runs.append(record(problem, implementation, name, every))
    return decide(problem, ask(problem, implementations, runs), notify, exact)
