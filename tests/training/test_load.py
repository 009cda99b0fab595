"""Names are loaded on demand, placed on a device, and listed."""

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import numpy as np
import pytest
import torch

from compare.contract.calls import rewired
from compare.training import load as loading
from compare.training.load import (
    OURS,
    Listed,
    MissingFrameworkError,
    framework_of,
    listing,
    load,
    load_all,
    placed,
)
from compare.training.third_party import UnknownImplementationError
from impls import numpy_manual, torch_autograd
from impls.interface import Implementation
from tests.helpers import problem_of

FRAMEWORKS = ("torch", "jax")


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh process, and return the frameworks that it imported."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return set(done.stdout.split()) & set(FRAMEWORKS)


@pytest.mark.parametrize(
    "module", ["compare.training.load", "compare.cli", "compare.checks.verdict"]
)
def test_importing_imports_no_framework(module: str) -> None:
    """A run of NumPy alone waits for no other framework."""
    assert loaded_by(f"import {module}") == set()


def test_the_laziness_test_can_fail() -> None:
    """An import of a framework is seen by the test above."""
    assert loaded_by("import impls.jax_grad") == {"jax"}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_absent_framework_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command that installs it."""
    module = loading._MODULES[name]  # noqa: SLF001
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, module, raising=False)

    with pytest.raises(MissingFrameworkError, match=rf"\[{name}\]"):
        load(name)


def test_a_broken_framework_shows_its_own_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An import error inside a framework does not count as its absence."""
    (tmp_path / "broken_implementation.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = loading._MODULES  # noqa: SLF001
    monkeypatch.setitem(modules, "broken", "broken_implementation")

    with pytest.raises(ModuleNotFoundError, match="no_such_library") as caught:
        load("broken")

    assert not isinstance(caught.value, MissingFrameworkError)


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typing mistake is answered with the names that exist."""
    with pytest.raises(UnknownImplementationError, match="numpy, torch, jax"):
        load("tensorflw")


@pytest.mark.usefixtures("site")
def test_a_built_in_name_always_wins(offer: Callable[..., None]) -> None:
    """No package can replace an implementation of `impls`."""
    offer("package", numpy="port:Port")

    assert cast("object", load("numpy")) is numpy_manual
    assert [listed.name for listed in listing()].count("numpy") == 1


@pytest.mark.parametrize(
    ("name", "attributes", "framework"),
    [
        ("torch", {"framework": "jax"}, "torch"),
        ("mine", {"framework": "jax"}, "jax"),
        ("mine", {"framework": 3}, ""),
        ("mine", {}, ""),
    ],
)
def test_the_framework_is_that_of_the_table_or_declared(
    name: str, attributes: dict[str, object], framework: str
) -> None:
    """A third-party implementation may declare its framework; ours are known."""
    implementation = cast("Implementation", SimpleNamespace(**attributes))

    assert framework_of(name, implementation) == framework


# On a device.


def test_all_are_loaded_with_their_environments() -> None:
    """Each name has its implementation, and the description of its framework."""
    loaded = load_all(OURS, "cpu")

    assert cast("object", loaded["numpy"].implementation) is numpy_manual
    assert {name: each.environment["framework"] for name, each in loaded.items()} == {
        "numpy": f"numpy {np.__version__}",
        "torch": f"torch {torch.__version__}",
        "jax": f"jax {jax.__version__}",
    }


def test_an_unknown_device_is_found_before_a_name() -> None:
    """Nothing is loaded for a device that does not exist."""
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        load_all(["no-such-name"], "tpu")


def test_two_names_of_one_implementation(site: Path) -> None:
    """An implementation is not compared with itself under another name."""
    names = ["numpy", "port", f"{site}/port.py", "port:Ports.first", "port:Ports.first"]
    again = ["port", "numpy", "impls.numpy_manual"]

    assert [*load_all(names, "cpu")] == names[:-1]
    message = r"^numpy and impls\.numpy_manual are the same: name each one once$"
    with pytest.raises(ValueError, match=message):
        load_all(again, "cpu")


@pytest.mark.usefixtures("site")
def test_a_gpu_needs_a_framework_that_can_use_it() -> None:
    """A request for the GPU is an error if it can have no effect."""
    message = "^numpy, port: computed on the CPU, not on cuda$"

    with pytest.raises(ValueError, match=message):
        load_all(["numpy", "port"], "cuda")


def test_torch_is_placed() -> None:
    """The functions compute on their device, and the caller stays on another."""
    problem = problem_of(steps=2)
    there = placed(torch_autograd, "torch", "cpu")

    with torch.device("meta"):  # which computes no numbers
        found = there.forward(problem.weights, problem.x)
        _, gradients = there.loss_and_gradients(
            problem.weights, problem.x, problem.y, problem.loss
        )
        trace = there.train(problem)
        after = torch.get_default_device().type

    expected = torch_autograd.train(problem)
    assert np.array_equal(found.a2, expected.a2[0])
    assert np.array_equal(gradients.dw1, expected.dw1[0])
    assert np.array_equal(trace.w1, expected.w1)
    assert after == "meta"


@pytest.mark.parametrize("function", ["forward", "loss_and_gradients", "train"])
def test_each_function_is_placed(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call happens inside the context of the device."""
    asked = []

    def on_device(*arguments: str) -> Any:
        asked.append(arguments)
        return np.errstate(over="raise")

    monkeypatch.setattr(loading, "on_device", on_device)
    mode = rewired(numpy_manual, **{function: lambda *_: np.geterr()["over"]})

    there = placed(mode, "jax", "cuda")

    assert asked == []
    assert getattr(there, function)("any", "arguments") == "raise"
    assert asked == [("cuda", "jax")]
    assert np.geterr()["over"] != "raise"


def test_what_is_placed_keeps_its_declarations() -> None:
    """Placing adds no `train`, and `end_to_end` and signatures stay."""
    implementation = rewired(torch_autograd, train=None, end_to_end=("a1",))

    there: Any = placed(implementation, "torch", "cpu")

    assert (there.train, there.end_to_end) == (None, ("a1",))
    assert signature(there.forward) == signature(torch_autograd.forward)


def test_other_frameworks_are_not_wrapped() -> None:
    """What computes on the CPU anyway stays the same object."""
    same: object = placed(numpy_manual, "numpy", "cuda")

    assert same is numpy_manual


# Listed.


def test_listing_imports_no_framework() -> None:
    """Built-in names are known without an import."""
    assert loaded_by("from compare.training.load import listing; listing()") == set()


def test_the_built_in_are_listed_with_their_versions() -> None:
    """An installed framework needs no remedy."""
    version = metadata.version("numpy")

    assert listing()[0] == Listed("numpy", "built in", "numpy", version, "")


def test_an_absent_framework_is_listed_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The remedy is the command of the error message."""

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)

    remedy = "pip install -e '.[torch]'"
    assert listing()[1] == Listed("torch", "built in", "torch", None, remedy)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("value", "framework", "version"),
    [
        ("port", "numpy", metadata.version("numpy")),
        ("port:Port", "no-such-framework", None),
        ("types:SimpleNamespace", "", None),
    ],
)
def test_an_entry_point_is_listed(
    value: str, framework: str, version: str | None, offer: Callable[..., None]
) -> None:
    """The list names its package, and the framework that it declares."""
    offer("package", mine=value)

    source = "entry point of package 1.0"
    assert Listed("mine", source, framework, version, "") in listing()


@pytest.mark.usefixtures("site")
def test_a_broken_entry_point_is_listed_with_its_error(
    offer: Callable[..., None],
) -> None:
    """A failure of one keeps no other off the list."""
    offer("package", bad="port:no_such", good="port")

    listed = {listed.name: listed for listed in listing()}
    assert listed["bad"].remedy.startswith("cannot load 'bad': AttributeError: ")
    assert (listed["bad"].framework, listed["bad"].version) == ("", None)
    assert listed["good"].remedy == ""
