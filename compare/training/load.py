"""Names to implementations that are ready to compute where they should."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple

from compare.training.contract import ARGUMENTS, rewired
from compare.training.devices import on
from compare.training.environment import environment
from compare.training.registry import framework_of, load
from impls.interface import Implementation

MOVABLE = ("torch", "jax")


class Called(NamedTuple):
    """An implementation, and what it computes with."""

    implementation: Implementation
    environment: dict[str, str]


def call(names: Iterable[str], device: str) -> dict[str, Called]:
    """Load implementations, and put those that can be moved on a device.

    Raises:
        ValueError: There is no such device, none of them can be moved there, or two
            names are of one implementation.
        DeviceError: The device is not here.
        LookupError: There is no such implementation.
        ImportError: It can't be imported.
    """
    on(device, "")  # an unknown name is told before what is loaded can be
    loaded = {name: load(name) for name in names}
    first: dict[int, str] = {}
    for name, each in loaded.items():
        if (other := first.setdefault(id(each), name)) != name:
            raise ValueError(f"{other} and {name} are the same: name each one once")
    frameworks = {name: framework_of(name, each) for name, each in loaded.items()}
    if device != "cpu" and not set(frameworks.values()) & {*MOVABLE}:
        raise ValueError(f"{', '.join(names)}: computed on the CPU, not on {device}")
    return {
        name: Called(
            placed(each, frameworks[name], device),
            environment(frameworks[name], device),
        )
        for name, each in loaded.items()
    }


def placed(
    implementation: Implementation, framework: str, device: str
) -> Implementation:
    """Make the functions of an implementation compute on a device."""
    if framework not in MOVABLE:
        return implementation

    def there(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*arguments: Any) -> Any:  # noqa: ANN401
            with on(device, framework):
                return function(*arguments)

        return run

    functions = {
        name: there(function)
        for name in ARGUMENTS
        if callable(function := getattr(implementation, name, None))
    }
    return rewired(implementation, **functions)
