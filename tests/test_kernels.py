"""What `make test-kernels` runs, skips by name, and calls an error."""

import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


@pytest.fixture
def kernels() -> ModuleType:
    """Import the script, which is no module of a package."""
    spec = spec_from_file_location("kernels", Path(__file__).with_name("kernels.py"))
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_all_that_is_run_is_there(kernels: ModuleType) -> None:
    """A test that has moved is no longer run, and that is noticed here."""
    assert [path for path in kernels.TESTS if not (kernels.ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("name", "architectures", "simd", "message"),
    [
        ("Haswell", ["SkylakeX"], [], "asked for Haswell, but SkylakeX is in use"),
        ("Zen", [], [], "asked for Zen, but no OpenBLAS is in use"),
        ("Prescott", ["Katmai", "Zen"], [], "asked for Prescott, but Katmai, Zen is"),
        ("NumPy's baseline", ["Zen"], ["X86_V3"], "asked for NumPy's baseline, but X"),
    ],
)
def test_a_kernel_that_is_not_in_use_is_an_error(
    name: str,
    architectures: list[str],
    simd: list[str],
    message: str,
    kernels: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenBLAS says nothing of a name that it doesn't know, and runs another."""
    found = [{"internal_api": "openblas", "architecture": one} for one in architectures]
    monkeypatch.setattr(kernels, "threadpool_info", lambda: found)
    monkeypatch.setattr(kernels, "SIMD", simd)

    with pytest.raises(SystemExit, match=message):
        kernels.run(name)


def test_what_fails_and_what_is_skipped(
    kernels: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rest is run when one has failed, and only what can't be run is skipped."""
    monkeypatch.setattr(
        kernels, "__cpu_features__", {"SSE3": True, "AVX2": True, "FMA3": True}
    )
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **_: SimpleNamespace(returncode=-(command[-1] == "Haswell")),
    )

    status = kernels.run_all()

    assert status == 1
    assert capsys.readouterr().out.splitlines() == [
        "Prescott:",
        "skipped Nehalem: this processor has no SSE42",
        "skipped Sandybridge: this processor has no AVX",
        "Haswell:",
        "Zen:",
        f"skipped SkylakeX: this processor has no {', '.join(kernels.AVX512)}",
        "NumPy's baseline:",
        "failed under Haswell",
    ]
