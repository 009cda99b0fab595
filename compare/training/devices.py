"""Where a framework computes: on the CPU, or on a GPU."""

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

DEVICES = ("cpu", "cuda")


class DeviceError(RuntimeError):
    """The framework can't use the device that was asked for."""


def on(device: str, framework: str) -> AbstractContextManager[object]:
    """Make PyTorch or JAX compute on a device; nothing moves the others.

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
            return _jax_on(device)
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
        return nullcontext()  # PyTorch's own slows every call down
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


def _jax_on(device: str) -> AbstractContextManager[object]:
    context: AbstractContextManager[object] = import_module("jax").default_device(
        jax_device(device)
    )
    return context
