"""The changes of `make mutants`: noticed and unnoticed ones are counted as such."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.mutants import ROOT, session

SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
    "tool"
]["mutants"]


def project(folder: Path, test: str) -> Path:
    """Write a module with one number in it, and a test of it."""
    (folder / "small.py").write_text("def one():\n    return 1\n", "utf-8")
    (folder / "test_small.py").write_text(
        f"from small import one\n\n\ndef test_one():\n    {test}\n", "utf-8"
    )
    return folder


def settings() -> dict[str, Any]:
    """Return the settings of this project, for the small module."""
    return {**SETTINGS, "modules": {"small.py": ["test_small.py"]}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "killed"), [("assert one() == 1", 2), ("assert one()", 1)]
)
def test_changes_are_counted(test: str, killed: int, tmp_path: Path) -> None:
    """The number becomes 0 and 2: a test of the number notices both."""
    score = session(project(tmp_path, test), "small.py", settings())

    assert (score.killed, score.total) == (killed, 2)
    assert len(score.survivors) == 2 - killed
    assert all("+    return 2" in survivor for survivor in score.survivors)
    assert "return 1" in (tmp_path / "small.py").read_text("utf-8")


def test_tests_that_fail_without_a_change_prove_nothing(tmp_path: Path) -> None:
    """Where all changes would be noticed for another reason, none is made."""
    with pytest.raises(SystemExit, match="assert 1 == 3"):
        session(project(tmp_path, "assert one() == 3"), "small.py", settings())


@pytest.mark.parametrize("module", SETTINGS["modules"])
def test_settings_name_files(module: str) -> None:
    """Each module and each of its tests is a file."""
    files = [module, *(t for t in SETTINGS["modules"][module] if t.endswith(".py"))]

    assert len(files) > 1
    assert all((ROOT / name).is_file() for name in files)
