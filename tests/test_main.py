"""The program: a signal ends it at once, and it imports nothing from where it runs."""

import random
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import packages_distributions
from itertools import cycle, product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import psutil
import pytest

from compare.cli import run
from tests.helpers import RIGHT, runs, wait_until

pytestmark = pytest.mark.slow

TIMES = 20
LONGEST = 10.0
"""Seconds after which a signal comes at the latest."""
LIMIT = 2.0
"""Seconds in which everything ends: one, and one for a machine that is busy."""
COMMANDS = {
    "compare": ["--json", "a.json", "--figure", "a.png"],
    "record": ["record", "torch", "-o", "a.safetensors"],
    "check": ["check", "jax"],
    "exact": ["exact", "--steps", "100000"],
    "sweep": ["sweep", "--jobs", "2", "--seeds", "1000"],
}
SIGNALS = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}
RANDOM = random.Random(0)  # noqa: S311  # moments, no secrets
MOMENTS = [RANDOM.uniform(0, 0.8) for _ in range(TIMES - 5)]
MOMENTS += [RANDOM.uniform(0, 0.05) for _ in range(5)]
"""Parts of a command's time, from when it can do something about a signal."""


def start(
    command: list[str], folder: Path, shell: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start the program in a folder, and wait until Python has given it control.

    Args:
        command: Its arguments.
        folder: Where it runs.
        shell: What starts it, if not this process.
    """
    process = subprocess.Popen(  # noqa: S603  # our own program
        [*shell, sys.executable, "-P", "-m", "compare", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    status = Path(f"/proc/{process.pid}/status")
    while status.exists() and not catches(signal.SIGTERM, status.read_text()):
        sleep(0.001)
    return process


def catches(number: int, status: str) -> bool:
    """Return whether a process handles a signal; Python does not handle SIGTERM."""
    (mask,) = re.findall(r"SigCgt:\s*(\w+)", status)
    return bool(int(mask, 16) >> (number - 1) & 1)


@lru_cache
def time_of(command: str) -> float:
    """Measure how many seconds a command takes, as long as it is not too long."""
    with TemporaryDirectory() as folder:
        process = start(COMMANDS[command], Path(folder))
        began = monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=LONGEST)
        took = monotonic() - began
        process.terminate()
        process.communicate()
    return took


def check_end(command: str, number: signal.Signals, part: float, folder: Path) -> None:
    """Send a signal to a command, and check all that must be true of its end."""
    moment = part * time_of(command)
    process = start(COMMANDS[command], folder)
    sleep(moment)
    children = psutil.Process(process.pid).children(recursive=True)
    began = monotonic()
    process.send_signal(number)
    out, err = process.communicate()
    wait_until(lambda: not any(map(runs, children)))
    took = monotonic() - began

    assert process.returncode == SIGNALS[number], err
    assert err.startswith(f"gradparity: ended by {number.name}")
    assert (out, err.count("\n")) == ("", 1)
    assert took < LIMIT
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "part", "number"),
    [
        (command, part, number)
        for (part, command), number in zip(
            product([0.0, 0.5], COMMANDS), cycle(SIGNALS), strict=False
        )
    ],
)
def test_a_signal_ends_everything(
    command: str, part: float, number: signal.Signals, tmp_path: Path
) -> None:
    """One line, the status of shells, no process and no file are left.

    The three signals take turns: each command gets two of them.
    """
    check_end(command, number, part, tmp_path)


@pytest.mark.signals
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("part", MOMENTS, ids=range(TIMES))
def test_a_signal_may_come_at_any_moment(
    command: str, number: signal.Signals, part: float, tmp_path: Path
) -> None:
    """The same, at random moments."""
    check_end(command, number, part, tmp_path)


def test_an_interruption_says_what_it_interrupts(tmp_path: Path) -> None:
    """Ctrl-C names the implementation that the program was waiting for."""
    port = tmp_path / "port.py"
    port.write_text(
        "from impls.numpy_manual import forward, loss_and_gradients\n"
        "def train(problem):\n"
        "    print('begin')\n"
        "    while True: pass\n"
    )
    process = start(["record", str(port), "-o", "a.safetensors"], tmp_path)
    assert process.stderr
    assert process.stderr.readline() == "port: begin\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert err == "gradparity: ended by SIGINT while training port\n"


@pytest.mark.parametrize("name", ["HUP", "INT"])
def test_a_signal_that_is_ignored_stays_ignored(name: str, tmp_path: Path) -> None:
    """A shell ignores Ctrl-C for what it starts in the background, and nohup SIGHUP."""
    ignoring = ["sh", "-c", f'trap "" {name}; exec "$@"', "sh"]
    process = start(COMMANDS["exact"], tmp_path, ignoring)
    process.send_signal(signal.Signals[f"SIG{name}"])
    sleep(0.1)
    process.terminate()
    _, err = process.communicate()

    assert err.startswith("gradparity: ended by SIGTERM")


# The current folder.


@pytest.mark.parametrize(
    "arguments", [["--impl", "rel.py"], ["--json", "x.json"], ["exact"]], ids=" ".join
)
def test_a_deleted_folder_is_named(arguments: list[str], tmp_path: Path) -> None:
    """A relative name has no meaning in it."""
    folder = tmp_path / "gone"
    folder.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from compare.__main__ import main"
    command = [sys.executable, "-c", f"{program}; main()", *arguments]
    done = subprocess.run(  # noqa: S603  # our own program
        command, cwd=folder, check=False, capture_output=True, text=True
    )

    line = "gradparity: the current folder was deleted: go to another one\n"
    assert (done.returncode, done.stderr) == (3, line)


TRAPS = sys.stdlib_module_names | {*packages_distributions(), "compare", "impls"}
"""All modules that a command could import, and many that none does."""
TRAP = "import os\nos.write(2, __name__.encode())\nos._exit(99)\n"
ENTRY = "from compare.__main__ import main\nif __name__ == '__main__': main()\n"


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with two traces, a port, and a trap of each name."""
    folder = tmp_path_factory.mktemp("trapped")
    for name in ("numpy", "jax"):
        path = folder / f"{name}.safetensors"
        assert run(["record", name, "--steps", "20", "-o", str(path)]) == 0
    (folder / "my_port.py").write_text(RIGHT)
    for name in TRAPS:
        (folder / f"{name}.py").write_text(TRAP)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["list"],
        ["diff", "numpy.safetensors", "jax.safetensors", "--figure", "a.png"],
        ["exact", "--steps", "20"],
        ["sweep", "--steps", "20", "--seeds", "2"],
        ["--steps", "20"],
        ["--steps", "20", "--impl", "my_port.py"],
        ["--steps", "20", "--impl", "my_port"],
        ["record", "torch", "--steps", "20", "-o", "torch.safetensors"],
        ["check", "my_port.py"],
    ],
    ids=" ".join,
)
def test_nothing_is_imported_from_the_current_folder(
    trapped: Path, arguments: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No file there replaces a module, and a port is found there nevertheless."""
    entry = tmp_path_factory.mktemp("bin") / "gradparity"
    entry.write_text(ENTRY)
    command = [sys.executable, str(entry), *arguments]
    done = subprocess.run(  # noqa: S603  # our own program
        command, cwd=trapped, check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_trap_is_one(trapped: Path) -> None:
    """A program that Python runs in this folder falls into it."""
    command = [sys.executable, "-c", "import typer"]
    done = subprocess.run(command, cwd=trapped, check=False)  # noqa: S603

    assert done.returncode == 99
