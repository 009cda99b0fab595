"""Where frameworks compute, and what is written down of it; no test needs a GPU."""

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

from compare.training.environment import DeviceError, on
from compare.training.environment import environment
from compare.training.problems import Experiment
from compare.training.load import OURS, load
from impls import torch_autograd
from impls.interface import Weights


def printed_by(code: str, **variables: str) -> str:
    """Run code in a fresh process, and give what it printed."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(  # noqa: S603
        command, check=True, capture_output=True, text=True, env=os.environ | variables
    )
    return done.stdout.strip()


def raise_error(error: Exception) -> Callable[..., Any]:
    """Make a function that does nothing else."""

    def function(*_: object) -> None:
        raise error

    return function


@pytest.fixture
def torch_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch pretend that there is a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Pretended GPU")


@pytest.fixture
def jax_gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let JAX pretend that there is a GPU."""
    gpu = SimpleNamespace(
        device_kind="Pretended GPU",
        client=SimpleNamespace(platform_version="PJRT C API\ncuda 12080"),
    )
    monkeypatch.setattr(jax, "devices", {"gpu": [gpu]}.__getitem__)
    monkeypatch.setattr(jax, "default_device", nullcontext)
    return gpu


@pytest.mark.parametrize(
    "ask", [lambda: on("tpu", "numpy"), lambda: environment("numpy", "tpu")]
)
def test_an_unknown_device_lists_the_known_ones(ask: Callable[[], object]) -> None:
    """A typing mistake is answered with what could have been meant."""
    with pytest.raises(
        ValueError, match=r"^unknown device 'tpu': choose from cpu, cuda$"
    ):
        replay()


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
        on("cuda", "torch")


@pytest.mark.parametrize("error", [RuntimeError("Unknown backend"), AssertionError()])
@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("cuda", "no GPU here: leave out --device cuda"),
        ("cpu", "no CPU here: see JAX_PLATFORMS"),
    ],
)
def test_jax_says_what_it_has_not(
    device: str, why: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAX's own error, with many words or none, becomes one line that helps."""
    monkeypatch.setattr(jax, "devices", raise_error(error))

    with pytest.raises(DeviceError, match=rf"^jax \d\S+ finds {why}$"):
        on(device, "jax")


@pytest.mark.parametrize("framework", ["numpy", "autograd", ""])
def test_other_frameworks_stay_where_they_are(framework: str) -> None:
    """Asking NumPy for the GPU is no error, and moves nothing."""
    assert isinstance(on("cuda", framework), nullcontext)


@pytest.mark.usefixtures("torch_gpu")
def test_torch_on_a_gpu() -> None:
    """With a GPU there, PyTorch's context is the one for it, and its name is told."""
    assert on("cuda", "torch") == torch.device("cuda")
    assert environment("torch", "cuda")["device"] == "Pretended GPU"


def test_jax_on_a_gpu(jax_gpu: SimpleNamespace) -> None:
    """JAX calls it "gpu"; what the driver says on two lines is told on one."""
    with on("cuda", "jax") as device:
        assert device is jax_gpu

    lines = environment("jax", "cuda")
    assert lines["device"] == "Pretended GPU"
    assert lines["platform"] == "PJRT C API cuda 12080"


def test_torch_comes_to_the_cpu_and_goes_back() -> None:
    """Inside, PyTorch computes on the CPU; after it, where it did before."""
    with torch.device("meta"):
        with on("cpu", "torch"):
            inside = torch_autograd.tensor(np.ones(2)).device
        after = torch_autograd.tensor(np.ones(2)).device

    assert (inside.type, after.type) == ("cpu", "meta")


def test_torch_on_its_cpu_pays_nothing() -> None:
    """PyTorch's context delays every call: where it changes nothing, it isn't used."""
    assert isinstance(on("cpu", "torch"), nullcontext)


def test_jax_comes_to_the_cpu_and_goes_back() -> None:
    """Inside, JAX computes on its first CPU; after it, where it did before."""
    before = jax.config.jax_default_device  # type: ignore[attr-defined]
    with on("cpu", "jax"):
        inside = jax.config.jax_default_device  # type: ignore[attr-defined]

    assert inside == jax.devices("cpu")[0]
    assert jax.config.jax_default_device is before  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OURS)
def test_the_cpu_changes_no_bits(name: str) -> None:
    """Asking for the device that is used anyway gives the same numbers."""
    problem = Experiment(steps=5).problem()

    with on("cpu", name):
        asked = load(name).train(problem)

    assert np.array_equal(asked.w1, load(name).train(problem).w1)


def test_torch_autograd_computes_where_it_is_told() -> None:
    """All that is computed stays on the device: "meta", which has no numbers."""
    x, y, (w1, w2) = (p := Experiment().problem()).x, p.y, p.weights

    with torch.device("meta"):
        x_, y_, *weights = map(torch_autograd.tensor, (x, y, w1, w2))
        value, activations, gradients = torch_autograd.differentiate(
            Weights(*weights), x_, y_, "bce"
        )

    assert {d.device.type for d in (value, *activations, *gradients)} == {"meta"}


def test_torch_autograd_trains_where_it_is_told() -> None:
    """A training on "meta" fails at its end: there are no numbers to bring back."""
    with torch.device("meta"), pytest.raises(NotImplementedError, match="meta tensor"):
        torch_autograd.train(Experiment(steps=2).problem())


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("sign", [1, -1])
def test_torch_tensors_are_laid_out_alike(sign: int, order: Any) -> None:  # noqa: ANN401
    """However an array lies in memory, its tensor lies in rows: bits depend on it."""
    array = np.arange(6.0).reshape(2, 3).copy(order)[:, ::sign]

    tensor = torch_autograd.tensor(array)

    assert tensor.stride() == (3, 1)
    assert tensor.tolist() == array.tolist()


def test_jax_grad_computes_where_it_is_told() -> None:
    """Of two devices JAX takes the first; told otherwise, ours uses the other alone."""
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
    """Whoever describes one framework waits for no other."""
    code = f"""if True:
        import sys
        from compare.training.environment import environment
        environment({framework!r}, "cpu")
        print(*sorted({{"numpy", "torch", "jax"}} & {{*sys.modules}}))
    """

    assert printed_by(code) == " ".join(sorted({"numpy", framework}))


def test_what_is_said_of_numpy() -> None:
    """All lines, in their order, with what this machine has."""
    lines = environment("numpy", "cuda")

    assert [*lines][:11] == [
        "python",
        "system",
        "c library",
        "cpu",
        "subnormals",
        "cpu features",
        "numpy",
        "blas",
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
    """A framework is told with its version, if there is one."""
    assert environment(framework, "cpu")["framework"] == line


@pytest.mark.parametrize(
    ("framework", "device"),
    [("numpy", "cpu"), ("torch", "cpu"), ("jax", "cpu"), ("pytest", "unknown")],
)
def test_devices(framework: str, device: str) -> None:
    """Where a framework computes that isn't known here, isn't known either."""
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
    told = environment(framework, "cpu")["threads"]
    monkeypatch.delenv(variable)
    untold = environment(framework, "cpu")["threads"]

    assert told == "3"
    assert untold.startswith("default of ")


def test_variables_that_are_set_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells a library how to compute has a line, made printable; secrets don't."""
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("OPENBLAS_CORETYPE", " Has\x1b\nwell\t")
    monkeypatch.delenv("XLA_FLAGS", raising=False)

    lines = environment("numpy", "cpu")

    assert lines["OPENBLAS_CORETYPE"] == "Has well"
    assert not {"XLA_FLAGS", "SOME_TOKEN"} & {*lines}


def test_torch_threads_and_determinism(request: pytest.FixtureRequest) -> None:
    """What a program sets in PyTorch is told."""
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
def test_torch_precision_in_its_new_words(
    place: Any,  # noqa: ANN401
    line: str,
    request: pytest.FixtureRequest,
) -> None:
    """Set with them, the precision is told, though the old words raise errors now."""
    before = place.fp32_precision
    request.addfinalizer(lambda: setattr(place, "fp32_precision", before))
    place.fp32_precision = "ieee"
    exact = environment("torch", "cpu")[line]
    place.fp32_precision = "tf32"

    assert (exact, environment("torch", "cpu")[line]) == ("ieee", "tf32")


def test_torch_precision_in_its_old_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before PyTorch 2.9 there are no others."""
    fake = SimpleNamespace(
        __version__="2.6.0",
        get_default_device=lambda: SimpleNamespace(type="cpu"),
        get_num_threads=lambda: 4,
        are_deterministic_algorithms_enabled=lambda: False,
        get_float32_matmul_precision=lambda: "high",
        backends=SimpleNamespace(
            cpu=SimpleNamespace(get_cpu_capability=lambda: "AVX2"),
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
            cudnn=SimpleNamespace(allow_tf32=False),
        ),
    )
    monkeypatch.setitem(sys.modules, "torch", fake)

    assert [*environment("torch", "cpu").items()][8:16] == [
        ("framework", "torch 2.6.0"),
        ("device", "cpu"),
        ("threads", "4"),
        ("cpu kernels", "AVX2"),
        ("deterministic", "False"),
        ("float32 matmul", "high"),
        ("tf32 on cuda", "True"),
        ("tf32 in cudnn", "False"),
    ]


def test_jax_settings() -> None:
    """What a program sets in JAX is told."""
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
    """A mode that one library sets for the whole thread is told of all."""
    request.addfinalizer(lambda: torch.set_flush_denormal(False))
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")

    assert environment("numpy", "cpu")["subnormals"] == "flushed to zero"


def test_what_numpy_leaves_out_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A NumPy that says nothing of itself is no error."""
    monkeypatch.setattr(np, "show_config", lambda mode: {mode: {}})

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
    """Linux has a table of processors, most with their names; else a word will do."""
    (tmp_path / "cpuinfo").write_text(table)
    monkeypatch.setattr("compare.training.environment.CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "arm")

    assert environment("numpy", "cpu")["cpu"] == cpu


def test_the_processor_without_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other systems have no such file, and tell less or more."""
    monkeypatch.setattr("compare.training.environment.CPUINFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "some machine")

    assert environment("numpy", "cpu")["cpu"] == "some machine"
