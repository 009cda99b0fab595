"""The lines, against the hand derivation, the loss alone and their own statements."""

import re
from typing import Any

import numpy as np
import pytest
from flint import ctx

from compare.numerics.balls import balls
from compare.numerics.equations import (
    Step,
    line_of,
    lines,
    run_lines,
    sigmoid,
    softplus,
)
from impls import numpy_manual
from impls.interface import Array, Loss, Problem, Weights
from tests.helpers import LOSSES, near, problem_of
from tests.numerics.oracles import (
    SIZES,
    exact_step,
    flat,
    float_step,
    loss_alone,
    loss_only_gradient,
    off,
    overlap,
    points,
    random_problem,
)


def by_lines(problem: Problem, path: list[Weights[Array]]) -> list[Any]:
    """Compute the gradients at all points with the lines of the audit, on balls."""
    steps = [exact_step(problem, weights) for weights in path]
    return [d for step in steps for d in flat(Weights(step.dw1, step.dw2))]


def by_hand(problem: Problem, path: list[Weights[Array]]) -> list[Any]:
    """Compute the gradients with the hand derivation of `impls`, on balls."""
    x, y, loss = balls(problem.x), balls(problem.y), problem.loss
    derive: Any = numpy_manual.differentiate
    with ctx.workprec(128):
        all_gradients = [derive(Weights(*map(balls, w)), x, y, loss)[1] for w in path]
    return [d for g in all_gradients for d in flat(Weights(g.dw1, g.dw2))]


def by_loss(problem: Problem, path: list[Weights[Array]]) -> list[Any]:
    """Compute the gradients from the loss alone."""
    return [d for w in path for d in flat(loss_only_gradient(problem, w))]


def assert_one_gradient(problem: Problem, path: list[Weights[Array]]) -> None:
    """Hold three gradients against one another, and all against a wrong one."""
    lines_, hand, alone = (way(problem, path) for way in (by_lines, by_hand, by_loss))
    assert overlap(lines_, hand)
    assert overlap(lines_, alone)
    assert overlap(hand, alone)
    assert not overlap(off(lines_, "1e-20"), alone)
    assert not overlap(off(hand, "1e-20"), alone)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_the_notebook(loss: Loss) -> None:
    """Lines, hand derivation and loss alone agree at 100 steps of a run."""
    problem = problem_of(loss=loss, steps=1000)
    assert_one_gradient(problem, points(problem, every=10))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_gradients_of_other_sizes(size: tuple[int, int, int, int], loss: Loss) -> None:
    """The three agree for other sizes, inputs and labels."""
    problem = random_problem(size, loss, 20)
    assert_one_gradient(problem, points(problem, every=5))


def test_wrong_derivation_is_seen() -> None:
    """Cross-entropy's gradient, put beside the squared error, is not enclosed."""
    bce, mse = (problem_of(loss=loss, steps=1) for loss in LOSSES)
    path = [mse.weights]
    assert overlap(by_hand(mse, path), by_loss(mse, path))
    assert not overlap(by_hand(bce, path), by_loss(mse, path))


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_as_stated(loss: Loss) -> None:
    """The loss of the lines is that of the contract's formula, to 30 digits."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    step = exact_step(problem, problem.weights)
    with ctx.workprec(128):
        stated = loss_alone(problem, *map(balls, problem.weights)).item()
    assert overlap([step.loss.item()], [stated])
    assert not overlap(off([step.loss.item()], "1e-30"), [stated])


@pytest.mark.parametrize("quantity", [line.quantity for line in lines("bce")])
@pytest.mark.parametrize("loss", LOSSES)
def test_statements_say_what_the_formulas_compute(loss: Loss, quantity: str) -> None:
    """The text of a line, read as an expression, gives the number of its formula."""
    problem = random_problem((3, 4, 2, 5), loss, 1)
    step, line = float_step(problem), line_of(loss, quantity)
    name, _, text = line.statement.partition(" = ")
    expression = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", text).replace("^", "**")
    (n_y, m) = problem.y.shape
    count = m if loss == "bce" else m * n_y
    names = vars(step) | {"n_y": n_y, "m": m, "log": np.log, "sigmoid": sigmoid}

    stated = eval(expression, names | {"mean": lambda t: t.sum() / count})  # noqa: S307

    assert name.replace(" ", "_") == line.quantity == quantity
    assert line.value(step) == near(stated, 1e-12)
    assert getattr(step, quantity) == near(stated, 1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_lines_read_only_what_was_computed_before(loss: Loss) -> None:
    """Every input of a line is given, or the quantity of an earlier line."""
    given = ["x", "y", "lr", "w1", "w2"]
    known = given + [line.quantity for line in lines(loss)]

    late = [
        {*line.inputs} - {*known[: len(given) + n]}
        for n, line in enumerate(lines(loss))
    ]

    assert late == [set()] * len(late)
    assert {*known} == Step.__dataclass_fields__.keys()


@pytest.mark.parametrize("steps", [1, slice(1, 3)], ids=["one step", "a range"])
def test_steps_are_selected(steps: int | slice) -> None:
    """All quantities of a step are selected; x, y and lr have no axis."""
    problem = random_problem((3, 3, 2, 3), "mse", 1)
    factors = np.arange(1.0, 5.0)[:, None, None]
    w1, w2 = (factors * w for w in problem.weights)
    x, y = problem.x, problem.y
    whole = run_lines("mse", x=x, y=y, lr=0.9, w1=w1, w2=w2)

    part = whole[steps]

    alone = run_lines("mse", x=x, y=y, lr=0.9, w1=w1[steps], w2=w2[steps])
    assert part.x is x
    assert part.y is y
    assert {name: np.shape(value) for name, value in vars(part).items()} == {
        name: np.shape(value) for name, value in vars(alone).items()
    }
    assert part.new_w1 == near(alone.new_w1, 1e-14)
    assert part.loss == near(alone.loss, 1e-14)


@pytest.mark.parametrize(
    ("z", "expected"),
    [(0.0, 0.5), (np.log(3.0), 0.75), (-np.log(3.0), 0.25), (-800.0, 0.0)],
)
def test_sigmoid(z: float, expected: float) -> None:
    """The odds of a are exp(z), and an overflow of exp gives 0 without a warning."""
    assert sigmoid(np.array([z])) == near([expected], 1e-15)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (0.0, np.log(2.0)),
        (np.log(3.0), np.log(4.0)),
        (800.0, 800.0),
        (-40.0, np.exp(-40.0)),
    ],
)
def test_softplus(z: float, expected: float) -> None:
    """It is log(1 + exp(z)), also where exp overflows and where 1 hides it."""
    assert softplus(np.array([z])) == near([expected], 1e-15)
