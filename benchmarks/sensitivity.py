"""How small a mistake the audit sees: relative faults planted in single numbers.

Run as `python benchmarks/sensitivity.py`; it takes minutes. The runs are NumPy's, on
seeds 5000 to 5199, 10,000 steps each. A number is multiplied by 1 + size, and the line
that it is recorded for is judged as `compare.checks.audit` judges it.
"""

from collections import Counter

import numpy as np
import numpy.typing as npt

from compare.checks.audit import Margin, margins
from compare.checks.run import Run
from compare.training.problems import Experiment
from impls import numpy_manual

SEEDS = range(5000, 5200)
SIZES = {"float64": (1e-9, 3e-14, 2e-15), "float32": (0.1, 2e-5, 1e-6)}
"""Of a fault in one gradient element in one step, in all steps; in a2, dz2 and dz1."""


def is_seen(margin: Margin, size: float, dtype: str) -> npt.NDArray[np.bool_]:
    """Return for each number whether the audit fails it once it is off by `size`."""
    off = (margin.found * (1 + size)).astype(dtype)
    seen: npt.NDArray[np.bool_] = ~(abs(off - margin.expected) <= margin.bound)
    return seen


def measure(dtype: str) -> tuple[Counter[str], Counter[str]]:
    """Plant in all runs; count by kind of fault the planted and the seen."""
    once, always, line = SIZES[dtype]
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for seed in SEEDS:
        problem = Experiment(seed=seed, dtype=dtype).problem()
        trace = numpy_manual.train(problem)
        for margin in margins(problem, Run("numpy", trace)):
            flags = {}
            if margin.line.quantity in ("dw1", "dw2"):
                each = is_seen(margin, once, dtype)[::50]
                flags[f"a gradient element by {once:g}, each 50th step"] = each
                every = np.asarray(is_seen(margin, always, dtype).any(axis=0))
                flags[f"a gradient element by {always:g}, all steps"] = every
            if margin.line.quantity in ("a2", "dz2", "dz1"):
                each = is_seen(margin, line, dtype)
                flags[f"a2, dz2 or dz1 by {line:g}, each step"] = each
            planted.update({fault: flag.size for fault, flag in flags.items()})
            found.update({fault: int(flag.sum()) for fault, flag in flags.items()})
    return planted, found


def main() -> None:
    """Print how many faults were planted, and which share of them was seen."""
    for dtype in SIZES:
        planted, found = measure(dtype)
        for fault, count in planted.items():
            print(f"{dtype}  {fault:48} {found[fault] / count:9.4%} of {count:,}")


if __name__ == "__main__":
    main()
