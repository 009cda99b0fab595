"""The audit: which line judges what, from which inputs, within which bound."""

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.checks.audit import (
    ACROSS_FUNCTIONS,
    FromWeights,
    Margin,
    audit,
    audit_answers,
    audit_replay,
    by_line,
    from_weights,
    margins,
    recorded,
    recorded_steps,
)
from compare.checks.check import NO_BOUND
from compare.checks.run import OPTIONAL, Run
from compare.numerics.equations import line_of, lines, run_lines
from compare.numerics.error_bars import step_bars
from compare.numerics.rounding import (
    end_to_end_bound,
    line_bound,
    oracle_dtype,
    oracle_factor,
)
from compare.selftest.plant import Fault, plant
from compare.training.record import record
from impls import numpy_manual
from impls.interface import Loss, Problem, Weights
from tests.checks.runs import (
    ANSWERS,
    changed,
    claims,
    failed,
    pair,
    put,
    short,
    wide,
    with_answer,
)
from tests.helpers import DTYPES, LOSSES, near, problem_of

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
QUANTITIES = [line.quantity for line in lines("bce")]


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

    assert vars(steps) == {
        name: near(array, 0) for name, array in recorded(problem, run, DOUBLE).items()
    }


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


def use_no_wider_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make long double as narrow as float64, as it is on some systems."""
    for module in NO_WIDER:
        monkeypatch.setattr(f"{module}.oracle_dtype", lambda _: DOUBLE)


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
    use_no_wider_oracle(monkeypatch)

    found = audit(problem, Run("narrow", trace, end_to_end=end_to_end))

    first, size = found[0], abs(trace.z1[-1, 0, 3])
    roundings = 4 * 2 if end_to_end else 6
    assert [check.passed for check in found] == [True] * 11
    assert (first.quantity, first.worst.step, first.worst.index) == ("z1", 49, (0, 3))
    assert first.worst.bound == near(2 * roundings * 2.0**-53 * size, 1e-12)


def test_margin_is_a_fixed_result() -> None:
    """It can't be changed, and equals itself alone: arrays have no one equality."""
    line, array = line_of("bce", "z1"), np.zeros(2)
    one, other = (Margin(line, array, array, array, "line", 0.0) for _ in range(2))

    with pytest.raises(FrozenInstanceError):
        one.basis = "weights"  # type: ignore[misc]

    assert one != other


def margin_of(found: Any, expected: Any, bound: Any, underflow: float = 0.0) -> Margin:
    """Create a margin of z1 from numbers; the step is their first axis."""
    f, e, b = (np.array(array, float) for array in (found, expected, bound))
    return Margin(line_of("bce", "z1"), f, e, b, "line", underflow)


@pytest.mark.parametrize("share", [1.0, 0.99, 1.01])
def test_margin_holds_up_to_its_bound(share: float) -> None:
    """A difference that is the bound is allowed, and nothing above it."""
    margin = margin_of([1, 1], [1, 1 + share], [1, 1])

    assert margin.holds is (share <= 1)
    assert not margin_of([np.nan, 1], [1, 2], [1, 1]).holds


# A bound that is no evidence.


@pytest.mark.parametrize(
    ("found", "expected", "bound", "underflow", "step"),
    [
        ([[2, -8]], [[2.1, -8]], [[7.9, 0.1]], 0, None),
        ([[2, -8]], [[2.1, -8]], [[8.0, 0.1]], 0, 0),
        ([[2, -8]], [[2.1, -8]], [[0.1, 8.0]], 0, 0),
        ([[2, 8]], [[2, 8.1]], [[9, 0.1]], 0, 0),
        ([[0, 0]], [[0.01, -0.01]], [[1, 1]], 0, 0),
        ([[2, -8]], [[2, -8]], [[99, 99]], 0, None),
        ([[0, 0]], [[0, 0]], [[1, 1]], 0, None),
        ([[2, -8]], [[2.1, -8]], [[8.0, 0.1]], 8.0, None),
        ([[2, -8]], [[2.1, -8]], [[8.0, 0.1]], 8.1, None),
        ([[2, -8]], [[2.1, -8]], [[8.0, 0.1]], 7.9, 0),
        ([[9, 9], [2, -8]], [[9, 9.1], [2.1, -8]], [[8, 8], [8, 8]], 0, 1),
        ([[9], [9], [1], [1]], [[9], [9.1], [1.1], [1.1]], [[8], [8], [8], [8]], 0, 2),
        ([3, 3], [3.1, 3.1], [np.inf, 1], 0, 0),
        ([3, 3], [3.1, 3.1], [1, 3.1], 0, 1),
    ],
    ids=[
        "smaller than the largest number",
        "as large as the largest number",
        "of another element",
        "larger than a positive number",
        "of zeros that are wrong",
        "of numbers that are right",
        "of zeros that are right",
        "near underflow",
        "below underflow",
        "above underflow",
        "a step has its own size",
        "the first of several steps",
        "no bound at all",
        "one number in a step",
    ],
)
def test_bound_as_large_as_its_numbers_is_no_evidence(
    found: Any, expected: Any, bound: Any, underflow: float, step: int | None
) -> None:
    """The first step with such a bound is named, if anything there is not right."""
    assert margin_of(found, expected, bound, underflow).first_void_step == step


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 2.0**-103), ("float64", 2.0**-970)]
)
@pytest.mark.parametrize("end_to_end", [(), ("z1",)], ids=["line", "weights"])
def test_size_of_underflow(
    end_to_end: tuple[str, ...], dtype: str, size: float
) -> None:
    """Below the smallest normal number, divided by eps, precision is absolute."""
    problem, run = wide(dtype)

    found = margins(problem, replace(run, end_to_end=end_to_end))

    assert {margin.underflow for margin in found} == {size}


CANCELLING = 120_000
"""Samples whose dw1 in float32 has a bound, but one that is larger than dw1."""


def many(samples: int, dtype: str = "float32") -> tuple[Problem, Run]:
    """Train one step on random labels that the inputs have nothing to do with."""
    random = np.random.RandomState(2)
    x = random.choice([-1.0, 1.0], size=(1, samples)).astype(dtype)
    y = random.randint(2, size=(1, samples)).astype(dtype)
    w1, w2 = np.full((1, 1), 0.01, dtype), np.full((1, 1), 0.5, dtype)
    problem = Problem(x, y, Weights(w1, w2), 0.9, 1, "bce")
    return problem, Run("ours", numpy_manual.train(problem))


def of_dw1(problem: Problem, run: Run) -> Any:
    """Audit dw1."""
    (check,) = (c for c in audit(problem, run) if c.quantity == "dw1")
    return check


@pytest.mark.parametrize(
    ("samples", "doubt", "reason"),
    [
        (
            CANCELLING,
            "bound too large",
            "at step 0, its bound is larger than the numbers",
        ),
        (200_000, "no bound", "a sum has too many terms for bounds of first order"),
    ],
)
def test_wrong_sign_within_its_bound_is_no_match(
    samples: int, doubt: str, reason: str
) -> None:
    """In float32, dw1 of many samples is within its bound with the wrong sign, too."""
    problem, run = many(samples)
    wrong = put(run, "dw1", (0, 0, 0), -float(run.trace.dw1[0, 0, 0]))

    check = of_dw1(problem, wrong)

    assert abs(run.trace.dw1).max() > 1e-5
    assert (check.passed, check.doubt, check.reason) == (None, doubt, reason)
    assert check.first is None


def test_wrong_sign_of_many_samples_is_seen_in_float64() -> None:
    """In double precision the same mistake is far outside of its bound."""
    problem, run = many(CANCELLING, "float64")
    wrong = put(run, "dw1", (0, 0, 0), -float(run.trace.dw1[0, 0, 0]))

    assert of_dw1(problem, run).passed is True
    assert of_dw1(problem, wrong).passed is False


def nearly_zero(answered: float = 0.0) -> tuple[Problem, Run]:
    """Train with a dw1 whose two terms cancel to 0; 1e-18 is recorded at step 2."""
    x, y = np.array([[1.0, -1.0]]), np.ones((1, 2))
    weights = Weights(np.zeros((1, 1)), np.array([[0.5]]))
    problem = Problem(x, y, weights, 0.9, 4, "bce")
    run = record(problem, numpy_manual, "ours")
    answers = {**run.answers, "dw1": run.answers["dw1"] + answered}
    return problem, put(replace(run, answers=answers), "dw1", (2, 0, 0), 1e-18)


def test_step_of_a_bound_that_is_no_evidence_is_named() -> None:
    """The bound of dw1 is larger than 0 in all steps, and one of them needs it."""
    check = of_dw1(*nearly_zero())

    assert check.doubt == "bound too large"
    assert check.reason == "at step 2, its bound is larger than the numbers"


def test_bound_that_is_no_evidence_after_training_has_the_last_step() -> None:
    """Steps are counted on: after 4 updates, the functions are called at step 4."""
    problem, run = nearly_zero(answered=1e-18)

    (check,) = (c for c in audit_answers(problem, run) if c.quantity == "dw1")

    assert check.doubt == "bound too large"
    assert check.reason == "at step 4, its bound is larger than the numbers"


def test_infinite_bound_from_the_weights_has_its_own_reason() -> None:
    """No sum has too many terms here: z1 is known so badly that nothing follows."""
    problem = problem_of(steps=2)
    weights = Weights(problem.weights.w1 * 1e18, problem.weights.w2)
    problem = replace(problem, weights=weights)
    run = Run("ours", numpy_manual.train(problem), end_to_end=("a2",))

    (check,) = (c for c in audit(problem, run) if c.quantity == "a2")

    assert (check.passed, check.basis, check.doubt) == (None, "weights", "no bound")
    assert check.reason == NO_BOUND[1]


def test_gradient_outside_of_a_large_bound_still_fails() -> None:
    """A bound that is larger than the numbers is evidence against a larger error."""
    problem, run = many(CANCELLING)

    check = of_dw1(problem, put(run, "dw1", (0, 0, 0), 1.0))

    assert (check.passed, check.doubt) == (False, None)


def test_zeros_that_are_right_need_no_small_bound() -> None:
    """Inputs of 0 make gradients of 0, and bounds larger than those are no doubt."""
    problem = replace(problem_of(steps=3), x=np.zeros((2, 4)))

    checks = audit(problem, Run("ours", numpy_manual.train(problem)))

    assert {check.passed for check in checks} == {True}


# Which line judges what.


def bases(problem: Problem, run: Run) -> dict[str, str]:
    """Return by what each quantity is judged."""
    return {m.line.quantity: m.basis for m in margins(problem, run)}


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
    huge = put(put(run, "z1", (3, 0, 0), np.inf), "w1", 5, 1.7e308)

    found = audit(problem, replace(huge, end_to_end=("a1",)))

    assert ("z1", "in a step") in failed(found)


@pytest.mark.parametrize(
    ("end_to_end", "quantity", "covered"),
    [
        (("a1",), "a1", True),
        (("a1",), "a2", False),
        (("a2",), "a2", True),
        (("z1", "a2"), "a2", True),
    ],
    ids=str,
)
def test_declared_sigmoid_may_round_at_size_1(
    end_to_end: tuple[str, ...],
    quantity: str,
    covered: bool,  # noqa: FBT001
) -> None:
    """A declared a1 or a2 of 1e-4 may be off by u, not the other one."""
    problem = problem_of(steps=1)
    weights = problem.weights._replace(w1=np.full((2, 2), -5.0))
    if quantity == "a2":
        weights = Weights(weights.w1 / -5, np.full((1, 2), -5.0))
    problem = replace(problem, weights=weights)
    run = Run("ours", numpy_manual.train(problem), end_to_end=end_to_end)
    place = (0, 0, 3)
    value = getattr(run.trace, quantity)[place]

    checks = audit(problem, put(run, quantity, place, value + 2.0**-53))

    assert value < 1e-3
    assert (quantity not in [q for q, _ in failed(checks)]) is covered


# Answers after training.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_answers_after_training_are_right(dtype: str, loss: Loss) -> None:
    """Each is compared once, by its line, with the step after the last."""
    problem, run = wide(dtype, loss)

    checks = audit_answers(problem, run)

    answered = [line for line in lines(loss) if "new_" not in line.quantity]
    assert claims(checks) == [
        ("audit", ("ours",), line.quantity, "after training", "line")
        for line in answered
    ]
    assert [check.statement for check in checks] == [
        line.statement for line in answered
    ]
    assert {check.quantity for check in checks} == {*ANSWERS}
    assert {check.passed for check in checks} == {True}
    assert {check.worst.step for check in checks} == {5}
    assert [check.count for check in checks] == [
        getattr(run.trace, check.quantity)[0].size for check in checks
    ]


def answer_bound(problem: Problem, run: Run, name: str) -> tuple[Any, Any]:
    """Return what an answer should be, and its bound, of its line or of the weights."""
    line, dtype = line_of(problem.loss, name), oracle_dtype(DOUBLE)
    w1, w2 = run.trace.w1[-1], run.trace.w2[-1]
    if name in ACROSS_FUNCTIONS:
        x, y, w1, w2 = (a.astype(dtype) for a in (problem.x, problem.y, w1, w2))
        step = run_lines(problem.loss, x=x, y=y, lr=problem.lr, w1=w1, w2=w2)
        bars = step_bars(problem, Weights(run.trace.w1[-1:], run.trace.w2[-1:]))
        bound = end_to_end_bound(problem, name, bars)[0]
        return getattr(step, name), oracle_factor(DOUBLE) * bound
    known = {"x": problem.x, "w1": w1, "w2": w2, "a2": run.final_a2, **run.answers}
    value = line.formula(*(known[q].astype(dtype) for q in line.inputs))
    inputs: Any = SimpleNamespace(**known)
    bound = line_bound(line, problem, inputs, value.astype(DOUBLE), DOUBLE)
    return value, oracle_factor(DOUBLE) * bound


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_have_the_bound_of_their_line(name: str) -> None:
    """The two functions may round differently: across them the weights judge."""
    problem, run = wide()
    value, bound = answer_bound(problem, run, name)

    def passes(bounds: float) -> bool | None:
        found = (value + bounds * bound).astype(DOUBLE)
        checks = audit_answers(problem, with_answer(run, name, found))
        (check,) = (c for c in checks if c.quantity == name)
        assert check.worst.step == problem.steps
        outcome: bool | None = check.passed
        return outcome

    assert [passes(0.8), passes(-0.8), passes(1.2), passes(-1.2)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("dtype", "change"),
    [("float32", lambda a: a.round(6)), ("float64", lambda a: a + 4e-15)],
    ids=["six decimals in float32", "4e-15 in float64"],
)
def test_wrong_probabilities_after_training_are_seen(dtype: str, change: Any) -> None:
    """Its own z2 is there, so a2 is held to one sigmoid and not to a whole step."""
    problem, run = short(dtype)

    checks = audit_answers(problem, replace(run, final_a2=change(run.final_a2)))

    assert failed(checks)[0] == ("a2", "after training")


@pytest.mark.parametrize("name", OPTIONAL)
def test_answers_without_an_intermediate(name: str) -> None:
    """What is not returned is not judged, and what is made of it from the weights."""
    problem, run = wide()
    answers = {q: array for q, array in run.answers.items() if q != name}
    lacking = changed(replace(run, answers=answers, unknown=(name,)), **{name: None})
    readers = {line.quantity for line in lines("bce") if name in line.inputs}

    found = {check.quantity: check.basis for check in audit_answers(problem, lacking)}

    assert found == {
        q: "weights" if q in readers else "line" for q in ANSWERS if q != name
    }


def test_answers_of_a_trace_alone_are_its_a2() -> None:
    """A trace from a file has the probabilities and nothing else."""
    problem, run = wide()

    checks = audit_answers(problem, replace(run, answers={}))

    assert claims(checks) == [("audit", ("ours",), "a2", "after training", "weights")]
    assert checks[0].passed is True


# Answers in a replay.


def replay_checks(problem: Problem, run: Run, path: Run) -> list[Any]:
    """Audit what the functions of a run returned along a path."""
    weights = Weights(path.trace.w1, path.trace.w2)
    expected = FromWeights.of(problem, step_bars(problem, weights))
    return [*audit_replay(problem, run, path.name, expected)]


def test_claims_of_a_replay() -> None:
    """Every answer is compared at every step, and the claim has the path."""
    problem, one, other = pair()

    checks = replay_checks(problem, other, one)

    answers = ("z1", "a1", "z2", "a2", "loss", "dz2", "dw2", "dz1", "dw1")
    assert claims(checks) == [
        ("audit", ("other",), name, "in a replay", "weights") for name in answers
    ]
    assert [check.path for check in checks] == ["one"] * 9
    assert [check.label for check in checks] == [f"replayed {name}" for name in answers]
    assert [check.statement for check in checks] == [
        *["forward at the weights of one"] * 4,
        *["loss_and_gradients at the weights of one"] * 5,
    ]
    assert {check.passed for check in checks} == {True}
    assert [check.count for check in checks] == [
        getattr(one.trace, name).size for name in answers
    ]


def replaying(run: Run, path: str, name: str, array: Any) -> Run:
    """Replace what a function returned along a path."""
    answers = {**run.replayed[path], name: array}
    return replace(run, replayed={**run.replayed, path: answers})


@pytest.mark.parametrize("name", ANSWERS)
def test_replay_has_two_bounds(name: str) -> None:
    """Both sides may use up theirs: 1.9 bounds pass, and 2.1 do not."""
    problem, one, other = pair()
    bars = step_bars(problem, Weights(one.trace.w1[:-1], one.trace.w2[:-1]))
    value = getattr(bars, name).value
    bound = end_to_end_bound(problem, name, bars)
    place = (3,) + (-1,) * (value.ndim - 1)

    def check(bounds: float) -> bool | None:
        found = np.array(value)
        found[place] += bounds * bound[place]
        checks = replay_checks(problem, replaying(other, "one", name, found), one)
        (check,) = (c for c in checks if c.quantity == name)
        assert check.largest.step == 3
        assert check.largest.index == tuple(n - 1 for n in value.shape[1:])
        assert {c.passed for c in checks if c is not check} == {True}
        outcome: bool | None = check.passed
        return outcome

    assert [check(1.9), check(-1.9), check(2.1), check(-2.1)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda a: a[:-1], "float64 (4, 2, 10)"),
        (lambda a: a.astype(np.float32), "float32 (5, 2, 10)"),
        (lambda _: None, "nothing"),
    ],
)
def test_replay_of_another_form_is_a_failure(change: Any, found: str) -> None:
    """Its form is the failure; the other answers are compared."""
    problem, one, other = pair()
    wrong = replaying(other, "one", "a2", change(other.replayed["one"]["a2"]))

    checks = replay_checks(problem, wrong, one)

    assert failed(checks) == [("a2", "in a replay")]
    (check,) = (c for c in checks if not c.passed)
    assert (check.worst.value, check.worst.reference) == (found, "float64 (5, 2, 10)")
    assert (check.path, check.count) == ("one", 1)


def test_replay_is_of_the_weights_of_its_path() -> None:
    """Answers at other weights are wrong answers."""
    problem, one, other = pair()
    far = changed(one, w1=1.5 * one.trace.w1)

    checks = replay_checks(problem, other, far)

    assert {q for q, _ in failed(checks)} == {*ANSWERS}
    assert replay_checks(problem, other, one)[0].passed is True


@pytest.mark.parametrize("scale", [2.0, -1.0])
@pytest.mark.parametrize(("activation", "loss"), [("a1", "mse"), ("a2", "bce")])
def test_wrong_activations_leave_the_lines_that_read_them_right(
    activation: str, loss: Loss, scale: float
) -> None:
    """They are not between 0 and 1: 1 - a, or a itself, has the other sign."""
    fault = Fault(
        "scaled", changes={activation: lambda step, _: scale * vars(step)[activation]}
    )
    problem = problem_of(steps=20, loss=loss)

    trace = plant(fault, numpy_manual).train(problem)
    wrong = {c.quantity for c in audit(problem, Run("a", trace)) if not c.passed}

    assert wrong == {activation}
