"""Implementations made of what a framework's users have already: a `torch.nn.Module`.

The scope is the network of `impls.interface`, of any sizes: two linear layers without
biases, a sigmoid after each, plain gradient descent. A module that computes something
else, with another activation for example, is reported as a difference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from compare.hosts.third_party import is_module
from compare.training.problems import LOSSES
from impls.interface import Array, Implementation, Loss, Problem, Trace, Weights

if TYPE_CHECKING:
    import torch

Factory: TypeAlias = Callable[[int, int, int], "torch.nn.Module"]
Criterion: TypeAlias = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
Optimizer: TypeAlias = Callable[..., "torch.optim.Optimizer"]


class ModuleError(ValueError):
    """A module has not the two linear layers of the network, or can't train them."""

    is_advice = True  # the message is enough, without the name of the class


def torch_module(
    factory: Factory,
    *,
    criteria: Mapping[str, Criterion] | None = None,
    optimizer: Optimizer | None = None,
    end_to_end: tuple[str, ...] = (),
) -> Implementation:
    """Make an implementation of an `nn.Module`.

    The module takes samples as rows, as modules of PyTorch do: an input of shape
    (m, n_x) gives an output of shape (m, n_y). The output is a2. If it is z2, the
    result of the second layer itself, its sigmoid is taken. The results of both layers
    are read as z1 and z2, and the input of the second as a1. So every line of the
    network is checked by itself. The module may overwrite results in place.

    Before each call, the weights are copied into the layers and the gradients of the
    call before are removed. Then the gradients are read from `.grad`.

    Args:
        factory: Called as `factory(n_x, n_h, n_y)`. Its module has two `nn.Linear`
            without biases and no other parameter.
        criteria: The loss of each of the names "bce" and "mse", called with the output
            and the labels, rows both. A name that is left out gets the mean loss of the
            contract: binary cross-entropy with logits, of z2, or the squared error.
            Your own loss is then not checked; the implementation says so by its
            `plain_losses`.
        optimizer: Called as `optimizer(module.parameters(), lr=lr)`. It trains, and its
            updates are checked. If none is given, a plain loop trains, and your own
            optimizer is not checked.
        end_to_end: See `impls.interface.Implementation`.

    Raises:
        TypeError: `factory` is a module or does not take the three sizes, `criteria` is
            no mapping to functions or instances, or `optimizer` can't be called.
        ValueError: `criteria` has another name than "bce" and "mse".
        ModuleError: When it is called: the module has other parameters or sizes, or
            computes without gradients.
    """
    if is_module(factory) and not isinstance(factory, type):
        raise TypeError(
            "torch_module takes a class or a function that makes a module of any "
            "sizes, not a module: write torch_module(lambda n_x, n_h, n_y: ...)"
        )
    _check_sizes(factory)
    criteria = {} if criteria is None else criteria
    _check_criteria(criteria)
    if optimizer is not None and not callable(optimizer):
        raise TypeError(
            "torch_module makes the optimizer: write optimizer=torch.optim.SGD, or "
            "functools.partial(torch.optim.SGD, ...), not an instance"
        )
    port = _Port(factory, criteria, optimizer)
    names = {
        "framework": "torch",
        "end_to_end": end_to_end,
        "plain_losses": tuple(n for n in LOSSES if n not in criteria),
    }
    functions = {"forward": port.forward, "loss_and_gradients": port.loss_and_gradients}
    if optimizer is not None:
        functions["train"] = port.train
    return cast("Implementation", SimpleNamespace(**names, **functions))


def _check_sizes(factory: Factory) -> None:
    """Check that a factory takes three sizes, before it is called with them.

    Raises:
        TypeError: It does not; the message says what it is called for.
    """
    try:
        signature(factory).bind(2, 2, 1)
    except ValueError:  # nothing is known of a function that is written in C
        return
    except TypeError as error:
        name = getattr(factory, "__name__", type(factory).__name__)
        raise TypeError(
            "torch_module calls factory(n_x, n_h, n_y), which must make a module of "
            f"any sizes, and {name} can't be called so: {error}"
        ) from error


def _check_criteria(criteria: Mapping[str, Criterion]) -> None:
    """Check that criteria are losses by name.

    Raises:
        TypeError: They are no mapping, or one of them can't compute a loss.
        ValueError: There is no loss of that name.
    """
    if not isinstance(criteria, Mapping):
        raise TypeError(
            'criteria must name the loss of each criterion: write criteria={"bce": ...}'
        )
    for name, criterion in criteria.items():
        if name not in LOSSES:
            raise ValueError(
                f"criteria names {name!r}: choose from {', '.join(LOSSES)}"
            )
        if isinstance(criterion, type) or not callable(criterion):
            raise TypeError(
                f"criteria[{name!r}] must be a function or an instance, as "
                f"nn.BCEWithLogitsLoss(), not {criterion!r}"
            )


@dataclass
class _Pass:
    """The tensors of one forward pass; samples are rows."""

    output: "torch.Tensor"
    a2: "torch.Tensor"
    z1: "torch.Tensor | None" = None
    a1: "torch.Tensor | None" = None
    z2: "torch.Tensor | None" = None


@dataclass
class _Port:
    """The functions of the contract, on a module for each sizes and dtype."""

    factory: Factory
    criteria: Mapping[str, Criterion]
    optimizer: Optimizer | None = None
    modules: dict[object, "torch.nn.Module"] = field(default_factory=dict)

    def forward(self, weights: Weights[Array], x: Array) -> SimpleNamespace:
        """See `Implementation.forward`."""
        done = _propagate(self._module(weights), x)
        found = {"z1": done.z1, "a1": done.a1, "z2": done.z2, "a2": done.a2}
        return SimpleNamespace(**{n: _columns(t) for n, t in found.items()})

    def loss_and_gradients(
        self, weights: Weights[Array], x: Array, y: Array, loss: Loss
    ) -> tuple[Array, SimpleNamespace]:
        """See `Implementation.loss_and_gradients`."""
        row = self._backward(self._module(weights), x, y, loss)
        return row["loss"], SimpleNamespace(**row)

    def train(self, problem: Problem) -> Trace:
        """Train with the optimizer: `zero_grad`, `backward`, `step`."""
        module = self._module(problem.weights)
        optimizer = cast("Optimizer", self.optimizer)(
            module.parameters(), lr=problem.lr
        )
        rows = []
        for _ in range(problem.steps):
            optimizer.zero_grad()
            w1, w2 = (_copy(p) for p in module.parameters())
            row = self._backward(module, problem.x, problem.y, problem.loss)
            rows.append({**row, "w1": w1, "w2": w2})
            optimizer.step()
        columns: dict[str, Any] = {n: [row[n] for row in rows] for n in rows[0]}
        for name, last in zip(("w1", "w2"), module.parameters(), strict=True):
            columns[name].append(_copy(last))
        stacked: dict[str, Any] = {
            name: None if column[0] is None else np.array(column)
            for name, column in columns.items()
        }
        return Trace(**stacked)

    def _module(self, weights: Weights[Array]) -> "torch.nn.Module":
        """Return the module of these sizes, with the weights in it and no gradients."""
        import torch  # noqa: PLC0415  # importing this file imports no framework

        w1, w2 = weights
        key = (w1.shape, w2.shape, w1.dtype)
        if key not in self.modules:
            made = self.factory(w1.shape[-1], w1.shape[-2], w2.shape[-2])
            self.modules[key] = made.to(torch.asarray(w1.copy()).dtype)
        module = self.modules[key]
        _check(module, weights)
        with torch.no_grad():
            for parameter, w in zip(module.parameters(), weights, strict=True):
                parameter.copy_(torch.asarray(w.copy()))
                parameter.grad = None
        return module

    def _backward(
        self, module: "torch.nn.Module", x: Array, y: Array, loss: Loss
    ) -> dict[str, Any]:
        """Compute a loss and its gradients; return all quantities by name."""
        done = _propagate(module, x)
        labels = _rows(y)
        value = (
            self.criteria[loss](done.output, labels)
            if loss in self.criteria
            else _criterion(done, labels, loss)
        )
        value.backward()  # type: ignore[no-untyped-call]
        w1, w2 = module.parameters()
        return {
            "loss": _copy(value),
            "z1": _columns(done.z1),
            "a1": _columns(done.a1),
            "z2": _columns(done.z2),
            "a2": _columns(done.a2),
            "dz2": _columns(None if done.z2 is None else done.z2.grad),
            "dw2": _copy(w2.grad),
            "dz1": _columns(None if done.z1 is None else done.z1.grad),
            "dw1": _copy(w1.grad),
        }


def _check(module: "torch.nn.Module", weights: Weights[Array]) -> None:
    """Check the parameters of a module against the weights.

    Raises:
        ModuleError: It has not two linear layers without biases of these sizes, or one
            of them is not trained.
    """
    (n_h, n_x), (n_y, _) = (w.shape for w in weights)
    hidden, output = (n_h, n_x), (n_y, n_h)
    found = {name: tuple(p.shape) for name, p in module.named_parameters()}
    biases = [name for name in found if name.endswith("bias")]
    if biases:
        raise ModuleError(
            f"the module has a bias ({', '.join(biases)}): make its layers with "
            "bias=False"
        )
    if [*found.values()] != [hidden, output]:
        have = ", ".join(f"{name} {shape}" for name, shape in found.items()) or "none"
        raise ModuleError(
            f"the module has the parameters {have}: factory({n_x}, {n_h}, {n_y}) must "
            f"make two nn.Linear in this order: hidden, with weights {hidden}, and "
            f"output, with weights {output}"
        )
    frozen = [n for n, p in module.named_parameters() if not p.requires_grad]
    if frozen:
        raise ModuleError(
            f"{', '.join(frozen)}: frozen, but trained in this network: leave out "
            "requires_grad_(False)"
        )


def _propagate(module: "torch.nn.Module", x: Array) -> _Pass:
    """Call a module, and keep what its linear layers take and return.

    Raises:
        ModuleError: It computes without gradients.
    """
    from torch import nn  # noqa: PLC0415  # as above

    seen: list[tuple[Any, Any, Any]] = []

    def keep(_: object, given: tuple[Any, ...], found: Any) -> Any:  # noqa: ANN401
        if found.requires_grad:
            found.retain_grad()
        passed_on = found.clone()  # which the module may overwrite in place
        seen.append((given[0], found, passed_on.grad_fn))
        return passed_on

    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        output = module(_rows(x))
    finally:
        for hook in hooks:
            hook.remove()
    if not all(t.requires_grad for t in (output, *(found for _, found, _ in seen))):
        raise ModuleError(
            "the module computes without gradients: leave out torch.no_grad in forward"
        )
    if len(seen) != 2:  # noqa: PLR2004  # it may compute without calling its layers
        return _Pass(output, output)
    (_, z1, _), (a1, z2, made_by) = seen
    is_z2 = output.grad_fn is made_by  # not so after an operation in place
    return _Pass(output, output.sigmoid() if is_z2 else output, z1, a1, z2)


def _criterion(done: _Pass, labels: "torch.Tensor", loss: Loss) -> "torch.Tensor":
    """Compute the mean loss of the contract."""
    from torch.nn import functional  # noqa: PLC0415  # as above

    if loss == "mse":
        return functional.mse_loss(done.a2, labels)
    if done.z2 is None:
        raise ModuleError("z2 is not known: call the linear layers, or give criteria")
    total = functional.binary_cross_entropy_with_logits(
        done.z2, labels, reduction="sum"
    )
    return total / len(labels)


def _rows(array: Array) -> "torch.Tensor":
    """Copy an array into a tensor whose rows are the samples."""
    import torch  # noqa: PLC0415  # as above

    return torch.asarray(array.T.copy())


def _columns(tensor: "torch.Tensor | None") -> Array | None:
    """Copy a tensor into an array whose columns are the samples."""
    return None if tensor is None else np.ascontiguousarray(_copy(tensor).T)


def _copy(tensor: "torch.Tensor | None") -> Any:  # noqa: ANN401
    """Copy a tensor into an array; None if there is none."""
    return None if tensor is None else tensor.numpy(force=True).copy()
