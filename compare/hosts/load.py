"""Names to implementations, each loaded when it is asked for.

A framework may be absent, slow to import or broken, and the others must still work. So
nothing here imports a framework until its name is given.
"""

import gc
import importlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from compare.checks.printable import printable_names
from compare.contract.calls import ARGUMENTS, rewired
from compare.hosts import third_party
from compare.hosts.cache import jax_settings
from compare.hosts.environment import (
    MOVABLE,
    DeviceError,
    environment,
    install_command,
    on_device,
)
from compare.hosts.third_party import UnknownImplementationError
from impls.interface import Implementation

MODULES = {
    "numpy": "impls.numpy_manual",
    "torch": "impls.torch_autograd",
    "jax": "impls.jax_grad",
}
"""The modules of our implementations, by name."""
OURS = tuple(MODULES)
"""The names of the three implementations of `impls`: those of their frameworks."""


class MissingFrameworkError(ImportError):
    """The framework that an implementation is written in is not installed."""


def load(name: str) -> Implementation:
    """Load the implementation of `impls`, or the third-party one, called `name`.

    Raises:
        UnknownImplementationError: There is none; the message lists those there are.
        MissingFrameworkError: Its framework is absent; the message says how to get it.
        BrokenImplementationError: A third-party implementation failed to load; the
            message says how, and where.
        ImportError: Its framework is installed but broken.
    """
    if name not in MODULES:
        return cast("Implementation", third_party.load(name, OURS))
    try:
        return cast("Implementation", importlib.import_module(MODULES[name]))
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingFrameworkError(
            f"{name!r} is not installed: {install_command(name)}"
        ) from error


def framework_of(name: str, implementation: Implementation) -> str:
    """Return the distribution that an implementation computes with; "" if unknown."""
    if name in MODULES:
        return name
    framework = getattr(implementation, "framework", "")
    return framework if isinstance(framework, str) else ""


def labels(implementations: Sequence[object]) -> list[str]:
    """Name each implementation: by its given name, or after its module, class or type.

    A file is named by its stem, and `path/to/file.py:Port` is `file:Port`, unless two
    would be equal. Equal names get a number from the second on.
    """
    short = {one: _short(one) for one in implementations if isinstance(one, str)}
    counts = Counter(short.values())
    given = {one: name if counts[name] == 1 else one for one, name in short.items()}
    return printable_names(
        given[one]
        if isinstance(one, str)
        else getattr(one, "__name__", type(one).__name__)
        for one in implementations
    )


def _short(name: str) -> str:
    where, what = third_party.split(name)
    if not where.endswith(".py"):
        return name
    return Path(where).stem + (f":{what}" if what else "")


# On a device, with a description of what computes there.


class Description(NamedTuple):
    """What was loaded.

    Attributes:
        origin: The name of the module that is the implementation, or that of what an
            object is in, and its own; see `third_party.origin`.
        framework: The distribution that it computes with; "" if unknown.
        environment: What can change its numbers.
    """

    origin: str
    framework: str
    environment: dict[str, str]


def load_on(name: str, device: str) -> tuple[Implementation, Description]:
    """Load an implementation, and put it on a device if it can be moved.

    Raises:
        ValueError: There is no such device.
        DeviceError: The device is not available.
        UnknownImplementationError: There is no such implementation.
        ImportError: It can't be imported.
    """
    origin = third_party.origin(name)  # before what is loaded may change the folder
    found = load(name)
    framework = framework_of(name, found)
    if isinstance(found, ModuleType):
        origin = found.__name__
    about = Description(origin, framework, environment(framework, device))
    return placed(found, framework, device), about


def load_quickly(
    name: str, device: str
) -> tuple[Implementation | None, Description | Exception]:
    """Load an implementation in a process of its own, where time counts.

    Garbage is not looked for while a framework is imported, nor in it afterwards. JAX
    reads what it has compiled before.

    Returns:
        The implementation and its description, or None and the error.
    """
    for variable, value in jax_settings().items():
        os.environ.setdefault(variable, value)  # read when JAX is imported
    gc.disable()
    try:
        return load_on(name, device)
    except (UnknownImplementationError, DeviceError, ImportError) as error:
        return None, error
    finally:
        gc.freeze()
        gc.enable()


def placed(
    implementation: Implementation, framework: str, device: str
) -> Implementation:
    """Make the functions of an implementation compute on a device."""
    if framework not in MOVABLE:
        return implementation

    def there(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any) -> Any:  # noqa: ANN401
            with on_device(device, framework):
                return function(*arguments)

        return run

    functions = {
        name: there(function)
        for name in ARGUMENTS
        if callable(function := getattr(implementation, name, None))
    }
    return rewired(implementation, **functions)
