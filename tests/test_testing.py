"""The checks in other people's tests: one case for each, and no pass for nothing."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from compare.diagnosis.findings import FINDINGS
from compare.diagnosis.mistakes import UPDATES
from compare.hosts.load import labels, load
from compare.selftest.faults import fault_named
from compare.selftest.plant import Fault, plant
from compare.testing import (
    NamedCheck,
    check_implementation,
    parametrize_with_checks,
)
from compare.training.problems import EXAM, Experiment, lopsided
from impls import numpy_manual
from impls.interface import Gradients, Problem, Weights
from tests.helpers import BLACK_BOX, box, fail, write_into_x

pytestmark = pytest.mark.slow

pytest_plugins = "pytester"

QUICK = [Experiment(steps=20).problem()]
LOSS_OF_SUM = plant(fault_named("loss of the sum, not of the mean"), load("numpy"))
NOT_GIVEN = ("z1", "a1", "z2", "dz2", "dz1")
CONTRACT = FINDINGS[:4]


def found(
    implementation: object,
    problems: Sequence[Problem] = QUICK,
    against: object = "numpy",
) -> dict[str, str]:
    """Check an implementation, and return the status of each name."""
    findings = check_implementation(implementation, against=against, problems=problems)
    return {finding.name: finding.status for finding in findings}


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_ours_pass(name: str) -> None:
    """Implementations in other frameworks pass all checks of the default problems."""
    assert found(name, EXAM) == dict.fromkeys(FINDINGS, "passed")


def test_a_black_box_fails_nothing() -> None:
    """What it does not return neither passes nor fails; the rest passes."""
    findings = check_implementation(BLACK_BOX)

    given = {f.name for f in findings if f.status == "passed"}
    missing = {f.name: f.reason for f in findings if f.status == "not given"}
    assert given == {*FINDINGS} - {*NOT_GIVEN} - {*UPDATES}
    own = "not checked: your optimizer: no train is given "
    own += "(torch_module takes optimizer=)"
    assert missing == {
        **{n: f"SimpleNamespace does not give {n}" for n in NOT_GIVEN},
        **dict.fromkeys(UPDATES, own),
    }
    assert not any(finding.fails for finding in findings)


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("start weights rounded to float32", "start"),
        ("one step short", "record"),
        ("float32 in the sigmoid", "a1"),
        ("epsilon in the logarithm", "loss"),
        ("cross-entropy's gradient under the squared error", "dz2"),
        ("the squared error's gradient under cross-entropy", "dz2"),
        ("gradients 0.01 % too large", "dw2"),
        ("wrong slope of a sample whose inputs are 0", "dz1"),
        ("one element off by a billionth in one step", "dw1"),
        ("learning rate rounded to float32", "new_w1"),
    ],
)
def test_a_fault_fails_its_check(fault: str, case: str) -> None:
    """The default problems show the smallest faults, and each failure has its story."""
    findings = check_implementation(plant(fault_named(fault), load("numpy")))

    failed = {f.name: f.reason for f in findings if f.status == "failed"}
    assert case in failed
    assert {reason.count("\n") for reason in failed.values()} <= {2, 3}
    assert "reference" not in failed


def write_into_weights(problem: Problem) -> object:
    """Train, and leave the result in the weights of the problem."""
    trace = numpy_manual.train(problem)
    problem.weights.w1[:] = trace.w1[-1]
    return trace


def reuse(buffer: list[Any]) -> Callable[..., object]:
    """Return the same array each time."""

    def loss_and_gradients(*arguments: Any) -> object:
        value, gradients = numpy_manual.loss_and_gradients(*arguments)
        buffer.append(gradients.dw1)
        buffer[0][:] = gradients.dw1
        return value, gradients._replace(dw1=buffer[0])

    return loss_and_gradients


def accumulate(total: list[Any]) -> Callable[..., object]:
    """Add to the gradients of the call before."""

    def loss_and_gradients(*arguments: Any) -> object:
        value, gradients = numpy_manual.loss_and_gradients(*arguments)
        total.append(gradients.dw1)
        return value, gradients._replace(dw1=np.sum(total, axis=0))

    return loss_and_gradients


def in_float32(*arguments: Any) -> object:
    """Return gradients in single precision."""
    value, gradients = numpy_manual.loss_and_gradients(*arguments)
    return value, Gradients(*(g.astype(np.float32) for g in gradients))


@pytest.mark.parametrize(
    ("breaker", "case"),
    [
        (lambda: box(forward=lambda x: x), "signature"),
        (lambda: box(forward=None), "signature"),
        (object, "signature"),
        (lambda: box(loss_and_gradients=in_float32), "answers"),
        (lambda: box(loss_and_gradients=lambda *_: fail(_)), "answers"),
        (lambda: box(forward=write_into_x), "inputs_unchanged"),
        (lambda: box(train=write_into_weights), "inputs_unchanged"),
        (lambda: box(loss_and_gradients=reuse([])), "memory"),
        (lambda: box(loss_and_gradients=accumulate([])), "memory"),
        (lambda: box(train=fail), "record"),
    ],
    ids=[
        "other arguments",
        "no forward",
        "nothing at all",
        "float32",
        "raises",
        "writes into x",
        "training writes",
        "one buffer",
        "accumulates",
        "training raises",
    ],
)
def test_a_broken_contract_fails_one_check(
    breaker: Callable[[], object], case: str
) -> None:
    """Everything that would have come after is "not reached", not passed."""
    statuses = found(breaker())

    later = [statuses[name] for name in FINDINGS if name not in (*CONTRACT, case)]
    assert [name for name in FINDINGS if statuses[name] == "failed"] == [case]
    assert later == ["not reached"] * (len(later) - 1) + ["passed"]


def test_training_on_a_copy() -> None:
    """An implementation that writes into its problem changes nothing for others."""
    problem = lopsided("mse", "float64")

    statuses = found(box(train=write_into_weights), [problem])

    assert statuses["reference"] == "passed"
    assert (problem.weights.w1 == lopsided("mse", "float64").weights.w1).all()


def test_what_is_not_reached_says_why() -> None:
    """The reason names the check to mend first, and its promise."""
    findings = check_implementation(box(train=fail), problems=QUICK)

    reasons = {f.reason for f in findings if f.status == "not reached"}
    assert reasons == {"not reached: record fails: train trains to the end"}


def test_what_cannot_be_told_is_no_pass() -> None:
    """With weights of zero each class is a matter of rounding: cannot tell."""
    problem = Experiment(steps=1).problem()
    zeros = Weights(*(0 * w for w in problem.weights))
    problem = replace(problem, weights=zeros)

    unproven = [f for f in check_implementation("jax", problems=[problem]) if f.fails]

    assert [(f.name, f.status) for f in unproven] == [("classes", "cannot tell")]
    assert unproven[0].reason.startswith("cannot tell final classes of numpy and jax: ")


def test_the_worst_of_all_problems_counts() -> None:
    """One failure counts, and the finding names the problem it was in."""
    right, wrong = Experiment(steps=5).problem(), lopsided("mse", "float64")

    def train(problem: Problem) -> object:
        return (load("numpy") if problem.loss == "bce" else LOSS_OF_SUM).train(problem)

    findings = check_implementation(box(train=train), problems=[right, wrong, right])

    (finding,) = (finding for finding in findings if finding.name == "loss")
    assert finding.status == "failed"
    assert finding.problem == "lopsided 3-4-2, mse, float64, lr 0.9, 100 steps"
    assert [check.passed for check in finding.checks] == [True, False, True]


def test_a_wrong_reference_is_not_blamed_on_the_other() -> None:
    """Its mistake is found in its own lines; those of the other pass."""
    statuses = found("numpy", against=LOSS_OF_SUM)

    assert {n for n, status in statuses.items() if status == "failed"} == {"reference"}
    assert {n for n, status in statuses.items() if status == "follows"} == {
        "loss_curve"
    }


def test_names_of_implementations() -> None:
    """A string is its own name; what isn't one has another; none comes twice."""
    given = ["a:b", numpy_manual, Fault, BLACK_BOX, BLACK_BOX, "SimpleNamespace_2"]

    assert labels(given) == [
        "a:b",
        "impls.numpy_manual",
        "Fault",
        "SimpleNamespace",
        "SimpleNamespace_2",
        "SimpleNamespace_2_2",
    ]


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ([], {}, "^give a list of one implementation or more, not 0$"),
        ("numpy", {}, "^give a list of one implementation or more, not a str$"),
        (fail, {}, "^give a list of one implementation or more, not a function$"),
        ([None], {}, "^an implementation must be a name, .*, not nothing$"),
        (["numpy"], {"against": None}, "^an implementation must be .*, not nothing$"),
        (["numpy"], {"problems": []}, "^give a list of one problem or more, not 0$"),
        (["numpy"], {"problems": ["xor"]}, "^a problem must be an Exp.*, not a str$"),
        (["numpy"], {"expected_failures": ["numpy-z1"]}, "a reason .*, not a list$"),
    ],
)
def test_what_cannot_be_tested_is_an_error_at_the_call(
    given: Any, options: dict[str, Any], words: str
) -> None:
    """It is one error, not one in each case."""
    with pytest.raises((TypeError, ValueError), match=words):
        parametrize_with_checks(given, **options)


def cases(*given: object, **options: Any) -> list[tuple[object, NamedCheck]]:
    """Return the arguments of all cases."""
    _, parameters = parametrize_with_checks(given, **options).args
    return [parameter.values for parameter in parameters]


def test_experiments_of_a_generator_are_trained() -> None:
    """They are read once, not in each case."""
    problems = (Experiment(steps=steps) for steps in (1, 2))
    (implementation, first), *_, (_, last) = cases(numpy_manual, problems=problems)

    first(implementation)
    last(implementation)


def test_a_case_has_a_time_limit(tmp_path: Path) -> None:
    """A port that takes too long fails, and does not hang."""
    port = tmp_path / "port.py"
    port.write_text("while True: pass")
    (implementation, first), *_ = cases(port, timeout=1)

    with pytest.raises(ImportError, match="takes longer than 1 s"):
        first(implementation)


def test_findings_need_no_pytest() -> None:
    """Findings as data work without pytest."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from compare.testing import check_implementation\n"
        "print(*{finding.status for finding in check_implementation('numpy')})"
    )
    command = [sys.executable, "-c", code]

    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert done.stdout.split() == ["passed"]


# A project with a pytest of its own: a right port, wrong ones and a broken one.

TEST = """
from compare.testing import parametrize_with_checks

@parametrize_with_checks({given}, expected_failures={expected})
def test_port(implementation, check):
    check(implementation)
"""
MODULES = {
    "faulty": """
        from compare.selftest.faults import FAULTS
        from compare.selftest.plant import plant
        from impls import numpy_manual

        (fault,) = (f for f in FAULTS if f.name == "loss of the sum, not of the mean")
        port = plant(fault, numpy_manual)
    """,
    "box": """
        from types import SimpleNamespace
        from impls import numpy_manual

        print("box was loaded")

        def forward(weights, x):
            return SimpleNamespace(a2=numpy_manual.forward(weights, x).a2)

        def loss_and_gradients(weights, x, y, loss):
            value, g = numpy_manual.loss_and_gradients(weights, x, y, loss)
            return value, SimpleNamespace(dw1=g.dw1, dw2=g.dw2)
    """,
    "counted": """
        from impls.numpy_manual import forward, loss_and_gradients, train as really

        def train(problem):
            print("trained once")
            return really(problem)
    """,
    "broken": "raise RuntimeError('not today')",
}
Project: TypeAlias = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a function that runs pytest in a project, on implementations."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take their time
    pytester.makepyfile(**MODULES)

    def run(
        *given: str, expected: Mapping[str, str] | None = None, option: str = "-ra"
    ) -> pytest.RunResult:
        test = TEST.format(given=[*given], expected=expected or {})
        pytester.makepyfile(test_port=test)
        return pytester.runpytest(option, "--junitxml=junit.xml")

    return run


def test_a_right_one_passes(project: Project, pytester: pytest.Pytester) -> None:
    """JUnit has one test case for each check and implementation, by its name."""
    project("numpy", "impls.numpy_manual").assert_outcomes(passed=2 * len(FINDINGS))

    report = ET.parse(pytester.path / "junit.xml")  # noqa: S314  # our own
    cases = [case.get("name") for case in report.iter("testcase")]
    assert cases == [
        f"test_port[{who}-{name}]"
        for who in ("numpy", "impls.numpy_manual")
        for name in FINDINGS
    ]


def test_a_wrong_one_fails_with_its_story(project: Project) -> None:
    """One case fails, with its story and the problem; what follows is skipped."""
    result = project("faulty:port")

    result.assert_outcomes(failed=1, skipped=1, passed=len(FINDINGS) - 2)
    result.stdout.re_match_lines_random(
        [
            r"SKIPPED .* follows from loss",
            r"FAILED test_port.py::test_port\[faulty:port-loss\] - .*",
        ]
    )
    result.stdout.re_match_lines(
        [
            r">       check\(implementation\)",
            r"E       AssertionError: first difference: step 0, loss = .*; cause: .*",
            r"E         faulty:port 2\.86\d+, numpy 0\.71\d+, exact 0\.71\d+",
            r"E         2\.15 from exact, bound .*: 6 roundings of 1\.11e-16 times .*",
            r"E         then: loss of numpy and faulty:port at step 0",
            r"E       on 2-2-1, bce, float64, lr 0\.9, 100 steps",
            r"",
            r"test_port\.py:5: AssertionError",
        ],
        consecutive=True,
    )


def test_expected_failures_carry_their_reason(project: Project) -> None:
    """Cases that fail as expected are xfailed, and say why."""
    why = {"faulty:port-loss": "logs the sum", "faulty:port-loss_curve": "that, too"}

    result = project("faulty:port", expected=why)

    result.assert_outcomes(xfailed=2, passed=len(FINDINGS) - 2)
    result.stdout.fnmatch_lines(["XFAIL *faulty:port-loss] - logs the sum"])


@pytest.mark.parametrize("case", ["numpy-loss", "box-z1"])
def test_an_expected_failure_has_to_fail(project: Project, case: str) -> None:
    """A case that passes, or has nothing to check, does not fail as expected."""
    who, _, _ = case.partition("-")

    result = project(who, expected={case: "was wrong once"})

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*[[]XPASS(strict)[]] was wrong once*"])


def test_a_black_box_is_skipped_where_it_is_black(project: Project) -> None:
    """A case for what it does not return is skipped, with the reason."""
    result = project("box")

    result.assert_outcomes(
        skipped=len(NOT_GIVEN) + len(UPDATES),
        passed=len(FINDINGS) - len(NOT_GIVEN) - len(UPDATES),
    )
    result.stdout.fnmatch_lines(["SKIPPED * box does not give dz1"])


def test_an_unknown_expected_failure_is_an_error(project: Project) -> None:
    """A typing mistake stops the collection, with a suggestion."""
    result = project("numpy", expected={"numpy-lossy": "?"})

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E   ValueError: no case is called 'numpy-lossy': choose from numpy-loss, *"]
    )


def test_each_is_trained_once(project: Project) -> None:
    """All cases of an implementation share one training of each problem."""
    result = project("counted", option="-s")

    assert result.stderr.str().count("counted: trained once") == len(EXAM)


def test_collecting_loads_nothing(project: Project) -> None:
    """Listing the cases loads no implementation."""
    result = project("box", "broken", option="--collect-only")

    assert result.parseoutcomes() == {"tests": 2 * len(FINDINGS)}
    result.stdout.no_fnmatch_line("*box was loaded*")


@pytest.mark.parametrize("given", ["broken", "no_such"])
def test_what_cannot_be_loaded_fails_alone(project: Project, given: str) -> None:
    """One case fails in one line, its others are skipped; those of others pass."""
    result = project(given, "numpy", expected={f"{given}-loss": "?"})

    lines = [line for line in result.outlines if line.startswith("E  ")]
    result.assert_outcomes(failed=1, skipped=len(FINDINGS) - 1, passed=len(FINDINGS))
    assert len(lines) == 1
    assert given in lines[0]
    result.stdout.no_fnmatch_line("*load.py:*")
