"""All implementations that have names, listed."""

from collections.abc import Callable
from importlib import metadata

import pytest

from compare.hosts.listing import Listed, listing
from tests.helpers import loaded_by


def test_listing_imports_no_framework() -> None:
    """Built-in names are known without an import."""
    code = "from compare.hosts.listing import listing; listing()"

    assert loaded_by(code) == set()


def test_the_built_in_are_listed_with_their_versions() -> None:
    """An installed framework needs no remedy."""
    version = metadata.version("numpy")

    assert listing()[0] == Listed("numpy", "built in", "numpy", version, "")


def test_an_absent_framework_is_listed_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The remedy is the command of the error message."""

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)

    remedy = "pip install -e '.[torch]'"
    assert listing()[1] == Listed("torch", "built in", "torch", None, remedy)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("value", "framework", "version"),
    [
        ("port", "numpy", metadata.version("numpy")),
        ("port:Port", "no-such-framework", None),
        ("types:SimpleNamespace", "", None),
    ],
)
def test_an_entry_point_is_listed(
    value: str, framework: str, version: str | None, offer: Callable[..., None]
) -> None:
    """The list names its package, and the framework that it declares."""
    offer("package", mine=value)

    source = "entry point of package 1.0"
    assert Listed("mine", source, framework, version, "") in listing()


@pytest.mark.usefixtures("site")
def test_a_broken_entry_point_is_listed_with_its_error(
    offer: Callable[..., None],
) -> None:
    """A failure of one keeps no other off the list."""
    offer("package", bad="port:no_such", good="port")

    listed = {listed.name: listed for listed in listing()}
    assert listed["bad"].remedy.startswith("cannot load 'bad': AttributeError: ")
    assert (listed["bad"].framework, listed["bad"].version) == ("", None)
    assert listed["good"].remedy == ""


@pytest.mark.usefixtures("site")
def test_no_package_replaces_ours(offer: Callable[..., None]) -> None:
    """A built-in name is listed once."""
    offer("package", numpy="port:Port")

    assert [listed.name for listed in listing()].count("numpy") == 1
