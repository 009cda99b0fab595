"""Completeness: each thing that the audit of the lines can't see is found."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare.checks.check import Claim, Promise, agree, judge, mismatch
from compare.checks.completeness import (
    check_answers,
    check_completeness,
    check_trace,
)
from compare.checks.run import OPTIONAL, Run
from compare.checks.verdict import decide
from impls import numpy_manual
from impls.interface import Problem, Trace, Weights
from tests.checks.runs import (
    ANSWERS,
    changed,
    claims,
    failed,
    put,
    short,
    wide,
    with_answer,
)
from tests.helpers import DTYPES

ORDER = ("w1", "w2", "z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
CLAIM = Claim("contract", ("ours",), "train", "is there")


def test_right_run_passes_every_check() -> None:
    """Each array, the start and what the functions return are checked, in order."""
    problem, run = short()

    checks = check_completeness(problem, replace(run, contract=(agree(CLAIM, "", ""),)))

    def claim(quantity: str, when: str) -> tuple[Any, ...]:
        return ("completeness", ("ours",), quantity, when, "equality")

    assert claims(checks) == [
        ("contract", ("ours",), "train", "in a step", "equality"),
        *(claim(name, "in a step") for name in ORDER),
        *(claim(name, "at the start") for name in ("w1", "w2")),
        *(claim(name, "after training") for name in ANSWERS),
    ]
    assert {check.passed for check in checks} == {True}
    assert {check.worst.bound for check in checks} == {0}
    assert all(check.count > 0 for check in checks)


BEFORE_AND_AFTER = "give 6 rows: N + 1 weights, before each update and after the last"


@pytest.mark.parametrize(
    ("name", "rows", "advice"),
    [
        ("w1", 4, ""),
        ("w1", 5, BEFORE_AND_AFTER),
        ("w2", 5, BEFORE_AND_AFTER),
        ("loss", 6, "give 5 rows: one for each of the N updates"),
        ("loss", 4, "give 5 rows: one for each of the N updates"),
        ("w1", 7, BEFORE_AND_AFTER),
        ("dw1", 6, "give 5 rows: one for each of the N updates"),
        ("dw1", 7, ""),
        ("loss", 5, ""),
    ],
)
def test_number_of_rows_that_are_due(name: str, rows: int, advice: str) -> None:
    """Weights have one row more than the rest; only that confusion has advice."""
    problem, run = wide()
    array = getattr(run.trace, name)
    array = np.resize(array, (rows, *array.shape[1:]))

    (check,) = (
        check
        for check in check_trace(problem, changed(run, **{name: array}))
        if check.quantity == name and check.when == "in a step"
    )

    assert check.advice == advice


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ORDER)
def test_array_without_its_last_row_is_seen(name: str, dtype: str) -> None:
    """A step that is missing in one array is the failure of that array alone."""
    problem, run = wide(dtype)
    array = getattr(run.trace, name)

    checks = check_trace(problem, changed(run, **{name: array[:-1]}))

    assert failed(checks) == [(name, "in a step")]
    (check,) = (check for check in checks if not check.passed)
    assert check.worst.value == f"{dtype} {array[:-1].shape}"
    assert check.worst.reference == f"{dtype} {array.shape}"
    assert check.statement == f"every step of {name}, finite"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("w1", "compute in {0}: cast a module by .to(torch.{0}), and its inputs"),
        ("loss", "write np.array(losses, dtype=problem.x.dtype)"),
    ],
)
def test_another_dtype_is_named(name: str, advice: str, dtype: str) -> None:
    """The claim is of the dtype alone, and the advice says what to write."""
    problem, run = wide(dtype)
    other = getattr(run.trace, name).astype(np.float16)

    checks = check_trace(problem, changed(run, **{name: other}))

    (check,) = (check for check in checks if not check.passed)
    assert check.statement == f"{name} in {dtype}"
    assert check.advice == advice.format(dtype)


@pytest.mark.parametrize("name", ORDER)
def test_nan_is_seen(name: str) -> None:
    """The array, the step and the element are named."""
    problem, run = wide()

    checks = check_trace(problem, put(run, name, (3, ...), np.nan))

    assert failed(checks) == [(name, "in a step")]
    (check,) = (check for check in checks if not check.passed)
    assert check.first is not None
    assert check.first.step == 3


@pytest.mark.parametrize("name", OPTIONAL)
def test_unknown_intermediate_is_not_checked(name: str) -> None:
    """What the implementation does not return is no failure."""
    problem, run = wide()

    checks = check_trace(
        problem, changed(replace(run, unknown=(name,)), **{name: None})
    )

    assert not failed(checks)
    assert name not in [check.quantity for check in checks]


@pytest.mark.parametrize("name", ["w1", "w2"])
def test_start_is_compared_bit_for_bit(name: str) -> None:
    """One bit in the last element of the first weights is a difference."""
    problem, run = wide()
    last = getattr(run.trace, name)[0, -1, -1]

    checks = check_trace(problem, put(run, name, (0, -1, -1), np.nextafter(last, 9)))

    (check,) = (check for check in checks if not check.passed)
    assert (check.quantity, check.when) == (name, "at the start")
    assert check.statement == f"first {name} = the given {name}"
    assert (check.promise, check.advice) == (None, "")
    assert check.first is not None
    assert (check.first.step, check.first.reference) == (0, last)
    assert check.first.index == tuple(n - 1 for n in getattr(run.trace, name).shape[1:])


def promise_of_the_start(problem: Problem, trace: Trace) -> Promise | None:
    """Return the promise that the first failed check is of, if any."""
    failed = (c for c in check_trace(problem, Run("", trace)) if not c.passed)
    return next(failed).promise


@pytest.mark.parametrize("names", [["w1"], ["w2"], ["w1", "w2"]])
@pytest.mark.parametrize("rows", [1, 6])
def test_rows_that_are_one_array_are_overwritten(names: list[str], rows: int) -> None:
    """The last weights are in place of the first; the run began at the given ones."""
    problem, run = wide()
    arrays = {name: getattr(run.trace, name) for name in names}
    last = {n: np.concatenate([a[-1:]] * rows + [a[rows:]]) for n, a in arrays.items()}

    trace = changed(run, **last).trace

    assert promise_of_the_start(problem, trace) is Promise.COPIED


def test_last_weights_like_the_first_may_have_stood_still() -> None:
    """They are no proof alone: a run that began elsewhere and never moved has them."""
    problem, _ = wide()
    weights = Weights(problem.weights.w1 + 1, problem.weights.w2)
    still = numpy_manual.train(replace(problem, weights=weights, lr=0.0))

    assert promise_of_the_start(problem, still) is None


def test_a_record_that_is_overwritten_is_not_audited() -> None:
    """What is computed from its rows would fail, and be right."""
    problem, run = wide()
    w1 = np.repeat(run.trace.w1[-1:], 6, axis=0)

    verdict = decide(problem, [changed(run, w1=w1)])

    assert [check.label for check in verdict.differences] == ["first w1"]
    assert not any(check.kind == "audit" for check in verdict.checks)


def test_start_of_an_incomplete_trace_is_not_compared() -> None:
    """What has another form is not compared with the given weights."""
    problem, run = wide()

    checks = check_trace(problem, changed(run, loss=run.trace.loss[:-1]))

    assert {check.when for check in checks} == {"in a step"}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_of_another_form_is_seen(name: str) -> None:
    """What a function returns at the trained weights has its shape, without steps."""
    problem, run = wide()
    wrong = with_answer(run, name, np.zeros(7))

    checks = [*check_answers(problem, wrong)]

    (check,) = (check for check in checks if not check.passed)
    shape = getattr(run.trace, name).shape[1:]
    assert (check.quantity, check.when) == (name, "after training")
    assert check.statement == "finite, after training"
    assert (check.worst.value, check.worst.reference) == (
        "float64 (7,)",
        f"float64 {shape}",
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_in_another_dtype_is_seen(name: str) -> None:
    """The dtype is that of the problem."""
    problem, run = wide("float32")
    array = run.final_a2 if name == "a2" else run.answers[name]

    checks = [*check_answers(problem, with_answer(run, name, np.float64(array)))]

    assert failed(checks) == [(name, "after training")]


def test_final_nan_is_of_the_step_after_the_last() -> None:
    """What `forward` gives at the last weights belongs to the step after them."""
    problem, run = short()
    a2 = np.array([[0.5, 0.5, np.nan, 0.5]])

    check, *others = check_answers(problem, replace(run, final_a2=a2))

    assert check.first is not None
    assert (check.first.step, check.first.index) == (20, (0, 2))
    assert all(other.passed for other in others)


def test_broken_contract_ends_the_checks() -> None:
    """A run without a contract has nothing that could be complete."""
    problem, run = short()
    broken = mismatch(CLAIM, "nothing", "a function")

    assert check_completeness(problem, replace(run, contract=(broken,))) == [broken]


def test_incomplete_trace_has_no_answers() -> None:
    """What the functions return is not looked at where the trace failed."""
    problem, run = short()
    wrong = put(replace(run, final_a2=np.zeros(3)), "loss", 0, np.nan)

    checks = check_completeness(problem, wrong)

    assert failed(checks) == [("loss", "in a step")]
    assert "after training" not in {check.when for check in checks}


@pytest.mark.parametrize("loss", [np.zeros(20), None])
def test_unproved_check_ends_the_checks_too(loss: Any) -> None:
    """A doubt is no pass."""
    problem, run = short()
    unknown = judge(CLAIM, np.ones(1), np.ones(1), np.inf)

    checks = check_completeness(
        problem, replace(changed(run, loss=loss), contract=(unknown,))
    )

    assert checks == [unknown]
