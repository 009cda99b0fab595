"""The numerical tests under each kernel that the processor at hand can run.

Run as `python tests/kernels.py`. OpenBLAS and NumPy choose their code by the processor,
and each choice rounds in its own way. Environment variables choose for them, but are
read only as NumPy is imported: so the tests of each kernel run in a process of their
own, which first makes sure that the kernel is in use.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from threadpoolctl import threadpool_info

TESTS = ("tests/impls", "tests/numerics", "tests/checks")
ROOT = Path(__file__).parent.parent
SIMD = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
"""The sets of instructions that NumPy uses here beyond its baseline."""


class Kernel(NamedTuple):
    """One way to compute.

    Attributes:
        needs: The processor's features without which it can't run.
        variables: The environment variables that ask for it.
        in_use: What is in use in this process, of the kind that was asked for.
        names: What `in_use` returns if it is this one.
    """

    needs: tuple[str, ...]
    variables: dict[str, str]
    in_use: Callable[[], str]
    names: tuple[str, ...]


def blas() -> str:
    """Name the kernel that OpenBLAS runs."""
    libraries = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    return ", ".join(one["architecture"] for one in libraries) or "no OpenBLAS"


def simd() -> str:
    """Name the sets of instructions that NumPy uses beyond its baseline."""
    return " ".join(SIMD) or "baseline"


def openblas(name: str, *needs: str, alias: str = "") -> Kernel:
    """Lay out a kernel of OpenBLAS, and the other name that it may go by."""
    names = (name, alias) if alias else (name,)
    return Kernel(needs, {"OPENBLAS_CORETYPE": name}, blas, names)


AVX512 = ("AVX512F", "AVX512CD", "AVX512BW", "AVX512DQ", "AVX512VL")
KERNELS = {
    "Prescott": openblas("Prescott", "SSE3", alias="Katmai"),
    "Nehalem": openblas("Nehalem", "SSE42"),
    "Sandybridge": openblas("Sandybridge", "AVX"),
    "Haswell": openblas("Haswell", "AVX2", "FMA3"),
    "Zen": openblas("Zen", "AVX2", "FMA3", alias="Haswell"),
    "SkylakeX": openblas("SkylakeX", *AVX512),
    "NumPy's baseline": Kernel(  # no AVX2, no FMA3, no AVX512
        (), {"NPY_DISABLE_CPU_FEATURES": " ".join(SIMD)}, simd, ("baseline",)
    ),
}
"""OpenBLAS calls its oldest kernel Katmai, and may be built with Haswell for Zen."""


def run_all() -> int:
    """Run the tests under each kernel, and return under how many they failed."""
    failed = []
    for name, kernel in KERNELS.items():
        missing = [one for one in kernel.needs if not __cpu_features__.get(one)]
        if missing:
            say(f"skipped {name}: this processor has no {', '.join(missing)}")
            continue
        say(f"{name}:")
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **kernel.variables}
        command = [sys.executable, "-P", __file__, name]
        done = subprocess.run(command, check=False, cwd=ROOT, env=variables)  # noqa: S603
        failed += [name] * (done.returncode != 0)
    if failed:
        say(f"failed under {', '.join(failed)}")
    return len(failed)


def run(name: str) -> int:
    """Run the tests in this process, and return 0 if the kernel is in use and all pass.

    Raises:
        SystemExit: The kernel is not in use.
    """
    kernel = KERNELS[name]
    if (found := kernel.in_use()) not in kernel.names:
        raise SystemExit(f"asked for {name}, but {found} is in use")
    say(f"{found} is in use")
    return pytest.main(["-q", "-m", "", *TESTS])


def say(line: str) -> None:
    """Print a line at once: pytest prints the next."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]) if sys.argv[1:] else run_all())
