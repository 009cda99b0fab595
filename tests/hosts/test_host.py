"""Implementations are asked by the same functions, wherever they are."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from compare.hosts.environment import DeviceError
from compare.hosts.host import Here, check_distinct, start
from compare.hosts.load import OURS, MissingFrameworkError, load
from compare.hosts.third_party import UnknownImplementationError
from compare.training.compare import compare
from compare.training.record import record
from impls import numpy_manual
from tests.helpers import RIGHT, Write, problem_of, runs

PROBLEM = problem_of(steps=20)


@pytest.mark.parametrize("name", OURS)
def test_arrays_come_back_bit_for_bit(name: str) -> None:
    """A process gives the trace of the caller's process, at the same weights."""
    with start({"there": name, "here": load(name)}) as hosts:
        there, here = (
            hosts[where].ask(record, problem=PROBLEM, name="x").result().trace
            for where in ("there", "here")
        )

    found, expected = vars(there), vars(here)
    assert [*found] == [*vars(here)]
    assert [q for q in found if not np.array_equal(found[q], expected[q])] == []


def test_objects_stay_here() -> None:
    """An object is called in the process of the caller, a factory made there."""
    seen = []

    class Port:
        loss_and_gradients = staticmethod(numpy_manual.loss_and_gradients)

        def forward(self, *arguments: Any) -> Any:
            seen.append(self)
            return numpy_manual.forward(*arguments)

    with start({"numpy": "numpy", "port": Port}) as hosts:
        verdict = compare(PROBLEM, hosts)

    assert verdict.answer == "match"
    assert isinstance(hosts["port"], Here)
    assert {*seen} == {hosts["port"].implementation}


def test_no_framework_is_imported_here() -> None:
    """After a comparison of all three, the parent has none of them."""
    code = (
        "import sys\n"
        "from compare import Experiment, compare\n"
        "assert compare(Experiment(steps=20)).answer == 'match'\n"
        "print([name for name in ('torch', 'jax') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_nothing_is_left() -> None:
    """The processes and threads end with the context."""
    threads = threading.active_count()
    with start({"numpy": "numpy"}) as hosts:
        assert compare(PROBLEM, {"a": hosts["numpy"], "b": hosts["numpy"]})
        children = psutil.Process().children()
        assert len(children) == 1

    assert not any(map(runs, children))
    assert threading.active_count() == threads


# Found before anything is trained.


def test_an_unknown_device_is_found_before_a_name() -> None:
    """Nothing is loaded for a device that does not exist."""
    with (
        pytest.raises(ValueError, match="unknown device 'tpu'"),
        start({"x": "x"}, "tpu"),
    ):
        pass


def test_a_gpu_needs_a_framework_that_can_use_it(port: Write) -> None:
    """A request for the GPU is an error if it can have no effect."""
    names = {"numpy": "numpy", "port": port(RIGHT)}
    message = "^numpy, port: computed on the CPU, not on cuda$"

    with pytest.raises(ValueError, match=message), start(names, "cuda"):
        pass


def test_a_missing_device_is_found(port: Write) -> None:
    """A framework that is there computes nowhere else."""
    fake = "import torch\ntorch.cuda.is_available = lambda: False\n"
    name = port(fake + RIGHT + "framework = 'torch'\n")

    with (
        pytest.raises(DeviceError, match=r"^torch .*: leave out --device cuda$"),
        start({"port": name}, "cuda"),
    ):
        pass


def test_an_unknown_name_is_found() -> None:
    """The error is that of loading here."""
    with (
        pytest.raises(UnknownImplementationError, match="numpy, torch, jax"),
        start({"x": "no-such-name"}),
    ):
        pass


def test_an_absent_framework_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command that installs it."""
    (tmp_path / "jax.py").write_text("raise ModuleNotFoundError(name='jax')")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingFrameworkError, match=r"\[jax\]"), start({"x": "jax"}):
        pass


def test_two_names_of_one_module(site: Path) -> None:
    """A module is not compared with itself; two objects of it are two."""
    names = ["port", f"{site}/port.py", "port:Port", "port:build", "numpy"]
    with start(dict(zip(names, names, strict=True))) as hosts:
        check_distinct(hosts)
    message = r"^numpy and b are the same: name each one once$"
    with (
        start({"numpy": "numpy", "b": "impls.numpy_manual"}) as hosts,
        pytest.raises(ValueError, match=message),
    ):
        check_distinct(hosts)


def test_two_names_of_one_object(site: Path) -> None:
    """A file may be written in two ways."""
    names = {"a": f"{site}/port.py:Port", "b": f"{site}/./port.py:Port"}
    with (
        start(names) as hosts,
        pytest.raises(ValueError, match=r"^a and b are the same: name each one once$"),
    ):
        check_distinct(hosts)
