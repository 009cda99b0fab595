"""The installed package is enough: a wheel, in a clean environment of its own."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from compare.cli import run

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow
PORT = """
from types import SimpleNamespace
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward(weights, x):
    w1, w2 = weights
    return SimpleNamespace(a2=sigmoid(w2 @ sigmoid(w1 @ x)))

def loss_and_gradients(weights, x, y, loss):
    (w1, w2), m = weights, y.shape[1]
    a1 = sigmoid(w1 @ x)
    z2 = w2 @ a1
    a2 = sigmoid(z2)
    if loss == "bce":
        value = (np.logaddexp(0, z2) - y * z2).sum() / m
        dz2 = (a2 - y) / m
    else:
        value = ((a2 - y) ** 2).mean()
        dz2 = 2 * (a2 - y) * a2 * (1 - a2) / y.size
    dz1 = w2.T @ dz2 * a1 * (1 - a1)
    return value, SimpleNamespace(dw1=dz1 @ x.T, dw2=dz2 @ a1.T)
"""
CHECKS = """
from compare.testing import parametrize_with_checks

@parametrize_with_checks(["port"])
def test_port(implementation, check):
    check(implementation)
"""


def execute(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run a command without the paths of this process."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(  # noqa: S603
        [str(word) for word in command],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel and pytest, and no framework, beside a third-party port."""
    folder = tmp_path_factory.mktemp("project")
    built = execute(
        folder, sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", ".", ROOT
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("gradparity-*.whl")
    venv.create(folder / ".venv", with_pip=True)
    installed = execute(
        folder, program(folder, "python"), "-m", "pip", "install", wheel, "pytest>=9"
    )
    assert installed.returncode == 0, installed.stderr
    (folder / "port.py").write_text(PORT)
    (folder / "test_port.py").write_text(CHECKS)
    return folder


def program(folder: Path, name: str) -> Path:
    """Find a program of the environment."""
    return folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / name


def test_a_project_passes(project: Path) -> None:
    """A right port passes every check, with no framework but NumPy installed."""
    done = execute(project, program(project, "python"), "-m", "pytest", "-q")

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_a_project_can_fail(project: Path) -> None:
    """A wrong port fails, and the failure names the step."""
    (project / "wrong.py").write_text(PORT.replace("dz1 @ x.T", "(dz1 @ x.T).T"))
    (project / "test_wrong.py").write_text(CHECKS.replace('"port"', '"wrong"'))

    done = execute(
        project, program(project, "python"), "-m", "pytest", "-q", "test_wrong.py"
    )

    assert done.returncode == 1, done.stdout
    assert "first difference: step 0" in done.stdout


def test_diff_needs_no_framework(project: Path) -> None:
    """Traces of PyTorch and JAX are compared where neither is installed."""
    files = [project / "torch.safetensors", project / "jax.safetensors"]
    recorded = [run(["record", file.stem, "-o", str(file)]) for file in files]

    done = execute(project, program(project, "gradparity"), "diff", "--verbose", *files)

    assert recorded == [0, 0]
    assert (done.returncode, done.stderr) == (0, "")
    assert "MATCH  torch, jax" in done.stdout
    assert done.stdout.index("environment") < done.stdout.index("MATCH")


def test_a_page_is_made(project: Path) -> None:
    """The wheel has its templates; `--impl` takes a module of the current folder."""
    command = (program(project, "gradparity"), "--steps", 300, "--impl", "port")

    done = execute(project, *command, "--page", "port.html")

    assert (done.returncode, done.stderr) == (0, "")
    assert "impls/numpy_manual.py" in (project / "port.html").read_text("utf-8")


def test_a_missing_framework_is_one_line(project: Path) -> None:
    """PyTorch is not installed in the environment of the wheel."""
    command = (program(project, "gradparity"), "--impl", "numpy", "--impl", "torch")

    done = execute(project, *command)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("gradparity: 'torch' is not installed: pip install ")
    assert done.stderr.count("\n") == 1
