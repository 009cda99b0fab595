"""Names to implementations, each loaded when it is asked for.

A framework may be absent, slow to import or broken; whoever asks for another one should
not have to notice. So nothing here imports a framework until its name is given.
"""

import importlib
from dataclasses import dataclass
from importlib import metadata
from typing import NamedTuple, cast

from compare.training import third_party
from compare.training.third_party import (
    BrokenImplementationError,
    UnknownImplementationError,
)
from impls.interface import Implementation

__all__ = [
    "NAMES",
    "BrokenImplementationError",
    "Listed",
    "MissingFrameworkError",
    "UnknownImplementationError",
    "framework_of",
    "listing",
    "load",
]


class _Entry(NamedTuple):
    module: str
    framework: str


_ENTRIES = {
    "numpy": _Entry("impls.numpy_manual", "numpy"),
    "torch": _Entry("impls.torch_autograd", "torch"),
    "jax": _Entry("impls.jax_grad", "jax"),
}
NAMES = tuple(_ENTRIES)


class MissingFrameworkError(ImportError):
    """The framework that an implementation is written in is not installed."""


@dataclass(frozen=True)
class Listed:
    """What there is to say of an implementation that has a name.

    Attributes:
        name: What to load it by.
        source: "built in", or "entry point of" a package and its version.
        framework: The distribution that it computes with, "" if it names none.
        version: The version of that, None if it is not installed.
        remedy: What to do before it can be loaded, "" if nothing.
    """

    name: str
    source: str
    framework: str
    version: str | None
    remedy: str


def load(name: str) -> Implementation:
    """Load the built-in implementation called `name`, or else the stranger.

    Raises:
        UnknownImplementationError: There is none; the message lists those there are.
        MissingFrameworkError: Its framework is absent; the message says how to get it.
        BrokenImplementationError: A stranger failed; the message says how, and where.
        ImportError: Its framework is there but broken, in that framework's own words.
    """
    if name not in _ENTRIES:
        return cast("Implementation", third_party.load(name, NAMES))
    module, framework = _ENTRIES[name]
    try:
        return cast("Implementation", importlib.import_module(module))
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise
        raise MissingFrameworkError(
            f"{name!r} needs {framework}: {_command(framework)}"
        ) from error


def framework_of(name: str, implementation: Implementation) -> str:
    """Name the distribution whose version matters; "" if a stranger names none."""
    if name in _ENTRIES:
        return _ENTRIES[name].framework
    framework = getattr(implementation, "framework", "")
    return framework if isinstance(framework, str) else ""


def listing() -> tuple[Listed, ...]:
    """Describe all that have names: ours without an import, strangers loaded."""
    points = (
        point for point in third_party.entry_points() if point.name not in _ENTRIES
    )
    return (*map(_describe, NAMES), *map(_describe_stranger, points))


def _describe(name: str) -> Listed:
    framework = _ENTRIES[name].framework
    version = _version(framework)
    remedy = "" if version else _command(framework)
    return Listed(name, "built in", framework, version, remedy)


def _describe_stranger(point: metadata.EntryPoint) -> Listed:
    source = f"entry point of {third_party.package(point)}"
    try:
        framework = framework_of(point.name, load(point.name))
    except (UnknownImplementationError, BrokenImplementationError) as error:
        return Listed(point.name, source, "", None, str(error))
    return Listed(point.name, source, framework, _version(framework), "")


def _version(framework: str) -> str | None:
    try:
        return metadata.version(framework) if framework else None
    except metadata.PackageNotFoundError:
        return None


def _command(framework: str) -> str:
    return f"pip install -e '.[{framework}]'"
