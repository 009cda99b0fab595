"""How much memory is free: of the machine, and of a container with less."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from compare.hosts import free_memory
from compare.hosts.free_memory import free


def test_free_memory_is_that_of_the_system() -> None:
    """It is a number of bytes that a machine can have."""
    assert 0 < free() < 2**50


VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
AVAILABLE = 10_000
"""What the machine has."""


def limited(folder: Path, names: tuple[str, str, str], limit: str, used: int) -> None:
    """Write the files of a control group, which has 50 bytes of files in its cache."""
    folder.mkdir(parents=True)
    of_limit, of_use, cache = names
    (folder / of_limit).write_text(f"{limit}\n")
    (folder / of_use).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 7\n{cache} 50\nactive_file 9\n")


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the control groups of the system."""
    available = SimpleNamespace(available=AVAILABLE)
    monkeypatch.setattr("psutil.virtual_memory", lambda: available)
    monkeypatch.setattr(free_memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(free_memory, "OWN_GROUPS", tmp_path / "own")
    return tmp_path / "groups"


@pytest.mark.parametrize(
    ("own", "folder", "names", "limit", "left"),
    [
        ("0::/a/b", "a/b", VERSION_2, "1000", 350),
        ("0::/a/b", "a", VERSION_2, "1000", 350),
        ("0::/a/b", ".", VERSION_2, "1000", 350),
        ("0::/", ".", VERSION_2, "1000", 350),
        ("0::/", ".", VERSION_2, "max", AVAILABLE),
        ("0::/", ".", VERSION_2, "600", 0),
        ("0::/a", "b", VERSION_2, "1000", AVAILABLE),
        ("4:memory:/a/b", "memory/a/b", VERSION_1, "1000", 350),
        ("4:memory:/a/b", "memory", VERSION_1, "1000", 350),
        ("4:memory:/a", "memory/a", VERSION_1, str(2**63 - 4096), AVAILABLE),
        ("3:cpuset:/a", "memory/a", VERSION_1, "1000", AVAILABLE),
        ("9:name=a:b:/\n0::/\n4:memory:/a:b", "memory/a:b", VERSION_1, "1000", 350),
    ],
)
def test_the_limit_of_a_container_counts(
    groups: Path,
    own: str,
    folder: str,
    names: tuple[str, str, str],
    limit: str,
    left: int,
) -> None:
    """A limit of our group, or of one above it, in both versions of control groups."""
    groups.with_name("own").write_text(f"{own}\n")
    limited(groups / folder, names, limit, used=700)

    assert free() == left


def test_other_systems_have_no_control_groups(groups: Path) -> None:
    """What the machine has is free."""
    assert not groups.exists()
    assert free() == AVAILABLE
