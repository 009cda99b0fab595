"""Names to implementations, each loaded when it is asked for.

A framework may be absent, slow to import or broken; whoever asks for another one should
not have to notice. So nothing here imports a framework until its name is given.
"""

import importlib
from typing import NamedTuple, cast

from impls.interface import Implementation


class _Entry(NamedTuple):
    module: str
    framework: str


_ENTRIES = {
    "numpy": _Entry("impls.numpy_manual", "numpy"),
    "torch": _Entry("impls.torch_autograd", "torch"),
    "jax": _Entry("impls.jax_grad", "jax"),
}
NAMES = tuple(_ENTRIES)


class UnknownImplementationError(LookupError):
    """No implementation has the name that was asked for."""


class MissingFrameworkError(ImportError):
    """The framework that an implementation is written in is not installed."""


def load(name: str) -> Implementation:
    """Import the implementation called `name`.

    Raises:
        UnknownImplementationError: There is none; the message lists those there are.
        MissingFrameworkError: Its framework is absent; the message says how to get it.
        ImportError: Its framework is there but broken, in that framework's own words.
    """
    if name not in _ENTRIES:
        raise UnknownImplementationError(
            f"unknown implementation {name!r}: choose from {', '.join(NAMES)}"
        )
    module, framework = _ENTRIES[name]
    try:
        return cast("Implementation", importlib.import_module(module))
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise
        raise MissingFrameworkError(
            f"{name!r} needs {framework}: pip install -e '.[{framework}]'"
        ) from error
