"""A run, recorded: by a plain loop, without intermediates, or each K-th step only."""

import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compare.checks.audit import END_TO_END, audit, linked
from compare.checks.check import Check, broken
from compare.checks.completeness import sound
from compare.checks.parity import told
from compare.checks.run import points, updated
from compare.checks.verdict import Verdict
from compare.numerics import rounding
from compare.numerics.rounding import drift, step_bars
from compare.report.story import Story, tell
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import rewritten, two_sided_sigmoid
from compare.training.compare import compare
from compare.training.contract import INPUTS, TRAINS
from compare.training.problems import Experiment, lopsided
from compare.training.record import as_trace, record
from compare.training.load import load
from impls import numpy_manual as ours
from impls.interface import Array, Implementation, Loss, Problem, Trace, Weights

FIELDS = [field.name for field in fields(Trace)]
OUTPUTS = ("a2", "dw2", "dw1")
"""What a black box gives beside the loss."""
FUNCTIONS = [name for name in FIELDS if name not in ("w1", "w2")]
FINAL = [f"final {name}" for name in (*OUTPUTS, "loss")]
EVERY = (1, 3, 7, 300, 1000)
BELOW_ROUNDING = {("one element off by a billionth in one step", 100)}
"""What is no larger than the roundings of so many steps, added up."""


@cache
def problem_of(dtype: str = "float64", loss: Loss = "bce", steps: int = 300) -> Problem:
    """Give a run of the notebook's network."""
    return Experiment(dtype=dtype, loss=loss, steps=steps).problem()


@cache
def wide(dtype: str, loss: Loss) -> Problem:
    """Give a 3-4-2 network and ten samples: no two sizes are the same."""
    return replace(lopsided(loss, dtype), steps=300)


def only(bundle: Any, names: Sequence[str]) -> SimpleNamespace:  # noqa: ANN401
    """Leave out everything but some names."""
    return SimpleNamespace(**{name: getattr(bundle, name) for name in names})


def giving(
    *names: str,
    base: Any = ours,  # noqa: ANN401
    train: Callable[[Problem], object] | None = None,
) -> Any:  # noqa: ANN401
    """Make an implementation that knows only some quantities; it loops if need be."""

    def forward(*arguments: Any) -> object:  # noqa: ANN401
        activations = base.forward(*arguments)
        return only(activations, [n for n in names if n in activations._fields])

    def loss_and_gradients(*arguments: Any) -> object:  # noqa: ANN401
        value, gradients = base.loss_and_gradients(*arguments)
        return value, only(gradients, [n for n in names if n in gradients._fields])

    return SimpleNamespace(
        forward=forward, loss_and_gradients=loss_and_gradients, train=train
    )


def giving_twice(
    quantity: str, change: Callable[[Array, Array], object] = lambda _, a: 2 * a
) -> Any:  # noqa: ANN401
    """Train as ours does, and give something else for a quantity when asked."""

    def forward(weights: Weights[Array], x: Array) -> object:
        found = ours.forward(weights, x)._asdict()
        if quantity in found:
            found[quantity] = change(weights.w1, found[quantity])
        return SimpleNamespace(**found)

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> object:  # noqa: ANN401
        value, gradients = ours.loss_and_gradients(weights, *arguments)
        found = {"loss": value, **gradients._asdict()}
        if quantity in found:
            found[quantity] = change(weights.w1, found[quantity])
        return np.asarray(found.pop("loss")), SimpleNamespace(**found)

    return SimpleNamespace(
        forward=forward, loss_and_gradients=loss_and_gradients, train=ours.train
    )


def black_box(fault: Fault) -> Any:  # noqa: ANN401
    """Plant a fault where nobody can look."""
    planted = plant(fault, ours)
    names = ("loss", "w1", "w2", *OUTPUTS)
    return giving(*OUTPUTS, train=lambda problem: only(planted.train(problem), names))


def beside_ours(problem: Problem, implementation: object, every: int = 1) -> Verdict:
    """Compare an implementation, as "other", with ours."""
    both: Any = {"ours": ours, "other": implementation}
    return compare(problem, both, every=every)


def wrong_at(step: int, quantity: str = "dw1", factor: float = 2.0) -> Any:  # noqa: ANN401
    """Give ours without a train, and with a wrong quantity at the weights of a step."""
    there = ours.train(problem_of()).w1[step]

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> object:  # noqa: ANN401
        value, gradients = ours.loss_and_gradients(weights, *arguments)
        found = {"loss": value, **gradients._asdict()}
        if np.array_equal(weights.w1, there):
            found[quantity] = found[quantity] * factor
        return found["loss"], SimpleNamespace(**found)

    return SimpleNamespace(forward=ours.forward, loss_and_gradients=loss_and_gradients)


def audited(verdict: Verdict) -> dict[str, str]:
    """Give the words in which each quantity of "other" was judged."""
    return {
        check.quantity: check.statement
        for check in verdict.checks
        if check.kind == "audit" and check.subject == ("other",)
    }


def story_of(verdict: Verdict) -> Story:
    """Tell of a difference."""
    story = tell(verdict)
    assert story is not None
    return story


def first_of(verdict: Verdict) -> Check:
    """Give the first difference."""
    assert verdict.first_difference is not None
    return verdict.first_difference


def assert_same(found: Trace, expected: Trace) -> None:
    """Compare two traces bit by bit."""
    names = [
        n for n in FIELDS if np.array_equal(getattr(found, n), getattr(expected, n))
    ]
    assert names == FIELDS


# A plain loop.


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_plain_loop_trains_as_ours_does(dtype: str, loss: Loss) -> None:
    """Two functions are enough: the trace is the same, bit by bit."""
    problem = problem_of(dtype, loss)

    run = record(problem, giving(*FIELDS), "other")

    assert (run.looped, run.unknown, run.end_to_end) == (True, (), ())
    assert_same(run.trace, ours.train(problem))


def test_who_has_a_train_is_not_looped(implementation: Implementation) -> None:
    """Whoever can train does, and what is recorded is what it gives."""
    problem = problem_of(steps=20)

    run = record(problem, implementation, "x")

    assert not run.looped
    assert_same(run.trace, implementation.train(problem))


def test_a_plain_loop_of_all_is_judged_by_line() -> None:
    """Whoever gives every intermediate gets the certificate of each line."""
    verdict = beside_ours(problem_of(), giving(*FIELDS))

    assert verdict.answer == "match"
    assert not [words for words in audited(verdict).values() if END_TO_END in words]


@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_functions_may_round_differently(dtype: str, loss: Loss) -> None:
    """As a2 nears y, a2 - y cancels: a loop's lines can't judge across functions."""
    problem = Experiment("or", dtype=dtype, loss=loss, steps=2000).problem()
    forward = rewritten("numpy", sigmoid=two_sided_sigmoid).forward
    other = giving(*FIELDS)
    other.forward = forward

    verdict = beside_ours(problem, other)

    run = replace(verdict.runs[1], looped=False)
    assert verdict.answer == "match"
    assert audited(verdict)["dz2"].endswith(END_TO_END)
    assert has_failure(audit(problem, run))


@pytest.mark.parametrize(
    ("quantity", "factor"),
    [("dz2", 4.0), ("loss", 4.0), ("dz1", -1.0), ("dw2", 0.0), ("dw1", 1 + 1e-9)],
)
def test_a_mistake_in_a_function_is_found_in_its_loop(
    quantity: str, factor: float
) -> None:
    """Where it was made, and in the step in which it was made."""
    first = first_of(beside_ours(problem_of(), wrong_at(150, quantity, factor)))

    assert first.first is not None
    assert (first.subject, first.kind) == (("other",), "audit")
    assert (first.quantity, first.first.step) == (quantity, 150)


def test_a_loop_keeps_copies_of_what_it_is_given() -> None:
    """Arrays that are used again after some calls are in the record as they were."""
    buffers = cycle([np.empty((2, 2)) for _ in range(9)])

    def loss_and_gradients(*arguments: Any) -> object:  # noqa: ANN401
        value, gradients = ours.loss_and_gradients(*arguments)
        dw1 = next(buffers)
        dw1[...] = gradients.dw1
        return value, gradients._replace(dw1=dw1)

    other = giving(*FIELDS)
    other.loss_and_gradients = loss_and_gradients

    assert_same(record(problem_of(), other, "x").trace, ours.train(problem_of()))


def test_a_loop_lends_copies_of_its_weights() -> None:
    """Whoever writes into them on the way, once nobody examines, changes nothing."""
    there = ours.train(problem_of()).w1[150]

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> object:  # noqa: ANN401
        answer = ours.loss_and_gradients(weights, *arguments)
        weights.w1[weights.w1 == there] = 7
        return answer

    other = giving(*FIELDS)
    other.loss_and_gradients = loss_and_gradients

    assert_same(record(problem_of(), other, "x").trace, ours.train(problem_of()))


# Missing intermediates.


@pytest.mark.parametrize("make", [problem_of, wide])
@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_black_box_matches(
    dtype: str, loss: Loss, make: Callable[[str, Loss], Problem]
) -> None:
    """Loss, gradients and predictions are enough, and what was judged so says so."""
    verdict = beside_ours(make(dtype, loss), giving(*OUTPUTS))

    judged = audited(verdict)
    by_line = {q for q, words in judged.items() if not words.endswith(END_TO_END)}
    assert verdict.answer == "match"
    assert verdict.runs[1].unknown == ("z1", "a1", "z2", "dz2", "dz1")
    assert judged.keys() == {*OUTPUTS, "loss", "new_w1", "new_w2", *FINAL}
    assert by_line - {"loss"} == {"new_w1", "new_w2", *FINAL}
    assert ("loss" in by_line) == (loss == "mse")


@pytest.mark.parametrize(
    ("names", "by_line"),
    [
        (("z1", "a1", *OUTPUTS), {"z1", "a1"}),
        (("z2", *OUTPUTS), {"a2", "loss"}),
        (("a1", "dz2", *OUTPUTS), {"dz2", "dw2"}),
        (("dz1", *OUTPUTS), {"dw1"}),
        (("z1", "a1", "z2", *OUTPUTS), {"z1", "a1", "z2", "a2", "loss"}),
    ],
    ids=", ".join,
)
def test_what_is_given_is_judged_by_its_line(
    names: tuple[str, ...], by_line: set[str]
) -> None:
    """A line whose inputs are there judges; the weights judge the rest."""
    verdict = beside_ours(problem_of(), giving(*names))

    judged = audited(verdict)
    always = {"new_w1", "new_w2", *(f"final {name}" for name in (*names, "loss"))}
    assert verdict.answer == "match"
    assert {*names} <= judged.keys()
    assert {q for q, w in judged.items() if END_TO_END not in w} - always == by_line


def softplus_loss(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> Any:  # noqa: ANN401
    """Sum the cross-entropy as softplus(z2) - y z2, and differentiate that."""
    _, a1, z2, _ = ours.forward(weights, x)
    _, d = ours.loss_and_gradients(weights, x, y, loss)
    softplus = np.logaddexp(z2.dtype.type(0), z2)
    dz2 = (np.exp(z2 - softplus) - y) / y.shape[-1]
    dw2, dz1 = dz2 @ a1.T, (weights.w2.T @ dz2) * a1 * (1 - a1)
    value = np.asarray((softplus - y * z2).sum() / y.shape[-1])
    return value, d._replace(dz2=dz2, dw2=dw2, dz1=dz1, dw1=dz1 @ x.T)


def softplus_box() -> Any:  # noqa: ANN401
    """Give a black box with that loss."""
    base = SimpleNamespace(forward=ours.forward, loss_and_gradients=softplus_loss)
    return giving(*OUTPUTS, base=base)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_black_box_may_have_another_cross_entropy(dtype: str) -> None:
    """Its terms cancel where ours don't, and that is no mistake."""
    problem = Experiment("or", dtype=dtype, hidden=5, lr=2.0, steps=1000).problem()

    assert beside_ours(problem, softplus_box()).answer == "match"


@pytest.mark.parametrize("z2", [17.3, 20.7, 25.1, 30.3, 32.9])
def test_the_gradient_of_another_cross_entropy_rounds_at_z2(z2: float) -> None:
    """A probability of almost 1 is more exact than the exponent it may come from."""
    w1 = np.array([[0.3, 0.7], [1.1, -0.4]])
    x, y = np.array([[0.9], [0.2]]), np.ones((1, 1))
    a1 = ours.sigmoid(w1 @ x)
    problem = Problem(x, y, Weights(w1, z2 * a1.T / (a1.T @ a1)), 0.1, 20, "bce")

    assert beside_ours(problem, softplus_box()).answer == "match"


INVISIBLE = {"wrong slope of a sample whose inputs are 0"}
"""What changes nothing but an intermediate."""
SEEN_AS = {"a1": "a2", "dz2": "dw2", "dz1": "dw1"}
"""What a mistake is reported by, where it can't be seen itself."""
VISIBLE = [fault for fault in FAULTS if fault.name not in INVISIBLE]
each_fault = pytest.mark.parametrize("fault", VISIBLE, ids=lambda fault: fault.name)


@each_fault
def test_a_fault_in_a_black_box_is_found(fault: Fault) -> None:
    """By the first quantity that shows it, and it is told; it has its name or none."""
    problem = problem_of(loss=fault.loss or "bce")

    verdict = beside_ours(problem, black_box(fault))

    first, story = first_of(verdict), story_of(verdict)
    quantity = SEEN_AS.get(fault.quantity, fault.quantity)
    assert (first.subject, first.kind) == (("other",), fault.kind)
    assert first.quantity == quantity
    assert story.cause in (None, fault.named(problem.steps))
    assert len(str(story).splitlines()) == 4


def test_what_is_invisible_is_no_difference() -> None:
    """A wrong intermediate that nothing follows from, in a box that is shut."""
    fault, *_ = (fault for fault in FAULTS if fault.name in INVISIBLE)

    assert beside_ours(problem_of(), black_box(fault)).answer == "match"


def test_the_story_of_a_black_box() -> None:
    """It names the line, says that it was judged end to end, and by which bars."""
    fault, *_ = (f for f in FAULTS if f.name == "gradient of the sum, 1/m missing")

    story = story_of(beside_ours(problem_of(), black_box(fault)))

    place, _, bound, _ = str(story).splitlines()
    assert place == (
        "first difference: step 0, dw2 = dz2 @ a1.T, end to end, dw2[0, 0]; "
        "cause: m = 4 times: 1/m missing"
    )
    assert "4 error bars of" in bound


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "name",
    [
        "dw1 transposed",
        "dw1 with the wrong sign",
        "gradient clipped at 0.01",
        "momentum left on",
    ],
)
def test_common_mistakes_in_a_black_box_have_their_names(name: str, dtype: str) -> None:
    """What intermediates would show can be computed from the weights."""
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    problem = problem_of(dtype, fault.loss or "bce")

    assert story_of(beside_ours(problem, black_box(fault))).cause == fault.cause


def test_a_train_that_leaves_out_what_its_functions_give() -> None:
    """Whoever can give dz1 has to."""
    names = [name for name in FIELDS if name != "dz1"]
    other = giving(*FIELDS, train=lambda problem: only(ours.train(problem), names))

    verdict = beside_ours(problem_of(), other)

    first = first_of(verdict)
    assert (first.kind, first.quantity, first.worst.value) == (
        "continuity",
        "dz1",
        "nothing",
    )
    assert story_of(verdict).numbers == {
        "other": "nothing",
        "expected": "float64 (300, 2, 4)",
    }


def test_a_train_that_gives_more_than_its_functions() -> None:
    """What it gives all the same is judged."""
    other = giving(*OUTPUTS, train=ours.train)

    verdict = beside_ours(problem_of(), other)

    assert verdict.answer == "match"
    assert audited(verdict)["dz1"] == "dz1 = (w2.T @ dz2) * a1 * (1 - a1)"


# What a stranger's train may do wrong.


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (np.ndarray.tolist, "a list"),
        (lambda _: [[1.0], [2.0, 3.0]], "a list"),
        (np.float32, "float32 (300, 2, 2)"),
        (lambda a: a[1:], "float64 (299, 2, 2)"),
        (lambda a: a.astype(object), "object (300, 2, 2)"),
        (lambda _: None, "nothing"),
    ],
)
def test_a_trace_of_something_else(
    change: Callable[[Array], object], found: str
) -> None:
    """Lists, another dtype, a missing step: it says what was found, and is told."""

    def train(problem: Problem) -> object:
        trace = ours.train(problem)
        return SimpleNamespace(**{**vars(trace), "dw1": change(trace.dw1)})

    verdict = beside_ours(problem_of(), giving(*FIELDS, train=train))

    first = first_of(verdict)
    assert (first.kind, first.quantity, first.worst.value) == (
        "continuity",
        "dw1",
        found,
    )
    assert found in str(story_of(verdict))


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("quantity", ["w1", "w2", "x", "y"])
def test_a_train_that_writes_into_its_problem(quantity: str, every: int) -> None:
    """It is found, and nobody else is given what it wrote into."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        given = {**problem.weights._asdict(), "x": problem.x, "y": problem.y}
        given[quantity][...] = 7
        return trace

    problem = Experiment(steps=20).problem()
    three: Any = {"first": ours, "other": giving(*FIELDS, train=train), "last": ours}

    verdict = compare(problem, three, every=every)

    failed = {
        (c.subject, c.quantity, c.statement) for c in verdict.checks if not c.passed
    }
    assert failed == {(("other",), quantity, INPUTS)}
    assert len(str(story_of(verdict)).splitlines()) == 4


def test_steps_that_share_their_memory() -> None:
    """Weights updated in place are all the last ones, and not taken for the first."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        w1 = np.broadcast_to(trace.w1[-1], trace.w1.shape)
        return replace(trace, w1=w1)

    first = first_of(beside_ours(problem_of(), giving(*FIELDS, train=train)))

    assert (first.kind, first.quantity) == ("continuity", "first w1")


@pytest.mark.parametrize("every", [1, 7])
def test_a_trace_that_is_overwritten_later(every: int) -> None:
    """Whatever a stranger does with its arrays afterwards, the record stays."""
    given: list[Trace] = []

    def train(problem: Problem) -> Trace:
        spoil()
        given.append(ours.train(problem))
        return given[-1]

    def spoil() -> None:
        for trace in given:
            trace.w1[...] = trace.dw1[...] = np.nan

    def forward(weights: Weights[Array], x: Array) -> Any:  # noqa: ANN401
        spoil()
        return ours.forward(weights, x)

    other = giving(*FIELDS, train=train)
    other.forward = forward

    assert beside_ours(problem_of(), other, every).answer == "match"


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize(
    "end",
    [lambda: np.zeros(2) @ np.zeros(3), lambda: sys.exit(0)],
    ids=["error", "exit"],
)
def test_a_training_that_ends(end: Callable[[], object], every: int) -> None:
    """It is the finding, with its place in the stranger's file."""

    def train(_: Problem) -> object:
        return end()

    verdict = beside_ours(problem_of(), giving(*FIELDS, train=train), every)

    first = first_of(verdict)
    assert (first.kind, first.quantity, first.statement) == (
        "contract",
        "train",
        TRAINS,
    )
    assert f"({__file__}, line " in str(story_of(verdict))


def test_a_function_that_gives_up_on_the_way() -> None:
    """What is right at the first weights need not be at the last."""
    last = ours.train(problem_of()).w1[-1]

    def forward(weights: Weights[Array], x: Array) -> Any:  # noqa: ANN401
        a = ours.forward(weights, x)
        return a._replace(a2=a.a2.tolist()) if (weights.w1 == last).all() else a

    other = giving(*FIELDS, train=ours.train)
    other.forward = forward

    first = first_of(beside_ours(problem_of(), other))

    assert (first.kind, first.quantity) == ("continuity", "final a2")
    assert first.worst.value == "a list"


@pytest.mark.parametrize("quantity", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("every", [1, 7])
def test_a_right_train_does_not_hide_wrong_functions(
    quantity: str, dtype: str, every: int
) -> None:
    """What they give is checked, too: twice the loss, which nobody trains with, say."""
    verdict = beside_ours(problem_of(dtype), giving_twice(quantity), every)

    audits = [check for check in verdict.differences if check.kind == "audit"]
    assert [(a.subject, a.quantity) for a in audits] == [
        (("other",), f"final {quantity}")
    ]


@pytest.mark.parametrize("quantity", ["z1", "dz1"])
def test_functions_that_forget_on_the_way(quantity: str) -> None:
    """What is given at the first weights has to be given at the last."""
    start = problem_of().weights.w1
    other = giving_twice(quantity, lambda w1, a: a if (w1 == start).all() else None)

    verdict = beside_ours(problem_of(), other)

    first = first_of(verdict)
    assert (first.kind, first.quantity) == ("continuity", f"final {quantity}")
    assert story_of(verdict).cause == "only given at first"


def test_a_train_that_gives_nothing() -> None:
    """It is told of the first thing that it should have recorded."""
    verdict = beside_ours(problem_of(), giving(*FIELDS, train=lambda _: None))

    assert first_of(verdict).quantity == "w1"
    assert story_of(verdict).cause == "its training doesn't record it"


# Each K-th step.


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_thinned_rows_are_those_of_the_full_trace(dtype: str, every: int) -> None:
    """Bit by bit, with the weights after the last step and right after each row's."""
    problem, full = problem_of(dtype), ours.train(problem_of(dtype))

    run = record(problem, ours, "x", every)

    rows = range(0, 300, every)
    weights = {"w1": [*rows, 300], "w2": [*rows, 300]}
    expected = {n: getattr(full, n)[weights.get(n, rows)] for n in FIELDS}
    assert_same(run.trace, Trace(**expected))
    assert np.array_equal(updated(run).w1, full.w1[1:][rows])
    assert np.array_equal(updated(run).w2, full.w2[1:][rows])


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_thinned_runs_match(dtype: str, loss: Loss, every: int) -> None:
    """Ours, and a black box that a plain loop trains."""
    problem = problem_of(dtype, loss)
    three: Any = {"numpy": ours, "torch": load("torch"), "box": giving(*OUTPUTS)}

    verdict = compare(problem, three, every=every)

    assert verdict.answer == "match"
    assert {len(run.trace.loss) for run in verdict.runs} == {-(-300 // every)}


@pytest.mark.parametrize("every", EVERY)
def test_the_drift_is_that_of_all_steps(every: int) -> None:
    """D and R don't depend on how many steps were recorded."""
    problem, full = problem_of(), record(problem_of(), ours, "x")
    thin = record(problem, ours, "x", every)

    of_all, of_some = (
        drift(problem, step_bars(problem, r.trace.w1, r.trace.w2), r.every)
        for r in (full, thin)
    )

    steps = points(problem, thin)
    assert of_some.budget.weights == pytest.approx(
        of_all.budget.weights[steps], rel=1e-12, abs=0
    )
    assert of_some.typical.weights == pytest.approx(
        of_all.typical.weights[steps], rel=1e-12, abs=0
    )
    assert of_some.budget.a2 == pytest.approx(of_all.budget.a2[steps], rel=1e-12, abs=0)


def test_a_drift_past_1_between_two_rows_stays_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That it was below 1 again in the next recorded step is no comfort."""
    problem = problem_of(steps=6)
    run = record(problem, ours, "x", 3)
    steps = iter([1.0, 1e20, 1e-20])
    monkeypatch.setattr(
        rounding,
        "slopes",
        lambda _, row: np.array([next(steps) * np.eye(6)] * len(row.a2)),
    )

    found = drift(problem, step_bars(problem, run.trace.w1, run.trace.w2), 3)

    assert told(found.budget.weights).tolist() == [True, False, False]
    assert [check.passed for check in linked(problem, run, found)] == [None, None]


def test_a_step_far_beyond_the_last_costs_nothing() -> None:
    """Each millionth of few steps is the first."""
    verdict = beside_ours(problem_of(steps=5), ours, 10**9)

    assert verdict.answer == "match"


def test_thinning_saves_memory() -> None:
    """What is kept of a part keeps no part alive."""

    def peak(every: int) -> int:
        tracemalloc.start()
        record(problem_of(steps=2000), ours, "x", every)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(50) < peak(1) / 5


@pytest.mark.parametrize(
    ("every", "step", "reported"),
    [
        (7, 10, 14),
        (7, 293, 294),
        (7, 296, 300),
        (7, 299, 300),
        (3, 1, 3),
        (300, 9, 300),
    ],
)
def test_a_fault_between_two_rows_is_found(
    every: int, step: int, reported: int
) -> None:
    """The next weights that were recorded don't follow from those before."""
    verdict = beside_ours(problem_of(), wrong_at(step), every)

    first, story = first_of(verdict), story_of(verdict)
    assert (first.subject, first.kind, first.quantity) == (
        ("other",),
        "continuity",
        "w1",
    )
    assert (story.step, story.cause) == (reported, None)


@pytest.mark.parametrize(("every", "step"), [(7, 14), (7, 294), (3, 297), (299, 299)])
def test_a_fault_in_a_row_is_found_at_its_step(every: int, step: int) -> None:
    """The number of the step is told, not that of the row."""
    verdict = beside_ours(problem_of(), wrong_at(step), every)

    first, story = first_of(verdict), story_of(verdict)
    assert (first.kind, first.quantity, story.step) == ("audit", "dw1", step)
    assert set(story.numbers) == {"ours", "other", "exact"}
    assert float(story.numbers["exact"]) == pytest.approx(
        float(story.numbers["ours"]), rel=1e-6, abs=0
    )


def test_the_story_of_a_fault_between_two_rows() -> None:
    """Where the weights are, where they should be, and how exactly that is known."""
    verdict = beside_ours(problem_of(), wrong_at(10), 7)

    story = story_of(verdict)

    place, numbers, bound, after = str(story).splitlines()
    expected = float(story.numbers["expected"])
    assert place == (
        "first difference: step 14, w1 follows from the w1 recorded before it, "
        "w1[0, 0]; cause unknown"
    )
    assert expected == pytest.approx(
        ours.train(problem_of()).w1[14, 0, 0], rel=1e-12, abs=0
    )
    assert numbers == f"  other {story.numbers['other']}, expected {expected}"
    assert bound.endswith(": as far as the roundings of these steps can have grown")
    assert after.startswith("  then: w2 of other at step 14, ")


@pytest.mark.parametrize(
    ("fault", "every"),
    [
        pytest.param(fault, every, id=f"{fault.name}-{every}")
        for fault in FAULTS
        for every in (7, 100)
        if (fault.name, every) not in BELOW_ROUNDING
    ],
)
def test_a_fault_in_a_thinned_run_is_told(fault: Fault, every: int) -> None:
    """By its own check where it is recorded, else by what doesn't follow."""
    problem = problem_of(loss=fault.loss or "bce")
    happens = any(fault.when(n, every) for n in range(every))

    verdict = beside_ours(problem, plant(fault, ours), every)

    story = tell(verdict)
    assert (verdict.answer == "differ") == happens == bool(story)
    assert not story or story.cause in (None, fault.named(300))
    assert not happens or (first_of(verdict).subject, first_of(verdict).kind) in (
        (("other",), fault.kind),
        (("other",), "continuity"),
    )


def test_a_nan_between_two_rows_is_found() -> None:
    """In its own step, though that is not recorded; nothing exact is said of it."""

    def train(problem: Problem) -> Trace:
        trace = ours.train(problem)
        trace.dw1[3:4, 1, 0] = np.nan
        return trace

    verdict = beside_ours(problem_of(), giving(*FIELDS, train=train), 7)

    story = story_of(verdict)
    assert (story.step, story.element) == (3, "dw1[1, 0]")
    assert story.numbers == {"other": "nan", "expected": "a finite number"}


def test_a_thinned_run_that_leaves_the_numbers_is_audited() -> None:
    """It trains to the end all the same, and its first mistake is the one told."""
    fault, *_ = (f for f in FAULTS if f.name == "sigmoid's derivative at z, not at a")

    story = story_of(beside_ours(problem_of(), plant(fault, ours), 7))

    assert (story.step, story.element) == (0, "dz1[0, 0]")
    assert "dz1 of other at step 228" in story.aftermath


def test_weights_right_after_a_row_are_asked_for() -> None:
    """A thinned record that lacks them is not whole."""
    problem = problem_of()
    run = replace(record(problem, ours, "x", 7), updated=None)

    checks = check_completeness(problem, run)

    assert [c.quantity for c in checks if not c.passed] == ["new_w1", "new_w2"]


def test_a_trace_is_read_by_names() -> None:
    """What is missing is None, and what is there is a copy."""
    w1 = np.ma.masked_equal([[1.0]], 1.0)

    trace = as_trace(SimpleNamespace(w1=w1, w2=[1.0]))

    assert [type(a) for a in vars(trace).values() if a is not None] == [
        np.ndarray,
        list,
    ]
    assert not np.shares_memory(trace.w1, w1)
