"""Names are loaded on demand, and placed on a device."""

import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import numpy as np
import pytest
import torch

from compare.contract.calls import rewired
from compare.hosts import load as loading
from compare.hosts.load import (
    OURS,
    MissingFrameworkError,
    framework_of,
    load,
    load_on,
    placed,
)
from compare.hosts.third_party import UnknownImplementationError
from impls import numpy_manual, torch_autograd
from impls.interface import Implementation
from tests.helpers import loaded_by, problem_of

FRAMEWORKS = ("torch", "jax")


@pytest.mark.parametrize(
    "module", ["compare.hosts.load", "compare.cli", "compare.checks.verdict"]
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
    module = loading.MODULES[name]
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
    modules = loading.MODULES
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


def test_what_is_loaded_is_described() -> None:
    """The description names the module, and the framework with its version."""
    versions = {"numpy": np.__version__, "torch": torch.__version__}
    versions |= {"jax": jax.__version__}
    loaded = {name: load_on(name, "cpu") for name in OURS}

    assert cast("object", loaded["numpy"][0]) is numpy_manual
    assert {
        name: about.environment["framework"] for name, (_, about) in loaded.items()
    } == {name: f"{name} {version}" for name, version in versions.items()}
    assert {about.framework: about.origin for _, about in loaded.values()} == {
        "numpy": "impls.numpy_manual",
        "torch": "impls.torch_autograd",
        "jax": "impls.jax_grad",
    }


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("{site}/port.py:Port", "{site}/port.py:Port"),
        ("./port.py:Port", "{site}/port.py:Port"),
        ("port:Port", "port:Port"),
        ("mine", "port:Port"),
        ("port", "port"),
    ],
)
def test_the_origin_of_an_object_is_where_it_is_found(
    site: Path,
    offer: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    origin: str,
) -> None:
    """Two objects of one module are two; an object with two names is one."""
    offer("package", mine="port:Port")
    monkeypatch.chdir(site)
    _, about = load_on(name.format(site=site), "cpu")

    assert about.origin == origin.format(site=site.resolve())


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
