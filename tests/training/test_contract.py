"""The contract: each way to break it is found and told, and whoever keeps it runs."""

import sys
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
import torch

from compare.checks.check import broken
from compare.report.story import tell
from compare.training.compare import compare
from compare.training.contract import (
    AGAIN,
    ANSWERS,
    BREACHES,
    FINITE,
    INPUTS,
    IS_THERE,
    KIND,
    NAMES_QUANTITIES,
    OUTPUTS,
    PAIR,
    TAKES,
    examine,
)
from compare.training.problems import Experiment
from compare.training.record import NOTHING, record
from impls import numpy_manual as ours
from impls.interface import Array, Loss, Problem, Trace, Weights

RANDOM = np.random.default_rng(0)


def problem_of(dtype: str = "float64", loss: Loss = "bce") -> Problem:
    """Give a short run."""
    return Experiment(dtype=dtype, loss=loss, steps=20).problem()


def stranger(**functions: object) -> SimpleNamespace:
    """Give an implementation like ours, but for some functions; it never trains."""

    def train(problem: Problem) -> Trace:
        raise AssertionError(problem)

    return SimpleNamespace(
        **{
            "forward": ours.forward,
            "loss_and_gradients": ours.loss_and_gradients,
            "train": train,
            **functions,
        }
    )


def giving(**changes: Callable[[Any], Any]) -> SimpleNamespace:
    """Change some of the quantities that it gives."""

    def changed(bundle: Any) -> Any:  # noqa: ANN401
        given = bundle._asdict()
        new = {name: changes[name](given[name]) for name in changes.keys() & given}
        return bundle._replace(**new)

    def forward(*arguments: Any) -> Any:  # noqa: ANN401
        return changed(ours.forward(*arguments))

    def loss_and_gradients(*arguments: Any) -> Any:  # noqa: ANN401
        value, gradients = ours.loss_and_gradients(*arguments)
        return changes.get("loss", np.asarray)(value), changed(gradients)

    return stranger(forward=forward, loss_and_gradients=loss_and_gradients)


def writing(place: Callable[[Weights[Array], Array, Array], Array]) -> SimpleNamespace:
    """Write into what it is given, after it has computed with it."""

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> Any:  # noqa: ANN401
        answer = ours.loss_and_gradients(weights, x, y, loss)
        place(weights, x, y)[0, 0] += 1
        return answer

    return stranger(loss_and_gradients=loss_and_gradients)


def pairless(change: Callable[[Any], Any]) -> SimpleNamespace:
    """Give something else than the pair of the loss and the gradients."""
    return stranger(
        loss_and_gradients=lambda *given: change(ours.loss_and_gradients(*given))
    )


def reusing() -> SimpleNamespace:
    """Give the same array each time."""
    buffer = np.empty((2, 2))

    def in_place(dw1: Array) -> Array:
        buffer[...] = dw1
        return buffer

    return giving(dw1=in_place)


def stale() -> SimpleNamespace:
    """Give the gradient of the call before, to begin with the first."""
    past: list[Array] = []

    def remember(dw1: Array) -> Array:
        past.append(dw1)
        return past[-2:][0]

    return giving(dw1=remember)


def accumulating(*, copied: bool) -> SimpleNamespace:
    """Leave the gradients of the calls before where backward() adds to them."""
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 2), (1, 2))]

    def loss_and_gradients(weights: Weights[Array], *arguments: Any) -> Any:  # noqa: ANN401
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

    return stranger(loss_and_gradients=loss_and_gradients)


class WithoutSelf:
    """A class whose methods were written as functions."""

    loss_and_gradients = staticmethod(ours.loss_and_gradients)

    def forward(weights: Any, x: Any) -> Any:  # noqa: ANN401, N805
        """Take the instance for the weights."""
        return ours.forward(weights, x)


class Called:
    """An object that is called, with one argument."""

    def __call__(self, weights: Weights[Array]) -> None:
        """Do without x."""


class Hiding:
    """An object that can't be asked."""

    @property
    def forward(self) -> None:
        """Raise, and that is no missing attribute."""
        raise RuntimeError("not yet fitted")


def failing(*_: object) -> None:
    """Raise an error from a library's file, for one."""
    np.linalg.inv(np.zeros((2, 2)))


class Breaker(NamedTuple):
    """What breaks the contract, and how that has to be found."""

    name: str
    make: Callable[[], object]
    quantity: str
    promise: str
    found: str
    dtype: str = "float64"


BREAKERS = (
    Breaker("nothing at all", object, "forward", IS_THERE, "nothing"),
    Breaker(
        "no gradients",
        lambda: stranger(loss_and_gradients=None),
        "loss_and_gradients",
        IS_THERE,
        "nothing",
    ),
    Breaker(
        "a train that is none", lambda: stranger(train=3), "train", IS_THERE, "a int"
    ),
    Breaker(
        "one argument",
        lambda: stranger(forward=lambda weights: weights),
        "forward",
        TAKES,
        "forward(weights)",
    ),
    Breaker(
        "three matrices",
        lambda: stranger(forward=lambda w1, w2, x: (w1, w2, x)),
        "forward",
        TAKES,
        "forward(w1, w2, x)",
    ),
    Breaker(
        "by keyword only",
        lambda: stranger(forward=lambda weights, *, x: (weights, x)),
        "forward",
        TAKES,
        "forward(weights, *, x)",
    ),
    Breaker("a method without self", WithoutSelf, "forward", TAKES, "forward(x)"),
    Breaker(
        "a partial that has the weights",
        lambda: stranger(forward=partial(ours.forward, problem_of().weights)),
        "forward",
        TAKES,
        "forward(x)",
    ),
    Breaker(
        "an instance of a class",
        lambda: stranger(forward=Called()),
        "forward",
        TAKES,
        "forward(weights)",
    ),
    Breaker(
        "a train without a problem",
        lambda: stranger(train=lambda: None),
        "train",
        TAKES,
        "train()",
    ),
    Breaker(
        "a compiled function without a signature",
        lambda: stranger(forward=max),
        "answer",
        ANSWERS,
        "ValueError: ",
    ),
    Breaker(
        "an error",
        lambda: stranger(forward=failing),
        "answer",
        ANSWERS,
        f"LinAlgError: Singular matrix ({__file__}, line "
        f"{failing.__code__.co_firstlineno + 2})",
    ),
    Breaker(
        "an exit",
        lambda: stranger(forward=lambda *_: sys.exit("no licence")),
        "answer",
        ANSWERS,
        f"SystemExit: no licence ({__file__}, line ",
    ),
    Breaker(
        "an attribute that raises",
        Hiding,
        "answer",
        ANSWERS,
        "RuntimeError: not yet fitted",
    ),
    Breaker(
        "the gradients alone",
        lambda: pairless(lambda pair: pair[1]),
        "loss_and_gradients",
        PAIR,
        "a Gradients",
    ),
    Breaker(
        "the loss alone",
        lambda: pairless(lambda pair: float(pair[0])),
        "loss_and_gradients",
        PAIR,
        "a float",
    ),
    Breaker(
        "three of a pair",
        lambda: pairless(lambda pair: (*pair, None)),
        "loss_and_gradients",
        PAIR,
        "a tuple",
    ),
    Breaker(
        "no a2", lambda: giving(a2=lambda _: None), "a2", KIND, "nothing", "float64"
    ),
    Breaker("no dw2", lambda: giving(dw2=lambda _: None), "dw2", KIND, "nothing"),
    Breaker("a list", lambda: giving(dw1=np.ndarray.tolist), "dw1", KIND, "a list"),
    Breaker("a Python float", lambda: giving(loss=float), "loss", KIND, "a float"),
    Breaker("a tensor", lambda: giving(a1=torch.tensor), "a1", KIND, "a Tensor"),
    Breaker(
        "a tensor with a tape",
        lambda: giving(dw1=lambda a: 2 * torch.tensor(a, requires_grad=True)),
        "dw1",
        KIND,
        "a Tensor",
    ),
    Breaker(
        "objects",
        lambda: giving(dw1=lambda a: a.astype(object)),
        "dw1",
        KIND,
        "object (2, 2)",
    ),
    Breaker(
        "float32 under float64",
        lambda: giving(dw1=np.float32),
        "dw1",
        KIND,
        "float32 (2, 2)",
    ),
    Breaker(
        "float64 under float32",
        lambda: giving(dw1=np.float64),
        "dw1",
        KIND,
        "float64 (2, 2)",
        "float32",
    ),
    Breaker("a lost axis", lambda: giving(a2=np.ravel), "a2", KIND, "float64 (4,)"),
    Breaker(
        "a loss for each network",
        lambda: giving(loss=np.atleast_1d),
        "loss",
        KIND,
        "float64 (1,)",
    ),
    Breaker("NaN", lambda: giving(dw1=lambda a: a * np.nan), "dw1", FINITE, "nan"),
    Breaker(
        "infinity", lambda: giving(loss=lambda a: a + np.inf), "loss", FINITE, "inf"
    ),
    Breaker(
        "writing into w1", lambda: writing(lambda w, *_: w.w1), "w1", INPUTS, "1.4"
    ),
    Breaker(
        "writing into w2", lambda: writing(lambda w, *_: w.w2), "w2", INPUTS, "1.4"
    ),
    Breaker("writing into x", lambda: writing(lambda _, x, __: x), "x", INPUTS, "1"),
    Breaker(
        "writing into y", lambda: writing(lambda *given: given[2]), "y", INPUTS, "1"
    ),
    Breaker("one buffer for all", reusing, "dw1", OUTPUTS, ""),
    Breaker(
        "backward without zero_grad, shared",
        partial(accumulating, copied=False),
        "dw2",
        OUTPUTS,
        "",
    ),
    Breaker(
        "backward without zero_grad, copied",
        partial(accumulating, copied=True),
        "dw2",
        AGAIN,
        "",
    ),
    Breaker("the call before", stale, "dw1", AGAIN, ""),
    Breaker(
        "noise",
        lambda: giving(a1=lambda a: a + 1e-9 * RANDOM.random(a.shape)),
        "a1",
        AGAIN,
        "",
    ),
    Breaker(
        "one name, no tuple",
        lambda: stranger(end_to_end="a1"),
        "end_to_end",
        NAMES_QUANTITIES,
        "'a1'",
    ),
    Breaker(
        "a name of nothing",
        lambda: stranger(end_to_end=("a1", "b1")),
        "end_to_end",
        NAMES_QUANTITIES,
        "('a1', 'b1')",
    ),
    Breaker(
        "a number of names",
        lambda: stranger(end_to_end=2),
        "end_to_end",
        NAMES_QUANTITIES,
        "2",
    ),
)
each_breaker = pytest.mark.parametrize("breaker", BREAKERS, ids=lambda b: b.name)


@each_breaker
def test_each_breach_is_found_by_its_own_check(breaker: Breaker) -> None:
    """Its kind, quantity and words say what it is, and nothing is trained."""
    run = record(problem_of(breaker.dtype), breaker.make(), "wrong")

    first, *_ = (check for check in run.contract if not check.passed)
    assert (first.kind, first.quantity, first.statement) == (
        "contract",
        breaker.quantity,
        breaker.promise,
    )
    assert str(first.worst.value).startswith(breaker.found)
    assert run.trace is NOTHING


@each_breaker
def test_each_breach_is_told(breaker: Breaker) -> None:
    """The story names the breach, beside right runs that are not spoilt by it."""
    three: Any = {"right": ours, "wrong": breaker.make(), "other": ours}

    verdict = compare(problem_of(breaker.dtype), three)

    story = tell(verdict)
    failed = {check.subject for check in verdict.checks if not check.passed}
    assert story is not None
    assert (story.step, story.cause) == (None, BREACHES[breaker.promise])
    assert len(str(story).splitlines()) == 4
    assert failed == {("wrong",)}


def test_the_story_of_a_signature() -> None:
    """No number is compared, and none is shown."""
    both: Any = {"right": ours, "wrong": stranger(forward=lambda weights: weights)}

    assert str(tell(compare(problem_of(), both))).splitlines() == [
        (
            "first difference: contract, takes the arguments that it will be given, "
            "forward; cause: it takes other arguments"
        ),
        "  wrong forward(weights), expected forward(weights, x)",
        "  not comparable: nothing but the same will do",
        "  then: nothing of it was compared",
    ]


def test_the_story_of_an_input_that_was_written_into() -> None:
    """The number that was there is shown beside the one that is."""
    both: Any = {"right": ours, "wrong": writing(lambda w, *_: w.w1)}

    assert str(tell(compare(problem_of(), both))).splitlines() == [
        (
            "first difference: contract, leaves what it is given as it was, w1[0, 0]"
            "; cause: it writes into what it is given"
        ),
        "  wrong 1.4359949021420038, expected 0.43599490214200376",
        "  1 apart, bound 0: nothing but the same will do",
        "  then: nothing of it was compared",
    ]


def test_the_story_of_a_nan() -> None:
    """What was expected is a number, whichever."""
    both: Any = {"right": ours, "wrong": giving(dw1=lambda a: a * np.nan)}

    assert str(tell(compare(problem_of(), both))).splitlines()[1:3] == [
        "  wrong nan, expected a finite number",
        "  not comparable: nothing but the same will do",
    ]


class Module(torch.nn.Module):
    """A stranger in PyTorch: it knows a2, dw1 and dw2, and loops over nothing."""

    train = None  # type: ignore[assignment]

    def forward(self, weights: Any, x: Any) -> Any:  # noqa: ANN401
        """Compute the probabilities."""
        return SimpleNamespace(a2=self.a2(*map(torch.tensor, (*weights, x))).numpy())

    @staticmethod
    def a2(w1: torch.Tensor, w2: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the probabilities, of tensors."""
        return torch.sigmoid(w2 @ torch.sigmoid(w1 @ x))

    def loss_and_gradients(self, weights: Any, x: Any, y: Any, loss: Loss) -> Any:  # noqa: ANN401
        """Differentiate what PyTorch calls these losses."""
        named = {"bce": torch.nn.BCELoss(), "mse": torch.nn.MSELoss()}
        w1, w2 = (torch.tensor(w, requires_grad=True) for w in weights)
        value = named[loss](self.a2(w1, w2, torch.tensor(x)), torch.tensor(y))
        value.backward()
        return value.detach().numpy(), SimpleNamespace(
            dw1=w1.grad.numpy(),  # type: ignore[union-attr]
            dw2=w2.grad.numpy(),  # type: ignore[union-attr]
        )


def cost(weights: Any, x: Any, y: Any, loss: Loss) -> Any:  # noqa: ANN401
    """Compute the loss, the cross-entropy as one term, in JAX."""
    z2 = weights[1] @ jax.nn.sigmoid(weights[0] @ x)
    if loss == "mse":
        return ((jax.nn.sigmoid(z2) - y) ** 2).mean()
    return (jax.nn.softplus(z2) - y * z2).sum() / y.shape[-1]


class InJax:
    """A stranger in JAX, whose two functions are compiled apart."""

    differentiated = staticmethod(jax.jit(jax.value_and_grad(cost), static_argnums=3))
    predicted = staticmethod(
        jax.jit(lambda w, x: jax.nn.sigmoid(w[1] @ jax.nn.sigmoid(w[0] @ x)))
    )

    def forward(self, weights: Any, x: Any) -> Any:  # noqa: ANN401
        """Compute the probabilities."""
        with jax.enable_x64(True):
            return SimpleNamespace(a2=np.asarray(self.predicted(tuple(weights), x)))

    def loss_and_gradients(self, weights: Any, x: Any, y: Any, loss: Loss) -> Any:  # noqa: ANN401
        """Differentiate the loss."""
        with jax.enable_x64(True):
            value, gradients = self.differentiated(tuple(weights), x, y, loss)
        dw1, dw2 = map(np.asarray, gradients)
        return np.asarray(value), SimpleNamespace(dw1=dw1, dw2=dw2)


class Nameless:
    """A function whose signature can't be read."""

    __signature__ = "whatever is asked"

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401
        """Compute the activations as ours."""
        return ours.forward(*arguments)


class Masked:
    """Arrays of a kind that has rules of its own."""

    forward = staticmethod(ours.forward)

    @staticmethod
    def loss_and_gradients(*arguments: Any) -> Any:  # noqa: ANN401
        """Give what doesn't multiply as arrays do."""
        value, d = ours.loss_and_gradients(*arguments)
        dw1, dw2 = (np.ma.masked_greater(dw, 0) for dw in (d.dw1, d.dw2))
        return value, d._replace(dw1=dw1, dw2=dw2)


class Extra(NamedTuple):
    """A bundle of its own: a name that nobody asks for, and none of ours but one."""

    logits: Array
    a2: Array


RIGHT: dict[str, Callable[[], object]] = {
    "our module": lambda: ours,
    "a class with staticmethods": lambda: Masked,
    "a namedtuple of its own": lambda: stranger(
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
    "more arguments than asked, with defaults": lambda: SimpleNamespace(
        forward=lambda weights, x, _scale=1: ours.forward(weights, x),
        loss_and_gradients=lambda *given, **_: ours.loss_and_gradients(*given),
    ),
    "no signature": lambda: SimpleNamespace(
        forward=Nameless(), loss_and_gradients=ours.loss_and_gradients
    ),
    "masked arrays, of an instance": Masked,
    "PyTorch": Module,
    "JAX": InJax,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["bce", "mse"])
@pytest.mark.parametrize("name", RIGHT)
def test_whoever_keeps_to_it_matches(name: str, loss: Loss, dtype: str) -> None:
    """Whatever the functions, the bundles and the framework are."""
    both: Any = {"ours": ours, "other": RIGHT[name]()}

    verdict = compare(problem_of(dtype, loss), both)

    assert verdict.answer == "match"


def test_examining_changes_nothing(implementation: object) -> None:
    """Ours keep to it, and the problem is what it was."""
    problem, same = problem_of(), problem_of()

    assert not has_failure(examine(problem, implementation, "ours"))
    assert np.array_equal(problem.x, same.x)
    assert np.array_equal(problem.weights.w1, same.weights.w1)


def test_an_interruption_is_nobody_s_fault() -> None:
    """Ctrl-C ends the comparison, not the stranger."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(problem_of(), stranger(forward=interrupted), "x")
