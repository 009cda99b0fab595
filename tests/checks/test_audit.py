"""The audit: which line judges what, from which inputs, within which bound."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from compare.checks.audit import (
    ACROSS_FUNCTIONS,
    Margin,
    audit,
    audit_answers,
    by_line,
    from_weights,
    margins,
    recorded,
    recorded_steps,
)
from compare.checks.run import OPTIONAL, Run
from compare.numerics.equations import line_of, lines, run_lines
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import (
    end_to_end_bound,
    line_bound,
    oracle_dtype,
    oracle_factor,
)
from impls import numpy_manual
from impls.interface import Loss, Problem, Weights
from tests.checks.runs import changed, claims, failed, put, short, wide
from tests.helpers import DTYPES, LOSSES, near, problem_of

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
QUANTITIES = [line.quantity for line in lines("bce")]
FINAL = ("a2", "z1", "a1", "z2", "loss", "dz2", "dw2", "dz1", "dw1")


# What was recorded.


@pytest.mark.parametrize("dtype", DTYPES)
def test_recorded_quantities(dtype: str) -> None:
    """Weights before and after each update, the inputs and lr, in the wider dtype."""
    problem, run = wide(dtype)
    trace = run.trace

    found = recorded(problem, run, np.dtype(np.longdouble))

    expected = vars(trace) | {
        "x": problem.x,
        "y": problem.y,
        "lr": np.longdouble(problem.lr),
        "w1": trace.w1[:5],
        "w2": trace.w2[:5],
        "new_w1": trace.w1[1:],
        "new_w2": trace.w2[1:],
    }
    assert found.keys() == expected.keys()
    assert {array.dtype for array in found.values()} == {np.dtype(np.longdouble)}
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_recorded_quantities_are_not_copied() -> None:
    """Arrays that have the dtype already are the trace's own."""
    problem, run = wide()

    found = recorded(problem, run, DOUBLE)

    assert found["loss"] is run.trace.loss
    assert found["x"] is problem.x


@pytest.mark.parametrize("name", OPTIONAL)
def test_quantities_that_a_trace_lacks_are_computed(name: str) -> None:
    """They come from the weights, and the recorded ones stay as they are."""
    problem, run = wide()
    lacking = changed(put(run, "dw1", (2, 0, 0), 7.0), **{name: None})

    steps = recorded_steps(problem, lacking, DOUBLE)

    assert name not in recorded(problem, lacking, DOUBLE)
    assert getattr(steps, name) == near(getattr(run.trace, name), 1e-12)
    assert steps.dw1[2, 0, 0] == 7.0
    assert np.array_equal(steps.new_w1, run.trace.w1[1:])


def test_complete_steps_are_the_recorded_ones() -> None:
    """Nothing is computed where everything was recorded."""
    problem, run = wide()

    steps = recorded_steps(problem, run, DOUBLE)

    for name, array in recorded(problem, run, DOUBLE).items():
        assert np.array_equal(getattr(steps, name), array)


# The bounds.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_line_is_computed_again_from_its_recorded_inputs(
    quantity: str, dtype: str, loss: Loss
) -> None:
    """Expected and bound follow from the inputs in the trace, in higher precision."""
    problem, run = wide(dtype, loss)
    line, oracle = line_of(loss, quantity), oracle_dtype(np.dtype(dtype))
    inputs = recorded(problem, run, oracle)
    expected = line.formula(*(inputs[name] for name in line.inputs))
    steps = recorded_steps(problem, run, DOUBLE)
    bound = line_bound(
        line, problem, steps, expected.astype(np.float64), np.dtype(dtype)
    )

    (found,) = (m for m in by_line(problem, run) if m.line.quantity == quantity)

    assert found.line is line
    assert found.basis == "line"
    assert found.found.dtype == DOUBLE
    assert np.array_equal(found.found, recorded(problem, run, DOUBLE)[quantity])
    assert np.array_equal(found.expected, expected)
    assert np.array_equal(found.bound, oracle_factor(np.dtype(dtype)) * bound)
    assert found.holds


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantity_is_computed_again_from_the_weights(
    quantity: str, dtype: str, loss: Loss
) -> None:
    """Expected and bound follow from the weights alone."""
    problem, run = wide(dtype, loss)
    oracle = oracle_dtype(np.dtype(dtype))
    w1, w2 = (w.astype(oracle) for w in (run.trace.w1[:5], run.trace.w2[:5]))
    x, y = (v.astype(oracle) for v in (problem.x, problem.y))
    lr = oracle.type(problem.lr)
    expected = run_lines(loss, x=x, y=y, lr=lr, w1=w1, w2=w2)
    bars = step_bars(problem, Weights(run.trace.w1[:5], run.trace.w2[:5]))
    bound = end_to_end_bound(problem, quantity, bars)

    (found,) = from_weights(problem, run, [line_of(loss, quantity)])

    assert found.line is line_of(loss, quantity)
    assert found.basis == "weights"
    assert found.found.dtype == DOUBLE
    assert np.array_equal(found.found, recorded(problem, run, DOUBLE)[quantity])
    assert np.array_equal(found.expected, getattr(expected, quantity))
    assert np.array_equal(found.bound, oracle_factor(np.dtype(dtype)) * bound)
    assert found.holds


NO_WIDER = ("compare.checks.audit", "compare.numerics.rounding")
"""Where `oracle_dtype` is used: in the audit itself, and in `oracle_factor`."""


@pytest.mark.parametrize("end_to_end", [(), ("z1",)], ids=["line", "weights"])
def test_long_double_no_wider_doubles_the_bounds(
    end_to_end: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where long double is 64 bits, the oracle rounds too, and each bound is doubled.

    The bound of z1 at size 2 is 6 u times its magnitude; from the weights, it is four
    error bars of 2 u times that.
    """
    problem = problem_of(steps=50)
    trace = numpy_manual.train(problem)
    assert trace.z1 is not None
    trace.z1[-1, 0, 3] += 2 * np.spacing(trace.z1[-1, 0, 3])  # more than it rounds
    for module in NO_WIDER:
        monkeypatch.setattr(f"{module}.oracle_dtype", lambda _: DOUBLE)

    found = audit(problem, Run("narrow", trace, end_to_end=end_to_end))

    first, size = found[0], abs(trace.z1[-1, 0, 3])
    roundings = 4 * 2 if end_to_end else 6
    assert [check.passed for check in found] == [True] * 11
    assert (first.quantity, first.worst.step, first.worst.index) == ("z1", 49, (0, 3))
    assert first.worst.bound == near(2 * roundings * 2.0**-53 * size, 1e-12)


def test_margin_is_a_fixed_result() -> None:
    """It can't be changed, and equals itself alone: arrays have no one equality."""
    line, array = line_of("bce", "z1"), np.zeros(2)
    one, other = (Margin(line, array, array, array, "line") for _ in range(2))

    with pytest.raises(FrozenInstanceError):
        one.basis = "weights"  # type: ignore[misc]

    assert one != other


@pytest.mark.parametrize("share", [1.0, 0.99, 1.01])
def test_margin_holds_up_to_its_bound(share: float) -> None:
    """A difference that is the bound is allowed, and nothing above it."""
    line = line_of("bce", "z1")
    found, expected, bound = np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.ones(2)

    margin = Margin(line, found, found + share * (expected - found), bound, "line")

    assert margin.holds is (share <= 1)
    assert not Margin(line, found * np.nan, expected, bound, "line").holds


# Which line judges what.


def bases(problem: Problem, run: Run) -> dict[str, str]:
    """Return by what each quantity is judged."""
    return {m.line.quantity: m.basis for m in margins(problem, run)}


def test_lines_judge_a_complete_run() -> None:
    """Every quantity is judged by its line, in the order of a step."""
    problem, run = wide()

    assert list(bases(problem, run).items()) == [(name, "line") for name in QUANTITIES]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["z1", "a1", "z2", "a2", "dz2", "dw2", "dz1", "dw1"])
def test_declared_quantities_are_judged_from_the_weights(name: str, loss: Loss) -> None:
    """One that is computed by another formula is no line's; its users' lines hold."""
    problem, run = wide(loss=loss)

    found = bases(problem, replace(run, end_to_end=(name,)))

    assert found == dict.fromkeys(QUANTITIES, "line") | {name: "weights"}


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("z1", {"a1"}),
        ("a1", {"z2", "dw2", "dz1"}),
        ("z2", {"a2", "loss"}),
        ("dz2", {"dw2", "dz1"}),
        ("dz1", {"dw1"}),
    ],
)
def test_line_without_its_inputs_judges_nothing(name: str, users: set[str]) -> None:
    """What a trace lacks is not judged, and what is made of it from the weights."""
    problem, run = wide()
    lacking = changed(replace(run, unknown=(name,)), **{name: None})

    found = bases(problem, lacking)

    assert found == {
        q: "weights" if q in users else "line" for q in QUANTITIES if q != name
    }


def test_results_across_functions() -> None:
    """These lines of the gradients' function read what `forward` returned."""
    reads = {"z1", "a1", "z2", "a2"}
    across = [
        line.quantity
        for loss in LOSSES
        for line in lines(loss)
        if line.quantity not in reads and reads & {*line.inputs}
    ]

    assert {*ACROSS_FUNCTIONS} == {*across}


def nudged(run: Run, name: str, problem: Problem) -> Run:
    """Move one number past the bound of its line, and not past that of the weights."""
    (by_its_line,) = (m for m in by_line(problem, run) if m.line.quantity == name)
    place = (2,) + (0,) * (by_its_line.found.ndim - 1)
    value = by_its_line.expected[place] + 1.2 * by_its_line.bound[place]
    return put(run, name, place, float(value))


@pytest.mark.parametrize(
    "how",
    [{"looped": True}, {"unknown": ("dz1",)}, {"looped": True, "unknown": ("dz1",)}],
    ids=str,
)
@pytest.mark.parametrize("name", ["loss", "dz2"])
def test_two_functions_may_round_differently(name: str, how: dict[str, Any]) -> None:
    """Where a loop calls two functions, the weights judge what their lines don't."""
    problem, run = short()
    moved = nudged(run, name, problem)

    found = bases(problem, replace(moved, **how))

    assert found[name] == "weights"
    others = {q for q, basis in found.items() if basis == "weights"} - {name}
    assert others <= {"dw2", "dz1"}


@pytest.mark.parametrize("name", ["loss", "dz2"])
def test_one_function_rounds_once(name: str) -> None:
    """Where one `train` recorded everything, the line judges, and fails."""
    problem, run = short()
    moved = nudged(run, name, problem)

    assert bases(problem, moved)[name] == "line"
    assert name in [quantity for quantity, _ in failed(audit(problem, moved))]


@pytest.mark.parametrize("name", ["z1", "a2", "dw1", "new_w1"])
def test_lines_within_a_function_are_never_given_up(name: str) -> None:
    """A loop is no excuse for a line whose inputs are its own function's."""
    problem, run = short()
    field = name.removeprefix("new_")
    array = np.array(getattr(run.trace, field))
    array[3] += 1e-3
    wrong = replace(changed(run, **{field: array}), looped=True, unknown=("dz1",))

    found = {m.line.quantity: m for m in margins(problem, wrong)}

    assert found[name].basis == "line"
    assert not found[name].holds


def test_weights_find_what_no_rounding_explains() -> None:
    """A wrong loss fails from the weights as well."""
    problem, run = short()
    wrong = replace(put(run, "loss", 3, 0.5), looped=True)

    (check,) = (c for c in audit(problem, wrong) if not c.passed)

    assert (check.quantity, check.basis) == ("loss", "weights")
    assert check.first is not None
    assert check.first.step == 3


# The checks.


def test_claims_of_the_audit() -> None:
    """One check for each line, of its quantity, by its statement, in a step."""
    problem, run = short()

    checks = audit(problem, replace(run, end_to_end=("a2",)))

    assert claims(checks) == [
        ("audit", ("ours",), q, "in a step", "weights" if q == "a2" else "line")
        for q in QUANTITIES
    ]
    assert [c.statement for c in checks] == [line.statement for line in lines("bce")]
    assert {check.passed for check in checks} == {True}
    assert [check.count for check in checks] == [
        20 * size for size in (8, 8, 4, 4, 1, 4, 2, 8, 4, 4, 2)
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_wrong_number_is_found_where_it_is(quantity: str, dtype: str) -> None:
    """The first check that fails names the quantity, the step and the element."""
    problem, run = wide(dtype)
    name = quantity.removeprefix("new_")
    row = 3 + (quantity != name)
    place = (row,) + (-1,) * (getattr(run.trace, name).ndim - 1)
    value = getattr(run.trace, name)[place] * (1 + 1e-3)

    checks = audit(problem, put(run, name, place, value))

    first = next(check for check in checks if check.quantity == quantity)
    shape = getattr(run.trace, name).shape[1:]
    assert first.passed is False
    assert first.first is not None
    assert (first.first.step, first.first.index) == (3, tuple(n - 1 for n in shape))
    assert first.first.value == value


def test_overflow_is_a_difference_and_no_warning() -> None:
    """A trace with numbers that are not finite is audited all the same."""
    problem, run = short()
    huge = put(put(run, "z1", (3, 0, 0), np.inf), "w1", (5, 0, 0), 1e308)

    assert ("z1", "in a step") in failed(audit(problem, huge))


def answered(problem: Problem, run: Run) -> list[Any]:
    """Audit what the functions returned after training."""
    bars = step_bars(problem, Weights(run.trace.w1, run.trace.w2))
    return [*audit_answers(problem, run, bars)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_answers_after_training_are_right(dtype: str, loss: Loss) -> None:
    """Each is compared once, end to end, with the step after the last."""
    problem, run = wide(dtype, loss)

    checks = answered(problem, run)

    assert claims(checks) == [
        ("audit", ("ours",), name, "after training", "weights") for name in FINAL
    ]
    assert {check.passed for check in checks} == {True}
    assert {check.worst.step for check in checks} == {5}
    assert {check.quantity for check in checks if check.statement.startswith("fo")} == {
        "z1",
        "a1",
        "z2",
        "a2",
    }
    assert {check.statement for check in checks} == {
        "forward after training",
        "loss_and_gradients after training",
    }


@pytest.mark.parametrize("name", FINAL)
def test_answers_have_two_bounds(name: str) -> None:
    """Both sides may use up theirs: 1.9 bounds pass, and 2.1 do not."""
    problem, run = wide()
    last = Weights(run.trace.w1[-1:], run.trace.w2[-1:])
    bars = step_bars(problem, last)
    value = getattr(bars, name).value[0]
    bound = end_to_end_bound(problem, name, bars)[0]

    def passes(bounds: float) -> bool | None:
        found = value + bounds * bound
        moved = (
            replace(run, final_a2=found)
            if name == "a2"
            else replace(run, answers={**run.answers, name: found})
        )
        (check,) = (c for c in answered(problem, moved) if c.quantity == name)
        outcome: bool | None = check.passed
        return outcome

    assert [passes(1.9), passes(-1.9), passes(2.1), passes(-2.1)] == [
        True,
        True,
        False,
        False,
    ]
