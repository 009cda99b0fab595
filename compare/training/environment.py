"""Whatever can change the numbers of a run: what it computes with, where, and how."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np

from compare.training.devices import jax_device, on

PREFIXES = ("CUBLAS_", "MKL_", "NVIDIA_TF32_", "ONEDNN_", "OPENBLAS_", "XLA_")
"""Of the environment variables that tell libraries how to compute."""
CPUINFO = Path("/proc/cpuinfo")
"""Linux alone has it, and not for every processor its name."""


def environment(framework: str, device: str) -> dict[str, str]:
    """Describe what can change the numbers of a run in this process.

    Args:
        framework: "numpy", "torch", "jax" or a distribution's name; "" if not known.
        device: Where it computes, as `on` takes it.

    Returns:
        One printable line for each name, always in the same order.

    Raises:
        ValueError: As `on` does.
        DeviceError: As `on` does.
    """
    with on(device, framework):
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
    return {name: _printable(text) or "unknown" for name, text in lines.items()}


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


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
    config: Mapping[str, Any] = np.show_config(mode="dicts")  # leaves out what is empty
    simd = config.get("SIMD Extensions", {})
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return {
        "cpu features": " ".join(simd.get("baseline", []) + simd.get("found", [])),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', '')} {blas.get('version', '')}",
    }


def _threads(variable: str) -> str:
    cores = getattr(os, "process_cpu_count", os.cpu_count)()  # new in Python 3.13
    return os.environ.get(variable) or f"default of {cores} cores"


def _other(framework: str) -> dict[str, str]:
    try:
        version = f"{framework} {metadata.version(framework)}" if framework else ""
    except metadata.PackageNotFoundError:
        version = f"{framework}, version unknown"
    return {
        "framework": version,
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
        **_torch_float32(torch),
    }


def _torch_float32(torch: Any) -> dict[str, str]:  # noqa: ANN401
    """Say where float32 may be shortened; since PyTorch 2.9 there are new words for it.

    There the old ones warn, and raise an error once somebody has used the new ones.
    """
    backends = torch.backends
    if hasattr(backends, "fp32_precision"):
        return {
            "float32 on cpu": backends.mkldnn.matmul.fp32_precision,
            "float32 on cuda": backends.cuda.matmul.fp32_precision,
            "float32 in cudnn": backends.cudnn.conv.fp32_precision,
        }
    return {
        "float32 matmul": torch.get_float32_matmul_precision(),
        "tf32 on cuda": str(backends.cuda.matmul.allow_tf32),
        "tf32 in cudnn": str(backends.cudnn.allow_tf32),
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
