"""The program: a signal ends it at once, and it imports nothing from where it runs."""

import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

TIMES = 20
LONGEST = 5.0
"""Seconds after which a signal comes at the latest: about as long as a comparison."""
COMMANDS = {
    "compare": ["--json", "a.json", "--figure", "a.png"],
    "record": ["record", "torch", "-o", "a.safetensors"],
    "check": ["check", "jax"],
    "exact": ["exact", "--steps", "100000"],
    "sweep": ["sweep", "--jobs", "2", "--seeds", "1000"],
}
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
RANDOM = random.Random(0)  # noqa: S311  # moments, no secrets
MOMENTS = [RANDOM.uniform(0, LONGEST) for _ in range(TIMES - 5)]
MOMENTS += [RANDOM.uniform(0, 0.3) for _ in range(5)]
"""Seconds from the first moment at which a program can do something about a signal."""


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start the program in a folder, and wait until Python has given it control."""
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-P", "-m", "compare", *command],
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


def check_end(
    command: str, number: signal.Signals, moment: float, folder: Path
) -> None:
    """Send a signal to a command, and check all that must be true of its end."""
    process = start(COMMANDS[command], folder)
    sleep(moment)
    children = psutil.Process(process.pid).children(recursive=True)
    began = monotonic()
    process.send_signal(number)
    out, err = process.communicate()
    took = monotonic() - began

    assert process.returncode == SIGNALS[number], err
    assert err.startswith(f"gradparity: ended by {number.name}")
    assert (out, err.count("\n")) == ("", 1)
    assert took < 1
    sleep(0.1)  # until those without a parent have noticed
    assert [child for child in children if child.is_running()] == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", [0.0, 2.0])
def test_a_signal_ends_everything(
    command: str, number: signal.Signals, moment: float, tmp_path: Path
) -> None:
    """One line, the status of shells, no process and no file are left."""
    check_end(command, number, moment, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS, ids=range(TIMES))
def test_a_signal_may_come_at_any_moment(
    command: str, number: signal.Signals, moment: float, tmp_path: Path
) -> None:
    """The same, at random moments."""
    check_end(command, number, moment, tmp_path)


def test_an_interruption_says_what_it_interrupts(tmp_path: Path) -> None:
    """Ctrl-C names the implementation that the program was waiting for."""
    port = tmp_path / "port.py"
    port.write_text(
        "from impls.numpy_manual import forward, loss_and_gradients\n"
        "def train(problem):\n"
        "    print('begin')\n"
        "    while True: pass\n"
    )
    process = start(["--impl", str(port)], tmp_path)
    assert process.stderr
    assert process.stderr.readline() == "port: begin\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert err == "gradparity: ended by SIGINT while training port\n"
