"""Is a run whole? Every array in its shape, every step, from the first weights on.

What the audit of each line is blind to is seen here: a wrong start, a missing step, a
wrong shape or dtype, a NaN.
"""

from collections.abc import Iterator

from compare.checks.check import Check, What, broken, form, judge, misfit, well_formed
from compare.checks.run import Run, points
from impls.interface import Array, Problem

OPTIONAL = ("z1", "a1", "z2", "dz2", "dz1")
"""What a stranger need not give."""


def layout(problem: Problem, every: int = 1) -> dict[str, tuple[int, ...]]:
    """Say which shape each field of a trace has, in the order of a step."""
    (w1, w2), m = problem.weights, problem.x.shape[-1]
    n = -(-problem.steps // every)  # more, perhaps, than a list can have
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


def arrays(
    problem: Problem, run: Run
) -> dict[str, tuple[Array | None, tuple[int, ...]]]:
    """Pair each array that a run has to have, or has anyway, with its right shape.

    By the name of the quantity, in the order of a step.
    """
    trace, shapes = run.trace, layout(problem, run.every)
    found = {field: (getattr(trace, field, None), shapes[field]) for field in shapes}
    found = {
        field: pair
        for field, pair in found.items()
        if field not in run.unknown or pair[0] is not None
    }
    for field in ("w1", "w2") if run.every > 1 else ():
        rows, *shape = shapes[field]
        found[f"new_{field}"] = getattr(run.updated, field, None), (rows - 1, *shape)
    return found


def fits(problem: Problem, run: Run) -> bool:
    """Say whether a run has all arrays, in the shapes and the dtype of an audit."""
    dtype = problem.x.dtype
    expected = arrays(problem, run).values()
    return all(form(array) == f"{dtype} {shape}" for array, shape in expected)


def continuity(problem: Problem, run: Run) -> list[Check]:
    """Check that a trace is whole and that it starts at the problem's weights."""
    steps = points(problem, run) if fits(problem, run) else None
    checks = []
    for field, (array, shape) in arrays(problem, run).items():
        what = What("continuity", (run.name,), field, f"every step of {field}, finite")
        checks.append(well_formed(what, array, shape, problem.x.dtype, steps))
    for field, start in problem.weights._asdict().items() if steps else ():
        words = f"first {field} = the given {field}"
        what = What("continuity", (run.name,), f"first {field}", words)
        checks.append(judge(what, getattr(run.trace, field)[:1], start[None], 0.0))
    return checks


def final(run: Run) -> dict[str, Array]:
    """Collect what the functions of a run gave at its last weights, which no trace has.

    By the name of a check of it.
    """
    return {f"final {q}": a for q, a in {"a2": run.final_a2, **run.answers}.items()}


def presence(problem: Problem, run: Run) -> Iterator[Check]:
    """Check the form of what the functions gave at the last weights."""
    shapes = layout(problem)
    for name, found in final(run).items():
        _, *shape = shapes[name.removeprefix("final ")]
        what = What("continuity", (run.name,), name, "finite, after training")
        expected = f"{problem.x.dtype} {tuple(shape)}"
        if form(found) == expected:
            yield judge(what, found[None], found[None], 0.0, (problem.steps,))
        else:
            yield misfit(what, form(found), expected)


def sound(problem: Problem, run: Run) -> list[Check]:
    """Check all that has to hold before a run can be compared with others."""
    checks = [*run.contract]
    if not broken(checks):
        checks += continuity(problem, run)
    if not broken(checks):
        checks += presence(problem, run)
    return checks
