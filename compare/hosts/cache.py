"""Where JAX keeps the programs that it has compiled.

Compiling the default run takes JAX about a second, and reading it from a file a tenth.
The results are the same, bit for bit: the file holds what was compiled.
"""

import os
import platform
import sys
from hashlib import sha256
from pathlib import Path

from compare.hosts.environment import CPUINFO

KINDS = ("model name", "flags", "CPU implementer", "CPU part", "Features")
"""What Linux says of the kind of a processor: the last three on ARM."""


def jax_settings() -> dict[str, str]:
    """Return the environment variables that make JAX keep all that it compiles.

    `JAX_ENABLE_COMPILATION_CACHE=false` makes it keep nothing.
    """
    return {
        "JAX_COMPILATION_CACHE_DIR": str(user_cache() / "gradparity" / processor()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def user_cache() -> Path:
    """Return the folder of the user for what can be made again."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # unlike Path.home, never fails
    match sys.platform:
        case "darwin":
            folder = home / "Library" / "Caches"
        case "win32":
            folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case _:
            folder = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return folder


def processor() -> str:
    """Name this kind of processor: a home folder may be shared by several."""
    lines = CPUINFO.read_text("utf-8").splitlines() if CPUINFO.exists() else []
    kinds = {line for line in lines if line.startswith(KINDS)}
    text = "\n".join([platform.machine(), platform.processor(), *sorted(kinds)])
    return sha256(text.encode()).hexdigest()[:16]
