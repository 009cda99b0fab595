"""How long the audit of a trace takes, in units of what NumPy takes to train it.

Run as `python benchmarks/audit.py`. Both are timed in turn, in one process, so that a
machine whose speed changes changes it for both.
"""

from statistics import median
from time import perf_counter

from compare.checks.audit import audit
from compare.checks.run import Run
from compare.training.problems import Experiment
from impls import numpy_manual

ROUNDS = 7


def main() -> None:
    """Print the median ratio, and the range."""
    problem = Experiment().problem()
    ratios = []
    for _ in range(ROUNDS):
        start = perf_counter()
        trace = numpy_manual.train(problem)
        trained = perf_counter()
        audit(problem, Run("numpy", trace))
        ratios.append((perf_counter() - trained) / (trained - start))
    print(
        f"audit / training, {problem.steps:,} steps: median {median(ratios):.2f}, "
        f"from {min(ratios):.2f} to {max(ratios):.2f}, of {ROUNDS} rounds"
    )


if __name__ == "__main__":
    main()
