"""Third-party implementations: loaded by every kind of name, with clear errors."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from compare.hosts import third_party
from compare.hosts.third_party import (
    BrokenImplementationError,
    UnknownImplementationError,
)

load: Callable[[str], Any] = partial(third_party.load, others=("numpy", "torch"))
WAYS = ("port", "{site}/port.py")
"""A module and a file, to be formatted with the folder that both are in."""


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
def test_a_module_or_a_file_is_loaded(
    site: Path, way: str, suffix: str, kind: str
) -> None:
    """A name leads to a module, a class, a factory or an instance in either."""
    found = load(way.format(site=site) + suffix)

    assert type(found).__name__ == kind
    assert callable(found.forward)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("port", "module"), ("port:Port", "Port"), ("port:build", "Port")],
)
def test_an_entry_point_is_loaded(
    offer: Callable[..., None], value: str, kind: str
) -> None:
    """An installed package can give its implementation a name."""
    offer("package", mine=value)

    assert type(load("mine")).__name__ == kind


def test_a_file_is_run_once(site: Path) -> None:
    """A file is a module: a second load returns the same one."""
    name = str(site / "port.py")

    assert load(name) is load(name)


def test_a_file_is_not_taken_for_another(site: Path) -> None:
    """Files of one name in two folders are two implementations."""
    (site / "other").mkdir()
    (site / "other" / "port.py").write_text("framework = 'other'\n")
    first, second = map(str, (site / "port.py", site / "other" / "port.py"))

    assert load(first).framework == "numpy"
    assert load(second).framework == "other"


def test_a_file_is_found_from_here(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may be relative."""
    monkeypatch.chdir(site)

    assert callable(load("port.py:Port").forward)


def test_an_unknown_name_lists_the_entry_points(offer: Callable[..., None]) -> None:
    """The message suggests every installed name."""
    offer("package", mine="port")

    with pytest.raises(UnknownImplementationError, match="numpy, torch, mine, or name"):
        load("mime")


@pytest.mark.parametrize(
    "name", ["folder", "folder:Port", "folder.inner", "./folder", "{site}/folder/"]
)
def test_a_folder_is_no_implementation(
    site: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would import it as an empty package, whatever is in it."""
    monkeypatch.chdir(site)
    (site / "folder" / "inner").mkdir(parents=True)
    (site / "folder" / "port.py").write_text("framework = 'other'\n")

    with pytest.raises(UnknownImplementationError, match="is a folder: name a file or"):
        load(name.format(site=site))
    assert load("folder.port").framework == "other"


NETWORK = "from torch import nn\nclass Net(nn.Module):\n    pass\n"
WRAPPED = f"{NETWORK}from compare.adapters import torch_module\n"
WRAPPED += "network = torch_module(lambda *sizes: Net())\n"


@pytest.mark.parametrize("own", ["", "def train(model, x, y): ...\n"])
@pytest.mark.parametrize(
    ("source", "why"),
    [
        (NETWORK, "network = torch_module(Net)"),
        (WRAPPED, "has an implementation called network: write {path}:network"),
        (
            f"{WRAPPED}def forward(weights, x): ...\n",
            "has an implementation called network: write {path}:network",
        ),
    ],
    ids=["not wrapped", "wrapped", "and a function"],
)
def test_an_object_that_is_not_named_is_suggested(
    site: Path, source: str, why: str, own: str
) -> None:
    """Also if the file has a training of another form, as most files have."""
    path = site / "port.py"
    path.write_text(source + own)

    with pytest.raises(UnknownImplementationError) as unknown:
        load(str(path))

    assert why.format(path=path) in str(unknown.value)


def test_a_function_that_is_missing_is_left_to_the_contract(site: Path) -> None:
    """A file that has one of the two functions is no bare module."""
    (site / "port.py").write_text(f"{NETWORK}def forward(weights, x): ...")

    assert callable(load(f"{site}/port.py").forward)


def test_a_package_is_an_implementation(site: Path) -> None:
    """A folder with code of its own can be imported."""
    (site / "package").mkdir()
    (site / "package" / "__init__.py").write_text("framework = 'other'\n")

    assert load("package").framework == "other"


def test_a_file_that_can_not_be_read_is_unknown(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is wrong usage, as it is for a trace."""
    monkeypatch.setattr("os.access", lambda *_: False)

    with pytest.raises(UnknownImplementationError, match=r"port.py can't be read: "):
        load(f"{site}/port.py")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "choose from numpy, torch"),
        ("no-such-name", "choose from numpy, torch"),
        ("no/such/path", "choose from numpy, torch"),
        ("port:", "there is no module 'port:'"),
        ("./port", "there is no module './port'"),
        ("no_such.module", "there is no module 'no_such.module'"),
        ("no_such:Port", "there is no module 'no_such'"),
        ("port.no_such:Port", "there is no module 'port.no_such'"),
        ("port:no_such", "there is no 'no_such' in port"),
        ("port:Port.no_such", "there is no 'Port.no_such' in port"),
        ("{site}/port.py:no_such", "there is no 'no_such' in {site}/port.py"),
        ("{site}/port.py::Port", "write one colon: {site}/port.py:Port"),
        ("{site}/port.txt", "{site}/port.txt is no file of Python: "),
        ("{site}/no_such.py", "there is no file {site}/no_such.py"),
        ("{site}/no_such.py:Port", "there is no file {site}/no_such.py:"),
    ],
)
def test_what_is_not_there_is_unknown(site: Path, name: str, why: str) -> None:
    """One line names the part that is not there."""
    (site / "port.txt").touch()
    name, why = name.format(site=site), why.format(site=site)
    message = re.escape(f"unknown implementation {name!r}: {why}")

    with pytest.raises(UnknownImplementationError, match=rf"\A{message}.*\Z"):
        load(name)


@pytest.mark.parametrize(
    "name", [r"C:\x\no_such.py", r"C:\x\no_such.py:Port", "C:no_such.py"]
)
def test_the_colon_of_a_drive_is_part_of_the_path(name: str) -> None:
    """A path on Windows does not begin with a module called C."""
    message = r"no file .*no_such\.py: correct"

    with pytest.raises(UnknownImplementationError, match=message):
        load(name)


def test_a_name_of_two_packages_is_unknown(offer: Callable[..., None]) -> None:
    """The message names both, and none is chosen."""
    offer("package_a", mine="port:Port")
    offer("package_b", mine="port:build")
    offers = "choose port:Port of package_a 1.0 or port:build of package_b 1.0"

    with pytest.raises(UnknownImplementationError, match=offers):
        load("mine")


@pytest.mark.parametrize("way", [*WAYS, "mine"])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import no_such_library",
            "ModuleNotFoundError: No module named 'no_such_library' ({path}, line 1)",
        ),
        ("\nx = (", "SyntaxError: '(' was never closed (port.py, line 2)"),
        ("raise ValueError('a\\nb')", "ValueError: a b ({path}, line 1)"),
        ("import sys\nsys.exit(0)", "SystemExit: 0 ({path}, line 2)"),
    ],
)
def test_an_error_while_loading(
    site: Path, offer: Callable[..., None], way: str, source: str, words: str
) -> None:
    """One line has the error and its place; an exit is an error."""
    path = site / "port.py"
    path.write_text(source)
    offer("package", mine="port")
    name = way.format(site=site)
    message = re.escape(f"cannot load {name!r}: {words.format(path=path)}")

    with pytest.raises(BrokenImplementationError, match=rf"\A{message}\Z"):
        load(name)


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
            "class make:\n    def __init__(self, size): ...",
            "TypeError: make.__init__() missing 1 required positional argument: 'size'",
        ),
    ],
)
def test_an_error_in_a_factory(site: Path, way: str, source: str, words: str) -> None:
    """A class and a factory are called without arguments."""
    path = site / "port.py"
    path.write_text(source)
    name = way.format(site=site) + ":make"
    message = re.escape(f"cannot load {name!r}: {words.format(path=path)}")

    with pytest.raises(BrokenImplementationError, match=rf"\A{message}\Z"):
        load(name)


def test_a_function_that_takes_arguments_makes_no_implementation(site: Path) -> None:
    """It is one of the functions of an implementation, or a training loop."""
    (site / "port.py").write_text("def train(model, x, y): ...")

    with pytest.raises(UnknownImplementationError, match="train takes arguments: name"):
        load("port:train")


def test_a_file_of_a_package_is_better_named_as_a_module(site: Path) -> None:
    """Python can't tell of which package a file is, so a relative import fails."""
    package = site / "kit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text("from . import port\nnet = port")
    (package / "port.py").write_text("def forward(weights, x): ...")

    with pytest.raises(BrokenImplementationError) as broken:
        load(f"{package}/inner.py:net")

    advice = f": name it as a module, kit.inner:net, with PYTHONPATH={site}"
    assert str(broken.value).endswith(advice)
    assert callable(load("kit.inner:net").forward)


@pytest.mark.parametrize(
    ("file", "source", "advice"),
    [
        ("a/b/port.py", "from ..util import *", ": name it as a module, a.b.port"),
        (
            "a/b/port.py",
            "from .b import (\n    c,\n)",
            ": name it as a module, a.b.port",
        ),
        ("a/b/my-port.py", "from . import util", ""),
        ("a/b/port.py", "raise ImportError('no backend')", ""),
        ("a/b/port.py", "import a.util", ""),
        ("a/port.py", "from . import util", ": name it as a module, a.port"),
        ("port.py", "from . import util", ""),
    ],
)
def test_a_module_is_advised_only_where_it_helps(
    site: Path, file: str, source: str, advice: str
) -> None:
    """The outermost package counts, and a name that can be imported."""
    (site / "a" / "b").mkdir(parents=True)
    (site / "a" / "__init__.py").touch()
    (site / "a" / "b" / "__init__.py").touch()
    (site / "a" / "util.py").write_text("raise ImportError('no backend')")
    (site / file).write_text(source)

    with pytest.raises(BrokenImplementationError) as broken:
        load(f"{site}/{file}")

    _, _, found = str(broken.value).partition(", line 1)")
    assert found == (advice and f"{advice}, with PYTHONPATH={site}")


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("way", WAYS)
def test_a_missing_framework_can_be_installed(
    site: Path, monkeypatch: pytest.MonkeyPatch, way: str, framework: str
) -> None:
    """A plain installation has none, and the README's port begins with one."""
    (site / "port.py").write_text(f"import {framework}")
    monkeypatch.setitem(sys.modules, framework, None)

    with pytest.raises(BrokenImplementationError) as broken:
        load(way.format(site=site))

    assert str(broken.value).endswith(f", line 1): pip install -e '.[{framework}]'")


@pytest.mark.parametrize("value", ["no_such", "port:no_such"])
def test_an_entry_point_to_nowhere_is_broken(
    offer: Callable[..., None], value: str
) -> None:
    """The name exists, so the implementation is broken, not unknown."""
    offer("package", mine=value)

    with pytest.raises(BrokenImplementationError, match="no_such"):
        load("mine")


def test_a_file_that_failed_is_run_again(site: Path) -> None:
    """A module that failed is not kept."""
    path = site / "port.py"
    path.write_text("raise ValueError")
    with pytest.raises(BrokenImplementationError):
        load(str(path))
    path.write_text("def forward(weights, x): ...")

    assert callable(load(str(path)).forward)


def test_an_interruption_is_no_error_of_the_module(site: Path) -> None:
    """Ctrl-C ends the program."""
    (site / "port.py").write_text("raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        load("port")
