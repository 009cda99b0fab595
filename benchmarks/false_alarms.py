"""False alarms and missed faults, on more problems than `gradparity faults` tries.

    python benchmarks/false_alarms.py rewrites [STEPS]       3,000 steps by default
    python benchmarks/false_alarms.py random [COUNT]         1,000 problems
    python benchmarks/false_alarms.py faults [STEPS]         3,000 steps
    python benchmarks/false_alarms.py random-faults [COUNT]  100 problems

Each takes most of an hour, and writes every answer to standard error as it comes.

`rewrites` tries ours and every harmless rewrite on all six tables, with both losses and
in both dtypes, and counts the answers of each. `random` compares NumPy, PyTorch and JAX
on problems of random sizes, data, labels and weights, which are the same on every
machine. The exit status is 1 if any answer is "differ" or "could not compare".

`faults` plants every fault in NumPy on all six tables in both dtypes, `random-faults`
on problems of random sizes, and both count the outcomes of each. Some faults change
nothing on some problems: labels that are equal can be swapped. That is not assumed: the
traces with and without the fault are compared. The exit status is 1 if a fault is
missed, or gets a wrong name.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from compare.checks.check import Check, Promise
from compare.checks.verdict import Verdict
from compare.hosts.load import OURS, load
from compare.numerics.equations import Step, lines
from compare.numerics.error_bars import unit_roundoff
from compare.numerics.rounding import line_roundings
from compare.selftest.faults import FAULTS
from compare.selftest.plant import Fault, plant
from compare.selftest.trial import (
    Planted,
    largest_error,
    list_trials,
    try_fault,
    try_rewrite,
)
from compare.training.compare import compare
from compare.training.problems import DTYPES, TABLES, Experiment, describe_problem
from impls.interface import Array, Loss, Problem, Weights

STEPS = 3000
COUNT = 1000
FAULTY = 100
"""Random problems in which every fault is planted."""
SHORT = 20
"""The steps of a random problem."""
ALIKE = 10
"""So many problems in a row have the same sizes, loss and dtype: JAX compiles once."""
LARGEST = 6
"""The most inputs, hidden units and outputs of a random problem."""
SAMPLES = 12
LOSSES: tuple[Loss, ...] = ("bce", "mse")
WRONG = ("differ", "could not compare")
BAD = ("missed", "misnamed")


def random_problem(seed: int) -> Problem:
    """Draw a problem from streams that NumPy promises never to change."""
    random = np.random.RandomState(seed // ALIKE)
    n_x, n_h, n_y = random.randint(1, LARGEST + 1, size=3)
    m = random.randint(1, SAMPLES + 1)
    loss, dtype = LOSSES[random.randint(2)], DTYPES[random.randint(2)]
    random = np.random.RandomState(seed)
    scale = 10 ** random.uniform(-1, 2)  # from 0.1 to 100
    x: Array = random.randn(n_x, m)
    x = x if random.randint(2) else (x > 0).astype(dtype)
    y: Array = random.uniform(size=(n_y, m))
    y = y if random.randint(2) else y.round()
    w1, w2 = scale * random.randn(n_h, n_x), scale * random.randn(n_y, n_h)
    lr = (0.01, 0.1, 0.9)[random.randint(3)]
    x, y, w1, w2 = (a.astype(dtype) for a in (x, y, w1, w2))
    return Problem(x, y, Weights(w1, w2), lr, SHORT, loss)


def describe(check: Check) -> str:
    """Describe a failure: of what, where, and how far beyond its bound."""
    place = check.first
    use = f", {place.use:.3g} bounds at step {place.step}" if place else ""
    return f"{check.label} of {' and '.join(check.subject)}{use}"


def try_random(count: int) -> Iterator[tuple[str, str]]:
    """Compare ours on random problems; yield answers, and print what differs."""
    implementations = {name: load(name) for name in OURS}
    for seed in range(count):
        problem = random_problem(seed)
        verdict: Verdict = compare(problem, implementations)
        yield "random problems", verdict.answer
        if verdict.answer in WRONG:
            first = verdict.differences[0]
            print(f"seed {seed}: {describe_problem(problem)}: {describe(first)}")


def try_rewrites(steps: int) -> Iterator[tuple[str, str]]:
    """Compare ours and every rewrite with ours; yield names and answers."""
    _, trials = list_trials(steps, OURS, DTYPES)
    for table, (experiment, rewrite) in product(TABLES, trials):
        control = try_rewrite(replace(experiment, table=table), rewrite)
        name = f"{rewrite.name}, {rewrite.base}"
        yield name, control.answer
        if control.answer in WRONG:
            print(f"{name}: {table}, {experiment.loss}, {experiment.dtype}")


def random_experiment(seed: int) -> Experiment:
    """Draw sizes, loss, dtype and learning rate, with enough steps for every fault."""
    random = np.random.RandomState(seed)
    sizes = "-".join(map(str, random.randint(1, LARGEST + 1, size=3)))
    return Experiment(
        network=sizes,
        samples=int(random.randint(1, SAMPLES + 1)),
        seed=seed,
        steps=100,
        loss=LOSSES[random.randint(2)],
        dtype=DTYPES[random.randint(2)],
        lr=(0.01, 0.1, 0.9)[random.randint(3)],
    )


def try_faults(experiments: Iterable[Experiment]) -> Iterator[tuple[str, str]]:
    """Plant every fault in NumPy; yield names and outcomes, and print the bad ones."""
    for experiment, fault in product(experiments, FAULTS):
        planted = try_fault(experiment, fault, "numpy")
        found = outcome(experiment, fault, planted)
        yield fault.name, found
        if found in BAD:
            print(f"{fault.name}: {found}, {planted.cause}: {experiment}")


def outcome(experiment: Experiment, fault: Fault, planted: Planted) -> str:
    """Say what came of a fault, and why if it was not caught in its place."""
    if planted.status == "no fault":
        return f"smaller than a rounding of {experiment.dtype}"
    if planted.status == "caught":
        return "misnamed" if planted.named is False and experiment.table else "caught"
    if planted.first:
        raised = planted.first.promise is Promise.TRAINS
        return "raises an error" if raised else f"reported by {planted.first.label}"
    experiment = replace(experiment, loss=fault.loss or experiment.loss)
    problem, same = experiment.problem(), without(fault)
    wrong, right = (plant(f, load("numpy")).train(problem) for f in (fault, same))
    if all(map(np.array_equal, vars(wrong).values(), vars(right).values())):
        return "changes no number"
    u = unit_roundoff(problem.x.dtype)
    added = largest_error(problem, wrong, u) - largest_error(problem, right, u)
    allowed = max(line_roundings(line, problem) for line in lines(problem.loss))
    return "missed" if added > allowed else "within the roundings of correct lines"


def without(fault: Fault) -> Fault:
    """Take the mistake out of a fault: the same lines are computed in the same way."""
    right = {name: partial(_unchanged, name) for name in fault.changes}
    return Fault(fault.name, fault.quantity, changes=right)


def _unchanged(name: str, step: Step[Array], _: Step[Array]) -> Array:
    value: Array = getattr(step, name)
    return value


def main() -> int:
    """Print the answers, counted, and what differs or was not caught."""
    match sys.argv[1:]:
        case ["rewrites", *steps]:
            tried = try_rewrites(int(*steps) if steps else STEPS)
        case ["random", *count]:
            tried = try_random(int(*count) if count else COUNT)
        case ["faults", *steps]:
            n = int(*steps) if steps else STEPS
            tried = try_faults(
                Experiment(table=table, dtype=dtype, steps=n)
                for table, dtype in product(TABLES, DTYPES)
            )
        case ["random-faults", *problems]:
            seeds = range(int(*problems) if problems else FAULTY)
            tried = try_faults(map(random_experiment, seeds))
        case _:
            print(__doc__)
            return 2
    found: list[tuple[str, str]] = []
    for name, answer in tried:
        print(f"{len(found)} {name}: {answer}", file=sys.stderr)
        found.append((name, answer))
    for name in dict.fromkeys(name for name, _ in found):
        counts = Counter(answer for of, answer in found if of == name)
        print(f"{name:50} {', '.join(f'{n} {a}' for a, n in counts.items())}")
    return int(any(answer in WRONG + BAD for _, answer in found))


if __name__ == "__main__":
    raise SystemExit(main())
