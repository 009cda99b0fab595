"""Where implementations are: each name in a process of its own, each object here.

They are asked by the same functions, wherever they are.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from threading import TIMEOUT_MAX
from typing import Protocol, TypeVar, runtime_checkable

from compare.contract.calls import ThirdParty
from compare.hosts.environment import MOVABLE, on_device
from compare.hosts.load import Description
from compare.hosts.third_party import BrokenImplementationError, build
from compare.hosts.workers import Worker, WorkerError, first_done
from compare.interruption import cleaned_by, waiting_for

T = TypeVar("T")


@runtime_checkable
class Host(Protocol):
    """Where an implementation is.

    Attributes:
        about: What was loaded there; None if it is an object of the caller.
    """

    about: Description | None

    @property
    def ended(self) -> bool:
        """Whether its process has ended, so that it answers no more."""

    def ask(self, function: Callable[..., T], **arguments: object) -> Future[T]:
        """Call a function of ours, with the implementation as one more argument."""


class Here:
    """An implementation in the process of the caller; see `Host`."""

    about: Description | None = None
    ended = False

    def __init__(self, implementation: ThirdParty) -> None:
        """Keep the implementation."""
        self.implementation = implementation

    def ask(self, function: Callable[..., T], **arguments: object) -> Future[T]:
        """Call the function now."""
        done: Future[T] = Future()
        done.set_result(function(**arguments, implementation=self.implementation))
        return done


@contextmanager
def start(
    implementations: Mapping[str, object],
    device: str = "cpu",
    timeout: float | None = None,
) -> Iterator[dict[str, Host]]:
    """Load implementations, all at once: each name in a process of its own.

    Args:
        implementations: Names as on the command line, or objects, classes or factories;
            by the names for people.
        device: Where PyTorch and JAX compute.
        timeout: Seconds that each answer of a process may take; None is any time.

    Yields:
        Where each implementation is. The processes end with the context.

    Raises:
        ValueError: There is no such device, no implementation can be moved there, or
            the time is not more than 0 seconds.
        DeviceError: The device is not available.
        UnknownImplementationError: There is no such implementation.
        ImportError: It can't be imported.
    """
    on_device(device, "")  # an unknown device is an error before anything is loaded
    is_time = isinstance(timeout, int | float) and 0 < timeout <= TIMEOUT_MAX
    if timeout is not None and not is_time:
        most = f"{TIMEOUT_MAX:.0f}"
        raise ValueError(
            f"timeout must be more than 0 and at most {most}, not {timeout!r}"
        )
    hosts: dict[str, Host] = {}
    with ExitStack() as stack:
        for label, each in implementations.items():
            if isinstance(each, str):
                worker = Worker(label, each, device, timeout)
                stack.enter_context(cleaned_by(worker.abandon))
                hosts[label] = stack.enter_context(closing(worker))
            else:
                hosts[label] = Here(build(each))
        for label, host in hosts.items():
            if isinstance(host, Worker):
                _load(label, host)
        _check_movable(hosts, device)
        yield hosts


def _load(label: str, worker: Worker) -> None:
    try:
        with waiting_for(f"loading {label}"):
            worker.load()
    except WorkerError as error:
        raise BrokenImplementationError(
            f"cannot load {worker.name!r}: {error}"
        ) from error


def _check_movable(hosts: Mapping[str, Host], device: str) -> None:
    found = {host.about.framework for host in hosts.values() if host.about}
    if device != "cpu" and not found & {*MOVABLE}:
        names = ", ".join(hosts)
        raise ValueError(f"{names}: computed on the CPU, not on {device}")


def check_distinct(hosts: Mapping[str, Host]) -> None:
    """Check that nothing is compared with itself.

    Raises:
        ValueError: Two names are of one module, or of one object.
    """
    first: dict[str, str] = {}
    for name, host in hosts.items():
        origin = host.about.origin if host.about else ""
        if origin and (other := first.setdefault(origin, name)) != name:
            raise ValueError(f"{other} and {name} are the same: name each one once")


def gather(
    asked: Mapping[str, Future[T]],
    doing: str,
    notify: Callable[[str], object] = lambda _: None,
) -> dict[str, T | WorkerError]:
    """Wait for the answers of all; in place of a missing answer is its error.

    Args:
        asked: The answers, by the names of their implementations.
        doing: What the implementations do, for people.
        notify: Called before each wait, with those that are waited for.
    """
    names = {future: name for name, future in asked.items()}
    answers: dict[str, T | WorkerError] = {}
    for _ in asked:
        stage = f"{doing} {', '.join(name for name in asked if name not in answers)}"
        notify(stage)
        with waiting_for(stage):
            future = first_done(names)
        name = names.pop(future)
        try:
            answers[name] = future.result()
        except WorkerError as error:
            answers[name] = error
    return {name: answers[name] for name in asked}
