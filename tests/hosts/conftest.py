"""Fixtures that the tests of loading share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import Write

PORT = """
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


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Create a folder in `sys.path`, with the third-party module `port` in it."""
    (tmp_path / "port.py").write_text(PORT)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("port", None)


@pytest.fixture
def offer(site: Path) -> Callable[..., None]:
    """Create a function that installs a package, version 1.0, with entry points."""

    def install(package: str, **values: str) -> None:
        folder = site / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        points = "\n".join(f"{name} = {value}" for name, value in values.items())
        (folder / "entry_points.txt").write_text(
            f"[gradparity.implementations]\n{points}"
        )

    return install


@pytest.fixture
def port(tmp_path: Path) -> Write:
    """Create a function that writes a port, and returns its name."""

    def write(code: str) -> str:
        path = tmp_path / "port.py"
        path.write_text(code)
        return str(path)

    return write
