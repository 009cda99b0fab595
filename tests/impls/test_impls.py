"""The three implementations, against the notebook, the loss alone and the contract."""

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import cast

import flint
import numpy as np
import pytest

from compare.hosts.load import OURS, load
from compare.numerics.drift import Drift
from compare.numerics.error_bars import step_bars
from impls import numpy_manual
from impls.interface import (
    Array,
    Gradients,
    Implementation,
    Loss,
    Problem,
    Trace,
    Weights,
    predict,
)
from tests.helpers import DTYPES, LOSSES, drift, near, problem_of

SIZES = ((2, 2, 1, 4), (2, 5, 1, 4), (3, 4, 2, 7))


def make_problem(
    sizes: tuple[int, int, int, int] = SIZES[-1],
    *,
    dtype: str = "float64",
    loss: Loss = "bce",
    steps: int = 5,
    runs: tuple[int, ...] = (),
) -> Problem:
    """Lay out generated data, read-only, so that writing into it is an error."""
    n_x, n_h, n_y, m = sizes
    random = np.random.default_rng(sum(sizes))
    arrays = (
        random.normal(size=(n_x, m)).astype(dtype),
        random.integers(0, 2, size=(n_y, m)).astype(dtype),
        random.normal(size=(*runs, n_h, n_x)).astype(dtype),
        random.normal(size=(*runs, n_y, n_h)).astype(dtype),
    )
    for array in arrays:
        array.flags.writeable = False
    x, y, w1, w2 = arrays
    return Problem(x, y, Weights(w1, w2), 0.9, steps, loss)


@pytest.fixture(scope="module")
def notebook() -> tuple[Trace, Drift]:
    """Train as the notebook does, and bound how far off another processor may end."""
    problem = problem_of(steps=10_000)
    trace = numpy_manual.train(problem)
    bars = step_bars(problem, Weights(trace.w1, trace.w2))
    return trace, drift(problem, bars)


def test_notebook_weights_and_classes(notebook: tuple[Trace, Drift]) -> None:
    """The printed weights of the notebook come out to all printed decimals."""
    trace, bound = notebook
    printed = [
        0.89217306,
        0.89217096,
        8.17932504,
        8.17746632,
        -42.30248196,
        33.38806983,
    ]

    trained = [*trace.w1[-1].ravel(), *trace.w2[-1].ravel()]

    assert trained == pytest.approx(printed, abs=0.5e-8 + bound.weights[-1])
    assert predict(trace.a2[-1]).astype(int).tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize("sign", [1, -1])
def test_notebook_probabilities(notebook: tuple[Trace, Drift], sign: int) -> None:
    """No rounding of any processor reaches the eight decimals that are shown."""
    trace, bound = notebook
    trained = Weights(trace.w1[-1], trace.w2[-1])

    a2 = numpy_manual.forward(trained, problem_of().x).a2

    assert np.round(a2 + sign * bound.a2[-1], 8).tolist() == [
        [0.01146182, 0.96681587, 0.96681584, 0.05558302]
    ]


@pytest.mark.parametrize(
    ("step", "loss"), [(0, 2.8665782457091473), (9_999, 0.13622449834919464)]
)
def test_notebook_losses(notebook: tuple[Trace, Drift], step: int, loss: float) -> None:
    """The notebook plots the sum over four samples, four times our mean."""
    trace, bound = notebook

    assert 4 * trace.loss[step] == pytest.approx(loss, abs=4 * bound.loss[step])


def notebook_path(problem: Problem) -> Iterator[tuple[Array, Array]]:
    """Yield the weights before each update, by the operations of the notebook."""
    x, y, (w1, w2) = problem.x, problem.y, problem.weights
    for _ in range(problem.steps):
        yield w1, w2
        a1 = 1 / (1 + np.exp(-np.dot(w1, x)))
        a2 = 1 / (1 + np.exp(-np.dot(w2, a1)))
        back = np.dot(w2.T, a2 - y) * a1 * (1 - a1)
        w2 = w2 - 0.9 * (np.dot(a2 - y, a1.T) / 4)
        w1 = w1 - 0.9 * (np.dot(back, x.T) / 4)


def test_notebook_bits() -> None:
    """NumPy repeats the operations of the notebook, bit for bit, at every step."""
    problem = problem_of(steps=2000)

    trace = numpy_manual.train(problem)

    w1, w2 = zip(*notebook_path(problem), strict=True)
    assert np.array_equal(trace.w1[:-1], w1)
    assert np.array_equal(trace.w2[:-1], w2)


def test_pencil_and_paper(implementation: Implementation) -> None:
    """With all weights 0, every a is 1/2, and the rest takes no computer."""
    weights: Weights[Array] = Weights(np.zeros((2, 2)), np.zeros((1, 2)))
    x, y = problem_of().x, problem_of().y

    bce, gradients = implementation.loss_and_gradients(weights, x, y, "bce")
    mse, _ = implementation.loss_and_gradients(weights, x, y, "mse")

    assert bce == near(np.log(2), 1e-15)
    assert mse == 0.25
    assert gradients.dz2.tolist() == [[0.125, -0.125, -0.125, 0.125]]
    assert gradients.dw2.tolist() == [[0, 0]]
    assert gradients.dw1.tolist() == [[0, 0], [0, 0]]


def exact_loss(problem: Problem, flat: list[flint.arb]) -> flint.arb:
    """Compute the loss in ball arithmetic: no derivative at all.

    Args:
        problem: Gives x, y, loss and the sizes.
        flat: w1, w2, and what is added to z1 and to z2, each row by row.
    """
    (n_x, m), (n_y, n_h) = problem.x.shape, problem.weights.w2.shape
    entries = iter(flat)

    def matrix(rows: int, columns: int) -> flint.arb_mat:
        return flint.arb_mat(rows, columns, [*islice(entries, rows * columns)])

    w1, w2 = matrix(n_h, n_x), matrix(n_y, n_h)
    z1 = w1 * flint.arb_mat(n_x, m, problem.x.ravel().tolist()) + matrix(n_h, m)
    a1 = [1 / (1 + (-z).exp()) for z in z1.entries()]
    z2 = w2 * flint.arb_mat(n_h, m, a1) + matrix(n_y, m)
    pairs = list(zip(z2.entries(), problem.y.ravel().tolist(), strict=True))
    if problem.loss == "bce":
        terms, count = [(1 + z.exp()).log() - y * z for z, y in pairs], m
    else:
        terms, count = [(1 / (1 + (-z).exp()) - y) ** 2 for z, y in pairs], m * n_y
    total: flint.arb = sum(terms, flint.arb(0)) / count
    return total


@cache
def oracle(
    sizes: tuple[int, int, int, int], loss: Loss
) -> tuple[float, dict[str, list[float]]]:
    """Differentiate the loss by differences: 400 bits lose nothing that we see.

    Returns:
        The loss and its derivatives.
    """
    problem = make_problem(sizes, loss=loss)
    (n_h, m), (n_y, _) = (len(problem.weights.w1), sizes[-1]), problem.y.shape
    counts = {
        "dw1": problem.weights.w1.size,
        "dw2": problem.weights.w2.size,
        "dz1": n_h * m,
        "dz2": n_y * m,
    }
    derivatives = []
    with flint.ctx.workprec(400):
        h = flint.arb(2) ** -100
        flat = [flint.arb(float(w)) for array in problem.weights for w in array.flat]
        flat += [flint.arb(0)] * ((n_h + n_y) * m)
        for i in range(len(flat)):
            up, down = ([*flat[:i], flat[i] + s * h, *flat[i + 1 :]] for s in (1, -1))
            difference = exact_loss(problem, up) - exact_loss(problem, down)
            derivatives.append(float(difference / (2 * h)))
        found, rest = float(exact_loss(problem, flat)), iter(derivatives)
    return found, {name: [*islice(rest, count)] for name, count in counts.items()}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sizes", SIZES)
def test_gradients_are_those_of_the_loss(
    implementation: Implementation, sizes: tuple[int, int, int, int], loss: Loss
) -> None:
    """An oracle that knows the loss alone, and no chain rule, finds the same."""
    p = make_problem(sizes, loss=loss)

    value, gradients = implementation.loss_and_gradients(p.weights, p.x, p.y, loss)

    expected, derivatives = oracle(sizes, loss)
    found = {name: d.ravel() for name, d in gradients._asdict().items()}
    assert value == near(expected, 1e-14)
    assert found == {
        name: pytest.approx(d, rel=1e-13, abs=1e-16) for name, d in derivatives.items()
    }


def test_the_oracle_can_fail() -> None:
    """A gradient that is wrong in one element by a billionth is not what it finds."""
    gradients = oracle(SIZES[-1], "bce")[1]["dw1"]

    wrong = [gradients[0] * (1 + 1e-9), *gradients[1:]]

    assert wrong != pytest.approx(gradients, rel=1e-13, abs=1e-16)


@pytest.mark.parametrize("sizes", SIZES)
def test_activations_follow_the_equations(
    implementation: Implementation, sizes: tuple[int, int, int, int]
) -> None:
    """The functions return z1, a1, z2 and a2 in this order, each by its equation."""
    p = make_problem(sizes)

    found = implementation.forward(p.weights, p.x)

    z1 = np.einsum("ij,jk->ik", p.weights.w1, p.x)
    z2 = np.einsum("ij,jk->ik", p.weights.w2, found.a1)
    assert found.z1 == pytest.approx(z1, rel=1e-14, abs=1e-14)
    assert found.a1 == near((1 + np.tanh(z1 / 2)) / 2, 1e-13)
    assert found.z2 == pytest.approx(z2, rel=1e-14, abs=1e-14)
    assert found.a2 == near((1 + np.tanh(z2 / 2)) / 2, 1e-13)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_descends_the_gradient(
    implementation: Implementation, loss: Loss
) -> None:
    """Each row of a trace is what the functions return at its weights."""
    p = make_problem(loss=loss)

    trace = implementation.train(p)

    paths, recorded = (trace.w1, trace.w2), (trace.dw1, trace.dw2)
    assert all(map(np.array_equal, [path[0] for path in paths], p.weights))
    assert [path[1:] for path in paths] == [
        pytest.approx(path[:-1] - 0.9 * gradient, rel=1e-15, abs=1e-15)
        for path, gradient in zip(paths, recorded, strict=True)
    ]
    weights = Weights(trace.w1[:-1], trace.w2[:-1])
    value, gradients = implementation.loss_and_gradients(weights, p.x, p.y, loss)
    activations = implementation.forward(weights, p.x)
    expected = {"loss": value} | activations._asdict() | gradients._asdict()
    found = {name: getattr(trace, name) for name in expected}
    assert found == {
        name: pytest.approx(array, rel=1e-13, abs=1e-15)
        for name, array in expected.items()
    }


@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("size", [0.5, 1.0, 1.5, 5.0, 20.0, 37.0, 700.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_cross_entropy_of_each_z2(
    implementation: Implementation, size: float, sign: int, y: float
) -> None:
    """The loss is softplus(z2) - y z2, to a few roundings of z2 and of 1."""
    z2 = sign * size
    weights: Weights[Array] = Weights(np.zeros((1, 1)), np.array([[2 * z2]]))
    with flint.ctx.workprec(3000):
        ball = (1 + flint.arb(z2).exp()).log() - flint.arb(y) * flint.arb(z2)

    found, _ = implementation.loss_and_gradients(
        weights, np.ones((1, 1)), np.array([[y]]), "bce"
    )

    assert found == pytest.approx(float(ball), rel=0, abs=4 * 2.0**-53 * (1 + size))


@pytest.mark.parametrize(
    "call",
    [
        lambda impl, p: impl.forward(p.weights, p.x),
        lambda impl, p: impl.loss_and_gradients(p.weights, p.x, p.y, p.loss),
        lambda impl, p: impl.train(p),
    ],
    ids=["forward", "loss_and_gradients", "train"],
)
def test_overflow_in_a_sigmoid_gives_no_warning(
    implementation: Implementation, call: Callable[[Implementation, Problem], object]
) -> None:
    """Here exp(-z1) is infinite, and the sigmoid is 0, as it should be."""
    one: Array = np.ones((1, 1))

    call(implementation, Problem(one, one, Weights(-1000 * one, one), 0.9, 2, "bce"))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runs", [(), (3,), (2, 3)])
def test_traces_have_their_shapes_and_dtype(
    implementation: Implementation, dtype: str, loss: Loss, runs: tuple[int, ...]
) -> None:
    """There are N losses and N + 1 weights, all in the problem's dtype."""
    n_x, n_h, n_y, m = SIZES[-1]
    problem = make_problem(dtype=dtype, loss=loss, runs=runs)

    trace = implementation.train(problem)

    assert {name: (a.shape, str(a.dtype)) for name, a in vars(trace).items()} == {
        "loss": ((5, *runs), dtype),
        "z1": ((5, *runs, n_h, m), dtype),
        "a1": ((5, *runs, n_h, m), dtype),
        "z2": ((5, *runs, n_y, m), dtype),
        "a2": ((5, *runs, n_y, m), dtype),
        "dz2": ((5, *runs, n_y, m), dtype),
        "dw2": ((5, *runs, n_y, n_h), dtype),
        "dz1": ((5, *runs, n_h, m), dtype),
        "dw1": ((5, *runs, n_h, n_x), dtype),
        "w1": ((6, *runs, n_h, n_x), dtype),
        "w2": ((6, *runs, n_y, n_h), dtype),
    }


def test_numpy_runs_alone_as_in_a_batch() -> None:
    """A run that is one of many gives the bits that it gives alone."""
    problem = make_problem(runs=(3,))
    alone = replace(problem, weights=Weights(*(w[1] for w in problem.weights)))

    batch, single = numpy_manual.train(problem), numpy_manual.train(alone)

    assert np.array_equal(batch.w1[:, 1], single.w1)
    assert np.array_equal(batch.loss[:, 1], single.loss)


def test_runs_alone_as_in_a_batch(implementation: Implementation) -> None:
    """Each run of a batch gives what it gives alone, to a few roundings."""
    problem = make_problem(runs=(3,))
    alone = replace(problem, weights=Weights(*(w[1] for w in problem.weights)))

    batch, single = implementation.train(problem), implementation.train(alone)

    assert batch.w1[:, 1] == pytest.approx(single.w1, rel=1e-13, abs=1e-14)
    assert batch.loss[:, 1] == near(single.loss, 1e-13)


def same(one: Trace, other: Trace) -> bool:
    """Return whether two traces are equal bit for bit."""
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_nothing_is_remembered(implementation: Implementation) -> None:
    """A second training, with another between, gives the same bits."""
    problem = make_problem()

    first = implementation.train(problem)
    implementation.train(make_problem(loss="mse", dtype="float32"))

    assert same(first, implementation.train(problem))


def overwrite(arrays: Iterable[Array]) -> None:
    """Write into arrays."""
    for array in arrays:
        array[...] = 7


def test_nothing_is_shared(implementation: Implementation) -> None:
    """Writing into what came back changes nothing of what went in."""
    problem = make_problem()
    before = problem.weights.w1.copy()

    trace = implementation.train(problem)
    activations = implementation.forward(problem.weights, problem.x)
    _, gradients = implementation.loss_and_gradients(
        problem.weights, problem.x, problem.y, "bce"
    )
    overwrite((*vars(trace).values(), *activations, *gradients))

    assert np.array_equal(problem.weights.w1, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_train_and_loss_and_gradients_agree(
    implementation: Implementation, dtype: str
) -> None:
    """Gradients at recorded weights are the recorded ones, to a few roundings."""
    problem = make_problem(dtype=dtype)
    trace = implementation.train(problem)

    loss, gradients = implementation.loss_and_gradients(
        Weights(trace.w1[:-1], trace.w2[:-1]), problem.x, problem.y, "bce"
    )

    tolerance = 100 * float(np.finfo(dtype).eps)
    assert loss == near(trace.loss, tolerance)
    assert gradients.dz1 == pytest.approx(trace.dz1, rel=tolerance, abs=tolerance)
    assert {str(a.dtype) for a in (loss, *gradients)} == {dtype}


@pytest.mark.parametrize(
    ("dtype", "z2"), [("float64", 50.0), ("float64", 800.0), ("float32", 20.0)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_saturation_is_finite_and_right(
    implementation: Implementation, dtype: str, z2: float, sign: int
) -> None:
    """Where a2 has rounded to 0 or 1, a wrong label costs |z2|, a right one 0."""
    x, y = np.ones((1, 2), dtype), np.array([[0, 1]], dtype)
    weights = Weights(np.zeros((1, 1), dtype), np.array([[2 * sign * z2]], dtype))

    loss, gradients = implementation.loss_and_gradients(weights, x, y, "bce")

    assert loss == near(z2 / 2, 4 * float(np.finfo(dtype).eps))
    expected = np.array([[sign > 0, -(sign < 0)]]) / 2
    assert gradients.dz2 == pytest.approx(expected, abs=1e-8)
    assert np.isfinite([*gradients.dw1.ravel(), *gradients.dw2.ravel()]).all()


def test_jax_leaves_the_global_setting() -> None:
    """Computing in float64 does not turn it on for the rest of the process."""
    load("jax").train(make_problem())

    assert import_module("jax.numpy").ones(1).dtype == np.float32


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("function", ["forward", "loss_and_gradients", "train"])
def test_signatures_are_the_protocols(name: str, function: str) -> None:
    """Every implementation has the contract's functions, argument by argument."""
    promised = inspect.signature(getattr(Implementation, function)).parameters
    found = inspect.signature(getattr(load(name), function)).parameters

    assert list(found) == list(promised)[1:]


def test_bundles_keep_the_order_of_the_passes() -> None:
    """Gradients come in the order in which the backward pass finds them."""
    assert Gradients._fields == ("dz2", "dw2", "dz1", "dw1")


TEXT = (
    "sigmoid",
    "propagate",
    "cost",
    "differentiate",
    "forward",
    "loss_and_gradients",
    "train",
)
"""The functions of the textbook, in the order in which they are read."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
HELPERS = {"numpy": (), "torch": ("tensor", "array"), "jax": ("descend",)}


def functions(source: str) -> tuple[str, ...]:
    """List the functions that a file defines, from top to bottom."""
    return tuple(
        node.name for node in ast.parse(source).body if isinstance(node, DEFINITIONS)
    )


@pytest.mark.parametrize("name", OURS)
def test_the_three_files_are_one_text(name: str) -> None:
    """The same functions come in the same order; helpers come last."""
    source = inspect.getsource(cast("ModuleType", load(name)))

    text = TEXT if name == "numpy" else TEXT[1:]  # frameworks have a sigmoid
    assert functions(source) == (*text, *HELPERS[name])


def test_another_order_is_another_text() -> None:
    """The order is that of the file, and a function too many is seen."""
    source = "def train(): ...\ndef cost():\n    def total(): ...\nclass Extra: ...\n"

    assert functions(source) == ("train", "cost", "Extra")


@pytest.mark.parametrize("loss", LOSSES)
def test_nan_gives_nan_without_a_warning(
    implementation: Implementation, loss: Loss
) -> None:
    """A network that has diverged has a loss of NaN; warnings are errors here."""
    problem = make_problem(loss=loss)
    weights = Weights(*(np.full_like(w, np.nan) for w in problem.weights))

    value, _ = implementation.loss_and_gradients(weights, problem.x, problem.y, loss)

    assert np.isnan(value)
    assert np.isnan(implementation.train(replace(problem, weights=weights)).loss).all()
