"""All implementations that have names."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata

from compare.hosts import third_party
from compare.hosts.environment import DeviceError, install_command, version_of
from compare.hosts.host import start
from compare.hosts.load import OURS
from compare.hosts.third_party import UnknownImplementationError


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
    with ThreadPoolExecutor() as at_once:
        others = at_once.map(_list_third_party, points)
    return (*map(_list_ours, OURS), *others)


def _list_ours(name: str) -> Listed:
    version = version_of(name)
    remedy = "" if version else install_command(name)
    return Listed(name, "built in", name, version, remedy)


def _list_third_party(point: metadata.EntryPoint) -> Listed:
    source = f"entry point of {third_party.package(point)}"
    try:
        with start({point.name: point.name}) as hosts:
            about = hosts[point.name].about
    except (UnknownImplementationError, DeviceError, ImportError) as error:
        return Listed(point.name, source, "", None, str(error))
    framework = about.framework if about else ""
    return Listed(point.name, source, framework, version_of(framework), "")
