"""An implementation made of a `torch.nn.Module`."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from compare.adapters import ModuleError, torch_module
from compare.checks.check import Check
from compare.checks.verdict import Verdict
from compare.diagnosis.mistakes import UPDATES
from compare.report.answer import answer_lines
from compare.report.as_json import Report
from compare.testing import check_implementation
from compare.training.compare import compare
from compare.training.problems import lopsided
from impls import numpy_manual
from tests.helpers import DTYPES, LOSSES, problem_of


class Network(nn.Module):
    """Two layers, with an activation after each."""

    def __init__(
        self,
        n_x: int,
        n_h: int,
        n_y: int,
        *,
        activation: Callable[[Any], Any] = torch.sigmoid,
        last: Callable[[Any], Any] = torch.sigmoid,
        bias: bool = False,
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.hidden = nn.Linear(n_x, n_h, bias=bias)
        self.output = nn.Linear(n_h, n_y, bias=bias)
        self.activation, self.last = activation, last

    def forward(self, x: Any) -> Any:
        """Take samples as rows."""
        return self.last(self.output(self.activation(self.hidden(x))))


class Functional(Network):
    """Reads the weights of its layers, and does not call them."""

    def forward(self, x: Any) -> Any:
        """Take samples as rows."""
        a1 = torch.sigmoid(functional.linear(x, self.hidden.weight))
        return torch.sigmoid(functional.linear(a1, self.output.weight))


class Fixed(Network):
    """Has the sizes of the notebook."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__(2, 2, 1)


class Deep(Network):
    """Is made with one more number."""

    def __init__(self, n_x: int, n_h: int, n_y: int, depth: int) -> None:
        """Make the layers."""
        super().__init__(n_x, n_h, n_y)
        self.depth = depth


def same(tensor: Any) -> Any:
    """Leave out the last sigmoid."""
    return tensor


def compared(port: Any, **options: Any) -> Verdict:
    """Compare with NumPy on the problem without equal sizes."""
    problem = lopsided(options.pop("loss", "bce"), options.pop("dtype", "float64"))
    return compare(problem, {"numpy": numpy_manual, "port": port})


def failures(verdict: Verdict) -> list[Check]:
    """Return the failed checks in the order of a step."""
    return [*verdict.differences]


RIGHT: dict[str, Any] = {
    "probabilities": torch_module(Network),
    "logits": torch_module(partial(Network, last=same)),
    "optimizer": torch_module(Network, optimizer=torch.optim.SGD),
    "in place": torch_module(
        partial(Network, activation=torch.sigmoid_, last=torch.sigmoid_)
    ),
    "logits in place": torch_module(
        partial(Network, activation=torch.sigmoid_, last=same)
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("port", RIGHT.values(), ids=RIGHT)
def test_a_right_module_matches(port: Any, loss: str, dtype: str) -> None:
    """Every line is checked by itself: the intermediates are read from the layers."""
    verdict = compared(port, loss=loss, dtype=dtype)

    assert verdict.answer == "match"
    assert verdict.runs[1].unknown == ()


@pytest.mark.slow
@pytest.mark.parametrize("port", RIGHT.values(), ids=RIGHT)
def test_a_right_module_passes_the_exam(port: Any) -> None:
    """Saturation included, because the loss is computed from z2."""
    found = [f for f in check_implementation(port) if f.status != "passed"]
    missing = ["loss", *(() if hasattr(port, "train") else UPDATES)]
    assert {f.name: f.status for f in found} == dict.fromkeys(missing, "not given")


def own_bce(z2: Any, labels: Any) -> Any:
    """Take the cross-entropy of logits: the mean over samples of the sum."""
    return nn.BCEWithLogitsLoss(reduction="sum")(z2, labels) / len(labels)


def own_mse(z2: Any, labels: Any) -> Any:
    """Take the mean of all squared errors."""
    return nn.MSELoss()(z2.sigmoid(), labels)


PROBLEMS = [problem_of(loss=loss, steps=20) for loss in LOSSES]


@pytest.mark.parametrize(
    ("criteria", "status", "missing"),
    [
        (None, "not given", "bce, mse"),
        ({"bce": own_bce}, "passed", "mse"),
        ({"bce": own_bce, "mse": own_mse}, "passed", ""),
    ],
)
def test_a_loss_that_is_not_given_does_not_pass(
    criteria: Any, status: str, missing: str
) -> None:
    """The finding says which loss is not checked, also if the other one is."""
    factory = partial(Network, last=same)
    port = torch_module(factory, criteria=criteria, optimizer=torch.optim.SGD)
    findings = check_implementation(port, problems=PROBLEMS)

    (loss,) = (found for found in findings if found.name == "loss")
    others = {found.status for found in findings if found is not loss}
    assert loss.status == status
    assert loss.reason.partition("criteria= gives no ")[2] == missing
    assert others == {"passed"}


@pytest.mark.parametrize(("loss", "shown"), [("bce", False), ("mse", True)])
def test_a_match_states_that_the_loss_is_not_checked(loss: str, shown: bool) -> None:  # noqa: FBT001
    """Of this problem's loss; the other does not matter here."""
    factory = partial(Network, last=same)
    verdict = compared(torch_module(factory, criteria={"bce": own_bce}), loss=loss)

    words = "not checked: the loss of port: criteria= gives no mse"
    assert (words in answer_lines(Report("", verdict, {}))) == shown


def test_layers_need_not_be_called() -> None:
    """Without the intermediates, the rest is judged from the weights."""
    verdict = compared(torch_module(Functional), loss="mse")

    assert verdict.answer == "match"
    assert verdict.runs[1].unknown == ("z1", "a1", "z2", "dz2", "dz1")


@pytest.mark.parametrize(
    ("port", "loss", "quantity", "statement"),
    [
        (
            torch_module(partial(Network, activation=torch.tanh)),
            "bce",
            "a1",
            "a1 = sigmoid(z1)",
        ),
        (
            torch_module(partial(Network, last=torch.relu_)),
            "bce",
            "a2",
            "a2 = sigmoid(z2)",
        ),
        (
            torch_module(Network, optimizer=torch.optim.Adam),
            "bce",
            "new_w1",
            "new w1 = w1 - lr dw1",
        ),
        (
            torch_module(
                Network, optimizer=partial(torch.optim.SGD, weight_decay=1e-3)
            ),
            "mse",
            "new_w1",
            "new w1 = w1 - lr dw1",
        ),
        (
            torch_module(Network, criteria={"bce": nn.BCELoss()}),
            "bce",
            "loss",
            "loss = mean(-y log(a2) - (1 - y) log(1 - a2))",
        ),
    ],
    ids=["tanh", "relu in place", "Adam", "weight decay", "mean over outputs"],
)
def test_another_program_is_a_difference(
    port: Any, loss: str, quantity: str, statement: str
) -> None:
    """What the network does not have is named by the line that it breaks."""
    verdict = compared(port, loss=loss)

    assert verdict.answer == "differ"
    first = verdict.first_difference
    assert first is not None
    assert (first.quantity, first.statement) == (quantity, statement)


class OutputFirst(Network):
    """Defines the second layer before the first."""

    def __init__(self, *sizes: int) -> None:
        """Swap the layers."""
        super().__init__(*sizes)
        hidden = self.hidden
        del self.hidden
        self.hidden = hidden  # it is now the last one


class WithoutGradients(Network):
    """Computes as for a prediction."""

    @torch.no_grad()
    def forward(self, x: Any) -> Any:
        """Take samples as rows."""
        return super().forward(x)


class Frozen(Network):
    """Does not train its second layer."""

    def __init__(self, *sizes: int) -> None:
        """Freeze it."""
        super().__init__(*sizes)
        self.output.requires_grad_(False)  # noqa: FBT003  # PyTorch's own interface


class Scaled(Network):
    """Has one parameter more."""

    def __init__(self, *sizes: int) -> None:
        """Add a scale."""
        super().__init__(*sizes)
        self.scale = nn.Parameter(torch.ones(()))


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (
            partial(Network, bias=True),
            r"has a bias \(hidden.bias, output.bias\): make its layers with bias=False",
        ),
        (
            Scaled,
            r"parameters scale \(\), .*: factory\(2, 2, 1\) must make two nn.Linear",
        ),
        (
            lambda n_x, n_h, n_y: Network(n_x, n_h + 1, n_y),
            r"hidden.weight \(3, 2\), .* with weights \(2, 2\), .* weights \(1, 2\)",
        ),
        (OutputFirst, "must make two nn.Linear in this order: hidden, with"),
        (WithoutGradients, "leave out torch.no_grad in forward"),
        (Frozen, r"^output.weight: frozen, .* leave out requires_grad_\(False\)"),
        (lambda *_: nn.Sigmoid(), "the module has the parameters none"),
    ],
    ids=[
        "bias",
        "more parameters",
        "other sizes",
        "output first",
        "no gradients",
        "frozen",
        "no parameters",
    ],
)
def test_another_module_is_a_clear_error(
    factory: Callable[..., Any], words: str
) -> None:
    """The message says what the module has, and what is due."""
    problem = problem_of(steps=5)
    port = torch_module(factory)
    with pytest.raises(ModuleError, match=words):
        port.forward(problem.weights, problem.x)
    both = {"numpy": numpy_manual, "port": port}
    assert compare(problem, both).answer == "could not compare"


def test_a_loss_of_unknown_logits_is_a_clear_error() -> None:
    """The cross-entropy needs z2, which only the layers return."""
    problem = problem_of(steps=5)
    port = torch_module(Functional)
    with pytest.raises(ModuleError, match="give criteria"):
        port.loss_and_gradients(problem.weights, problem.x, problem.y, "bce")


def test_nothing_is_kept_between_calls() -> None:
    """Gradients do not add up, and results are not overwritten."""
    problem = problem_of(steps=5)
    port = torch_module(Network)
    arguments = (problem.weights, problem.x, problem.y, problem.loss)
    _, first = port.loss_and_gradients(*arguments)
    kept = first.dw1.copy()
    _, second = port.loss_and_gradients(*arguments)

    assert np.array_equal(first.dw1, kept)
    assert np.array_equal(second.dw1, kept)


def test_importing_the_adapters_imports_no_framework() -> None:
    """PyTorch is imported when a module is called."""
    code = "import sys, compare.adapters; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factory": Network, "criteria": nn.BCELoss()}, 'write criteria={"bce": ...}'),
        (
            {"factory": Network, "criteria": {"BCE": own_bce}},
            "criteria names 'BCE': choose from bce, mse",
        ),
        (
            {"factory": Network, "criteria": {"bce": nn.BCEWithLogitsLoss}},
            r"criteria\['bce'\] must be a function or an instance, as .*, not <class",
        ),
        (
            {"factory": Network, "criteria": {"mse": None}},
            r"criteria\['mse'\] must be a function or an instance, as .*, not None",
        ),
        ({"factory": Network(2, 2, 1)}, "a module of any sizes, not a module"),
        ({"factory": Fixed}, "any sizes, and Fixed can't be called so: too many"),
        (
            {"factory": Deep},
            "any sizes, and Deep can't be called so: missing .*'depth'",
        ),
        (
            {
                "factory": Network,
                "optimizer": torch.optim.SGD(Network(2, 2, 1).parameters()),
            },
            "write optimizer=torch.optim.SGD, or .*, not an instance",
        ),
        ({"factory": None}, "NoneType can't be called so: None is not a callable"),
    ],
    ids=[
        "a criterion without a name",
        "an unknown criterion",
        "a class in place of a criterion",
        "no criterion",
        "a module in place of its class",
        "a class of fixed sizes",
        "a class with one more argument",
        "an optimizer in place of its class",
        "nothing",
    ],
)
def test_a_wrong_argument_is_an_error_at_the_call(given: Any, words: str) -> None:
    """The message says the right form."""
    with pytest.raises((TypeError, ValueError), match=words):
        torch_module(**given)
