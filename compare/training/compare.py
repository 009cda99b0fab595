"""From a problem and implementations of it to a verdict."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from compare.checks.check import Check, mismatch
from compare.checks.printable import printable_names
from compare.checks.run import Run
from compare.checks.verdict import Verdict, decide
from compare.contract.examine import promised
from compare.hosts.host import Here, Host, gather
from compare.hosts.workers import WorkerError
from compare.training.record import EMPTY, record
from compare.training.replay import complete_paths, replay_run
from impls.interface import Array, Implementation, Problem


def compare(
    problem: Problem,
    implementations: Mapping[str, Host | Implementation],
    notify: Callable[[str], object] = lambda _: None,
    exact: Mapping[str, Array] | None = None,
) -> Verdict:
    """Train all implementations, and compare everything they computed.

    Args:
        problem: What to train.
        implementations: By name; what is not printable in a name is escaped. An object
            is called in this process.
        notify: Called with a description of each stage before it begins.
        exact: The path of the exact run, to compare every run with it as well.
    """
    hosts = {
        name: each if isinstance(each, Host) else Here(each)
        for name, each in zip(
            printable_names(implementations), implementations.values(), strict=True
        )
    }
    runs = train(problem, hosts, notify)
    return decide(problem, replay(problem, hosts, runs), notify, exact)


def train(
    problem: Problem,
    hosts: Mapping[str, Host],
    notify: Callable[[str], object] = lambda _: None,
) -> list[Run]:
    """Train all, at the same time where they have processes of their own."""
    asked = {
        name: host.ask(record, problem=problem, name=name)
        for name, host in hosts.items()
    }
    return [
        Run(name, EMPTY, contract=(_lost(name, found),))
        if isinstance(found, WorkerError)
        else found
        for name, found in gather(asked, "training", notify).items()
    ]


def replay(problem: Problem, hosts: Mapping[str, Host], runs: list[Run]) -> list[Run]:
    """Call the functions of each along the paths of all, likewise."""
    paths = complete_paths(problem, runs)
    asked = {
        run.name: hosts[run.name].ask(replay_run, problem=problem, run=run, paths=paths)
        for run in runs
        if run.name in paths
    }
    answers = gather(asked, "calling")

    def replayed(run: Run) -> Run:
        found = answers.get(run.name, run)
        if isinstance(found, WorkerError):
            return replace(run, contract=(*run.contract, _lost(run.name, found)))
        return found

    return [*map(replayed, runs)]


def _lost(name: str, error: WorkerError) -> Check:
    """Return the failed check of an implementation that gave no answer."""
    claim = promised(name, "answer", error.promise)
    return mismatch(claim, str(error), "an answer")
