"""JAX keeps what it compiles, in the folder of the user, and its results stay."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compare.hosts import cache
from compare.hosts.cache import jax_settings, processor, user_cache
from compare.hosts.host import start
from compare.training.record import record
from impls.interface import Array
from tests.helpers import problem_of

pytestmark = pytest.mark.slow


def trained(folder: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Array]:
    """Train with JAX in a process with this folder, and return the trace."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", folder)
    with start({"jax": "jax"}) as hosts:
        run = hosts["jax"].ask(record, problem=problem_of(steps=20), name="jax")
        return vars(run.result().trace)


@pytest.mark.filterwarnings("default")
def test_a_kept_program_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second process compiles nothing new, and the third keeps nothing."""
    first = trained(str(tmp_path), monkeypatch)
    kept = sorted(tmp_path.glob("*-cache"))
    second = trained(str(tmp_path), monkeypatch)
    without = trained("", monkeypatch)

    assert kept
    assert sorted(tmp_path.glob("*-cache")) == kept
    assert [q for q in first if not np.array_equal(first[q], second[q])] == []
    assert [q for q in first if not np.array_equal(first[q], without[q])] == []


def test_a_folder_that_can_t_be_written_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAX compiles, and says so."""
    (tmp_path / "file").write_text("no folder")

    assert trained(str(tmp_path / "file" / "x"), monkeypatch)["loss"].shape == (20,)


def test_the_settings_are_those_of_jax(tmp_path: Path) -> None:
    """JAX reads each of them by this name."""
    code = (
        "import jax\n"
        "print(jax.config.jax_compilation_cache_dir)\n"
        "print(jax.config.jax_persistent_cache_min_compile_time_secs)\n"
        "print(jax.config.jax_persistent_cache_min_entry_size_bytes)\n"
    )
    settings = jax_settings()
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.split() == [settings["JAX_COMPILATION_CACHE_DIR"], "0.0", "-1"]


@pytest.mark.parametrize(
    ("system", "variable"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")]
)
def test_the_folder_is_that_of_the_user(
    system: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of the system comes first; without it, it is in the home folder."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv(variable, str(tmp_path))

    assert user_cache() == tmp_path
    monkeypatch.delenv(variable)
    assert user_cache().is_relative_to("/home/user")


ARM = "CPU implementer : 0x41\nFeatures : fp asimd\nCPU part : 0xd03\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("flags : fpu", "flags : fpu avx2"),
        ("model name : A", "model name : B"),
        (ARM, ARM.replace("0x41", "0x61")),
        (ARM, ARM.replace("asimd", "asimd sve")),
        (ARM, ARM.replace("0xd03", "0xd40")),
    ],
)
def test_another_processor_has_another_folder(
    one: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs are compiled for the instructions of one."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(cache, "CPUINFO", file)

    file.write_text(one)
    mine = processor()
    file.write_text(other)

    assert processor() != mine
