"""One trace against the mathematics: every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. What that is blind to is seen by continuity: a wrong start, a missing step, a
wrong shape or dtype, a NaN.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from compare.bounds import FORMULAS, line_bound, unit
from compare.checks import Check, What, form, judge, well_formed
from compare.lines import Line, Row, lines
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


def continuity(problem: Problem, trace: Trace, name: str) -> list[Check]:
    """Check that a trace is whole and that it starts at the problem's weights."""
    checks = [
        well_formed(
            What("continuity", (name,), field, f"every step of {field}, finite"),
            getattr(trace, field, None),
            shape,
            problem.x.dtype,
        )
        for field, shape in layout(problem).items()
    ]
    if fits(problem, trace):
        for field, start in problem.weights._asdict().items():
            words = f"first {field} = the given {field}"
            what = What("continuity", (name,), f"first {field}", words)
            checks.append(judge(what, getattr(trace, field)[:1], start[None], 0.0))
    return checks


def fits(problem: Problem, trace: Trace) -> bool:
    """Say whether a trace has all arrays, in the shapes and the dtype of an audit."""
    return all(
        form(getattr(trace, field, None)) == f"{problem.x.dtype} {shape}"
        for field, shape in layout(problem).items()
    )


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


def slack(dtype: np.dtype[np.floating]) -> int:
    """Double all bounds where the oracle is no wider: its roundings count as well."""
    return 1 if np.finfo(oracle_dtype(dtype)).eps < np.finfo(dtype).eps else 2


def margins(
    problem: Problem, trace: Trace
) -> Iterator[tuple[Line, Array, Array, Array]]:
    """Give of each line what was recorded, what should be, and how far it may be off.

    All three have the step as their first axis, and the shape of the line's quantity.
    """
    dtype = problem.x.dtype
    exact = recorded(problem, trace, oracle_dtype(dtype))
    row = recorded(problem, trace, np.dtype(np.float64))
    for line in lines(problem.loss):
        with np.errstate(all="ignore"):  # what isn't finite fails, and needs no warning
            value = line.value(exact)
            bound = line_bound(line, row, value.astype(np.float64), dtype)
        yield line, getattr(row, line.quantity), value, slack(dtype) * bound


def audit(problem: Problem, trace: Trace, name: str) -> list[Check]:
    """Check every line of a whole trace; see the bounds in `compare.bounds`."""
    return [
        judge(
            What("audit", (name,), line.quantity, line.words), value, reference, bound
        )
        for line, value, reference, bound in margins(problem, trace)
    ]


def presence(problem: Problem, final_a2: Array, name: str) -> Check:
    """Check the form of the probabilities at the last weights, which no trace has."""
    what = What("continuity", (name,), "final a2", "a2 of forward, finite")
    return well_formed(what, final_a2, problem.y.shape, problem.x.dtype)


def trained(problem: Problem, final_a2: Array, name: str, bars: Row) -> Check:
    """Check the probabilities at the last weights, end to end.

    Args:
        problem: What was trained.
        final_a2: What `forward` gave, shape (n_y, m).
        name: Whose.
        bars: From `step_bars`, at N + 1 weights; both sides may use up theirs.
    """
    return judge(
        What("audit", (name,), "final a2", "a2 = forward(x) after training"),
        final_a2[None],
        bars.a2.value[-1:],
        2 * FORMULAS * unit(problem.x.dtype) * bars.a2.bar[-1:],
        first_step=problem.steps,
    )
