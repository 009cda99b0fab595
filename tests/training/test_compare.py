"""Third-party implementations beside ours: black boxes, plain loops and mistakes."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from compare.checks.audit import audit
from compare.checks.check import has_failure
from compare.checks.verdict import Verdict
from compare.contract.calls import rewired
from compare.diagnosis.story import stories_of
from compare.hosts.load import load
from compare.selftest.faults import FAULTS, fault_named
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import rewritten, two_sided_sigmoid
from compare.selftest.trial import beside_ours
from compare.training.compare import compare
from compare.training.problems import lopsided
from impls import numpy_manual as ours
from impls.interface import Array, Implementation, Loss, Problem, Trace, Weights
from tests.helpers import DTYPES, LOSSES, near, problem_of, returning

FIELDS = [field.name for field in fields(Trace)]
OUTPUTS = ("a2", "dw2", "dw1")
"""What a black box returns beside the loss."""
FUNCTIONS = [name for name in FIELDS if name not in ("w1", "w2")]
WEIGHTS = {"new_w1", "new_w2"}
NUMPY = load("numpy")


def wide(dtype: str, loss: Loss) -> Problem:
    """Create a 3-4-2 network and ten samples: no two sizes are the same."""
    return replace(lopsided(loss, dtype), steps=300)


def only(bundle: object, names: Sequence[str]) -> SimpleNamespace:
    """Keep the attributes of some names."""
    return SimpleNamespace(**{name: getattr(bundle, name) for name in names})


def giving(
    *names: str,
    base: Implementation = NUMPY,
    train: Callable[[Problem], object] | None = None,
) -> Implementation:
    """Wrap an implementation: its functions return only some quantities."""

    def forward(*arguments: Any) -> object:
        activations = base.forward(*arguments)
        return only(activations, [n for n in names if n in activations._fields])

    def loss_and_gradients(*arguments: Any) -> object:
        value, gradients = base.loss_and_gradients(*arguments)
        return value, only(gradients, [n for n in names if n in gradients._fields])

    return rewired(
        base, forward=forward, loss_and_gradients=loss_and_gradients, train=train
    )


def black_box(fault: Fault) -> Implementation:
    """Plant a fault in an implementation that returns no intermediates."""
    planted = plant(fault, ours)
    names = ("loss", "w1", "w2", *OUTPUTS)
    return giving(*OUTPUTS, train=lambda problem: only(planted.train(problem), names))


def wrong_at(step: int, quantity: str = "dw1", factor: float = 2.0) -> Implementation:
    """Wrap ours without its `train`: a quantity is wrong at the weights of a step."""
    there = ours.train(problem_of()).w1[step]
    wrong = returning(
        lambda weights: np.array_equal(weights.w1, there),
        **{quantity: lambda array: array * factor},
    )
    return rewired(wrong, train=None)


def bases(verdict: Verdict) -> dict[str, str]:
    """Return what each quantity of "other" was judged from, by its label."""
    return {
        check.label: check.basis
        for check in verdict.checks
        if check.kind == "audit"
        and check.subject == ("other",)
        and check.when != "in a replay"
    }


def judged_from(basis: str, verdict: Verdict) -> set[str]:
    """Return the labels of the quantities of "other" with one basis."""
    return {label for label, found in bases(verdict).items() if found == basis}


# The stages.


def test_each_stage_is_announced() -> None:
    """First those that still train, and then each that is audited."""
    stages: list[str] = []
    both = {"torch": load("torch"), "numpy": NUMPY}

    verdict = compare(problem_of(steps=5), both, stages.append)

    assert [run.name for run in verdict.runs] == ["torch", "numpy"]
    assert stages == [
        "training torch, numpy",
        "training numpy",
        "auditing torch",
        "auditing numpy",
    ]


# Another framework: HIPS autograd.


def hips_forward(weights: Weights[Array], x: Array) -> SimpleNamespace:
    """Compute the probabilities alone."""
    w1, w2 = weights
    a1 = 1 / (1 + anp.exp(-(w1 @ x)))
    return SimpleNamespace(a2=1 / (1 + anp.exp(-(w2 @ a1))))


def hips_loss(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> Any:
    """Compute the loss, to be differentiated."""
    a2 = hips_forward(weights, x).a2
    if loss == "bce":
        return -anp.sum(y * anp.log(a2) + (1 - y) * anp.log(1 - a2)) / y.shape[-1]
    return anp.mean((a2 - y) ** 2)


def hips_gradients(weights: Weights[Array], *arguments: Any) -> Any:
    """Differentiate the loss with autograd."""
    dw1, dw2 = grad(hips_loss)(tuple(weights), *arguments)
    return hips_loss(weights, *arguments), SimpleNamespace(dw1=dw1, dw2=dw2)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_hips_autograd_matches(loss: Loss, dtype: str) -> None:
    """A framework that returns loss, gradients and probabilities matches all three."""
    problem = problem_of(dtype, loss, 500)
    hips = SimpleNamespace(forward=hips_forward, loss_and_gradients=hips_gradients)
    implementations: Any = {name: load(name) for name in ("numpy", "torch", "jax")}

    verdict = compare(problem, {**implementations, "autograd": hips})

    assert verdict.answer == "match"


# A plain loop.


def test_a_plain_loop_of_all_is_judged_by_line() -> None:
    """Each line of a training with all intermediates is judged from its inputs."""
    verdict = beside_ours(problem_of(), rewired(ours, train=None))

    assert verdict.answer == "match"
    final = {f"final {name}" for name in FUNCTIONS}
    assert judged_from("line", verdict) == {*FUNCTIONS, *WEIGHTS, *final}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_two_functions_may_round_differently(dtype: str, loss: Loss) -> None:
    """As a2 nears y, a2 - y cancels: lines of a loop can't judge across functions."""
    problem = problem_of(dtype, loss, 2000, table="or")
    forward = rewritten("numpy", sigmoid=two_sided_sigmoid).forward

    verdict = beside_ours(problem, rewired(ours, forward=forward, train=None))

    run = replace(verdict.runs[1], looped=False)
    assert verdict.answer == "match"
    assert bases(verdict)["dz2"] == "weights"
    assert has_failure(audit(problem, run))


@pytest.mark.parametrize(
    ("quantity", "factor"),
    [("dz2", 4.0), ("loss", 4.0), ("dz1", -1.0), ("dw2", 0.0), ("dw1", 1 + 1e-9)],
)
def test_a_mistake_in_a_function_is_found_in_its_loop(
    quantity: str, factor: float
) -> None:
    """The first difference is the quantity and the step of the mistake."""
    verdict = beside_ours(problem_of(), wrong_at(150, quantity, factor))

    first, *_ = verdict.differences
    assert first.first is not None
    assert (first.subject, first.kind) == (("other",), "audit")
    assert (first.quantity, first.first.step) == (quantity, 150)


@pytest.mark.parametrize("step", [0, 14, 299])
def test_the_numbers_of_a_mistake(step: int) -> None:
    """The story has the numbers of its step, and the exact one is near ours."""
    story, *_ = stories_of(beside_ours(problem_of(), wrong_at(step)))

    numbers = {name: float(number) for name, number in story.numbers.items()}
    expected = ours.train(problem_of()).dw1[step][0, 0]
    assert (story.step, story.element) == (step, "dw1[0, 0]")
    assert numbers["other"] == 2 * expected
    assert numbers["numpy"] == near(expected, rel=1e-6)
    assert numbers["exact"] == near(expected, rel=1e-6)


# Missing intermediates.


@pytest.mark.parametrize("make", [problem_of, wide])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_black_box_matches(
    dtype: str, loss: Loss, make: Callable[[str, Loss], Problem]
) -> None:
    """Loss, gradients and predictions are enough; most are judged from the weights."""
    verdict = beside_ours(make(dtype, loss), giving(*OUTPUTS))

    final = {f"final {name}" for name in (*OUTPUTS, "loss")}
    by_line = WEIGHTS | ({"loss", "final loss"} if loss == "mse" else set())
    assert verdict.answer == "match"
    assert verdict.runs[1].unknown == ("z1", "a1", "z2", "dz2", "dz1")
    assert judged_from("line", verdict) == by_line
    assert judged_from("weights", verdict) == {*OUTPUTS, "loss", *final} - by_line


@pytest.mark.parametrize(
    ("names", "by_line"),
    [
        (("z1", "a1", *OUTPUTS), ("z1", "a1")),
        (("z2", *OUTPUTS), ("a2", "loss")),
        (("a1", "dz2", *OUTPUTS), ("dz2", "dw2")),
        (("dz1", *OUTPUTS), ("dw1",)),
        (("z1", "a1", "z2", *OUTPUTS), ("z1", "a1", "z2", "a2", "loss")),
    ],
    ids=", ".join,
)
def test_what_is_returned_is_judged_by_its_line(
    names: tuple[str, ...], by_line: tuple[str, ...]
) -> None:
    """A line judges if its inputs are known; the weights judge the rest."""
    verdict = beside_ours(problem_of(), giving(*names))

    final = {f"final {name}" for name in (*names, "loss")}
    by_line = (*by_line, *(f"final {name}" for name in by_line))
    assert verdict.answer == "match"
    assert judged_from("line", verdict) == {*by_line, *WEIGHTS}
    assert judged_from("weights", verdict) == {*names, "loss", *final} - {*by_line}


def softplus_loss(weights: Weights[Array], x: Array, y: Array, loss: Loss) -> Any:
    """Compute the cross-entropy as softplus(z2) - y z2, and its gradients."""
    _, a1, z2, _ = ours.forward(weights, x)
    _, d = ours.loss_and_gradients(weights, x, y, loss)
    softplus = np.logaddexp(z2.dtype.type(0), z2)
    dz2 = (np.exp(z2 - softplus) - y) / y.shape[-1]
    dw2, dz1 = dz2 @ a1.T, (weights.w2.T @ dz2) * a1 * (1 - a1)
    value = np.asarray((softplus - y * z2).sum() / y.shape[-1])
    return value, d._replace(dz2=dz2, dw2=dw2, dz1=dz1, dw1=dz1 @ x.T)


SOFTPLUS_BOX = giving(*OUTPUTS, base=rewired(ours, loss_and_gradients=softplus_loss))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_black_box_may_have_another_cross_entropy(dtype: str) -> None:
    """Its terms cancel where those of ours do not, and that is no mistake."""
    problem = problem_of(dtype, steps=1000, table="or", network="2-5-1", lr=2.0)

    assert beside_ours(problem, SOFTPLUS_BOX).answer == "match"


def confident(z2: float) -> Problem:
    """Create a problem of one sample, with a given z2 and the label 1."""
    w1 = np.array([[0.3, 0.7], [1.1, -0.4]])
    x, y = np.array([[0.9], [0.2]]), np.ones((1, 1))
    a1 = ours.sigmoid(w1 @ x)
    return Problem(x, y, Weights(w1, z2 * a1.T / (a1.T @ a1)), 0.1, 20, "bce")


@pytest.mark.parametrize("z2", [17.3, 20.7, 25.1, 30.3])
def test_the_gradient_of_another_cross_entropy_rounds_at_z2(z2: float) -> None:
    """A probability of almost 1 is more exact than the exponent it may come from."""
    assert beside_ours(confident(z2), SOFTPLUS_BOX).answer == "match"


def test_a_gradient_smaller_than_its_bound_is_no_match() -> None:
    """At z2 = 32.9 that exponent rounds by as much as the gradient: 0 would pass."""
    verdict = beside_ours(confident(32.9), SOFTPLUS_BOX)

    doubts = {c.doubt for c in verdict.checks if c.passed is None}
    assert not verdict.differences
    assert doubts == {"bound too large"}
    assert verdict.answer == "cannot tell"


INVISIBLE = "wrong slope of a sample whose inputs are 0"
"""The fault that changes nothing but an intermediate."""
SEEN_AS = {"a1": "a2", "dz2": "dw2", "dz1": "dw1"}
"""The quantity that a mistake is reported by, where it can't be seen itself."""
VISIBLE = [fault for fault in FAULTS if fault.name != INVISIBLE]


@pytest.mark.parametrize("fault", VISIBLE, ids=lambda fault: fault.name)
def test_a_fault_in_a_black_box_is_found(fault: Fault) -> None:
    """The first quantity that shows it is reported, with its cause or none."""
    problem = problem_of(loss=fault.loss or "bce")

    verdict = beside_ours(problem, black_box(fault))

    first, story = verdict.differences[0], stories_of(verdict)[0]
    quantity = SEEN_AS.get(fault.quantity, fault.quantity)
    assert first.subject == ("other",)
    assert replace(fault, reported=quantity).is_reported_by(first)
    named = fault.named(problem.steps)
    assert story.cause in (None, named, f"{named} (in {fault.quantity})")
    assert len(str(story).splitlines()) == 3 + bool(story.aftermath)


def test_an_invisible_fault_is_no_difference() -> None:
    """A wrong intermediate that is not returned, and that nothing follows from."""
    box = black_box(fault_named(INVISIBLE))

    assert beside_ours(problem_of(), box).answer == "match"


def test_the_story_of_a_black_box() -> None:
    """The story names the line, the cause, and the error bars that bound it."""
    box = black_box(fault_named("gradient of the sum, 1/m missing"))

    story, *_ = stories_of(beside_ours(problem_of(), box))

    place, _, bound, _ = str(story).splitlines()
    assert place == (
        "first difference: step 0, dw2 = dz2 @ a1.T, dw2[0, 0]; "
        "cause: 4 times too large: the sum over samples, not the mean"
    )
    assert "4 error bars of" in bound


@pytest.mark.parametrize("dtype", DTYPES)
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
    """What intermediates would show is computed from the weights."""
    fault = fault_named(name)

    story, *_ = stories_of(beside_ours(problem_of(dtype), black_box(fault)))

    assert story.cause == fault.cause
    assert fault.cause is not None


# What a third-party `train` may do wrong.


def test_a_train_that_leaves_out_what_its_functions_return() -> None:
    """A trace must have the intermediates that the functions return."""
    names = [name for name in FIELDS if name != "dz1"]
    other = rewired(ours, train=lambda problem: only(ours.train(problem), names))

    verdict = beside_ours(problem_of(), other)

    first, story = verdict.differences[0], stories_of(verdict)[0]
    assert (first.kind, first.quantity) == ("completeness", "dz1")
    assert story.cause == "its training doesn't record it"
    assert story.numbers == {"other": "nothing", "expected": "float64 (300, 2, 4)"}


def test_a_train_that_records_more_than_its_functions_return() -> None:
    """What a trace has in addition is judged."""
    verdict = beside_ours(problem_of(), giving(*OUTPUTS, train=ours.train))

    assert verdict.answer == "match"
    assert judged_from("line", verdict) == {*FUNCTIONS, *WEIGHTS}


def test_a_train_that_returns_nothing() -> None:
    """The first missing field is the first difference."""
    verdict = beside_ours(problem_of(), rewired(ours, train=lambda _: None))

    assert verdict.differences[0].quantity == "w1"
    assert stories_of(verdict)[0].cause == "its training doesn't record it"


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
    ids=["a list", "a ragged list", "float32", "a step short", "objects", "None"],
)
def test_a_trace_of_something_else(
    change: Callable[[Array], object], found: str
) -> None:
    """The first difference describes what was found, and so does the story."""

    def train(problem: Problem) -> object:
        trace = ours.train(problem)
        return SimpleNamespace(**{**vars(trace), "dw1": change(trace.dw1)})

    verdict = beside_ours(problem_of(), rewired(ours, train=train))

    first, story = verdict.differences[0], stories_of(verdict)[0]
    assert (first.kind, first.quantity) == ("completeness", "dw1")
    assert first.worst.value == found
    assert story.numbers["other"] == found


def test_a_run_that_overflows_is_audited() -> None:
    """The first mistake is reported, not the NaN that follows much later."""
    fault = fault_named("sigmoid's derivative at z, not at a")

    story, *_ = stories_of(beside_ours(problem_of(), plant(fault, ours)))

    assert (story.step, story.element) == (0, "dz1[0, 0]")
    assert "dz1 of other at step 228" in story.aftermath


# What the functions return after training.


READERS = {"z1": {"a1"}, "a1": {"z2"}, "z2": {"a2"}, "dz1": {"dw1"}}
"""The lines of the same function that read a quantity: they can't hold, either."""


@pytest.mark.parametrize("quantity", FUNCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_right_train_does_not_hide_wrong_functions(quantity: str, dtype: str) -> None:
    """A quantity that is twice too large fails its audit after training and in replays.

    So do the lines that read it. Lines that read another function's result, or dz2, are
    judged from the weights if they do not hold.
    """
    twice = returning(**{quantity: lambda array: 2 * array})

    verdict = beside_ours(problem_of(dtype), twice)

    audits = [check for check in verdict.differences if check.kind == "audit"]
    final = {check.quantity for check in audits if check.when == "after training"}
    assert {check.subject for check in audits} == {("other",)}
    assert final == {quantity} | READERS.get(quantity, set())
    assert {(c.quantity, c.path) for c in audits if c.when != "after training"} == {
        (quantity, "numpy"),
        (quantity, "other"),
    }


@pytest.mark.parametrize("quantity", ["z1", "dz1"])
def test_functions_that_return_less_after_training(quantity: str) -> None:
    """What is returned at the first weights must be returned at the last."""
    start = problem_of().weights.w1
    other = returning(
        lambda weights: not np.array_equal(weights.w1, start),
        **{quantity: lambda _: None},
    )

    verdict = beside_ours(problem_of(), other)

    first, *_ = verdict.differences
    assert verdict.answer == "differ"
    assert (first.kind, first.label) == ("completeness", f"final {quantity}")
    assert stories_of(verdict)[0].cause == "only returned at first"


def test_a_function_that_returns_a_list_after_training() -> None:
    """An array at the first weights is no proof of one at the last."""
    last = ours.train(problem_of()).w1[-1]
    other = returning(
        lambda weights: np.array_equal(weights.w1, last), a2=np.ndarray.tolist
    )

    first, *_ = beside_ours(problem_of(), other).differences

    assert (first.kind, first.label) == ("completeness", "final a2")
    assert first.worst.value == "a list"
