"""Ports of the network with one mistake each, as people make them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch.nn import functional

from compare.contract.calls import rewired
from compare.hosts.load import load
from compare.numerics.equations import Step
from compare.selftest.plant import Fault, plant
from compare.selftest.rewrites import rewritten, updated_by
from compare.training.record import descend
from impls import numpy_manual as ours
from impls.interface import (
    Activations,
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Trace,
    Weights,
)


@dataclass(frozen=True)
class Port:
    """A port, the problem on which its mistake shows, and the name it must get."""

    mistake: str
    build: Callable[[], Implementation]
    cause: str | None
    options: Mapping[str, Any] = field(default_factory=dict)


# NumPy: one function of the hand-written program is wrong.


def propagating(
    z1: Callable[[Array, Array], Array] = np.matmul,
    z2: Callable[[Array, Array], Array] = np.matmul,
    sigmoid: Callable[[Array], Array] = ours.sigmoid,
    read: Callable[[Array], Array] = lambda w: w,
) -> Implementation:
    """Rewrite the forward pass."""

    def propagate(weights: Weights[Array], x: Array) -> Activations[Array]:
        w1, w2 = map(read, weights)
        hidden = z1(w1, x)
        a1 = sigmoid(hidden)
        output = z2(w2, a1)
        return Activations(hidden, a1, output, ours.sigmoid(output))

    return rewritten("numpy", propagate=propagate)


def updating(update: Callable[[Array], Array]) -> Implementation:
    """Change the weights after each update."""
    done: Implementation = updated_by("numpy", lambda w, dw, lr: update(w - lr * dw))
    return done


def through(kind: type[np.floating]) -> Callable[[Array], Array]:
    """Cast to a dtype, and back."""
    return lambda array: array.astype(kind).astype(array.dtype)


def half_precision_gradient() -> Implementation:
    """Pass dw1 through float16, as mixed precision does without a loss scale."""

    def differentiate(*arguments: Any) -> tuple[Any, Gradients[Array]]:
        activations, d = ours.differentiate(*arguments)
        return activations, d._replace(dw1=through(np.float16)(d.dw1))

    return rewritten("numpy", differentiate=differentiate)


def changed_line(quantity: str, formula: Callable[[Any], Array]) -> Implementation:
    """Compute a line of the backward pass in another way, and dw1 after it."""

    def differentiate(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Activations[Array], Gradients[Array]]:
        activations, d = ours.differentiate(weights, x, y, loss)
        known = {**activations._asdict(), **d._asdict(), "x": x, "y": y}
        known["w2"] = weights.w2
        known[quantity] = formula(SimpleNamespace(**known))
        if quantity == "dz1":
            known["dw1"] = known["dz1"] @ x.mT
        return activations, Gradients(**{name: known[name] for name in d._fields})

    return rewritten("numpy", differentiate=differentiate)


def one_loss(always: Loss) -> Implementation:
    """Ignore the argument `loss` in the functions; the training is right."""

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        value, _ = ours.loss_and_gradients(weights, x, y, loss)
        return value, ours.loss_and_gradients(weights, x, y, always)[1]

    return rewritten("numpy", loss_and_gradients=loss_and_gradients)


def caching() -> Implementation:
    """Keep the last results, and return them while the arguments hardly change."""
    last: list[Any] = []

    def differentiate(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Activations[Array], Gradients[Array]]:
        now = np.concatenate([a.ravel() for a in (*weights, x, y)])
        if (
            not last
            or last[0].shape != now.shape
            or not np.allclose(last[0], now, rtol=0, atol=2e-3)
        ):
            last[:] = [now, ours.differentiate(weights, x, y, loss)]
        result: tuple[Activations[Array], Gradients[Array]] = last[1]
        return result

    return rewritten("numpy", differentiate=differentiate)


# PyTorch: a module whose weights are copied in, and whose gradients are read.


def from_module(
    criterion: Callable[[Any, Any, Any], Any],
    *,
    bias: bool = False,
    zero_grad: bool = True,
    fresh: bool = True,
    given: bool = False,
    copies: bool = True,
) -> Implementation:
    """Make an implementation of two linear layers and a loss of z2, a2 and y.

    Args:
        criterion: The loss; samples are rows.
        bias: Whether the layers have one.
        zero_grad: Whether gradients are cleared before each backward pass.
        fresh: Whether each call makes new layers.
        given: Whether z1, a1 and z2 are returned.
        copies: Whether the gradients are copied before they are returned.
    """
    layers: list[Any] = []

    def module(weights: Weights[Array]) -> list[Any]:
        shapes = [w.shape[::-1] for w in weights]
        if (
            fresh
            or not layers
            or [(n.in_features, n.out_features) for n in layers] != shapes
        ):
            dtype = torch.from_numpy(weights.w1).dtype
            layers[:] = [torch.nn.Linear(n, k, bias, dtype=dtype) for n, k in shapes]
        for layer, w in zip(layers, weights, strict=True):
            layer.weight.data.copy_(torch.from_numpy(w))
        return layers

    def run(weights: Weights[Array], x: Array) -> tuple[list[Any], list[Any]]:
        first, second = module(weights)
        z1 = first(torch.from_numpy(np.ascontiguousarray(x.T)))
        a1 = torch.sigmoid(z1)
        z2 = second(a1)
        return [first, second], [z1, a1, z2, torch.sigmoid(z2)]

    def forward(weights: Weights[Array], x: Array) -> Any:
        _, found = run(weights, x)
        z1, a1, z2, a2 = (t.detach().numpy().T for t in found)
        return Activations(z1, a1, z2, a2) if given else SimpleNamespace(a2=a2)

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, _: Loss
    ) -> tuple[Array, Any]:
        net, (_z1, _a1, z2, a2) = run(weights, x)
        if zero_grad:
            for layer in net:
                layer.zero_grad()
        value = criterion(z2, a2, torch.from_numpy(np.ascontiguousarray(y.T)))
        value.backward()
        dw1, dw2 = (layer.weight.grad.numpy() for layer in net)
        if copies:
            dw1, dw2 = dw1.copy(), dw2.copy()
        return value.detach().numpy(), SimpleNamespace(dw1=dw1, dw2=dw2)

    implementation = SimpleNamespace(
        forward=forward, loss_and_gradients=loss_and_gradients
    )
    return cast("Implementation", implementation)


def right_criterion(z2: Any, _: Any, y: Any) -> Any:
    """Compute the mean over samples of the sum over outputs."""
    return functional.binary_cross_entropy_with_logits(z2, y, reduction="sum") / len(y)


def logits_of_probabilities(reduction: str) -> Callable[[Any, Any, Any], Any]:
    """Give a loss of logits the probabilities."""
    return lambda _, a2, y: (
        functional.binary_cross_entropy_with_logits(a2, y, reduction=reduction)
        / (len(y) if reduction == "sum" else 1)
    )


def default_reduction(_: Any, a2: Any, y: Any) -> Any:
    """Take the mean over samples and outputs, which is the default."""
    return functional.binary_cross_entropy(a2, y)


def of_probabilities(_: Any, a2: Any, y: Any) -> Any:
    """Take the right mean, of logarithms of a2."""
    return functional.binary_cross_entropy(a2, y, reduction="sum") / len(y)


def sum_reduction(_: Any, a2: Any, y: Any) -> Any:
    """Take the sum over samples and outputs."""
    return functional.binary_cross_entropy(a2, y, reduction="sum")


def kept_from_zero(_: Any, a2: Any, y: Any) -> Any:
    """Add a small number to a2 and to 1 - a2, so that no logarithm is infinite."""
    terms = y * torch.log(a2 + 1e-8) + (1 - y) * torch.log(1 - a2 + 1e-8)
    return -terms.sum() / len(y)


def kept_gradients() -> Implementation:
    """Train with gradients that are never cleared; the functions are right."""
    changes = {
        "dw2": lambda s, past: s.dz2 @ s.a1.mT + (past.dw2 if past is not s else 0),
        "dw1": lambda s, past: s.dz1 @ s.x.mT + (past.dw1 if past is not s else 0),
    }
    return plant(Fault("", changes=changes), load("numpy"))


def optimised(optimiser: Callable[..., torch.optim.Optimizer]) -> Implementation:
    """Leave the update to an optimiser of PyTorch; the gradients are right."""

    def train(problem: Problem) -> Trace:
        weights = [torch.nn.Parameter(torch.tensor(w)) for w in problem.weights]
        optimizer = optimiser(weights, lr=problem.lr)

        def update(_: object, step: Step[Array]) -> Step[Array]:
            for w, dw in zip(weights, (step.dw1, step.dw2), strict=True):
                w.grad = torch.from_numpy(dw.copy())
            optimizer.step()
            w1, w2 = (w.detach().numpy().copy() for w in weights)
            return replace(step, new_w1=w1, new_w2=w2)

        return descend(ours, problem, update)

    return rewired(ours, train=train)


def clipped(
    most: float, *, epsilon: float = 1e-6, before: bool = True, limit: float = 1.0
) -> Any:
    """Clip both gradients to a norm; they are recorded before that, or after it.

    Without a limit of the factor they are not clipped: all get that norm.
    """

    def update(_: object, step: Step[Array]) -> Step[Array]:
        norm = np.sqrt(np.sum(step.dw1**2) + np.sum(step.dw2**2))
        factor = np.minimum(limit, most / (norm + epsilon)).astype(step.dw1.dtype)
        dw1, dw2 = step.dw1 * factor, step.dw2 * factor
        new = {"new_w1": step.w1 - step.lr * dw1, "new_w2": step.w2 - step.lr * dw2}
        return replace(step, **new, **({} if before else {"dw1": dw1, "dw2": dw2}))

    return rewired(ours, train=lambda problem: descend(ours, problem, update))


def inverted() -> Implementation:
    """Train towards 1 - y; the probabilities are right."""

    def loss_and_gradients(
        weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, Gradients[Array]]:
        return ours.loss_and_gradients(weights, x, 1 - y, loss)

    return rewired(ours, loss_and_gradients=loss_and_gradients)


def centred(x: Array) -> Array:
    """Subtract the mean of each input."""
    mean: Array = x.mean(axis=1, keepdims=True)
    return x - mean


def against_all(_: Any, a2: Any, y: Any) -> Any:
    """Broadcast predictions of shape (m, 1) against labels of shape (m,)."""
    return ((a2 - y.squeeze(-1)) ** 2).mean()


def entropy_against_all(_: Any, a2: Any, y: Any) -> Any:
    """Write the cross-entropy out, likewise."""
    y = y.squeeze(-1)
    return -(y * torch.log(a2) + (1 - y) * torch.log(1 - a2)).mean()


def last_in_each(*names: str) -> Implementation:
    """Record one array in each step, so that the last step is in all of them."""

    def doctor(trace: Trace) -> Trace:
        arrays = {name: getattr(trace, name) for name in names}
        return replace(trace, **{n: 0 * a + a[-1] for n, a in arrays.items()})

    return plant(Fault("", doctor=doctor), load("numpy"))


def silent(base: Implementation) -> Implementation:
    """Return no intermediates, and leave the training to a plain loop."""

    def forward(weights: Weights[Array], x: Array) -> Any:
        return SimpleNamespace(a2=base.forward(weights, x).a2)

    def loss_and_gradients(*arguments: Any) -> tuple[Array, Any]:
        value, d = base.loss_and_gradients(*arguments)
        return value, SimpleNamespace(dw1=d.dw1, dw2=d.dw2)

    functions = {"forward": forward, "loss_and_gradients": loss_and_gradients}
    return cast("Implementation", SimpleNamespace(**functions))


other_adam = partial(torch.optim.Adam, betas=(0.8, 0.999))
ADAM = "Adam, not gradient descent"
CENTRED = "x minus its mean over the samples"
SQUARE_ROOT = "times 0.707106781186547"
CACHED = "the same as in the step before, as if it were cached"
ADDED_UP = "gradients add up from call to call: zero_grad is missing"
KEPT = "added to that of the step before: zero_grad is missing"
COPY = "overwritten in place: recorded without .copy()"
CLIPPED = "clipped to the norm 0.01"
BROADCAST = "each prediction against all labels: shapes (m, 1) and (m,)"
BIASES = "biases are added, which change from call to call"
LOGITS = "loss of logits applied after a sigmoid"
LOPSIDED = {"lopsided": True}
SINGLE = {"dtype": "float32"}

PORTS = (
    Port(
        "z1 divided by the root of n_x",
        lambda: propagating(z1=lambda w, x: w @ x / np.sqrt(2)),
        SQUARE_ROOT,
    ),
    Port(
        "z1 times 0.7071",
        lambda: propagating(z1=lambda w, x: w @ x * 0.7071),
        "times 0.7071",
    ),
    Port(
        "z1 times 0.7071, without intermediates",
        lambda: silent(propagating(z1=lambda w, x: w @ x * 0.7071)),
        "times 0.7071 (in z1)",
    ),
    Port(
        "z1 times 0.7071, without intermediates, float32",
        lambda: silent(propagating(z1=lambda w, x: w @ x * w.dtype.type(0.7071))),
        "times 0.7071 (in z1)",
        SINGLE,
    ),
    Port(
        "z1 times 3.25, without intermediates, 3-4-2",
        lambda: silent(propagating(z1=lambda w, x: w @ x * 3.25)),
        "times 3.25 (in z1)",
        LOPSIDED,
    ),
    Port(
        "z2 times 1.25, without intermediates",
        lambda: silent(propagating(z2=lambda w, a: w @ a * 1.25)),
        "times 1.25 (in z2)",
    ),
    Port("z1 times m", lambda: propagating(z1=lambda w, x: 4 * (w @ x)), "times 4.0"),
    Port("z2 by m", lambda: propagating(z2=lambda w, a: w @ a / 4), "times 0.25"),
    Port(
        "inputs centred", lambda: propagating(z1=lambda w, x: w @ centred(x)), CENTRED
    ),
    Port(
        "inputs centred in the gradient",
        lambda: changed_line("dw1", lambda s: s.dz1 @ centred(s.x).mT),
        CENTRED,
    ),
    Port(
        "inputs centred, without intermediates, 3-4-2",
        lambda: silent(propagating(z1=lambda w, x: w @ centred(x))),
        f"{CENTRED} (in z1)",
        LOPSIDED,
    ),
    Port("Adam", lambda: optimised(torch.optim.Adam), ADAM),
    Port("Adam, float32", lambda: optimised(torch.optim.Adam), ADAM, SINGLE),
    Port(
        "Adam, 3-4-2",
        lambda: optimised(partial(torch.optim.Adam, eps=1e-7)),
        ADAM,
        LOPSIDED,
    ),
    Port(
        "the sign of the gradient",
        lambda: updated_by("numpy", lambda w, dw, lr: w - lr * np.sign(dw)),
        "the sign of the gradient, not the gradient",
    ),
    Port(
        "weights clipped",
        lambda: updating(lambda w: np.clip(w, -1, 1)),
        "clipped at 1.0",
        {"table": "or"},
    ),
    Port(
        "weights clipped, float32",
        lambda: updating(lambda w: np.clip(w, -1, 1)),
        "clipped at 1.0",
        {"table": "or", "dtype": "float32"},
    ),
    Port(
        "weights rounded",
        lambda: updating(lambda w: np.round(w, 4)),
        "rounded to 4 decimals",
    ),
    Port(
        "weights rounded, float32",
        lambda: updating(lambda w: np.round(w, 3)),
        "rounded to 3 decimals",
        SINGLE,
    ),
    Port("dw1 in float16", half_precision_gradient, "float16 inside float64"),
    Port(
        "dw1 in float16, where elements become 0",
        half_precision_gradient,
        "float16 inside float64",
        {"x_scale": 1e-5},
    ),
    Port(
        "dw1 in float16, float32",
        half_precision_gradient,
        "float16 inside float32",
        SINGLE,
    ),
    Port("w1.T", lambda: propagating(z1=lambda w, x: w.mT @ x), "w1 transposed"),
    Port(
        "weights read as float32",
        lambda: propagating(read=through(np.float32)),
        "w1 read as float32",
    ),
    Port(
        "weights read as float16",
        lambda: propagating(read=through(np.float16)),
        "w1 read as float16",
        SINGLE,
    ),
    Port(
        "the functions know bce only",
        partial(one_loss, "bce"),
        "that of the other loss",
        {"loss": "mse"},
    ),
    Port(
        "a2 (1 - a2) forgotten",
        lambda: changed_line("dz2", lambda s: 2 * (s.a2 - s.y) / s.y.size),
        "a2 (1 - a2) left out",
        {"loss": "mse"},
    ),
    Port(
        "the functions know mse only",
        partial(one_loss, "mse"),
        "that of the other loss",
    ),
    Port(
        "dw2 from x",
        lambda: changed_line("dw2", lambda s: s.dz2 @ s.x.mT),
        "x in place of a1",
    ),
    Port(
        "dw2 from z1",
        lambda: changed_line("dw2", lambda s: s.dz2 @ s.z1.mT),
        "z1 in place of a1",
    ),
    Port(
        "dw1 from a1",
        lambda: changed_line("dw1", lambda s: s.dz1 @ s.a1.mT),
        "a1 in place of x",
    ),
    Port(
        "a1 for the slope",
        lambda: changed_line("dz1", lambda s: (s.w2.mT @ s.dz2) * s.a1),
        "a1, not a1 (1 - a1)",
    ),
    Port(
        "1 - a1 for the slope",
        lambda: changed_line("dz1", lambda s: (s.w2.mT @ s.dz2) * (1 - s.a1)),
        "1 - a1, not a1 (1 - a1)",
    ),
    Port(
        "BCELoss of a saturated a2",
        lambda: from_module(of_probabilities),
        "computed from a2 as rounded, not from z2: use BCEWithLogitsLoss",
        {"tails": True},
    ),
    Port("results cached", caching, CACHED, {"steps": 300}),
    Port("gradients never cleared in training", kept_gradients, KEPT),
    Port("overwritten gradients", lambda: last_in_each("dw1", "dw2"), COPY),
    Port("overwritten w1", lambda: last_in_each("w1"), COPY),
    Port("overwritten w1 and gradients", lambda: last_in_each("w1", "dw1"), COPY),
    Port(
        "overwritten probabilities, float32", lambda: last_in_each("a2"), COPY, SINGLE
    ),
    Port("clipped gradients", lambda: clipped(0.01), f"gradients {CLIPPED}"),
    Port(
        "clipped gradients, float32",
        lambda: clipped(0.01),
        f"gradients {CLIPPED}",
        SINGLE,
    ),
    Port(
        "clipped gradients, some steps, 3-4-2",
        lambda: clipped(0.1, epsilon=0),
        "gradients clipped to the norm 0.1",
        LOPSIDED,
    ),
    Port(
        "clipped gradients, recorded",
        lambda: clipped(0.01, before=False),
        CLIPPED,
    ),
    Port(
        "labels of one axis",
        lambda: from_module(against_all, given=True),
        BROADCAST,
        {"loss": "mse"},
    ),
    Port(
        "labels of one axis, cross-entropy, and",
        lambda: from_module(entropy_against_all),
        BROADCAST,
        {"table": "and"},
    ),
    Port(
        "labels of one axis, float32, and",
        lambda: from_module(against_all),
        BROADCAST,
        {"loss": "mse", "dtype": "float32", "table": "and"},
    ),
    Port(
        "logits loss after a sigmoid",
        lambda: from_module(logits_of_probabilities("sum")),
        LOGITS,
    ),
    Port(
        "logits loss after a sigmoid, with intermediates",
        lambda: from_module(logits_of_probabilities("sum"), given=True),
        LOGITS,
    ),
    Port(
        "logits loss after a sigmoid, with its default mean",
        lambda: from_module(logits_of_probabilities("mean")),
        f"{LOGITS}, and the mean over outputs, too",
        LOPSIDED,
    ),
    Port(
        "binary_cross_entropy with its default mean",
        lambda: from_module(default_reduction),
        "1/2 times: the mean over 2 outputs, too",
        LOPSIDED,
    ),
    Port(
        "binary_cross_entropy of the sum",
        lambda: from_module(sum_reduction),
        "4 times too large: the sum over samples, not the mean",
    ),
    Port(
        "binary_cross_entropy of the sum, 3-4-2",
        lambda: from_module(sum_reduction),
        "10 times too large: the sum over samples, not the mean",
        LOPSIDED,
    ),
    Port(
        "1e-8 in the logarithms",
        lambda: from_module(kept_from_zero),
        "1e-8 added to a2 in its log",
    ),
    Port(
        "bias=True, new layers", lambda: from_module(right_criterion, bias=True), BIASES
    ),
    Port(
        "bias=True, new layers, 3-4-2",
        lambda: from_module(right_criterion, bias=True),
        BIASES,
        LOPSIDED,
    ),
    Port(
        "bias=True, new layers, with intermediates",
        lambda: from_module(right_criterion, bias=True, given=True),
        BIASES,
    ),
    Port(
        "bias=True, the same layers",
        lambda: from_module(right_criterion, bias=True, fresh=False),
        "biases are added",
    ),
    Port(
        "bias=True, the same layers, with intermediates",
        lambda: from_module(right_criterion, bias=True, fresh=False, given=True),
        "a bias is added, the same in every sample",
    ),
    Port(
        "zero_grad forgotten",
        lambda: from_module(right_criterion, fresh=False, zero_grad=False),
        ADDED_UP,
    ),
    Port(
        "zero_grad forgotten, .grad returned",
        lambda: from_module(
            right_criterion, fresh=False, zero_grad=False, copies=False
        ),
        ADDED_UP,
    ),
    Port(
        "tanh in the hidden layer",
        lambda: propagating(sigmoid=np.tanh),
        "tanh, not sigmoid",
    ),
    Port(
        "ReLU in the hidden layer",
        lambda: propagating(sigmoid=lambda z: np.maximum(z, 0)),
        "ReLU, not sigmoid",
    ),
    Port(
        "sigmoid applied twice",
        lambda: propagating(sigmoid=lambda z: ours.sigmoid(ours.sigmoid(z))),
        "sigmoid applied twice",
    ),
    Port(
        "no activation",
        lambda: propagating(sigmoid=lambda z: z + 0),
        "no sigmoid",
    ),
    Port(
        "weights decay apart from the learning rate",
        lambda: updated_by("numpy", lambda w, dw, lr: w * (1 - 0.01) - lr * dw),
        "weight decay 0.0111 times lr, or 0.01 without lr",
    ),
    # What has no name: other labels, other inputs, a masked unit, a norm that is given,
    Port("labels inverted, without intermediates", lambda: silent(inverted()), None),
    Port("inputs shifted", lambda: propagating(z1=lambda w, x: w @ (x - 0.25)), None),
    Port(
        "a hidden unit masked, without intermediates",
        lambda: silent(propagating(z2=lambda w, a: w @ (a * [[0.0], [1.0]]))),
        None,
    ),
    Port(
        "a sigmoid about 0, without intermediates",
        lambda: silent(propagating(z2=lambda w, a: w @ (a - 0.5))),
        None,
    ),
    Port("gradients of norm 1", lambda: clipped(1, epsilon=0, limit=np.inf), None),
    Port(
        "gradients of norm 1, recorded",
        lambda: clipped(1, epsilon=0, limit=np.inf, before=False),
        None,
    ),
    # other optimisers, two mistakes, numbers without a system.
    Port("AdamW", lambda: optimised(torch.optim.AdamW), None),
    Port("Adam, other decay", lambda: optimised(other_adam), None),
    Port("Adamax", lambda: optimised(torch.optim.Adamax), None),
    Port("RMSprop", lambda: optimised(torch.optim.RMSprop), None),
    Port("Adagrad", lambda: optimised(torch.optim.Adagrad), None),
    Port(
        "z1 times 1.01 and clipped, without intermediates",
        lambda: silent(propagating(z1=lambda w, x: np.clip(w @ x * 1.01, -0.3, 0.3))),
        None,
    ),
    Port(
        "z1 with a wrong constant and clipped",
        lambda: propagating(z1=lambda w, x: np.clip(w @ x * 1.01, -0.3, 0.3)),
        None,
    ),
    Port(
        "a hard sigmoid",
        lambda: propagating(sigmoid=lambda z: np.clip(z / 6 + 0.5, 0, 1)),
        None,
    ),
    Port(
        "weights with noise",
        lambda: updating(lambda w: w * (1 + 1e-6 * np.sin(1e6 * w))),
        None,
    ),
)
