"""The gradients of one run at the weights that another recorded.

An implementation that is here is asked. If it has only left a record, the gradient in
that is carried to the other's weights, by the exact change of the gradient between.
"""

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from compare.checks.check import What, broken, form, misfit
from compare.checks.completeness import sound
from compare.checks.run import Run
from compare.numerics.equations import Row, chain, lines
from compare.numerics.rounding import oracle_dtype, step_bars, whole_bound
from compare.training.contract import ANSWERS, FAILURES, Stranger, plain, raised
from impls.interface import Array, Implementation, Problem, Weights


def recorded_at(run: Run) -> Weights[Array]:
    """Give the weights at which gradients were recorded."""
    return Weights(run.trace.w1[:-1], run.trace.w2[:-1])


def ask(
    problem: Problem,
    implementations: Mapping[str, Implementation],
    runs: Sequence[Run],
) -> tuple[Run, ...]:
    """Ask each implementation for gradients along the others' paths.

    A run that is not whole is not asked, and its path is shown to nobody.
    """
    compared = [run for run in runs if not broken(sound(problem, run))]

    def asked(run: Run) -> Run:
        try:
            replayed = {
                other.name: along(
                    problem, implementations[run.name], recorded_at(other)
                )
                for other in compared
                if other is not run
            }
        except FAILURES as error:  # whatever it raises is the finding
            what = What("contract", (run.name,), "answer", ANSWERS)
            found = misfit(what, raised(error), "gradients along another's path")
            return replace(run, contract=(*run.contract, found))
        return replace(run, replayed=replayed)

    return tuple(asked(run) if run in compared else run for run in runs)


def along(
    problem: Problem,
    implementation: Stranger,
    weights: Weights[Array],
) -> Weights[Array]:
    """Ask for gradients at many weights: all at once, if it knows leading axes.

    It knows them if, asked for the first and the last together, it gives a loss for
    each, and if all gradients are right: together, and of those two also one by one.
    Otherwise it is asked for each alone, and whatever it gives is judged.
    """

    def answer(weights: Weights[Array]) -> tuple[Any, Weights[Array]]:
        given, x, y = deepcopy((weights, problem.x, problem.y))
        loss, found = implementation.loss_and_gradients(given, x, y, problem.loss)
        return plain(loss), Weights(plain(found.dw1), plain(found.dw2))

    def gradients(weights: Weights[Array]) -> Weights[Array]:
        return answer(weights)[1]

    def one_by_one(weights: Weights[Array]) -> Weights[Array]:
        steps = [deepcopy(gradients(Weights(*w))) for w in zip(*weights, strict=True)]
        return Weights(*map(np.array, zip(*steps, strict=True)))

    ends = Weights(*(w[[0, -1]] for w in weights))
    try:
        with warnings.catch_warnings(action="ignore"):  # it is told to try
            losses, both = answer(ends)  # few first: it may take them for one network
            knows = np.shape(losses) == (2,) and _right(problem, ends, both)
            together = gradients(weights) if knows else both
        if _right(problem, weights, together) and _right(
            problem, ends, one_by_one(ends)
        ):
            return together
    except FAILURES:  # it need not know leading axes
        pass
    return one_by_one(weights)


def _right(problem: Problem, weights: Weights[Array], found: Weights[Array]) -> bool:
    """Say whether gradients are right at their weights, to rounding."""
    bars = step_bars(problem, *weights)
    return all(
        form(d) == f"{problem.x.dtype} {w.shape}"
        and (abs(d - bar.value) <= 2 * whole_bound(problem, name, bars)).all()
        for name, d, w, bar in zip(
            ("dw1", "dw2"), found, weights, (bars.dw1, bars.dw2), strict=True
        )
    )


def carry(problem: Problem, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Carry the gradients of each run to the others' weights.

    A carried gradient keeps the error it was recorded with, and so the bound of its own
    weights.
    """
    compared = {run.name: run for run in runs if not broken(sound(problem, run))}
    exact = {name: _exactly(problem, recorded_at(r)) for name, r in compared.items()}

    def carried(run: Run, other: str) -> Weights[Array]:
        here, there = exact[run.name], exact[other]
        dw1 = run.trace.dw1 + (there.dw1 - here.dw1)
        dw2 = run.trace.dw2 + (there.dw2 - here.dw2)
        return Weights(*(d.astype(problem.x.dtype) for d in (dw1, dw2)))

    def to_others(run: Run) -> Run:
        others = [name for name in compared if name != run.name]
        replayed = {other: carried(run, other) for other in others}
        return replace(run, replayed=replayed, carried=True)

    return tuple(to_others(run) if run.name in compared else run for run in runs)


def _exactly(problem: Problem, weights: Weights[Array]) -> Row:
    """Run the lines at many weights, in the dtype of the oracle."""
    dtype = oracle_dtype(problem.x.dtype)
    names = {"x": problem.x, "y": problem.y, "w1": weights.w1, "w2": weights.w2}
    row = SimpleNamespace(
        **{name: array.astype(dtype) for name, array in names.items()}
    )
    row.lr = problem.lr
    with np.errstate(all="ignore"):  # what isn't finite fails, and needs no warning
        return chain(lines(problem.loss), row)
