"""False alarms: answers on correct programs, rewrites and random problems.

Run as `python benchmarks/false_alarms.py rewrites [STEPS]` or `... random [COUNT]`; by
default 3,000 steps, and 1,000 problems of 20 steps. Either takes most of an hour, and
writes each answer to standard error as it comes.

`rewrites` tries ours and every harmless rewrite on all six tables, with both losses and
in both dtypes, and counts the answers of each. `random` compares NumPy, PyTorch and JAX
on problems of random sizes, data, labels and weights, which are the same on every
machine. The exit status is 1 if any answer is "differ" or "could not compare".
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from compare.checks.check import Check
from compare.checks.verdict import Verdict
from compare.selftest.trial import list_trials, try_rewrite
from compare.training.compare import compare
from compare.training.load import OURS, load
from compare.training.problems import DTYPES, TABLES, describe_problem
from impls.interface import Array, Loss, Problem, Weights

STEPS = 3000
COUNT = 1000
SHORT = 20
"""The steps of a random problem."""
ALIKE = 10
"""So many problems in a row have the same sizes, loss and dtype: JAX compiles once."""
LARGEST = 6
"""The most inputs, hidden units and outputs of a random problem."""
SAMPLES = 12
LOSSES: tuple[Loss, ...] = ("bce", "mse")
WRONG = ("differ", "could not compare")


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


def main() -> int:
    """Print the answers, counted, and what differs."""
    match sys.argv[1:]:
        case ["rewrites", *steps]:
            tried = try_rewrites(int(*steps) if steps else STEPS)
        case ["random", *count]:
            tried = try_random(int(*count) if count else COUNT)
        case _:
            print(__doc__)
            return 2
    found: list[tuple[str, str]] = []
    for name, answer in tried:
        print(f"{len(found)} {name}: {answer}", file=sys.stderr)
        found.append((name, answer))
    for name in dict.fromkeys(name for name, _ in found):
        counts = Counter(answer for of, answer in found if of == name)
        print(f"{name:44} {', '.join(f'{n} {a}' for a, n in counts.items())}")
    return int(any(answer in WRONG for _, answer in found))


if __name__ == "__main__":
    raise SystemExit(main())
