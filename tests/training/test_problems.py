"""Problems: truth tables, seeded weights, and options that are checked."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from compare.training.problems import (
    EXAM,
    TABLES,
    Experiment,
    check_problem,
    describe_problem,
    lopsided,
    seeded_weights,
    sizes_of,
)
from impls.interface import Loss, Problem, Weights
from tests.helpers import DTYPES, LOSSES, near, problem_of

GATES: dict[str, Callable[[bool, bool], bool]] = {
    "xor": lambda a, b: a != b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "nand": lambda a, b: not (a and b),
    "nor": lambda a, b: not (a or b),
    "xnor": lambda a, b: a == b,
}


@pytest.mark.parametrize("table", TABLES)
def test_labels_are_those_of_the_gate(table: str) -> None:
    """Samples are columns, one for each pair of bits."""
    problem = problem_of(table=table)

    bits = list(product((False, True), repeat=2))
    assert problem.x.T.tolist() == [[*map(float, pair)] for pair in bits]
    assert problem.y.tolist() == [[float(GATES[table](*pair)) for pair in bits]]


def test_the_defaults_are_those_of_the_notebook() -> None:
    """XOR, 2-2-1, cross-entropy, a rate of 0.9 and 10,000 steps in float64."""
    problem = Experiment().problem()

    assert problem.y.tolist() == [[0, 1, 1, 0]]
    assert describe_problem(problem) == "2-2-1, bce, float64, lr 0.9, 10,000 steps"
    assert Experiment().about == "xor, seed 2"


def test_weights_are_drawn_as_the_notebook_does() -> None:
    """Its seed is 2, and w1 is drawn before w2."""
    np.random.seed(2)  # noqa: NPY002  # as the notebook
    w1 = np.random.rand(2, 2)  # noqa: NPY002
    w2 = np.random.rand(1, 2)  # noqa: NPY002

    weights = Experiment().problem().weights

    assert np.array_equal(weights.w1, w1)
    assert np.array_equal(weights.w2, w2)


def test_the_stream_never_changes() -> None:
    """The first numbers of seed 2 are those that the notebook prints."""
    w1, w2 = seeded_weights(2, 2, 2, 1)

    assert w1.ravel() == near([0.43599490, 0.02592623, 0.54966248, 0.43532239], 2e-7)
    assert w2.ravel() == near([0.42036780, 0.33033482], 1e-7)


def test_other_seeds_have_other_weights() -> None:
    """The seed is an option, up to the largest that NumPy takes."""
    seeds = (0, 2, 2**32 - 1)

    first = [Experiment(seed=seed).problem().weights.w1[0, 0] for seed in seeds]

    assert len({*first}) == len(seeds)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_array_has_the_dtype(dtype: str) -> None:
    """Float32 weights are those of float64, rounded once."""
    problem, wide = problem_of(dtype), problem_of("float64")

    arrays = (problem.x, problem.y, *problem.weights)
    assert [array.dtype for array in arrays] == [dtype] * 4
    assert np.array_equal(problem.weights.w1, wide.weights.w1.astype(dtype))
    assert np.array_equal(problem.weights.w2, wide.weights.w2.astype(dtype))


@pytest.mark.parametrize("hidden", [1, 3])
def test_the_sizes_of_an_experiment_are_those_of_its_arrays(hidden: int) -> None:
    """They are known before any array is created."""
    experiment = Experiment(network=f"2-{hidden}-1")

    sizes = sizes_of(experiment.problem())

    assert experiment.sizes == sizes == (2, hidden, 1, 4)
    assert str(sizes) == f"2-{hidden}-1"


def test_one_step_is_singular() -> None:
    """The description of a problem is English."""
    problem = problem_of("float32", "mse", steps=1)

    assert describe_problem(problem) == "2-2-1, mse, float32, lr 0.9, 1 step"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"table": "nxor"},
            "unknown table 'nxor': choose from xor, and, or, nand, nor, xnor",
        ),
        ({"loss": "mae"}, "unknown loss 'mae': choose from bce, mse"),
        ({"dtype": "float16"}, "unknown dtype 'float16': choose from float64, float32"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"network": "2-0-1"}, "sizes and samples must be at least 1: 2-0-1, 4"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be from 0 to 4294967295, not 4294967296"),
        ({"lr": float("nan")}, "lr must be a positive finite float64, not nan"),
        ({"lr": -0.9}, "lr must be a positive finite float64, not -0.9"),
        ({"lr": 0.0}, "lr must be a positive finite float64, not 0.0"),
        ({"lr": float("-inf")}, "lr must be a positive finite float64, not -inf"),
        (
            {"lr": 1e39, "dtype": "float32"},
            r"lr must be a positive finite float32, not 1e\+39",
        ),
        ({"table": [0, 1, 1, 0]}, r"table must be a name, not \[0, 1, 1, 0\]"),
        ({"seed": None}, "seed must be an integer, not None"),
        ({"seed": 1.5}, "seed must be an integer, not 1.5"),
        ({"lr": "0.9"}, "lr must be a number, not '0.9'"),
        ({"steps": "20"}, "steps must be an integer, not '20'"),
        ({"steps": 20.5}, "steps must be an integer, not 20.5"),
        (
            {"network": (2, 3, 1)},
            r"network must be text, as '2-3-1', not \(2, 3, 1\)",
        ),
        ({"samples": 2.5}, "samples must be an integer, not 2.5"),
    ],
    ids=str,
)
def test_a_wrong_option_says_what_is_right(
    options: dict[str, Any], message: str
) -> None:
    """The message has the option, the value, and what is allowed."""
    with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
        Experiment(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 5e-324},
        {"lr": 1e308},
        {"lr": 3e38, "dtype": "float32"},
        {"lr": 1},
        {"lr": np.float64(0.5), "seed": np.uint8(3), "steps": np.int64(3)},
    ],
    ids=str,
)
def test_any_positive_rate_is_right(options: dict[str, Any]) -> None:
    """A rate may be tiny or huge, or an integer, and numbers may be of NumPy."""
    assert Experiment(**options).problem().lr == options["lr"]


def test_problems_that_no_command_makes_have_names() -> None:
    """Other data of the same sizes may match where these differ."""
    labels = [describe_problem(problem).split(",")[0] for problem in EXAM]

    assert labels == [
        "2-2-1",
        "2-2-1",
        "lopsided 3-4-2",
        "lopsided 3-4-2",
        "saturated 2-3-2",
        "saturated 2-3-2",
        "overflowing 1-2-2",
        "overflowing 1-2-2",
        "overflowing 1-2-2",
        "2-2-1",
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_lopsided_problem(loss: Loss, dtype: str) -> None:
    """All sizes are different, both classes occur, and it is the same every time."""
    problem, again = lopsided(loss, dtype), lopsided(loss, dtype)

    sizes = sizes_of(problem)
    assert len({*sizes}) == len(sizes)
    assert {*np.unique(problem.y)} == {0, 1}
    assert {a.dtype for a in (problem.x, problem.y, *problem.weights)} == {
        np.dtype(dtype)
    }
    assert np.array_equal(problem.x, again.x)
    assert np.array_equal(problem.weights.w1, again.weights.w1)


def test_the_exam_has_each_pair_of_size_loss_and_dtype() -> None:
    """No two of these properties are tested in one combination only."""
    exam = [(str(sizes_of(p)), p.loss, str(p.x.dtype)) for p in EXAM]

    for_each = (("2-2-1", "3-4-2", "2-3-2", "1-2-2"), LOSSES, DTYPES)
    expected = {pair for two in combinations(for_each, 2) for pair in product(*two)}
    assert {pair for problem in exam for pair in combinations(problem, 2)} == expected


def test_the_exam_has_twins() -> None:
    """Of equal shapes and dtype, only the loss differs, or all but the weights."""
    *_, saturated, other_loss, other_data = EXAM
    twin = EXAM[0]

    assert sizes_of(saturated) == sizes_of(other_loss)
    assert np.array_equal(saturated.x, other_loss.x)
    assert np.array_equal(saturated.y, other_loss.y)
    assert saturated.loss != other_loss.loss
    assert saturated.x.dtype == other_loss.x.dtype
    assert sizes_of(twin) == sizes_of(other_data)
    assert (twin.x != other_data.x).all()
    assert (twin.y != other_data.y).any()
    assert (twin.lr, twin.steps, twin.loss) != (
        other_data.lr,
        other_data.steps,
        other_data.loss,
    )
    assert twin.x.dtype == other_data.x.dtype


# Problems that were made by hand.


@pytest.mark.parametrize("problem", EXAM, ids=describe_problem)
def test_problems_of_ours_can_be_trained(problem: Problem) -> None:
    """Soft labels, saturated networks and both dtypes are among them."""
    check_problem(problem)


XOR = problem_of()
W1, W2 = XOR.weights


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"weights": (W1, W2)}, "weights is a tuple: it should be Weights"),
        ({"y": [[0.0, 1, 1, 0]]}, "y is a list: it should be an array of NumPy"),
        ({"x": XOR.x.astype(int)}, "of dtype float64 and int64: they should be all"),
        ({"x": XOR.x.astype("float32")}, "of dtype float32 and float64: they"),
        ({"weights": Weights(W1[None], W2[None])}, r"\(1, 2, 2\), \(1, 1, 2\): they"),
        ({"y": XOR.y[0]}, r"of shape \(2, 4\), \(4,\), \(2, 2\), \(1, 2\): they"),
        ({"x": XOR.x[:, :0], "y": XOR.y[:, :0]}, r"\(2, 0\).* and none empty"),
        ({"x": XOR.x * np.nan}, "x should be finite, and is not"),
        ({"y": XOR.y * 2}, "y should be between 0 and 1, and is not"),
        ({"lr": np.inf}, r"lr is inf: it should be a positive number, 1.8e\+308"),
        ({"steps": 0}, "steps is 0: it should be an integer, 1 at least"),
        ({"steps": 2.5}, "steps is 2.5: it should be an integer"),
        ({"loss": "mae"}, "loss is 'mae': it should be bce or mse"),
    ],
)
def test_what_cannot_be_trained_is_refused(wrong: dict[str, Any], why: str) -> None:
    """The message says what was found, and what it should be."""
    with pytest.raises(ValueError, match=why):
        check_problem(replace(XOR, **wrong))
