"""Truth tables and seeded weights: the only random numbers of the project."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import numpy as np

from compare.checks.check import describe
from compare.hosts.free_memory import free
from impls.interface import Array, Loss, Problem, Weights

TABLES = {  # for the inputs (0, 0), (0, 1), (1, 0), (1, 1)
    "xor": (0, 1, 1, 0),
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}
TABLE_SAMPLES = 4
SAMPLES = 10
"""How many samples are drawn if no number is given."""
DTYPES = ("float64", "float32")
DRAWN = 16
"""Bytes that a number takes while it is drawn: in float64, and copied."""
EXAM_STEPS = 100
LOSSES: tuple[str, ...] = get_args(Loss)
INTEGER = int | np.integer


def check_seed(seed: int) -> None:
    """Check that random numbers can start from a seed.

    Raises:
        ValueError: They can't; the message says which can.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be from 0 to {2**32 - 1}, not {seed}")


def seeded_weights(seed: int, n_x: int, n_h: int, n_y: int) -> Weights[Array]:
    """Draw weights from [0, 1) as the notebook does: w1 first, then w2, in float64.

    NumPy promises the legacy `RandomState` stream never to change.
    """
    random = np.random.RandomState(seed)
    return Weights(random.rand(n_h, n_x), random.rand(n_y, n_h))


class Sizes(NamedTuple):
    """The sizes of a problem; as text, inputs-hidden-outputs."""

    n_x: int
    n_h: int
    n_y: int
    m: int

    def __str__(self) -> str:
        """Write the network as inputs-hidden-outputs."""
        return f"{self.n_x}-{self.n_h}-{self.n_y}"

    @classmethod
    def of(cls, network: str, m: int) -> "Sizes":
        """Read a network as it is written, as "3-4-2".

        Raises:
            ValueError: It is not written so, or a size is not at least 1.
        """
        parts = network.split("-")
        numbers = [int(part) for part in parts if part.isdecimal()]
        if len(numbers) != len(parts) or len(parts) != 3:  # noqa: PLR2004
            raise ValueError(
                f"sizes must be inputs-hidden-outputs, as 3-4-2, not {network!r}"
            )
        if min(*numbers, m) < 1:
            raise ValueError(f"sizes and samples must be at least 1: {network}, {m}")
        n_x, n_h, n_y = numbers
        return cls(n_x, n_h, n_y, m)


def sizes_of(problem: Problem) -> Sizes:
    """Return the sizes of a problem."""
    (n_x, m), (n_y, n_h) = problem.x.shape, problem.weights.w2.shape
    return Sizes(n_x, n_h, n_y, m)


@dataclass(frozen=True, eq=False)
class Special(Problem):
    """A problem whose data no command makes.

    Attributes:
        name: What is special about it, in a word.
    """

    name: str


def describe_problem(problem: Problem) -> str:
    """Describe a problem in a few words."""
    name = f"{problem.name} " if isinstance(problem, Special) else ""
    return (
        f"{name}{sizes_of(problem)}, {problem.loss}, {problem.x.dtype}, "
        f"lr {problem.lr}, {problem.steps:,} step{'s' * (problem.steps > 1)}"
    )


def check_problem(problem: Problem) -> None:
    """Check that a problem is one network that can be trained; see `Problem`.

    Raises:
        ValueError: It is not; the message says what was found, and what it should be.
    """
    if not isinstance(problem.weights, Weights):
        found = describe(problem.weights)
        raise ValueError(f"weights is {found}: it should be Weights(w1, w2)")  # noqa: TRY004
    arrays = {"x": problem.x, "y": problem.y, **problem.weights._asdict()}
    others = [n for n, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:
        found = describe(arrays[others[0]])
        raise ValueError(f"{others[0]} is {found}: it should be an array of NumPy")
    check_forms(**arrays)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} should be finite, and is not")
    if not ((problem.y >= 0) & (problem.y <= 1)).all():
        raise ValueError("y should be between 0 and 1, and is not")
    most = float(np.finfo(problem.x.dtype).max)
    if not 0 < problem.lr <= most:
        raise ValueError(
            f"lr is {problem.lr}: it should be a positive number, {most:.3g} at most"
        )
    if not isinstance(problem.steps, INTEGER) or problem.steps < 1:
        raise ValueError(
            f"steps is {problem.steps!r}: it should be an integer, 1 at least"
        )
    if problem.loss not in LOSSES:
        raise ValueError(
            f"loss is {problem.loss!r}: it should be {' or '.join(LOSSES)}"
        )


def trainable(problem: "Experiment | Problem") -> Problem:
    """Return the problem of an experiment, or a problem after `check_problem`.

    Raises:
        TypeError: It is neither.
        ValueError: The problem can't be trained.
        MemoryError: See `Experiment.problem`.
    """
    if isinstance(problem, Experiment):
        return problem.problem()
    if not isinstance(problem, Problem):
        raise TypeError(
            "a problem must be an Experiment or a Problem, as Experiment(steps=100), "
            f"not {describe(problem)}"
        )
    check_problem(problem)
    return problem


def check_forms(x: Array, y: Array, w1: Array, w2: Array) -> None:
    """Check the dtypes and the shapes of a problem; its numbers are not read.

    Raises:
        ValueError: One is wrong; the message says what was found, and what is right.
    """
    arrays = (x, y, w1, w2)
    dtypes = {str(array.dtype) for array in arrays}
    if len(dtypes) > 1 or not dtypes <= {*DTYPES}:
        raise ValueError(
            f"x, y, w1 and w2 are of dtype {' and '.join(sorted(dtypes))}: "
            f"they should be all {' or all '.join(DTYPES)}"
        )
    full = all(array.size and array.ndim == 2 for array in arrays)  # noqa: PLR2004
    if not full or (*x.shape, len(y), len(w1)) != (w1.shape[1], y.shape[1], *w2.shape):
        raise ValueError(
            f"x, y, w1 and w2 are of shape {', '.join(str(a.shape) for a in arrays)}: "
            "they should be (n_x, m), (n_y, m), (n_h, n_x), (n_y, n_h), and none empty"
        )


KINDS: dict[str, tuple[Any, str]] = {
    "table": (str | None, "a name"),
    "seed": (INTEGER, "an integer"),
    "lr": (INTEGER | float | np.floating, "a number"),
    "steps": (INTEGER, "an integer"),
    "network": (str, "text, as '2-3-1'"),
    "samples": (INTEGER | None, "an integer"),
}
"""The types of the options of an experiment that have no list of values, in words."""


@dataclass(frozen=True)
class Experiment:
    """A problem by its options; the defaults are the notebook's run.

    The data are a truth table if there are two inputs and one output and no number of
    samples is given. Otherwise they are drawn: standard normal inputs, and labels 0
    or 1.

    >>> from compare import Experiment
    >>> Experiment(table="and", lr=2.0).about
    'and, seed 2'
    >>> Experiment(network="3-4-2", samples=7).problem().x.shape
    (3, 7)

    Attributes:
        table: The truth table, "xor" if none is named.
        seed: The seed of the first weights, and of drawn data.
        lr: The learning rate, which is positive.
        steps: The number of updates.
        loss: "bce" or "mse".
        dtype: "float64" or "float32".
        network: The sizes of the network, as inputs-hidden-outputs.
        samples: How many samples are drawn, 10 if no number is given.

    Raises:
        TypeError: A value has another type.
        ValueError: A value is not allowed; the message says which, and what is.
    """

    table: str | None = None
    seed: int = 2
    lr: float = 0.9
    steps: int = 10_000
    loss: Loss = "bce"
    dtype: str = "float64"
    network: str = "2-2-1"
    samples: int | None = None

    def __post_init__(self) -> None:
        """Check every value, so that every experiment can be run."""
        for name, (kind, words) in KINDS.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be {words}, not {value!r}")
        for name, known in (("table", TABLES), ("loss", LOSSES), ("dtype", DTYPES)):
            value = getattr(self, name)
            if value not in known and (name, value) != ("table", None):
                raise ValueError(
                    f"unknown {name} {value!r}: choose from {', '.join(known)}"
                )
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        drawn = self.is_drawn  # reads the sizes
        if self.table and drawn:
            raise ValueError(
                f"table {self.table} has two inputs, one output and {TABLE_SAMPLES} "
                "samples: name sizes 2-x-1 and no samples, or no table"
            )
        check_seed(self.seed)
        if not 0 < self.lr <= float(np.finfo(self.dtype).max):
            raise ValueError(
                f"lr must be a positive finite {self.dtype}, not {self.lr}"
            )

    @property
    def is_drawn(self) -> bool:
        """Whether the data are drawn, not a truth table."""
        n_x, _, n_y, _ = self.sizes
        return self.samples is not None or (n_x, n_y) != (2, 1)

    @property
    def data(self) -> str:
        """The name of the truth table, or what the data are otherwise."""
        drawn = f"{self.sizes.m} drawn sample{'s' * (self.sizes.m > 1)}"
        return drawn if self.is_drawn else self.table or "xor"

    @property
    def about(self) -> str:
        """The data and the seed: what the arrays of the problem don't show."""
        return f"{self.data}, seed {self.seed}"

    @property
    def sizes(self) -> Sizes:
        """The sizes of the problem, known without its arrays."""
        if self.samples is not None:
            return Sizes.of(self.network, self.samples)
        sizes = Sizes.of(self.network, TABLE_SAMPLES)
        table = (sizes.n_x, sizes.n_y) == (2, 1)
        return sizes if table else sizes._replace(m=SAMPLES)

    def problem(self) -> Problem:
        """Create the arrays: samples are columns.

        Raises:
            MemoryError: They would not fit into memory; nothing is created.
        """
        n_x, n_h, n_y, m = self.sizes
        size, have = DRAWN * (n_h + m) * (n_x + n_y), free()
        if size > have:
            raise MemoryError(
                f"the arrays of a {self.sizes} network with {m:,} samples take "
                f"{size:,} bytes, and {have:,} are free: take smaller sizes"
            )
        if self.is_drawn:
            random = np.random.RandomState([self.seed, 1])  # not that of the weights
            x = random.randn(n_x, m).astype(self.dtype)
            y = random.randint(2, size=(n_y, m)).astype(self.dtype)
        else:
            x = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], self.dtype)  # (2, 4)
            y = np.array([TABLES[self.data]], self.dtype)  # (1, 4)
        w1, w2 = seeded_weights(self.seed, n_x, n_h, n_y)
        weights = Weights(w1.astype(self.dtype), w2.astype(self.dtype))
        return Problem(x, y, weights, self.lr, self.steps, self.loss)


def lopsided(loss: Loss, dtype: str) -> Special:
    """Create a 3-4-2 network and ten samples: no two sizes are equal."""
    random = np.random.RandomState(1)  # whose stream NumPy promises never to change
    x, y = random.randn(3, 10), random.randint(2, size=(2, 10)).astype(float)
    start = seeded_weights(2, 3, 4, 2)
    return _cast(Special(x, y, start, 0.9, EXAM_STEPS, loss, "lopsided"), dtype)


def tails(loss: Loss, dtype: str) -> Special:
    """Create a 2-3-2 network whose sigmoids are saturated in some samples.

    Each z1 is 0 or between 1e-3 and 45, of either sign, and z2 is between -60 and 60.
    In half of the samples, the labels are the opposite of what the network predicts.
    Others are between 0 and 1. Two samples are equal, and two more in their inputs.
    """
    size = [0, 1e-3, 0.5, 3, 7, 14, 20, 26, 34, 45, 3, 7, 2]
    sign = [1, 1, -1, -1, 1, -1, 1, -1, 1, -1, -1, 1, 1]
    x = np.array([np.multiply(size, sign), np.ones(len(size))])  # (2, 13)
    w1 = np.array([[1, 0], [-0.75, 0.25], [0.125, -0.5]])
    w2 = np.array([[-60, 60, 2], [48, -48, -3]])
    soft = [0.5, 0.25, 0.75, 1, 1, 0, 0.125, 0.5, 0, 1, 1, 0, 0.9]
    y = np.array([soft, np.multiply(size, sign) > 0])  # (2, 13)
    return _cast(Special(x, y, Weights(w1, w2), 0.05, 7, loss, "saturated"), dtype)


def overflow(loss: Loss, dtype: str) -> Special:
    """Create a 1-2-2 network in which exp(-z) and exp(z) overflow, in both layers.

    In half of the saturated samples, the labels are the opposite of the prediction.
    """
    x = np.array([[0.25, -0.5, 1000, -1000, 1000, -1000]])  # (1, 6)
    w1 = np.array([[1.0], [-1.25]])
    w2 = np.array([[900.0, -800.0], [-1.0, 0.5]])
    y = np.array([[0, 1, 1, 0, 0, 1], [1, 0, 0.25, 1, 1, 0]])  # (2, 6)
    start = Weights(w1, w2)
    return _cast(Special(x, y, start, 0.001, 2, loss, "overflowing"), dtype)


def _cast(problem: Special, dtype: str) -> Special:
    """Convert the arrays of a problem."""
    w1, w2 = (w.astype(dtype) for w in problem.weights)
    x, y = problem.x.astype(dtype), problem.y.astype(dtype)
    return replace(problem, x=x, y=y, weights=Weights(w1, w2))


EXAM = (
    Experiment(loss="bce", dtype="float64", steps=EXAM_STEPS).problem(),
    Experiment(loss="mse", dtype="float32", steps=EXAM_STEPS).problem(),
    lopsided(loss="mse", dtype="float64"),
    lopsided(loss="bce", dtype="float32"),
    tails(loss="bce", dtype="float64"),
    tails(loss="mse", dtype="float32"),
    overflow(loss="bce", dtype="float32"),
    overflow(loss="mse", dtype="float64"),
    overflow(loss="bce", dtype="float64"),
    Experiment(loss="mse", lr=0.3, steps=20, samples=TABLE_SAMPLES).problem(),
)
"""Short problems in which each pair of network, loss and dtype occurs.

The first four are ordinary. In `tails` and `overflow`, other learning rates, numbers of
steps and labels occur, and sigmoids are saturated. Programs may compile a step for each
shape and dtype. So the last two have those of an earlier problem: one differs from it
in the loss alone, and one in the data, the loss, the learning rate and the steps.
"""
