"""Names are loaded on demand, and each way of failing has its own words."""

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from compare.training import registry
from impls import numpy_manual
from impls.interface import Implementation

FRAMEWORKS = ("torch", "jax")
STRANGER = """
from __future__ import annotations
from dataclasses import dataclass
framework = "numpy"
def forward(weights, x): ...
@dataclass
class Port:
    bias: float = 0.0
    framework = "no-such-framework"
    def forward(self, weights, x): ...
    def __call__(self):
        raise TypeError("no factory")
class Ports:
    first = Port()
def build():
    return Port()
"""
WAYS = ("stranger", "{site}/stranger.py")
"""A module and a file: to be formatted with the folder that both are in."""


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh process, and say which frameworks it imported."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return set(done.stdout.split()) & set(FRAMEWORKS)


@pytest.mark.parametrize(
    "module", ["compare.training.load", "compare.cli", "compare.checks.verdict"]
)
def test_importing_imports_no_framework(module: str) -> None:
    """Whoever wants NumPy alone waits for no other."""
    assert loaded_by(f"import {module}") == set()


def test_the_laziness_test_can_fail() -> None:
    """An import of a framework is seen by the test above."""
    assert loaded_by("import impls.jax_grad") == {"jax"}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_absent_framework_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command that installs it."""
    module = registry._ENTRIES[name].module  # noqa: SLF001
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, module, raising=False)

    with pytest.raises(registry.MissingFrameworkError, match=rf"\[{name}\]"):
        registry.load(name)


def test_a_broken_framework_shows_its_own_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An import error inside a framework is not taken for its absence."""
    entry = registry._Entry("broken_implementation", "numpy")  # noqa: SLF001
    (tmp_path / "broken_implementation.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry._ENTRIES, "broken", entry)  # noqa: SLF001

    with pytest.raises(ModuleNotFoundError, match="no_such_library") as caught:
        registry.load("broken")

    assert not isinstance(caught.value, registry.MissingFrameworkError)


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typing mistake is answered with what could have been meant."""
    with pytest.raises(registry.UnknownImplementationError, match="numpy, torch, jax"):
        registry.load("tensorflw")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Give a folder that modules and packages are found in, with a stranger in it."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("stranger", None)


def offer(site: Path, package: str, **values: str) -> None:
    """Install a package, version 1.0, that offers entry points."""
    folder = site / f"{package}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    )
    points = "\n".join(f"{name} = {value}" for name, value in values.items())
    (folder / "entry_points.txt").write_text(f"[gradparity.implementations]\n{points}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("", "module"),
        (":Port", "Port"),
        (":build", "Port"),
        (":Ports.first", "Port"),
    ],
)
def test_a_stranger_is_loaded(site: Path, way: str, suffix: str, kind: str) -> None:
    """Module, class, factory and instance, from a module or a file, all serve."""
    found = registry.load(way.format(site=site) + suffix)

    assert type(found).__name__ == kind
    assert callable(found.forward)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("stranger", "module"), ("stranger:Port", "Port"), ("stranger:build", "Port")],
)
def test_an_entry_point_is_loaded(site: Path, value: str, kind: str) -> None:
    """An installed package can give its implementation a name."""
    offer(site, "port", mine=value)

    assert type(registry.load("mine")).__name__ == kind


def test_a_file_is_run_once(site: Path) -> None:
    """A file is a module: whoever asks again gets the same."""
    name = str(site / "stranger.py")

    assert registry.load(name) is registry.load(name)


def test_a_file_is_not_taken_for_another(site: Path) -> None:
    """Files of the same name in two folders are two implementations."""
    (site / "other").mkdir()
    (site / "other" / "stranger.py").write_text("framework = 'other'\n")
    first, second = map(str, (site / "stranger.py", site / "other" / "stranger.py"))

    assert registry.framework_of(first, registry.load(first)) == "numpy"
    assert registry.framework_of(second, registry.load(second)) == "other"


def test_a_file_is_found_from_here(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may be relative."""
    monkeypatch.chdir(site)

    assert callable(registry.load("stranger.py:Port").forward)


def test_a_built_in_name_always_wins(site: Path) -> None:
    """No package can put itself in the place of what the README speaks of."""
    offer(site, "port", numpy="stranger:Port")

    assert cast("object", registry.load("numpy")) is numpy_manual
    assert [listed.name for listed in registry.listing()].count("numpy") == 1


def test_an_unknown_name_lists_the_entry_points(site: Path) -> None:
    """What is installed could have been meant, too."""
    offer(site, "port", mine="stranger")

    with pytest.raises(registry.UnknownImplementationError, match="jax, mine, or name"):
        registry.load("mime")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "choose from numpy"),
        ("no-such-name", "choose from numpy"),
        ("no/such/path", "choose from numpy"),
        ("stranger:", "there is no module 'stranger:'"),
        ("./stranger", "there is no module './stranger'"),
        ("no_such.module", "there is no module 'no_such.module'"),
        ("no_such:Port", "there is no module 'no_such'"),
        ("stranger.no_such:Port", "there is no module 'stranger.no_such'"),
        ("stranger:no_such", "there is no 'no_such' in stranger"),
        ("stranger:Port.no_such", "there is no 'Port.no_such' in stranger"),
        ("{site}/stranger.py:no_such", "there is no 'no_such' in {site}/stranger.py"),
        ("{site}/no_such.py", "there is no file {site}/no_such.py"),
        ("{site}/no_such.py:Port", "there is no file {site}/no_such.py:"),
    ],
)
def test_what_is_not_there_is_unknown(site: Path, name: str, why: str) -> None:
    """One line says which part of the name leads nowhere."""
    name, why = name.format(site=site), why.format(site=site)
    message = re.escape(f"unknown implementation {name!r}: {why}")

    with pytest.raises(registry.UnknownImplementationError, match=rf"\A{message}.*\Z"):
        registry.load(name)


@pytest.mark.parametrize(
    "name", [r"C:\x\no_such.py", r"C:\x\no_such.py:Port", "C:no_such.py"]
)
def test_the_colon_of_a_drive_is_part_of_the_path(name: str) -> None:
    """A path of Windows is no module called C."""
    message = r"no file .*no_such\.py: correct"

    with pytest.raises(registry.UnknownImplementationError, match=message):
        registry.load(name)


def test_a_name_of_two_packages_is_nobody_s(site: Path) -> None:
    """Which of them was meant is not guessed: both are named."""
    offer(site, "port_a", mine="stranger:Port")
    offer(site, "port_b", mine="stranger:build")
    offers = "choose stranger:Port of port_a 1.0 or stranger:build of port_b 1.0"

    with pytest.raises(registry.UnknownImplementationError, match=offers):
        registry.load("mine")


@pytest.mark.parametrize("way", [*WAYS, "mine"])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import no_such_library",
            "ModuleNotFoundError: No module named 'no_such_library' ({path}, line 1)",
        ),
        ("\nx = (", "SyntaxError: '(' was never closed (stranger.py, line 2)"),
        ("raise ValueError('a\\nb')", "ValueError: a b ({path}, line 1)"),
        ("import sys\nsys.exit(0)", "SystemExit: 0 ({path}, line 2)"),
    ],
)
def test_a_stranger_that_fails_to_load_is_broken(
    site: Path, way: str, source: str, words: str
) -> None:
    """One line says what it raised, and where; an exit is no success."""
    path = site / "stranger.py"
    path.write_text(source)
    offer(site, "port", mine="stranger")
    name = way.format(site=site)
    message = re.escape(f"cannot load {name!r}: {words.format(path=path)}")

    with pytest.raises(registry.BrokenImplementationError, match=rf"\A{message}\Z"):
        registry.load(name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "def half():\n    return 1 / 0\ndef make():\n    return half()",
            "ZeroDivisionError: division by zero ({path}, line 2)",
        ),
        (
            "class make:\n    def __init__(self):\n        raise LookupError('no')",
            "LookupError: no ({path}, line 3)",
        ),
        (
            "def make(size): ...",
            "TypeError: make() missing 1 required positional argument: 'size'",
        ),
    ],
)
def test_a_stranger_that_cannot_be_made_is_broken(
    site: Path, way: str, source: str, words: str
) -> None:
    """A class and a factory are called without arguments, and may fail then."""
    path = site / "stranger.py"
    path.write_text(source)
    name = way.format(site=site) + ":make"
    message = re.escape(f"cannot load {name!r}: {words.format(path=path)}")

    with pytest.raises(registry.BrokenImplementationError, match=rf"\A{message}\Z"):
        registry.load(name)


@pytest.mark.parametrize("value", ["no_such", "stranger:no_such"])
def test_an_entry_point_to_nowhere_is_broken(site: Path, value: str) -> None:
    """The name is right, so the fault is the package's."""
    offer(site, "port", mine=value)

    with pytest.raises(registry.BrokenImplementationError, match="no_such"):
        registry.load("mine")


def test_a_file_that_failed_is_run_again(site: Path) -> None:
    """A half of a module is not kept."""
    path = site / "stranger.py"
    path.write_text("raise ValueError")
    with pytest.raises(registry.BrokenImplementationError):
        registry.load(str(path))
    path.write_text(STRANGER)

    assert callable(registry.load(str(path)).forward)


def test_an_interruption_is_nobody_s_fault(site: Path) -> None:
    """Whoever presses Ctrl-C means the program, not the stranger."""
    (site / "stranger.py").write_text("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        registry.load("stranger")


def test_errors_cross_processes(site: Path) -> None:
    """A worker can hand them on: they are made again of their arguments."""
    (site / "stranger.py").write_text("raise ValueError")
    with pytest.raises(registry.BrokenImplementationError) as broken:
        registry.load("stranger")
    with pytest.raises(registry.UnknownImplementationError) as unknown:
        registry.load("no_such")

    assert str(copy.copy(broken.value)) == str(broken.value)
    assert str(copy.copy(unknown.value)) == str(unknown.value)


@pytest.mark.parametrize(
    ("name", "attributes", "framework"),
    [
        ("torch", {"framework": "jax"}, "torch"),
        ("mine", {"framework": "jax"}, "jax"),
        ("mine", {"framework": 3}, ""),
        ("mine", {}, ""),
    ],
)
def test_the_framework_is_the_table_s_or_the_stranger_s_word(
    name: str, attributes: dict[str, object], framework: str
) -> None:
    """A stranger may say what it computes with; one that does not is taken as is."""
    implementation = cast("Implementation", SimpleNamespace(**attributes))

    assert registry.framework_of(name, implementation) == framework


def test_listing_imports_no_framework() -> None:
    """What is built in is known without waiting for it."""
    assert loaded_by("from compare.training.load import listing; listing()") == set()


def test_the_built_in_are_listed_with_their_versions() -> None:
    """Nothing that is installed needs a remedy."""
    assert registry.listing()[0] == registry.Listed(
        "numpy", "built in", "numpy", metadata.version("numpy"), ""
    )


def test_an_absent_framework_is_listed_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command is that of the error."""

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)

    assert registry.listing()[1] == registry.Listed(
        "torch", "built in", "torch", None, "pip install -e '.[torch]'"
    )


@pytest.mark.parametrize(
    ("value", "framework", "version"),
    [
        ("stranger", "numpy", metadata.version("numpy")),
        ("stranger:Port", "no-such-framework", None),
        ("types:SimpleNamespace", "", None),
    ],
)
def test_an_entry_point_is_listed(
    site: Path, value: str, framework: str, version: str | None
) -> None:
    """Its package is named, and the framework that it names."""
    offer(site, "port", mine=value)

    listed = registry.Listed("mine", "entry point of port 1.0", framework, version, "")
    assert listed in registry.listing()


def test_a_broken_entry_point_is_listed_with_its_error(site: Path) -> None:
    """One that fails keeps no other off the list."""
    offer(site, "port", bad="stranger:no_such", good="stranger")

    listed = {listed.name: listed for listed in registry.listing()}
    assert listed["bad"].remedy.startswith("cannot load 'bad': AttributeError: ")
    assert (listed["bad"].framework, listed["bad"].version) == ("", None)
    assert listed["good"].remedy == ""
