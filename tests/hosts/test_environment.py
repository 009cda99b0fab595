"""Devices and the description of what computes; no test needs a GPU."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
import torch

from compare.hosts.environment import DeviceError, cores, environment, on_device
from compare.hosts.load import OURS, load
from impls import torch_autograd
from impls.interface import Weights
from tests.helpers import problem_of

MAPS = Path("/proc/self/maps")


def printed_by(code: str, **variables: str) -> str:
    """Run code in a fresh process, and return what it printed."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(  # noqa: S603
        command, check=True, capture_output=True, text=True, env=os.environ | variables
    )
    return done.stdout.strip()


def raise_error(error: Exception) -> Callable[..., Any]:
    """Create a function that raises an error."""

    def function(*_: object) -> None:
        raise error

    return function


@pytest.fixture
def torch_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PyTorch report a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Pretended GPU")


@pytest.fixture
def jax_gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Make JAX report a GPU."""
    gpu = SimpleNamespace(
        device_kind="Pretended GPU",
        client=SimpleNamespace(platform_version="PJRT C API\ncuda 12080"),
    )
    monkeypatch.setattr(jax, "devices", {"gpu": [gpu]}.__getitem__)
    monkeypatch.setattr(jax, "default_device", nullcontext)
    return gpu


@pytest.mark.parametrize(
    "call", [lambda: on_device("tpu", "numpy"), lambda: environment("numpy", "tpu")]
)
def test_an_unknown_device_lists_the_known_ones(call: Callable[[], object]) -> None:
    """A typing mistake is answered with the names of devices."""
    with pytest.raises(
        ValueError, match=r"^unknown device 'tpu': choose from cpu, cuda$"
    ):
        call()


@pytest.mark.parametrize(
    ("built", "why"), [(True, "finds no GPU"), (False, "was built without GPU")]
)
def test_torch_says_why_it_has_no_gpu(
    built: bool,  # noqa: FBT001
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine without a GPU and a PyTorch without support for one are two things."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)

    with pytest.raises(DeviceError, match=rf"^torch \d.* {why}.*: leave out --device"):
        on_device("cuda", "torch")


@pytest.mark.parametrize("error", [RuntimeError("Unknown backend"), AssertionError()])
@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("cuda", "no GPU here: leave out --device cuda"),
        ("cpu", "no CPU here: see JAX_PLATFORMS"),
    ],
)
def test_jax_says_which_device_it_lacks(
    device: str, why: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of JAX, long or empty, becomes one line with advice."""
    monkeypatch.setattr(jax, "devices", raise_error(error))

    with pytest.raises(DeviceError, match=rf"^jax \d\S+ finds {why}$"):
        on_device(device, "jax")


@pytest.mark.parametrize("framework", ["numpy", "autograd", ""])
def test_other_frameworks_stay_where_they_are(framework: str) -> None:
    """A GPU for NumPy is no error, and moves nothing."""
    assert isinstance(on_device("cuda", framework), nullcontext)


@pytest.mark.usefixtures("torch_gpu")
def test_torch_on_a_gpu() -> None:
    """PyTorch's own context is used, and the description names the GPU."""
    assert on_device("cuda", "torch") == torch.device("cuda")
    assert environment("torch", "cuda")["device"] == "Pretended GPU"


def test_jax_on_a_gpu(jax_gpu: SimpleNamespace) -> None:
    """JAX calls it "gpu"; two lines of the driver become one."""
    with on_device("cuda", "jax") as device:
        assert device is jax_gpu

    lines = environment("jax", "cuda")
    assert lines["device"] == "Pretended GPU"
    assert lines["platform"] == "PJRT C API cuda 12080"


def test_torch_computes_on_the_cpu_inside_only() -> None:
    """Inside, PyTorch computes on the CPU; after it, where it did before."""
    with torch.device("meta"):
        with on_device("cpu", "torch"):
            inside = torch_autograd.tensor(np.ones(2)).device
        after = torch_autograd.tensor(np.ones(2)).device

    assert (inside.type, after.type) == ("cpu", "meta")


def test_torch_on_the_cpu_needs_no_context() -> None:
    """PyTorch's context slows every call, and is left out where it changes nothing."""
    assert isinstance(on_device("cpu", "torch"), nullcontext)


def test_jax_computes_on_the_cpu_inside_only() -> None:
    """Inside, JAX computes on its first CPU; after it, where it did before."""
    before = jax.config.jax_default_device  # type: ignore[attr-defined]
    with on_device("cpu", "jax"):
        inside = jax.config.jax_default_device  # type: ignore[attr-defined]

    assert inside == jax.devices("cpu")[0]
    assert jax.config.jax_default_device is before  # type: ignore[attr-defined]


def test_the_cpu_changes_no_bits() -> None:
    """The device that JAX uses anyway gives the same numbers."""
    problem = problem_of(steps=5)

    with on_device("cpu", "jax"):
        asked = load("jax").train(problem)

    assert np.array_equal(asked.w1, load("jax").train(problem).w1)


def test_torch_autograd_computes_on_the_default_device() -> None:
    """All results stay on the device: "meta", which has no numbers."""
    x, y, (w1, w2) = (p := problem_of()).x, p.y, p.weights

    with torch.device("meta"):
        x_, y_, *weights = map(torch_autograd.tensor, (x, y, w1, w2))
        value, activations, gradients = torch_autograd.differentiate(
            Weights(*weights), x_, y_, "bce"
        )

    assert {d.device.type for d in (value, *activations, *gradients)} == {"meta"}


def test_torch_autograd_trains_on_the_default_device() -> None:
    """Training on "meta" fails at its end, where numbers are read."""
    with torch.device("meta"), pytest.raises(NotImplementedError, match="meta tensor"):
        torch_autograd.train(problem_of(steps=2))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("sign", [1, -1])
def test_torch_tensors_are_laid_out_alike(sign: int, order: Any) -> None:
    """A tensor is stored by rows, however its array is: bits depend on it."""
    array = np.arange(6.0).reshape(2, 3).copy(order)[:, ::sign]

    tensor = torch_autograd.tensor(array)

    assert tensor.stride() == (3, 1)
    assert tensor.tolist() == array.tolist()


def test_jax_grad_computes_on_the_default_device() -> None:
    """With the second of two devices as default, only that one is used."""
    code = """if True:
        import jax
        from compare.training.problems import Experiment
        from impls import jax_grad

        used, descend = set(), jax_grad.descend

        def watched(*arguments):
            result = descend(*arguments)
            for array in jax.tree.leaves(result):
                used.update(array.devices())
            return result

        jax_grad.descend = watched
        with jax.default_device(jax.devices()[1]):
            jax_grad.train(Experiment(steps=2).problem())
        print([device.id for device in used])
    """
    two = "--xla_force_host_platform_device_count=2"

    assert printed_by(code, XLA_FLAGS=two, JAX_PLATFORMS="cpu") == "[1]"


@pytest.mark.parametrize("framework", OURS)
def test_no_other_framework_is_imported(framework: str) -> None:
    """The description of one framework imports no other."""
    code = f"""if True:
        import sys
        from compare.hosts.environment import environment
        environment({framework!r}, "cpu")
        print(*sorted({{"numpy", "torch", "jax"}} & {{*sys.modules}}))
    """

    assert printed_by(code) == " ".join(sorted({"numpy", framework}))


def test_the_lines_of_numpy() -> None:
    """All lines come in their order, with the values of this machine."""
    lines = environment("numpy", "cuda")

    assert [*lines][:12] == [
        "python",
        "system",
        "c library",
        "cpu",
        "subnormals",
        "cpu features",
        "numpy",
        "blas",
        "blas threads",
        "framework",
        "device",
        "threads",
    ]
    assert lines["python"] == platform.python_version()
    assert lines["framework"] == f"numpy {np.__version__}"
    assert (lines["device"], lines["subnormals"]) == ("cpu", "kept")


@pytest.mark.parametrize("framework", [*OURS, "pytest", ""])
def test_lines_can_be_printed(framework: str) -> None:
    """Every value can be printed on one line, and none is empty."""
    lines = environment(framework, "cpu")

    assert [name for name, text in lines.items() if not text.isprintable()] == []
    assert all(lines.values())


@pytest.mark.parametrize(
    ("framework", "line"),
    [
        ("torch", f"torch {torch.__version__}"),
        ("jax", f"jax {jax.__version__}"),
        ("pytest", f"pytest {pytest.__version__}"),
        ("no-such-distribution", "no-such-distribution, version unknown"),
        ("", "unknown"),
    ],
)
def test_versions(framework: str, line: str) -> None:
    """A framework has its version, if one is installed."""
    assert environment(framework, "cpu")["framework"] == line


@pytest.mark.parametrize(
    ("framework", "device"),
    [("numpy", "cpu"), ("torch", "cpu"), ("jax", "cpu"), ("pytest", "unknown")],
)
def test_devices(framework: str, device: str) -> None:
    """The device of another framework is unknown."""
    assert environment(framework, "cpu")["device"] == device


@pytest.mark.parametrize(
    ("framework", "variable"),
    [("numpy", "OMP_NUM_THREADS"), ("", "OMP_NUM_THREADS"), ("jax", "NPROC")],
)
def test_threads_are_those_that_the_variable_sets(
    framework: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each framework has its variable; without it, the number of cores decides."""
    monkeypatch.setenv(variable, "3")
    with_variable = environment(framework, "cpu")["threads"]
    monkeypatch.delenv(variable)
    without = environment(framework, "cpu")["threads"]

    assert with_variable == "3"
    assert without.startswith("default of ")


def test_variables_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that change how libraries compute have printable lines; others none."""
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("OPENBLAS_CORETYPE", " Has\x1b\nwell\t")
    monkeypatch.delenv("XLA_FLAGS", raising=False)

    lines = environment("numpy", "cpu")

    assert lines["OPENBLAS_CORETYPE"] == r"Has\x1b well"
    assert not {"XLA_FLAGS", "SOME_TOKEN"} & {*lines}


def test_torch_threads_and_determinism(request: pytest.FixtureRequest) -> None:
    """Settings of a program in PyTorch have lines."""
    threads = torch.get_num_threads()
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    request.addfinalizer(lambda: torch.use_deterministic_algorithms(mode=False))
    torch.set_num_threads(threads + 1)
    torch.use_deterministic_algorithms(mode=True)

    lines = environment("torch", "cpu")

    assert (lines["threads"], lines["deterministic"]) == (f"{threads + 1}", "True")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (torch.backends.mkldnn.matmul, "float32 on cpu"),  # type: ignore[attr-defined]
        (torch.backends.cuda.matmul, "float32 on cuda"),
        (torch.backends.cudnn.conv, "float32 in cudnn"),  # type: ignore[attr-defined]
    ],
)
def test_torch_precision_by_its_new_settings(
    place: Any,
    line: str,
    request: pytest.FixtureRequest,
) -> None:
    """The new settings are read, and the old ones, which raise errors, are not."""
    before = place.fp32_precision
    request.addfinalizer(lambda: setattr(place, "fp32_precision", before))
    place.fp32_precision = "ieee"
    exact = environment("torch", "cpu")[line]
    place.fp32_precision = "tf32"

    assert (exact, environment("torch", "cpu")[line]) == ("ieee", "tf32")


def test_jax_settings() -> None:
    """Settings of a program in JAX have lines."""
    names = ("float64 by default", "matmul precision", "jit")
    before = environment("jax", "cpu")

    with (
        jax.enable_x64(True),
        jax.default_matmul_precision("float32"),
        jax.disable_jit(),
    ):
        after = environment("jax", "cpu")

    assert [before[name] for name in names] == ["False", "default", "True"]
    assert [after[name] for name in names] == ["True", "float32", "False"]


def test_subnormals_that_are_flushed(request: pytest.FixtureRequest) -> None:
    """The mode is one of the thread, so it is reported for every framework."""
    request.addfinalizer(lambda: torch.set_flush_denormal(False))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")

    assert environment("numpy", "cpu")["subnormals"] == "flushed to zero"


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux lists what is loaded")
def test_the_blas_is_a_library_that_is_loaded() -> None:
    """The line begins with the name of a library that the process has mapped."""
    blas, *_ = environment("numpy", "cpu")["blas"].split()
    files = {Path(line.split()[-1]).name for line in MAPS.read_text().splitlines()}

    assert [file for file in files if blas in file]


@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}
    or "openblas" not in environment("numpy", "cpu")["blas"],
    reason="only OpenBLAS on x86 has this kernel",
)
def test_the_kernel_is_that_in_use() -> None:
    """OpenBLAS runs the kernel that a variable asks for, and it is named."""
    code = """if True:
        from compare.hosts.environment import environment
        print(environment("numpy", "cpu")["blas"])
    """

    blas = printed_by(code, OPENBLAS_CORETYPE="Prescott")

    assert blas.split()[-1] in {"Prescott", "Katmai"}  # OpenBLAS uses either name


def test_the_words_of_a_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each library has its version and kernel, once; thread pools are left out."""
    mkl: dict[str, Any] = {"user_api": "blas", "internal_api": "mkl"}
    mkl["version"] = "2025.1"
    blis = {**mkl, "internal_api": "blis", "version": None, "architecture": "zen"}
    pool = {**blis, "user_api": "openmp"}
    counted = zip([mkl, pool, blis, mkl], (3, 5, 2, 3), strict=True)
    loaded = [each | {"num_threads": n} for each, n in counted]
    monkeypatch.setattr("compare.hosts.environment.threadpool_info", lambda: loaded)

    lines = environment("numpy", "cpu")

    assert (lines["blas"], lines["blas threads"]) == ("mkl 2025.1, blis zen", "3, 2")


def test_what_numpy_does_not_report_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NumPy without a configuration, or a BLAS that is not known, is no error."""
    monkeypatch.setattr(np, "show_config", lambda mode: {mode: {}})
    monkeypatch.setattr("compare.hosts.environment.threadpool_info", list)

    lines = environment("numpy", "cpu")

    assert (lines["blas"], lines["cpu features"]) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("table", "cpu"),
    [
        (
            "processor : 0\nmodel name\t: Some CPU: 3 GHz\nmodel name\t: B\n",
            "Some CPU: 3 GHz",
        ),
        ("processor : 0\nCPU part\t: 0xd0c\n", "arm"),
    ],
)
def test_the_processor_in_the_table(
    table: str, cpu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is taken from the table of Linux, or from Python."""
    (tmp_path / "cpuinfo").write_text(table)
    monkeypatch.setattr("compare.hosts.environment.CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "arm")

    assert environment("numpy", "cpu")["cpu"] == cpu


def test_the_processor_without_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems without the table report what Python knows."""
    monkeypatch.setattr("compare.hosts.environment.CPUINFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "some machine")

    assert environment("numpy", "cpu")["cpu"] == "some machine"


def test_cores_are_those_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job on a cluster may have some of the cores of a machine."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3}, raising=False)

    assert cores() == 2
