"""What a walk is about: implementations, a mistake, and the step it enters."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from compare.checks.check import Promise, mismatch
from compare.contract.examine import promised
from compare.explain.lesson import choose, hosts_of, step_of
from compare.explain.sentences import obstacle
from compare.explain.walk import walk
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import Fault, plant
from compare.training.compare import compare
from compare.training.problems import Experiment
from impls import numpy_manual
from tests.helpers import RIGHT, problem_of, returning


@pytest.mark.parametrize(
    ("sizes", "fault", "found"),
    [
        ("2-2-1", "one step short", r"its w1 is float64 \(300, 2, 2\), and should be"),
        ("2-2-1", "a2 of shape (4,), not (1, 4)", r"its a2 is float64 \(300, 4\), and"),
        (
            "3-4-2",
            "dw1 transposed",
            r"its training ends with an error: ValueError: .* shapes \(4,3\) \(3,4\)$",
        ),
    ],
    ids=["steps", "shape", "error"],
)
def test_what_has_no_whole_trace_is_refused(sizes: str, fault: str, found: str) -> None:
    """The message says what was recorded, or how training ended."""
    lesson = choose(Experiment(network=sizes), None, None, fault)
    with hosts_of(lesson) as hosts:
        verdict = compare(lesson.experiment.problem(), hosts)

    with pytest.raises(RuntimeError, match=f"planted can't be walked through: {found}"):
        step_of(verdict, None)


def test_a_first_run_that_is_not_complete_is_refused() -> None:
    """The exact numbers are from its weights; a later run may be incomplete."""
    problem = problem_of(steps=3)
    last = numpy_manual.train(problem).w1[-1]
    late = returning(lambda w: np.array_equal(w.w1, last), dz1=lambda _: None)
    both = {"late": late, "right": numpy_manual}

    with pytest.raises(RuntimeError, match=r"late can't .*: its dz1 is nothing, and"):
        step_of(compare(problem, both), None)

    verdict = compare(problem, dict(reversed(both.items())))
    assert walk(verdict, step_of(verdict, 1)).step == 1


def test_a_run_of_which_nothing_can_be_told_is_refused() -> None:
    """The message is why its contract can't be checked: no check failed."""
    wide = problem_of("float32", steps=1, network="9000-1-1", samples=2)
    noise = np.random.default_rng(0)
    noisy = returning(a1=lambda a: a + noise.random(a.shape, a.dtype))

    with pytest.raises(RuntimeError, match=r"noisy can't .*: a1: roundings may have"):
        step_of(compare(wide, {"noisy": noisy}), None)


@pytest.mark.parametrize("promise", [Promise.LIVES, Promise.IN_TIME])
def test_a_process_that_ended_is_all_there_is_to_say(promise: Promise) -> None:
    """Nothing else of the run can be shown."""
    found = "its process ended with status 3"

    check = mismatch(promised("port", "answer", promise), found, "an answer")

    assert obstacle(check) == found


@pytest.mark.parametrize(
    "fault", [each for each in FAULTS if not each.changes], ids=lambda each: each.name
)
def test_a_mistake_outside_of_the_steps_needs_no_train(fault: Fault) -> None:
    """The plain loop makes it, too."""
    problem = problem_of(steps=20, loss=fault.loss or "bce")
    port: Any = SimpleNamespace(
        forward=numpy_manual.forward, loss_and_gradients=numpy_manual.loss_and_gradients
    )
    right, wrong = plant(fault, numpy_manual), plant(fault, port)

    assert vars(wrong.train(problem)).keys() == vars(right.train(problem)).keys()
    assert_equal(wrong.train(problem).w1, right.train(problem).w1)


def test_a_mistake_is_planted_in_one_implementation() -> None:
    """Two are an error, and so is a fault without that name."""
    with pytest.raises(ValueError, match="name one"):
        choose(Experiment(), 0, ["numpy", "torch"], "dw1 transposed")
    with pytest.raises(ValueError, match="dw1 transposed"):
        choose(Experiment(), 0, None, "dw1 transpose")


def test_a_mistake_under_one_loss_is_planted_under_that_loss() -> None:
    """The experiment follows the catalogue."""
    fault = fault_named("cross-entropy's gradient under the squared error")

    assert choose(Experiment(), None, None, fault.name).experiment.loss == "mse"


@pytest.mark.parametrize(
    ("step", "fault", "steps"),
    [
        (None, None, 1),
        (7, None, 8),
        (None, "dw1 transposed", 300),
        (400, "dw1 transposed", 401),
    ],
)
def test_no_more_steps_are_trained_than_needed(
    step: int | None, fault: str | None, steps: int
) -> None:
    """One more than the step; with a mistake, enough for each of them to happen."""
    assert choose(Experiment(), step, ["numpy"], fault).experiment.steps == steps


@pytest.mark.parametrize(
    ("files", "fault", "labels"),
    [
        (["port.py"], None, ["port"]),
        (["port.py", "port.py"], None, ["port", "port_2"]),
        (["port.py"], "dw1 transposed", ["port", "planted"]),
        (["planted.py"], "dw1 transposed", ["planted", "planted_2"]),
    ],
    ids=["alone", "twice", "with a mistake", "of that name"],
)
def test_a_file_is_named_by_its_stem(
    files: list[str], fault: str | None, labels: list[str], tmp_path: Path
) -> None:
    """As in a comparison; two never have one name."""
    names = [str(tmp_path / file) for file in files]

    assert [*choose(Experiment(), 0, names, fault).names] == labels


@pytest.mark.parametrize(
    ("fault", "effects"),
    [(None, set()), ("dw1 transposed", {"enters", "spreads"})],
)
def test_a_port_has_a_process_of_its_own(
    fault: str | None,
    effects: set[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it does to its process ends with that; a mistake is planted there."""
    port = tmp_path / "port.py"
    port.write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=[1000]).start()\n"
        f"print('loaded')\n{RIGHT}"
    )
    lesson = choose(Experiment(), None, [str(port)], fault)
    with hosts_of(lesson) as hosts:
        verdict = compare(lesson.experiment.problem(), hosts)
    walked = walk(verdict, step_of(verdict, None))

    out, err = capsys.readouterr()
    assert {e for stage in walked.stages for e in stage.effects.values()} == effects
    assert out == ""
    assert "port: loaded\n" in err


def test_without_a_difference_the_first_step_is_shown() -> None:
    """With one, its step is; a step that is named is that one."""
    lesson = choose(Experiment(), 3, ["numpy"])
    with hosts_of(lesson) as hosts:
        verdict = compare(lesson.experiment.problem(), hosts)

    assert step_of(verdict, None) == 0
    assert step_of(verdict, 3) == 3
