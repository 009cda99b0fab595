"""Where an implementation computes, and what can change its numbers."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from compare.checks.printable import LONGEST_LINE, printable

DEVICES = ("cpu", "cuda")
MOVABLE = ("torch", "jax")
"""The frameworks that can compute on a GPU; a plain installation has neither."""
PREFIXES = ("CUBLAS_", "MKL_", "NVIDIA_TF32_", "ONEDNN_", "OPENBLAS_", "XLA_")
"""Environment variables that begin so change how libraries compute."""
CPUINFO = Path("/proc/cpuinfo")
"""Only Linux has it, and it does not name every processor."""


class DeviceError(RuntimeError):
    """The framework can't use the device that was asked for."""


def install_command(framework: str) -> str:
    """Return the command that installs a framework."""
    return f"pip install -e '.[{framework}]'"


def on_device(device: str, framework: str) -> AbstractContextManager[object]:
    """Make PyTorch or JAX compute on a device; other frameworks stay where they are.

    Args:
        device: "cpu", or "cuda" for a GPU.
        framework: "torch", "jax" or any other name.

    Raises:
        ValueError: There is no device of that name; the message lists those there are.
        DeviceError: The framework can't use it here; the message says what to do.
    """
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}: choose from {', '.join(DEVICES)}")
    match framework:
        case "torch":
            return _torch_on(device)
        case "jax":
            context: AbstractContextManager[object]
            context = import_module("jax").default_device(jax_device(device))
            return context
        case _:
            return nullcontext()


def _torch_on(device: str) -> AbstractContextManager[object]:
    torch = import_module("torch")
    if device == "cuda" and not torch.cuda.is_available():
        built = torch.backends.cuda.is_built()
        raise DeviceError(
            f"torch {torch.__version__} "
            f"{'finds no GPU here' if built else 'was built without GPU support'}: "
            "leave out --device cuda"
        )
    if device == torch.get_default_device().type == "cpu":
        return nullcontext()  # PyTorch's own context makes every call slower
    context: AbstractContextManager[object] = torch.device(device)
    return context


def jax_device(device: str) -> Any:  # noqa: ANN401
    """Find JAX's own object for a device.

    Raises:
        DeviceError: There is none.
    """
    jax = import_module("jax")
    kind = "gpu" if device == "cuda" else device
    try:
        return jax.devices(kind)[0]
    except (RuntimeError, AssertionError) as error:  # the latter if JAX has no device
        advice = "leave out --device cuda" if kind == "gpu" else "see JAX_PLATFORMS"
        raise DeviceError(
            f"jax {jax.__version__} finds no {kind.upper()} here: {advice}"
        ) from error


def environment(framework: str, device: str) -> dict[str, str]:
    """Describe what can change the numbers of a run in this process.

    Args:
        framework: "numpy", "torch", "jax" or a distribution's name; "" if unknown.
        device: Where it computes, as for `on_device`.

    Returns:
        One printable line for each name, always in the same order.

    Raises:
        ValueError: As for `on_device`.
        DeviceError: As for `on_device`.
    """
    with on_device(device, framework):
        match framework:
            case "torch":
                settings = _torch(device)
            case "jax":
                settings = _jax(device)
            case _:
                settings = _other(framework)
    variables = sorted(name for name in os.environ if name.startswith(PREFIXES))
    lines = {
        **_machine(),
        **_numpy(),
        **settings,
        **{name: os.environ[name] for name in variables},
    }
    return {
        name: printable(" ".join(text.split()), LONGEST_LINE) or "unknown"
        for name, text in lines.items()
    }


def _machine() -> dict[str, str]:
    table = CPUINFO.read_text("utf-8") if CPUINFO.exists() else ""
    model = re.search("^model name.*?: (.*)", table, re.MULTILINE)
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "c library": " ".join(platform.libc_ver()).strip() or platform.release(),
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "subnormals": "kept" if sys.float_info.min / 2 else "flushed to zero",
    }


def _numpy() -> dict[str, str]:
    """Describe NumPy, and the BLAS that is loaded, not the one it was built with."""
    config: Mapping[str, Any] = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    names = ("internal_api", "version", "architecture")  # not every BLAS has all
    loaded = [each for each in threadpool_info() if each["user_api"] == "blas"]
    blas = (" ".join(each[n] for n in names if each.get(n)) for each in loaded)
    threads = (str(each["num_threads"]) for each in loaded)
    return {
        "cpu features": " ".join(simd.get("baseline", []) + simd.get("found", [])),
        "numpy": np.__version__,
        "blas": ", ".join(dict.fromkeys(blas)),
        "blas threads": ", ".join(dict.fromkeys(threads)),
    }


def _threads(variable: str) -> str:
    return os.environ.get(variable) or f"default of {cores()} cores"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def version_of(framework: str) -> str | None:
    """Return the version of a distribution, or of the one that has such a module.

    The distribution `tensorflow-cpu` has the module `tensorflow`, for example. None if
    there is neither.
    """
    try:
        return metadata.version(framework) if framework else None
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(framework, ())
        others = (name for name in names if name != framework)
        return next(map(metadata.version, others), None)


def _other(framework: str) -> dict[str, str]:
    version = version_of(framework)
    known = f"{framework} {version}" if version else f"{framework}, version unknown"
    return {
        "framework": known if framework else "",
        "device": "cpu" if framework == "numpy" else "",
        "threads": _threads("OMP_NUM_THREADS"),
    }


def _torch(device: str) -> dict[str, str]:
    torch = import_module("torch")
    return {
        "framework": f"torch {torch.__version__}",
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": str(torch.get_num_threads()),
        "cpu kernels": torch.backends.cpu.get_cpu_capability(),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()),
        "float32 on cpu": torch.backends.mkldnn.matmul.fp32_precision,
        "float32 on cuda": torch.backends.cuda.matmul.fp32_precision,
        "float32 in cudnn": torch.backends.cudnn.conv.fp32_precision,
    }


def _jax(device: str) -> dict[str, str]:
    jax, unit = import_module("jax"), jax_device(device)
    return {
        "framework": f"jax {jax.__version__}",
        "jaxlib": import_module("jaxlib").__version__,
        "device": unit.device_kind,
        "platform": unit.client.platform_version,
        "threads": _threads("NPROC"),  # XLA doesn't read OMP_NUM_THREADS
        "float64 by default": str(jax.config.jax_enable_x64),
        "matmul precision": jax.config.jax_default_matmul_precision or "default",
        "jit": str(not jax.config.jax_disable_jit),
    }
