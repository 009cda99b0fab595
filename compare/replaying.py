"""The gradients of one run at the weights that another recorded.

Who is here is asked. Of who has only left a record, the recorded gradient is carried
from its own weights to the other's, by how much the mathematics changes between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from compare.audit import oracle_dtype, sound
from compare.bounds import FORMULAS, step_bars, unit
from compare.checks import What, broken, form, misfit
from compare.contract import raised
from compare.lines import Row, chain, lines
from compare.runs import Run
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

    Who gave no whole trace is asked no further, nor is its path shown to others.
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
        except Exception as error:  # noqa: BLE001  # whatever it raises is the finding
            what = What("contract", (run.name,), "answer", "answers along other paths")
            found = misfit(what, raised(error), "gradients")
            return replace(run, contract=(*run.contract, found))
        return replace(run, replayed=replayed)

    return tuple(asked(run) if run in compared else run for run in runs)


def along(
    problem: Problem,
    implementation: Any,  # noqa: ANN401
    weights: Weights[Array],
) -> Weights[Array]:
    """Ask for gradients at many weights: all at once, if it knows leading axes.

    It does if the first and the last come out as they do alone, to rounding.
    """

    def gradients(weights: Weights[Array]) -> Weights[Array]:
        asked = implementation.loss_and_gradients(
            weights, problem.x, problem.y, problem.loss
        )[1]
        return Weights(asked.dw1, asked.dw2)

    def one_by_one(weights: Weights[Array]) -> Weights[Array]:
        steps = [gradients(Weights(*w)) for w in zip(*weights, strict=True)]
        return Weights(*map(np.array, zip(*steps, strict=True)))

    ends = Weights(*(w[[0, -1]] for w in weights))
    try:
        together = gradients(weights)
    except Exception:  # noqa: BLE001  # it need not know leading axes
        return one_by_one(weights)
    bars = step_bars(problem, *ends)
    knows = all(
        form(many) == f"{problem.x.dtype} {w.shape}"
        and (abs(many[[0, -1]] - few) <= 2 * FORMULAS * unit(w.dtype) * bar).all()
        for many, few, w, bar in zip(
            together,
            one_by_one(ends),
            weights,
            (bars.dw1.bar, bars.dw2.bar),
            strict=True,
        )
    )
    return together if knows else one_by_one(weights)


def carry(problem: Problem, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Carry the gradients of each run to the others' weights."""
    compared = {run.name: run for run in runs if not broken(sound(problem, run))}
    rows = {name: _exactly(problem, recorded_at(run)) for name, run in compared.items()}

    def carried(run: Run, other: str) -> Weights[Array]:
        here, there = rows[run.name], rows[other]
        dw1 = run.trace.dw1 + (there.dw1 - here.dw1)
        dw2 = run.trace.dw2 + (there.dw2 - here.dw2)
        return Weights(*(d.astype(problem.x.dtype) for d in (dw1, dw2)))

    return tuple(
        replace(
            run, replayed={n: carried(run, n) for n in compared.keys() - {run.name}}
        )
        if run.name in compared
        else run
        for run in runs
    )


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
