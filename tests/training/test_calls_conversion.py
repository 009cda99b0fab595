"""What NumPy reads without changing a value is accepted; for the rest, advice."""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
import torch

from compare.contract.calls import as_array, error_line, rewired
from compare.hosts.environment import environment, version_of
from compare.hosts.third_party import BrokenImplementationError
from compare.hosts.third_party import load as load_third_party
from compare.training.compare import compare
from compare.training.record import as_trace
from impls import numpy_manual
from impls.interface import Array, Problem, Weights
from tests.helpers import DTYPES, first_story, problem_of

Convert = Callable[[Array], Any]


def converted(convert: Convert) -> Any:
    """Return all results of both functions, and the trace, converted."""

    def forward(weights: Weights[Array], x: Array) -> Any:
        right = numpy_manual.forward(weights, x)._asdict()
        return SimpleNamespace(**{k: convert(v) for k, v in right.items()})

    def loss_and_gradients(weights: Any, x: Any, y: Any, loss: Any) -> Any:
        value, d = numpy_manual.loss_and_gradients(weights, x, y, loss)
        right = {k: convert(v) for k, v in d._asdict().items()}
        return convert(value), SimpleNamespace(**right)

    def train(problem: Problem) -> Any:
        right = vars(numpy_manual.train(problem))
        return SimpleNamespace(**{k: convert(v) for k, v in right.items()})

    functions = {"loss_and_gradients": loss_and_gradients, "train": train}
    return rewired(numpy_manual, forward=forward, **functions)


def jax_array(array: Array) -> Any:
    """Make an array of JAX, of the same dtype."""
    with jax.enable_x64(True):
        return jax.numpy.array(array)


class Foreign:
    """An array of some library, which NumPy can read."""

    def __init__(self, array: Array) -> None:
        """Keep the array."""
        self.array = array

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        """Give the array to NumPy."""
        del dtype, copy
        return np.asarray(self.array)


ACCEPTED: dict[str, Convert] = {
    "detached tensors": torch.tensor,
    "arrays of JAX": jax_array,
    "arrays of another library": Foreign,
    "a float for the loss": lambda a: a if a.ndim else float(a),
    "a NumPy scalar for the loss": lambda a: a if a.ndim else a[()],
    "a tensor without axes for the loss": lambda a: a if a.ndim else torch.tensor(a),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("convert", ACCEPTED.values(), ids=ACCEPTED)
def test_what_numpy_reads_is_accepted(convert: Convert, dtype: str) -> None:
    """Right values match, in whatever they come."""
    problem = problem_of(dtype, steps=20)
    verdict = compare(problem, {"ours": numpy_manual, "port": converted(convert)})

    assert verdict.answer == "match"


def test_no_value_is_changed() -> None:
    """A number that float32 can't represent stays as wide as it is."""
    dtype = np.dtype(np.float32)

    assert as_array(0.5, dtype).dtype == np.float32
    assert as_array(0.1, dtype).dtype == np.float64
    assert as_array(2, dtype).dtype == np.float32
    assert as_array(2**24 + 1, dtype).dtype != np.float32
    assert as_array(1e300, dtype).dtype == np.float64
    assert as_array(np.float64(0.5), dtype).dtype == np.float64
    assert as_array(float("nan"), dtype).dtype == np.float32
    assert as_array(torch.ones(2, dtype=torch.float64), dtype).dtype == np.float64


def losses(convert: Convert, dtype: str) -> Any:
    """Train, and read the losses that a loop logged in another form."""
    trace = numpy_manual.train(problem_of(dtype, steps=5))
    return as_trace(replace(trace, loss=convert(trace.loss)), trace.loss.dtype).loss


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("convert", [np.float64, lambda loss: loss.tolist()])
def test_losses_may_be_numbers_of_python(convert: Convert, dtype: str) -> None:
    """A loop that logs `loss.item()` gives a list, or an array of float64."""
    right = numpy_manual.train(problem_of(dtype, steps=5)).loss

    assert losses(convert, dtype).dtype == dtype
    assert np.array_equal(losses(convert, dtype), right)


@pytest.mark.parametrize(
    "convert", [lambda loss: loss + 1e-9, lambda loss: loss * 1e300]
)
def test_losses_that_float32_does_not_represent_are_not_rounded(
    convert: Convert,
) -> None:
    """Each of them has to be a number of float32, as a single float has to."""
    assert losses(lambda loss: convert(loss.astype("d")), "float32").dtype == "float64"


def grad(array: Array) -> Any:
    """Make a tensor that requires grad."""
    return torch.tensor(array, requires_grad=True)


REFUSED: dict[str, tuple[str, Convert, str]] = {
    "requires grad": (
        "float64",
        lambda a: a if a.ndim else grad(a),
        "the Tensor requires grad: return it after .detach()",
    ),
    "float64 for float32": (
        "float32",
        lambda a: a.astype(np.float64),
        "compute in the dtype of the weights, or return .astype('float32')",
    ),
    "loss of shape (1, 1)": (
        "float64",
        lambda a: a if a.ndim else a.reshape(1, 1),
        "return one number, of shape (): .reshape(()) or .item()",
    ),
    "samples as rows": (
        "float64",
        lambda a: a.T,
        "return its transpose: samples are columns, and w1 is (n_h, n_x)",
    ),
    "masked arrays": (
        "float64",
        lambda a: np.ma.masked_greater(a, 0),
        "return .filled(...), or the numbers without the mask: .data",
    ),
    "lists": ("float64", lambda a: a.tolist(), "return numpy.array(..., 'float64')"),
}


def third_line(port: object, problem: Problem) -> str:
    """Return the line of the story that says what is due."""
    both: dict[str, Any] = {"ours": numpy_manual, "port": port}
    story = str(first_story(compare(problem, both)))
    return story.splitlines()[2].strip()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_says_what_to_write(case: str) -> None:
    """The story ends its third line with what to return instead."""
    dtype, convert, what = REFUSED[case]
    line = third_line(converted(convert), problem_of(dtype, steps=5))

    assert line == f"not comparable: {what}"


@pytest.mark.parametrize(
    ("container", "what"),
    [
        (
            lambda a: a._asdict(),
            "results are read as attributes: return types.SimpleNamespace(**results)",
        ),
        (
            tuple,
            (
                "results are read by name, not by position: "
                "return types.SimpleNamespace(a2=...)"
            ),
        ),
        (
            lambda a: a.a2,
            "results are read by name: return types.SimpleNamespace(a2=...)",
        ),
    ],
    ids=["dict", "tuple", "array"],
)
def test_results_are_read_by_name(container: Callable[[Any], Any], what: str) -> None:
    """A plain tuple, a dict or a bare array of `forward` says what to return."""

    def forward(weights: Weights[Array], x: Array) -> Any:
        return container(numpy_manual.forward(weights, x))

    port = rewired(numpy_manual, forward=forward)

    assert third_line(port, problem_of(steps=5)) == f"not comparable: {what}"


def test_an_error_in_generated_code_is_placed_in_the_port(tmp_path: Path) -> None:
    """Code of `exec` has no file: its place is the line of the port that called it."""
    port = tmp_path / "port.py"
    port.write_text(
        "space = {}\n"
        "exec('def forward(weights, x):\\n    return 1 / 0', space)\n"
        "def forward(weights, x):\n"
        "    return space['forward'](weights, x)\n"
    )
    loaded: Any = load_third_party(str(port), ())
    with pytest.raises(ZeroDivisionError) as raised:
        loaded.forward(None, None)

    assert error_line(raised.value).endswith(f"({port}, line 4)")


def test_a_generated_class_that_does_not_load_is_placed_in_the_port(
    tmp_path: Path,
) -> None:
    """The `__init__` of a dataclass has no file either."""
    port = tmp_path / "port.py"
    port.write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Port:\n"
        "    size: int\n"
        "    def __post_init__(self):\n"
        "        self.size = 2\n"
        "made = Port(1)\n"
    )
    place = re.escape(f"({port}, line 6)")
    with pytest.raises(BrokenImplementationError, match=place):
        load_third_party(str(port), ())


def test_a_module_of_another_distribution_has_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The module `flint` comes with the distribution `python-flint`."""
    expected = metadata.version("python-flint")

    assert version_of("flint") == expected
    assert environment("flint", "cpu")["framework"] == f"flint {expected}"
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    assert environment("flint", "cpu")["framework"] == "flint, version unknown"
