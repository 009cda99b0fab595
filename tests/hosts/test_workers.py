"""Each named implementation has a process of its own, and keeps its harm to itself."""

import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from compare.checks.check import Promise
from compare.checks.verdict import Verdict
from compare.hosts import workers
from compare.hosts.host import start
from compare.hosts.third_party import BrokenImplementationError
from compare.hosts.workers import LINES, first_done
from compare.training.compare import compare
from impls import numpy_manual
from tests.helpers import RIGHT, Write, problem_of, runs, wait_until

pytestmark = pytest.mark.slow

PROBLEM = problem_of(steps=20)
IN_TRAIN = (
    "from impls import numpy_manual\n"
    "from impls.numpy_manual import forward, loss_and_gradients\n"
    "def train(problem):\n"
    "    {}\n"
    "    return numpy_manual.train(problem)\n"
)
"""A port whose line 4 does harm."""


def beside_others(port: str, timeout: float | None = None) -> Verdict:
    """Compare a port in a process of its own with an object before and after it."""
    both = {"before": numpy_manual, "port": port, "after": numpy_manual}
    with start(both, timeout=timeout) as hosts:
        return compare(PROBLEM, hosts)


def obstacle(verdict: Verdict) -> Any:
    """Return the one failed check, which is of the port."""
    (failed,) = verdict.differences
    assert failed.subject == ("port",)
    return failed


# Harm while loading.


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import os\nos._exit(0)",
            r"its process ended with status 0 \(.*port.py, line 2\)",
        ),
        ("import sys\nsys.exit(0)", r"SystemExit: 0 \(.*port.py, line 2\)"),
        ("\nraise KeyboardInterrupt", r"KeyboardInterrupt: \(.*port.py, line 2\)"),
        (
            "import ctypes\nctypes.string_at(0)",
            r"ended by SIGSEGV \(.*port.py, line 2\)",
        ),
        ("import os\nos.closerange(0, 99)\nos.abort()", "its process"),
    ],
    ids=["leaves", "exits", "interrupts", "crashes", "closes"],
)
def test_a_file_that_ends_its_process_cannot_be_loaded(
    port: Write, code: str, words: str
) -> None:
    """The error names it, the file and the line."""
    with (
        pytest.raises(
            BrokenImplementationError, match=rf"^cannot load '.*port\.py': .*{words}"
        ),
        start({"port": port(code)}),
    ):
        pass


# Harm that ends a process.

ENDS = {
    "leaves": ("import os; os._exit(0)", Promise.LIVES, "with status 0"),
    "leaves with 7": ("import os; os._exit(7)", Promise.LIVES, "with status 7"),
    "crashes": ("import ctypes; ctypes.string_at(0)", Promise.LIVES, "by SIGSEGV"),
    "aborts": ("import os; os.abort()", Promise.LIVES, "by SIGABRT"),
    "interrupts": ("raise KeyboardInterrupt", Promise.ANSWERS, "KeyboardInterrupt: "),
    "breaks": ("raise BaseException('x')", Promise.ANSWERS, "BaseException: x"),
    "exits": ("raise SystemExit(0)", Promise.TRAINS, "SystemExit: 0"),
    "takes all memory": ("a = b'x' * 10**14", Promise.TRAINS, "MemoryError"),
    "collects memory": (
        "import numpy; a = [numpy.empty(2**25) for _ in iter(int, 1)]",
        Promise.TRAINS,
        "MemoryError",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_process_is_an_obstacle(port: Write, name: str) -> None:
    """It is named with its line, and the others are compared."""
    harm, promise, words = ENDS[name]
    path = port(IN_TRAIN.format(harm))

    verdict = beside_others(path)

    failed = obstacle(verdict)
    assert verdict.answer == "could not compare"
    assert failed.promise == promise
    assert words in failed.worst.value
    assert f"({path}, line 4)" in failed.worst.value
    assert [run.name for run in verdict.complete] == ["before", "after"]
    assert {"parity", "audit"} <= {check.kind for check in verdict.checks}


def test_a_process_may_be_killed(port: Write) -> None:
    """A signal that can't be seen from inside has a name, but no line."""
    harm = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    failed = obstacle(beside_others(port(IN_TRAIN.format(harm))))

    assert failed.worst.value == "its process ended by SIGKILL"


def test_a_port_may_fail_in_the_replay(port: Write) -> None:
    """What it recorded is still audited."""
    code = (
        "from impls.numpy_manual import forward as right, loss_and_gradients, train\n"
        "import os\n"
        "def forward(weights, x):\n"
        "    if weights.w1.ndim > 2: os._exit(1)\n"
        "    return right(weights, x)\n"
    )

    verdict = beside_others(port(code))

    assert verdict.answer == "could not compare"
    assert obstacle(verdict).promise == Promise.LIVES
    assert [run.trace.loss.shape for run in verdict.runs] == [(20,)] * 3


@pytest.mark.parametrize(
    "harm",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "input(); [0 for _ in iter(int, 1)]",
    ],
    ids=["loops", "sleeps", "reads"],
)
def test_a_limit_of_time(port: Write, harm: str) -> None:
    """An endless loop ends after the limit; a read gets the end of the input."""
    path = port(
        IN_TRAIN.format(harm.replace("input();", "import sys; sys.stdin.read();"))
    )

    failed = obstacle(beside_others(path, timeout=3))

    assert failed.promise == Promise.IN_TIME
    assert failed.worst.value == f"it takes longer than 3 s ({path}, line 4)"


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf"), "3"])
def test_a_limit_must_be_a_time(timeout: Any) -> None:
    """Nothing is started with another limit."""
    message = f"^timeout must be more than 0 .*, not {timeout!r}$"

    with pytest.raises(ValueError, match=message), start({"x": "x"}, timeout=timeout):
        pass


def test_a_file_that_takes_too_long_to_load(port: Write) -> None:
    """The limit holds for loading, too."""
    words = (
        r"^cannot load '.*port\.py': it takes longer than 2 s \(.*port.py, line 1\)$"
    )
    with (
        pytest.raises(BrokenImplementationError, match=words),
        start({"port": port("while True: pass")}, timeout=2),
    ):
        pass


# Harm that stays in its process.

STAYS = {
    "leaves at the end": "import atexit, os\natexit.register(os._exit, 0)\n",
    "a thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=[1000]).start()\n",
    "a child": "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n",
    "no output": "import sys\nsys.stdout = sys.stderr = sys.stdin = None\n",
    "closed output": "import os\nos.close(1)\nos.close(2)\n",
    "flooded output": "for _ in range(10**5): print('x' * 100)\n",
    "binary output": "import os\nos.write(1, bytes(range(256)) * 1000)\n",
    "folder": "import os\nos.chdir('/')\n",
    "environment": "import os\nos.environ.clear()\n",
    "warnings": "import warnings\nwarnings.simplefilter('error')\n",
    "modules": "import sys\nsys.path.clear()\n",
    "signals": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
    "rounding": "import ctypes\nctypes.CDLL(None).fesetround(0xC00)\n",
    "NumPy's errors": "import numpy as np\nnp.seterr(all='raise')\n",
}


@pytest.mark.parametrize("name", STAYS)
def test_other_harm_stays_there(port: Write, name: str) -> None:
    """The answer is a match of both, and the program ends within a second."""
    both = {"numpy": "numpy", "port": port(STAYS[name] + RIGHT)}
    with start(both) as hosts:
        verdict = compare(PROBLEM, hosts)
        last = monotonic()
        children = psutil.Process().children(recursive=True)

    assert verdict.answer == "match"
    assert monotonic() - last < 1
    wait_until(lambda: not any(map(runs, children)))


def test_a_daemon_delays_nothing(port: Write, tmp_path: Path) -> None:
    """A process that leaves its group keeps a stream open, and is not waited for."""
    code = (
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(1000)']\n"
        "daemon = subprocess.Popen(sleep, start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(daemon.pid))\n"
    )
    with start({"port": port(code + RIGHT)}):
        last = monotonic()
    took = monotonic() - last
    psutil.Process(int((tmp_path / "pid").read_text())).kill()

    assert took < 1


@pytest.mark.parametrize(
    "harm",
    [
        "import numpy as np; np.exp = lambda z: 1 + z",
        "from impls import numpy_manual; numpy_manual.sigmoid = lambda z: z",
    ],
    ids=["np.exp", "our sigmoid"],
)
def test_numbers_are_judged_elsewhere(port: Write, harm: str) -> None:
    """A port that changes NumPy, or our NumPy, changes no other and no judgement."""
    verdict = beside_others(port(f"{harm}\n{RIGHT}"))

    assert verdict.answer == "differ"
    assert all("port" in check.subject for check in verdict.differences)
    before, _, after = (run.trace.w1 for run in verdict.runs)
    assert np.array_equal(before, numpy_manual.train(PROBLEM).w1)
    assert np.array_equal(before, after)


# What is left.


def test_windows_removes_no_open_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The report is closed before it is removed; a result is not lost by that."""
    unlink = Path.unlink
    opened: list[Any] = []

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if not all(file.closed for file in opened):
            raise PermissionError
        unlink(path, missing_ok=missing_ok)

    def fdopen(*arguments: Any) -> Any:
        opened.append(open(*arguments))  # noqa: PTH123, SIM115  # of a number
        return opened[-1]

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr("compare.hosts.workers.os.fdopen", fdopen)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with start({"numpy": "numpy"}):
        assert opened

    assert [*tmp_path.iterdir()] == []


def test_what_a_port_has_started_ends_with_a_killed_parent(
    port: Write, tmp_path: Path
) -> None:
    """The process of the port notices the end of its parent, which can do nothing."""
    code = (
        "import os, subprocess, time\n"
        "sleep = subprocess.Popen(['sleep', '987'])\n"
        f"with open({str(tmp_path / 'part')!r}, 'w') as file:\n"
        "    file.write(str(sleep.pid))\n"
        f"os.rename({str(tmp_path / 'part')!r}, {str(tmp_path / 'pid')!r})\n"
        "time.sleep(987)\n"
    )
    program = f"from compare import check; check({port(code)!r})"
    parent = subprocess.Popen([sys.executable, "-c", program])  # noqa: S603
    wait_until((tmp_path / "pid").exists)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    assert runs(child)
    parent.kill()
    parent.wait()

    wait_until(lambda: not runs(child))


def test_no_wait_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows handles Ctrl-C after a wait, not in it."""
    waits: list[float] = []

    def wait(futures: Any, timeout: float, _: str) -> Any:
        waits.append(timeout)
        done = {*futures} if len(waits) > 2 else set()
        return SimpleNamespace(done=done)

    monkeypatch.setattr(workers, "wait", wait)
    future: Future[int] = Future()
    future.set_result(0)

    assert first_done([future]) is future
    assert waits == [workers.PATIENCE] * 3


# What it prints.


def test_what_is_printed_is_marked(
    port: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line has the name before it; no line can imitate another."""
    code = "print('one\\ntwo \\x1b[2J')\nimport os\nos.write(2, b'three\\n')\n"

    beside_others(port(code + RIGHT))

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["port: one", "port: two \\x1b[2J", "port: three"]


def test_a_flood_is_cut_off(port: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """After so many lines the rest is left out, which one line says."""
    beside_others(port("for i in range(10**5): print(i)\n" + RIGHT))

    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["port: 0", "port: 1"]
    assert lines[LINES - 1 :] == [f"port: {LINES - 1}", "port: no more lines are shown"]


# Where it finds its modules.


def test_a_file_imports_what_is_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own modules are found, and none of them replaces a package."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "helper.py").write_text(
        "from impls.numpy_manual import forward"
    )
    (tmp_path / "sub" / "torch.py").write_text("raise SystemExit('trap')")
    (tmp_path / "sub" / "port.py").write_text(
        "import torch\nfrom helper import forward\n" + RIGHT
    )
    monkeypatch.chdir(tmp_path)

    assert beside_others("sub/port.py").answer == "match"
    assert [p for p in sys.path if str(tmp_path) in p] == []


def test_a_module_may_lie_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the current folder can be named, and replaces no package."""
    (tmp_path / "my_port.py").write_text(RIGHT)
    (tmp_path / "numpy.py").write_text("raise SystemExit('trap')")
    monkeypatch.chdir(tmp_path)

    assert beside_others("my_port").answer == "match"
