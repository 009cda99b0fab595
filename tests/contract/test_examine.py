"""The contract: each breach is found and reported, and what keeps it is compared."""

import operator
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
import torch

from compare.checks.check import Promise, has_failure
from compare.contract.calls import rewired
from compare.contract.examine import BREACHES, examine
from compare.diagnosis.story import SILENT, stories_of
from compare.training.compare import compare
from compare.training.record import EMPTY, record
from impls import numpy_manual as ours
from impls.interface import Array, Implementation, Loss, Weights
from tests.helpers import DTYPES, LOSSES, into_buffers, problem_of, returning

STEPS = 20
RANDOM = np.random.default_rng(0)


def writing(
    place: Callable[[Weights[Array], Array, Array], Array], more: float = 1.0
) -> Implementation:
    """Compute gradients, then add to a number of an input."""

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> Any:
        answer = ours.loss_and_gradients(weights, x, y, loss)
        place(weights, x, y)[0, 0] += more
        return answer

    return rewired(ours, loss_and_gradients=loss_and_gradients)


def pairless(change: Callable[[Any], Any]) -> Implementation:
    """Return something else than the pair of the loss and the gradients."""
    return rewired(
        ours, loss_and_gradients=lambda *given: change(ours.loss_and_gradients(*given))
    )


def stale() -> Implementation:
    """Return the dw1 of the call before; in the first call, the right one."""
    past: list[Array] = []

    def remember(dw1: Array) -> Array:
        past.append(dw1)
        return past[-2:][0]

    return returning(dw1=remember)


def reading(**changes: Callable[[Any], Any]) -> Implementation:
    """Change arguments on their way in, by name."""

    def changed(**given: Any) -> list[Any]:
        return [changes.get(name, lambda a: a)(a) for name, a in given.items()]

    def forward(weights: Weights[Array], x: Array) -> Any:
        return ours.forward(*changed(weights=weights, x=x))

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> Any:
        weights, x, y = changed(weights=weights, x=x, y=y)
        return ours.loss_and_gradients(weights, x, y, loss)

    return rewired(ours, forward=forward, loss_and_gradients=loss_and_gradients)


def remembering(forgotten: str = "", entries: int = 100) -> Implementation:
    """Remember the latest results of each function, by all arguments but one."""

    def remember(function: Callable[..., Any]) -> Callable[..., Any]:
        known: dict[object, Any] = {}

        def remembered(weights: Weights[Array], *arguments: Any) -> Any:
            names = ("w1", "w2", "x", "y", "loss")
            given = zip(names, (*weights, *arguments), strict=False)
            key = tuple(np.asarray(a).tobytes() for n, a in given if n != forgotten)
            if key not in known:
                known[key] = function(weights, *arguments)
            for old in [*known][:-entries]:
                del known[old]
            return known[key]

        return remembered

    return rewired(
        ours,
        forward=remember(ours.forward),
        loss_and_gradients=remember(ours.loss_and_gradients),
    )


def keeping(source: str, same: Callable[[Array, Array], bool]) -> Implementation:
    """Let one function keep its x, and the other use that where w1 is the same."""
    kept: list[tuple[Array, Array]] = []

    def x_of(function: str, w1: Array, x: Array) -> Array:
        if function == source:
            kept[:] = [(w1, x)]
        return kept[0][1] if kept and same(kept[0][0], w1) else x

    def forward(weights: Weights[Array], x: Array) -> Any:
        return ours.forward(weights, x_of("forward", weights.w1, x))

    def loss_and_gradients(weights: Weights[Array], x: Array, *others: Any) -> Any:
        x = x_of("loss_and_gradients", weights.w1, x)
        return ours.loss_and_gradients(weights, x, *others)

    return rewired(ours, forward=forward, loss_and_gradients=loss_and_gradients)


def accumulating(*, copied: bool) -> Implementation:
    """Let backward() add to the gradients of earlier calls."""
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 2), (1, 2))]

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> Any:
        value, gradients = ours.loss_and_gradients(weights, *arguments)
        for parameter, new in zip(
            parameters, (gradients.dw1, gradients.dw2), strict=True
        ):
            parameter.data = torch.tensor(new)
            product = (parameter * torch.tensor(new)).sum()
            product.backward()  # type: ignore[no-untyped-call]
        dw1, dw2 = (p.grad.numpy() for p in parameters if p.grad is not None)
        if copied:
            dw1, dw2 = dw1.copy(), dw2.copy()
        return value, gradients._replace(dw1=dw1, dw2=dw2)

    return rewired(ours, loss_and_gradients=loss_and_gradients)


class WithoutSelf:
    """A class with a method that lacks its self."""

    loss_and_gradients = staticmethod(ours.loss_and_gradients)

    def forward(weights: Any, x: Any) -> Any:  # noqa: N805
        """Compute the activations."""
        return ours.forward(weights, x)


class Called:
    """A callable object that takes one argument."""

    def __call__(self, weights: Weights[Array]) -> None:
        """Compute nothing."""


class Hiding:
    """An object with an attribute that raises."""

    @property
    def forward(self) -> None:
        """Raise an error other than AttributeError."""
        raise RuntimeError("not yet fitted")


def failing(*_: object) -> None:
    """Raise an error in a file of a library."""
    np.linalg.inv(np.zeros((2, 2)))


class Breaker(NamedTuple):
    """A breach of the contract, and the check that must find it.

    Attributes:
        name: The breach in a few words.
        make: Creates an implementation with it.
        quantity: The quantity of the first failed check.
        promise: The promise of that check.
        found: How the text of what that check found begins.
        dtype: The dtype of the problem.
    """

    name: str
    make: Callable[[], object]
    quantity: str
    promise: Promise
    found: str
    dtype: str = "float64"


BREAKERS = (
    Breaker("nothing at all", object, "forward", Promise.EXISTS, "nothing"),
    Breaker(
        "no gradients",
        lambda: rewired(ours, loss_and_gradients=None),
        "loss_and_gradients",
        Promise.EXISTS,
        "nothing",
    ),
    Breaker(
        "a train that is a number",
        lambda: rewired(ours, train=3),
        "train",
        Promise.EXISTS,
        "a int",
    ),
    Breaker(
        "one argument",
        lambda: rewired(ours, forward=lambda weights: weights),
        "forward",
        Promise.ARGUMENTS,
        "forward(weights)",
    ),
    Breaker(
        "three matrices",
        lambda: rewired(ours, forward=lambda w1, w2, x: (w1, w2, x)),
        "forward",
        Promise.ARGUMENTS,
        "forward(w1, w2, x)",
    ),
    Breaker(
        "an argument by keyword only",
        lambda: rewired(ours, forward=lambda weights, *, x: (weights, x)),
        "forward",
        Promise.ARGUMENTS,
        "forward(weights, *, x)",
    ),
    Breaker(
        "a method without self", WithoutSelf, "forward", Promise.ARGUMENTS, "forward(x)"
    ),
    Breaker(
        "a partial with the weights bound",
        lambda: rewired(
            ours, forward=partial(ours.forward, problem_of(steps=STEPS).weights)
        ),
        "forward",
        Promise.ARGUMENTS,
        "forward(x)",
    ),
    Breaker(
        "an instance of a class",
        lambda: rewired(ours, forward=Called()),
        "forward",
        Promise.ARGUMENTS,
        "forward(weights)",
    ),
    Breaker(
        "a train without a problem",
        lambda: rewired(ours, train=lambda: None),
        "train",
        Promise.ARGUMENTS,
        "train()",
    ),
    Breaker(
        "a compiled function without a signature",
        lambda: rewired(ours, forward=max),
        "answer",
        Promise.ANSWERS,
        "ValueError: ",
    ),
    Breaker(
        "an error",
        lambda: rewired(ours, forward=failing),
        "answer",
        Promise.ANSWERS,
        f"LinAlgError: Singular matrix ({__file__}, line "
        f"{failing.__code__.co_firstlineno + 2})",
    ),
    Breaker(
        "an exit",
        lambda: rewired(ours, forward=lambda *_: sys.exit("no licence")),
        "answer",
        Promise.ANSWERS,
        f"SystemExit: no licence ({__file__}, line ",
    ),
    Breaker(
        "an attribute that raises",
        Hiding,
        "answer",
        Promise.ANSWERS,
        "RuntimeError: not yet fitted",
    ),
    Breaker(
        "the gradients alone",
        lambda: pairless(lambda pair: pair[1]),
        "loss_and_gradients",
        Promise.PAIR,
        "a Gradients",
    ),
    Breaker(
        "the loss alone",
        lambda: pairless(lambda pair: float(pair[0])),
        "loss_and_gradients",
        Promise.PAIR,
        "a float",
    ),
    Breaker(
        "a triple",
        lambda: pairless(lambda pair: (*pair, None)),
        "loss_and_gradients",
        Promise.PAIR,
        "a tuple",
    ),
    Breaker(
        "no a2",
        lambda: returning(a2=lambda _: None),
        "a2",
        Promise.ARRAYS,
        "nothing",
        "float64",
    ),
    Breaker(
        "no dw2",
        lambda: returning(dw2=lambda _: None),
        "dw2",
        Promise.ARRAYS,
        "nothing",
    ),
    Breaker(
        "a list",
        lambda: returning(dw1=np.ndarray.tolist),
        "dw1",
        Promise.ARRAYS,
        "a list",
    ),
    Breaker(
        "a Python string",
        lambda: returning(loss=str),
        "loss",
        Promise.ARRAYS,
        "a str",
    ),
    Breaker(
        "a tensor that requires grad",
        lambda: returning(dw1=lambda a: 2 * torch.tensor(a, requires_grad=True)),
        "dw1",
        Promise.ARRAYS,
        "a Tensor",
    ),
    Breaker(
        "objects",
        lambda: returning(dw1=lambda a: a.astype(object)),
        "dw1",
        Promise.ARRAYS,
        "object (2, 2)",
    ),
    Breaker(
        "float32 under float64",
        lambda: returning(dw1=np.float32),
        "dw1",
        Promise.ARRAYS,
        "float32 (2, 2)",
    ),
    Breaker(
        "float64 under float32",
        lambda: returning(dw1=np.float64),
        "dw1",
        Promise.ARRAYS,
        "float64 (2, 2)",
        "float32",
    ),
    Breaker(
        "a lost axis",
        lambda: returning(a2=np.ravel),
        "a2",
        Promise.ARRAYS,
        "float64 (4,)",
    ),
    Breaker(
        "a loss for each network",
        lambda: returning(loss=np.atleast_1d),
        "loss",
        Promise.ARRAYS,
        "float64 (1,)",
    ),
    Breaker(
        "a mask",
        lambda: returning(a2=lambda a: np.ma.masked_greater(a, 0.6)),
        "a2",
        Promise.ARRAYS,
        "a masked array",
    ),
    Breaker(
        "NaN", lambda: returning(dw1=lambda a: a * np.nan), "dw1", Promise.FINITE, "nan"
    ),
    Breaker(
        "infinity",
        lambda: returning(loss=lambda a: a + np.inf),
        "loss",
        Promise.FINITE,
        "inf",
    ),
    Breaker(
        "writing into w1",
        lambda: writing(lambda w, *_: w.w1),
        "w1",
        Promise.INPUTS,
        "1.4",
    ),
    Breaker(
        "writing into w2",
        lambda: writing(lambda w, *_: w.w2),
        "w2",
        Promise.INPUTS,
        "1.4",
    ),
    Breaker(
        "writing into x", lambda: writing(lambda _, x, __: x), "x", Promise.INPUTS, "1"
    ),
    Breaker(
        "writing into y",
        lambda: writing(lambda *given: given[2]),
        "y",
        Promise.INPUTS,
        "1",
    ),
    Breaker(
        "writing NaN over 0",
        lambda: writing(lambda _, x, __: x, more=np.nan),
        "x",
        Promise.INPUTS,
        "nan",
    ),
    Breaker(
        "two buffers that take turns",
        lambda: returning(dw1=into_buffers(2)),
        "dw1",
        Promise.OUTPUTS,
        "",
    ),
    Breaker(
        "one buffer for all",
        lambda: returning(dw1=into_buffers()),
        "dw1",
        Promise.OUTPUTS,
        "",
    ),
    Breaker(
        "backward without zero_grad, shared",
        partial(accumulating, copied=False),
        "dw2",
        Promise.CLEARED,
        "",
    ),
    Breaker(
        "backward without zero_grad, copied",
        partial(accumulating, copied=True),
        "dw2",
        Promise.CLEARED,
        "",
    ),
    Breaker("the gradient of the call before", stale, "dw1", Promise.REPEATS, ""),
    Breaker(
        "noise",
        lambda: returning(a1=lambda a: a + 1e-9 * RANDOM.random(a.shape)),
        "a1",
        Promise.REPEATS,
        "",
    ),
    *(
        Breaker(
            f"a memory of {entries} without {forgotten}",
            partial(remembering, forgotten, entries),
            quantity,
            Promise.OTHERS,
            "",
        )
        for forgotten, quantity in (
            ("w1", "z1"),
            ("w2", "z2"),
            ("x", "z1"),
            ("y", "loss"),
        )
        for entries in (1, 100)
    ),
    Breaker(
        "activations kept for equal weights",
        partial(keeping, "forward", np.array_equal),
        "loss",
        Promise.OTHERS,
        "",
    ),
    Breaker(
        "activations kept for the same object",
        partial(keeping, "forward", operator.is_),
        "loss",
        Promise.OTHERS,
        "",
    ),
    Breaker(
        "activations kept by the backward pass",
        partial(keeping, "loss_and_gradients", np.array_equal),
        "z1",
        Promise.OTHERS,
        "",
    ),
    Breaker(
        "inputs without their signs",
        lambda: reading(x=abs),
        "z1",
        Promise.OTHERS,
        "",
        "float32",
    ),
    Breaker(
        "inputs clipped",
        lambda: reading(x=lambda x: x.clip(0, 1)),
        "z1",
        Promise.OTHERS,
        "",
    ),
    Breaker(
        "w1 without its signs",
        lambda: reading(weights=lambda w: w._replace(w1=abs(w.w1))),
        "z1",
        Promise.OTHERS,
        "",
    ),
    Breaker(
        "w2 without its signs",
        lambda: reading(weights=lambda w: w._replace(w2=abs(w.w2))),
        "z2",
        Promise.OTHERS,
        "",
        "float32",
    ),
    Breaker(
        "labels in reverse",  # those of XOR are the same
        lambda: reading(y=lambda y: y[:, ::-1]),
        "loss",
        Promise.OTHERS,
        "",
        "float32",
    ),
    Breaker("labels rounded", lambda: reading(y=np.rint), "loss", Promise.OTHERS, ""),
    Breaker(
        "one name, no tuple",
        lambda: rewired(ours, end_to_end="a1"),
        "end_to_end",
        Promise.QUANTITIES,
        "'a1'",
    ),
    Breaker(
        "a name that is no quantity",
        lambda: rewired(ours, end_to_end=("a1", "b1")),
        "end_to_end",
        Promise.QUANTITIES,
        "('a1', 'b1')",
    ),
    Breaker(
        "a number",
        lambda: rewired(ours, end_to_end=2),
        "end_to_end",
        Promise.QUANTITIES,
        "2",
    ),
)
ONE_PER_PROMISE = {breaker.promise: breaker for breaker in BREAKERS}.values()


@pytest.mark.parametrize("breaker", BREAKERS, ids=lambda b: b.name)
def test_each_breach_is_found_by_its_own_check(breaker: Breaker) -> None:
    """The first failed check has its quantity and promise, and nothing is trained."""
    run = record(problem_of(breaker.dtype, steps=STEPS), breaker.make(), "wrong")

    first, *_ = (check for check in run.contract if not check.passed)
    expected = ("contract", breaker.quantity, breaker.promise)
    assert (first.kind, first.quantity, first.promise) == expected
    assert str(first.worst.value).startswith(breaker.found)
    assert run.trace is EMPTY


@pytest.mark.parametrize("breaker", ONE_PER_PROMISE, ids=lambda b: b.name)
def test_the_story_of_each_breach(breaker: Breaker) -> None:
    """The story names the breach, and the checks of correct runs pass."""
    three: Any = {"right": ours, "wrong": breaker.make(), "other": ours}

    verdict = compare(problem_of(breaker.dtype, steps=STEPS), three)

    story, *_ = stories_of(verdict)
    failed = {check.subject for check in verdict.checks if not check.passed}
    assert (story.step, story.cause) == (None, BREACHES[breaker.promise])
    assert len(str(story).splitlines()) == (3 if breaker.promise in SILENT else 4)
    assert failed == {("wrong",)}


def test_the_story_of_a_signature() -> None:
    """The story shows both signatures and no number."""
    both: Any = {"right": ours, "wrong": rewired(ours, forward=lambda weights: weights)}

    story, *_ = stories_of(compare(problem_of(steps=STEPS), both))

    assert str(story).splitlines() == [
        "first difference: contract, forward: it takes other arguments",
        "  wrong forward(weights), expected forward(weights, x)",
        "  not comparable: the two must be equal",
        "  then: nothing else is compared",
    ]


class Module(torch.nn.Module):
    """A third-party module in PyTorch, without intermediates and without a loop."""

    train = None  # type: ignore[assignment]

    def forward(self, weights: Any, x: Any) -> Any:
        """Compute the probabilities."""
        return SimpleNamespace(a2=self.a2(*map(torch.tensor, (*weights, x))).numpy())

    @staticmethod
    def a2(w1: torch.Tensor, w2: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the probabilities from tensors."""
        return torch.sigmoid(w2 @ torch.sigmoid(w1 @ x))

    def loss_and_gradients(self, weights: Any, x: Any, y: Any, loss: Loss) -> Any:
        """Differentiate the losses of PyTorch."""
        named = {"bce": torch.nn.BCELoss(), "mse": torch.nn.MSELoss()}
        w1, w2 = (torch.tensor(w, requires_grad=True) for w in weights)
        value = named[loss](self.a2(w1, w2, torch.tensor(x)), torch.tensor(y))
        value.backward()
        return value.detach().numpy(), SimpleNamespace(
            dw1=w1.grad.numpy(),  # type: ignore[union-attr]
            dw2=w2.grad.numpy(),  # type: ignore[union-attr]
        )


def cost(weights: Any, x: Any, y: Any, loss: Loss) -> Any:
    """Compute the loss in JAX, with the cross-entropy as one term."""
    z2 = weights[1] @ jax.nn.sigmoid(weights[0] @ x)
    if loss == "mse":
        return ((jax.nn.sigmoid(z2) - y) ** 2).mean()
    return (jax.nn.softplus(z2) - y * z2).sum() / y.shape[-1]


class InJax:
    """A third-party class in JAX, with two functions that are compiled separately."""

    differentiated = staticmethod(jax.jit(jax.value_and_grad(cost), static_argnums=3))
    predicted = staticmethod(
        jax.jit(lambda w, x: jax.nn.sigmoid(w[1] @ jax.nn.sigmoid(w[0] @ x)))
    )

    def forward(self, weights: Any, x: Any) -> Any:
        """Compute the probabilities."""
        with jax.enable_x64(True):
            return SimpleNamespace(a2=np.asarray(self.predicted(tuple(weights), x)))

    def loss_and_gradients(self, weights: Any, x: Any, y: Any, loss: Loss) -> Any:
        """Differentiate the loss."""
        with jax.enable_x64(True):
            value, gradients = self.differentiated(tuple(weights), x, y, loss)
        dw1, dw2 = map(np.asarray, gradients)
        return np.asarray(value), SimpleNamespace(dw1=dw1, dw2=dw2)


class Nameless:
    """A callable object whose signature can't be read."""

    __signature__ = "no signature"

    def __call__(self, *arguments: Any) -> Any:
        """Compute the activations."""
        return ours.forward(*arguments)


class Masked:
    """An implementation that returns masked arrays in which nothing is masked."""

    forward = staticmethod(ours.forward)

    @staticmethod
    def loss_and_gradients(*arguments: Any) -> Any:
        """Return gradients as masked arrays."""
        value, d = ours.loss_and_gradients(*arguments)
        dw1, dw2 = map(np.ma.asarray, (d.dw1, d.dw2))
        return value, d._replace(dw1=dw1, dw2=dw2)


class Extra(NamedTuple):
    """A result with an unknown name, and only one of the contract's."""

    logits: Array
    a2: Array


RIGHT: dict[str, Callable[[], object]] = {
    "our module": lambda: ours,
    "a class with staticmethods": lambda: Masked,
    "another namedtuple": lambda: rewired(
        ours,
        train=None,
        forward=lambda w, x: Extra(ours.forward(w, x).z2, ours.forward(w, x).a2),
    ),
    "a NumPy scalar and a list for a pair": lambda: SimpleNamespace(
        forward=ours.forward,
        loss_and_gradients=lambda *given: [
            ours.loss_and_gradients(*given)[0][()],
            ours.loss_and_gradients(*given)[1],
        ],
    ),
    "further arguments, with defaults": lambda: SimpleNamespace(
        forward=lambda weights, x, _scale=1: ours.forward(weights, x),
        loss_and_gradients=lambda *given, **_: ours.loss_and_gradients(*given),
    ),
    "no signature": lambda: SimpleNamespace(
        forward=Nameless(), loss_and_gradients=ours.loss_and_gradients
    ),
    "masked arrays, of an instance": Masked,
    "a memory of all arguments": remembering,
    "a memory of one call": partial(remembering, entries=1),
    "PyTorch": Module,
    "JAX": InJax,
}


FRAMEWORKS = ("PyTorch", "JAX")


@pytest.mark.parametrize(
    ("name", "loss", "dtype"),
    [
        *((name, "bce", "float64") for name in RIGHT if name not in FRAMEWORKS),
        *product(FRAMEWORKS, LOSSES, DTYPES),
    ],
)
def test_what_keeps_the_contract_matches(name: str, loss: Loss, dtype: str) -> None:
    """Functions, results and frameworks may be of any kind."""
    both: Any = {"ours": ours, "other": RIGHT[name]()}

    verdict = compare(problem_of(dtype, loss, STEPS), both)

    assert verdict.answer == "match"


WIDE = problem_of("float32", steps=STEPS, network="9000-1-1", samples=2)
"""A problem in which roundings may move z1 by more than 1: there are no bounds."""


def test_equal_numbers_need_no_bound() -> None:
    """What is the same again keeps its promises, and is trained."""
    run = record(WIDE, ours, "x")

    assert not has_failure(run.contract)
    assert run.trace.loss.shape == (STEPS,)


def test_other_numbers_need_a_bound() -> None:
    """Without one, the check cannot decide whether they are the same again."""
    noise = np.random.default_rng(0)
    noisy = returning(a1=lambda a: a + noise.random(a.shape, a.dtype))

    open_ones = [c for c in examine(WIDE, noisy, "x") if not c.passed]

    assert {(c.quantity, c.promise, c.doubt) for c in open_ones} == {
        ("a1", Promise.REPEATS, "no bound")
    }


def test_examining_changes_nothing(implementation: object) -> None:
    """Ours keep the contract, and the problem is unchanged."""
    problem, same = problem_of(steps=STEPS), problem_of(steps=STEPS)

    assert not has_failure(examine(problem, implementation, "ours"))
    assert np.array_equal(problem.x, same.x)
    assert np.array_equal(problem.weights.w1, same.weights.w1)


def test_an_interruption_is_no_finding() -> None:
    """Ctrl-C ends the comparison."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(problem_of(steps=STEPS), rewired(ours, forward=interrupted), "x")
