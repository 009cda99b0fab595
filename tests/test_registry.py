"""Names are loaded on demand, and each way of failing has its own words."""

import subprocess
import sys
from pathlib import Path

import pytest

from impls import registry

FRAMEWORKS = ("torch", "jax")


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh process, and say which frameworks it imported."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return set(done.stdout.split()) & set(FRAMEWORKS)


@pytest.mark.parametrize("module", ["impls.registry", "compare.cli", "compare.verdict"])
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
        registry.load("tensorflow")
