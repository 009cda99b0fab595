"""Names to implementations, each loaded when it is asked for.

A framework may be absent, slow to import or broken, and the others must still work. So
nothing here imports a framework until its name is given.
"""

import importlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, cast

from compare.contract.calls import ARGUMENTS, rewired
from compare.training import third_party
from compare.training.environment import environment, on_device, version_of
from compare.training.third_party import (
    BrokenImplementationError,
    UnknownImplementationError,
)
from impls.interface import Implementation

MOVABLE = ("torch", "jax")
"""The frameworks that can compute on a GPU."""


_MODULES = {
    "numpy": "impls.numpy_manual",
    "torch": "impls.torch_autograd",
    "jax": "impls.jax_grad",
}
OURS = tuple(_MODULES)
"""The names of the three implementations of `impls`: those of their frameworks."""


class MissingFrameworkError(ImportError):
    """The framework that an implementation is written in is not installed."""


def load(name: str) -> Implementation:
    """Load the implementation of `impls`, or the third-party one, called `name`.

    Raises:
        UnknownImplementationError: There is none; the message lists those there are.
        MissingFrameworkError: Its framework is absent; the message says how to get it.
        BrokenImplementationError: A third-party implementation failed to load; the
            message says how, and where.
        ImportError: Its framework is installed but broken.
    """
    if name not in _MODULES:
        return cast("Implementation", third_party.load(name, OURS))
    try:
        return cast("Implementation", importlib.import_module(_MODULES[name]))
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingFrameworkError(
            f"{name!r} is not installed: {_install_command(name)}"
        ) from error


def framework_of(name: str, implementation: Implementation) -> str:
    """Return the distribution that an implementation computes with; "" if unknown."""
    if name in _MODULES:
        return name
    framework = getattr(implementation, "framework", "")
    return framework if isinstance(framework, str) else ""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Shorten each name of a file to its stem, unless two would be equal.

    The object stays: `path/to/file.py:Port` is `file:Port`.
    """
    names = list(names)
    short = {name: _short(name) for name in names}
    counts = Counter(short.values())
    return {name: short[name] if counts[short[name]] == 1 else name for name in names}


def _short(name: str) -> str:
    where, what = third_party.split(name)
    if not where.endswith(".py"):
        return name
    return Path(where).stem + (f":{what}" if what else "")


def _install_command(framework: str) -> str:
    return f"pip install -e '.[{framework}]'"


# On a device, with a description of what computes there.


class Loaded(NamedTuple):
    """An implementation, and a description of what it computes with."""

    implementation: Implementation
    environment: dict[str, str]


def load_all(names: Iterable[str], device: str) -> dict[str, Loaded]:
    """Load implementations, and put those that can be moved on a device.

    Returns:
        The implementations, by their short names.

    Raises:
        ValueError: There is no such device, no implementation can be moved there, or
            two names are of one implementation.
        DeviceError: The device is not available.
        LookupError: There is no such implementation.
        ImportError: It can't be imported.
    """
    on_device(device, "")  # an unknown device is an error before anything is loaded
    loaded = {name: load(name) for name in names}
    first: dict[int, str] = {}
    for name, each in loaded.items():
        if (other := first.setdefault(id(each), name)) != name:
            raise ValueError(f"{other} and {name} are the same: name each one once")
    frameworks = {name: framework_of(name, each) for name, each in loaded.items()}
    if device != "cpu" and not set(frameworks.values()) & {*MOVABLE}:
        raise ValueError(f"{', '.join(names)}: computed on the CPU, not on {device}")
    short = short_names(loaded)
    return {
        short[name]: Loaded(
            placed(each, frameworks[name], device),
            environment(frameworks[name], device),
        )
        for name, each in loaded.items()
    }


def placed(
    implementation: Implementation, framework: str, device: str
) -> Implementation:
    """Make the functions of an implementation compute on a device."""
    if framework not in MOVABLE:
        return implementation

    def there(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any) -> Any:  # noqa: ANN401
            with on_device(device, framework):
                return function(*arguments)

        return run

    functions = {
        name: there(function)
        for name in ARGUMENTS
        if callable(function := getattr(implementation, name, None))
    }
    return rewired(implementation, **functions)


# All that have names.


@dataclass(frozen=True)
class Listed:
    """A named implementation.

    Attributes:
        name: The name to load it by.
        source: "built in", or "entry point of" a package and its version.
        framework: The distribution that it computes with, "" if it names none.
        version: The version of the framework, None if it is not installed.
        remedy: What to do before it can be loaded, "" if nothing.
    """

    name: str
    source: str
    framework: str
    version: str | None
    remedy: str


def listing() -> tuple[Listed, ...]:
    """List all names: ours without an import, third-party ones after loading them."""
    points = (p for p in third_party.entry_points() if p.name not in OURS)
    return (*map(_list_ours, OURS), *map(_list_third_party, points))


def _list_ours(name: str) -> Listed:
    version = version_of(name)
    remedy = "" if version else _install_command(name)
    return Listed(name, "built in", name, version, remedy)


def _list_third_party(point: metadata.EntryPoint) -> Listed:
    source = f"entry point of {third_party.package(point)}"
    try:
        framework = framework_of(point.name, load(point.name))
    except (UnknownImplementationError, BrokenImplementationError) as error:
        return Listed(point.name, source, "", None, str(error))
    return Listed(point.name, source, framework, version_of(framework), "")
