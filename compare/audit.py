"""One trace against the mathematics: every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. What that is blind to is seen by continuity: a wrong start, a missing step, a
wrong shape or dtype, a NaN.
"""

from types import SimpleNamespace

import numpy as np

from compare.bounds import line_bound
from compare.checks import Check, What, judge, misfit
from compare.lines import Row, lines
from impls.interface import Array, Problem, Trace


def layout(problem: Problem) -> dict[str, tuple[int, ...]]:
    """Say which shape each field of a trace has, in the order of a step."""
    (w1, w2), n, m = problem.weights, problem.steps, problem.x.shape[-1]
    hidden, output = (n, len(w1), m), (n, len(w2), m)
    return {
        "w1": (n + 1, *w1.shape),
        "w2": (n + 1, *w2.shape),
        "z1": hidden,
        "a1": hidden,
        "z2": output,
        "a2": output,
        "loss": (n,),
        "dz2": output,
        "dw2": (n, *w2.shape),
        "dz1": hidden,
        "dw1": (n, *w1.shape),
    }


def well_formed(
    what: What, array: Array, shape: tuple[int, ...], dtype: np.dtype[np.floating]
) -> Check:
    """Check shape, dtype and that all is finite: only a finite number equals itself."""
    if (array.shape, array.dtype) != (shape, dtype):
        return misfit(what, f"{array.dtype} {array.shape}", f"{dtype} {shape}")
    return judge(what, array, array, 0.0)


def continuity(problem: Problem, trace: Trace, name: str) -> list[Check]:
    """Check that a trace is whole and that it starts at the problem's weights."""
    checks = [
        well_formed(
            What("continuity", (name,), field, f"every step of {field}, finite"),
            getattr(trace, field),
            shape,
            problem.x.dtype,
        )
        for field, shape in layout(problem).items()
    ]
    for field, start in problem.weights._asdict().items():
        what = What(
            "continuity", (name,), f"first {field}", f"the given {field}, exactly"
        )
        checks.append(judge(what, getattr(trace, field)[:1], start[None], 0.0))
    return checks


def recorded(problem: Problem, trace: Trace, dtype: np.dtype[np.floating]) -> Row:
    """Lay out a trace as rows of N steps, exactly, in a dtype at least as wide."""
    row = SimpleNamespace(lr=dtype.type(problem.lr), x=problem.x, y=problem.y)
    vars(row).update(vars(trace), new_w1=trace.w1[1:], new_w2=trace.w2[1:])
    row.w1, row.w2 = trace.w1[:-1], trace.w2[:-1]
    for name, value in vars(row).items():
        setattr(row, name, value.astype(dtype, copy=False))
    return row


def oracle_dtype(dtype: np.dtype[np.floating]) -> np.dtype[np.floating]:
    """Pick the oracle's: long double for float64, though some systems' is no wider."""
    return np.dtype(np.float64 if dtype == np.float32 else np.longdouble)


def audit(problem: Problem, trace: Trace, name: str) -> list[Check]:
    """Check every line of a whole trace; see the bounds in `compare.bounds`.

    Where the oracle is no wider than the trace, its own roundings count as well: all
    bounds are then twice as large.
    """
    dtype = problem.x.dtype
    oracle = oracle_dtype(dtype)
    slack = 1 if np.finfo(oracle).eps < np.finfo(dtype).eps else 2
    exact = recorded(problem, trace, oracle)
    row = recorded(problem, trace, np.dtype(np.float64))
    checks = []
    for line in lines(problem.loss):
        value = line.value(exact)
        bound = slack * line_bound(line, row, value.astype(np.float64), dtype)
        what = What("audit", (name,), line.quantity, line.words)
        checks.append(judge(what, getattr(row, line.quantity), value, bound))
    return checks
