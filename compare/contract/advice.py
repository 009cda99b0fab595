"""What to write in place of a result that breaks the contract."""

from collections.abc import Sequence

import numpy as np

from compare.checks.check import Unreadable
from compare.contract.calls import ThirdParty


def advice(
    found: ThirdParty, dtype: np.dtype[np.floating], shape: Sequence[int]
) -> str:
    """Say what to return in place of a result that is not the expected array.

    `found` comes from `calls.as_array`.
    """
    if not isinstance(found, np.ndarray):
        return _of_no_array(found, dtype)
    if found.dtype != dtype:
        return f"compute in the dtype of the weights, or return .astype({str(dtype)!r})"
    if found.T.shape == tuple(shape):
        return "return its transpose: samples are columns, and w1 is (n_h, n_x)"
    if found.size == 1 and not shape:
        return "return one number, of shape (): .reshape(()) or .item()"
    return "return one value for each element; see impls/interface.py for the shapes"


def _of_no_array(found: ThirdParty, dtype: np.dtype[np.floating]) -> str:
    if isinstance(found, Unreadable):  # `as_array` reads all but masked arrays
        return "return .filled(...), or the numbers without the mask: .data"
    kind = type(found).__name__
    if getattr(found, "requires_grad", False):
        return f"the {kind} requires grad: return it after .detach()"
    if hasattr(found, "__array__"):
        return f"NumPy can't read the {kind}: return it after .cpu(), or an array"
    return f"return numpy.array(..., {str(dtype)!r})"


def advice_by_name(container: ThirdParty, quantity: str) -> str:
    """Say how to return a quantity that a result has not, or not under its name."""
    if isinstance(container, dict):
        return "results are read as attributes: return types.SimpleNamespace(**results)"
    made = f"return types.SimpleNamespace({quantity}=...)"
    if isinstance(container, tuple | list) and not hasattr(container, "_fields"):
        return f"results are read by name, not by position: {made}"
    return f"results are read by name: {made}"
