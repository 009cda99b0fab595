"""One trace against the mathematics: every line of every step.

Each line is computed again from its recorded inputs, in higher precision. Nothing is
carried from one line to the next, so drift can't hide a mistake, and a failure names
its line. What that is blind to is seen by continuity: a wrong start, a missing step, a
wrong shape or dtype, a NaN.

A correct formula may have other intermediates than the line. Whoever uses one says so,
and that quantity is held to its error bar from the weights instead, end to end. That is
the wider bound, so nobody gets it unasked, and the words of the check tell.
"""

from collections.abc import Collection, Iterator
from types import SimpleNamespace

import numpy as np

from compare.bounds import FORMULAS, line_bound, step_bars, unit, whole_bound
from compare.checks import Check, What, form, judge, misfit, well_formed
from compare.lines import Line, Row, chain, lines
from impls.interface import Array, Problem, Trace

END_TO_END = ", end to end"
"""What is added to the words of a line that was judged from the weights."""


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
    problem: Problem, trace: Trace, end_to_end: Collection[str] = ()
) -> Iterator[tuple[Line, Array, Array, Array]]:
    """Give of each line what was recorded, what should be, and how far it may be off.

    All three have the step as their first axis, and the shape of the line's quantity.

    Args:
        problem: What was trained.
        trace: What was recorded.
        end_to_end: The quantities to judge from the weights, not by their line.
    """
    dtype = problem.x.dtype
    exact = recorded(problem, trace, oracle_dtype(dtype))
    row = recorded(problem, trace, np.dtype(np.float64))
    with np.errstate(all="ignore"):  # what isn't finite fails, and needs no warning
        whole = chain(lines(problem.loss), exact) if end_to_end else exact
        bars = step_bars(problem, row.w1, row.w2) if end_to_end else row
        for line in lines(problem.loss):
            quantity, words = line.quantity, line.words
            if quantity in end_to_end:
                words += END_TO_END
                value = getattr(whole, quantity)
                bound = whole_bound(problem, quantity, bars)
            else:
                value = line.value(exact)
                bound = line_bound(line, row, value.astype(np.float64), dtype)
            found = getattr(row, quantity)
            yield line._replace(words=words), found, value, slack(dtype) * bound


def audit(
    problem: Problem, trace: Trace, name: str, end_to_end: Collection[str] = ()
) -> list[Check]:
    """Check every line of a whole trace; see `margins`, and for bounds `bounds`."""
    return [
        judge(
            What("audit", (name,), line.quantity, line.words), value, reference, bound
        )
        for line, value, reference, bound in margins(problem, trace, end_to_end)
    ]


def presence(problem: Problem, final_a2: Array, name: str) -> Check:
    """Check the form of the probabilities at the last weights, which no trace has."""
    what = What("continuity", (name,), "final a2", "a2 of forward, finite")
    if form(final_a2) != f"{problem.x.dtype} {problem.y.shape}":
        return misfit(what, form(final_a2), f"{problem.x.dtype} {problem.y.shape}")
    return judge(what, final_a2[None], final_a2[None], 0.0, problem.steps)


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
