"""Any message can be reworded without a change of behaviour.

Code decides by the typed fields of a check; its texts are for people. Here all texts
of a verdict are replaced, and everything that is derived from it must stay the same.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from compare.checks.check import Check, Claim, Promise
from compare.checks.check import describe as original_describe
from compare.checks.verdict import Verdict
from compare.contract.examine import BREACHES
from compare.diagnosis.findings import findings_of
from compare.diagnosis.story import Story, stories_of, story_of
from compare.hosts.load import load
from compare.numerics import equations
from compare.numerics.equations import Line
from compare.report.as_json import Report, to_json
from compare.report.screen import to_text
from compare.selftest.faults import fault_named
from compare.selftest.plant import Fault, plant
from compare.training.compare import compare
from compare.training.problems import lopsided
from impls import numpy_manual
from impls.interface import Problem, Weights
from tests.helpers import BLACK_BOX, box, fail, problem_of, write_into_x

ORIGINAL_BREACHES = dict(BREACHES)
TEXTS = ("line", "statement", "reason")
"""The fields of a check in JSON that are texts for people."""


def other(text: str) -> str:
    """Return another text, which has no word of the first."""
    return f"<{text[::-1].swapcase()}>"


def planted(name: str) -> Any:
    """Plant a fault of the catalogue in NumPy."""
    return plant(fault_named(name), numpy_manual)


def twice_dw1(*arguments: Any) -> object:
    """Double dw1, of a function that is called beside a right training."""
    value, gradients = numpy_manual.loss_and_gradients(*arguments)
    return value, gradients._replace(dw1=2 * gradients.dw1)


def nothing_later() -> Any:
    """Return dz1 in the first calls, which the contract makes, and None later."""
    calls = []

    def loss_and_gradients(*arguments: Any) -> object:
        calls.append(arguments)
        value, gradients = numpy_manual.loss_and_gradients(*arguments)
        dz1: Any = gradients.dz1 if len(calls) < 6 else None
        return value, gradients._replace(dz1=dz1)

    return box(loss_and_gradients=loss_and_gradients)


def without_dw2(problem: Problem) -> object:
    """Train, but do not record dw2."""
    return replace(numpy_manual.train(problem), dw2=None)  # type: ignore[arg-type]


def flipped_classes() -> Any:
    """Change w2 in the last step so that all classes change."""
    changes = {"new_w2": lambda s, _: -5 * s.w2 - 5}
    last = Fault("", "new_w2", changes=changes, happens=lambda n, total: n == total - 1)
    return plant(last, numpy_manual)


def zeros() -> Problem:
    """Create a problem in which every class is a matter of rounding."""
    problem = problem_of(steps=1)
    return replace(problem, weights=Weights(*(0 * w for w in problem.weights)))


SITUATIONS: dict[str, Callable[[], tuple[Problem, Any]]] = {
    "a match": lambda: (problem_of(steps=20), load("jax")),
    "a match of other sizes": lambda: (lopsided("mse", "float32"), load("torch")),
    "a black box": lambda: (problem_of(steps=20), BLACK_BOX),
    "no forward": lambda: (problem_of(steps=20), box(forward=None)),
    "other arguments": lambda: (problem_of(steps=20), box(forward=lambda x: x)),
    "writes into x": lambda: (problem_of(steps=20), box(forward=write_into_x)),
    "no pair": lambda: (problem_of(steps=20), box(loss_and_gradients=lambda *_: 1)),
    "cannot train": lambda: (problem_of(steps=20), box(train=fail)),
    "another start": lambda: (problem_of(steps=20), planted("another seed")),
    "a missing step": lambda: (problem_of(steps=20), planted("one step short")),
    "not recorded": lambda: (problem_of(steps=20), box(train=without_dw2)),
    "NaN": lambda: (problem_of(steps=20), planted("NaN in the last gradient")),
    "a line": lambda: (problem_of(steps=20), planted("dw1 transposed")),
    "an update": lambda: (problem_of(steps=20), planted("momentum left on")),
    "a loss": lambda: (problem_of(), planted("loss rounded to five decimals")),
    "from the weights": lambda: (
        problem_of(steps=20),
        box(**vars(BLACK_BOX), train=without_intermediates),
    ),
    "after training": lambda: (
        problem_of(steps=20),
        box(loss_and_gradients=twice_dw1),
    ),
    "not after training": lambda: (problem_of(steps=20), nothing_later()),
    "other classes": lambda: (problem_of(steps=20), flipped_classes()),
    "classes unknown": lambda: (zeros(), load("jax")),
    "past the bounds": lambda: (
        problem_of("float32", steps=100, lr=8.0),
        load("torch"),
    ),
}


def without_intermediates(problem: Problem) -> object:
    """Train with a transposed dw1, and record no intermediates."""
    absent: dict[str, Any] = dict.fromkeys(("z1", "a1", "z2", "dz2", "dz1"))
    return replace(planted("dw1 transposed").train(problem), **absent)


def compare_in(situation: str) -> Verdict:
    """Compare NumPy with the implementation of a situation."""
    problem, implementation = SITUATIONS[situation]()
    return compare(problem, {"ours": load("numpy"), "other": implementation})


verdict_on = cache(compare_in)


def reworded(verdict: Verdict) -> Verdict:
    """Replace the texts of all checks, those of the contract in the runs as well."""

    def reword(check: Check) -> Check:
        return replace(
            check, statement=other(check.statement), reason=other(check.reason)
        )

    runs = tuple(
        replace(run, contract=tuple(map(reword, run.contract))) for run in verdict.runs
    )
    names = [run.name for run in verdict.complete]
    complete = tuple(run for run in runs if run.name in names)
    checks = tuple(map(reword, verdict.checks))
    return replace(verdict, runs=runs, complete=complete, checks=checks)


# What is derived from a verdict, without the texts that may change.


def without_texts(json: Any) -> Any:
    """Drop the texts of checks from JSON."""
    match json:
        case dict():
            return {k: without_texts(v) for k, v in json.items() if k not in TEXTS}
        case list():
            return [without_texts(item) for item in json]
        case _:
            return json


def printed(verdict: Verdict) -> str:
    """Print a verdict, without breaking lines."""
    file = StringIO()
    Console(file=file, width=1000, markup=False).print(to_text(Report("", verdict, {})))
    return file.getvalue()


def words_of(verdict: Verdict) -> list[str]:
    """List the words on the screen, with a dash for each text of a check."""
    screen = printed(verdict)
    texts = {c.statement for c in verdict.checks}
    texts |= {c.reason for c in verdict.checks if c.passed is None}
    texts |= {verdict.drift.reason} - {""}
    for text in sorted(texts, key=len, reverse=True):
        screen = screen.replace(text, "-")
    return screen.split()


def remarks_of(verdict: Verdict) -> list[str]:
    """List what the screen says of how each run was judged."""
    above_the_answer, _, _ = printed(verdict).rpartition("\n\n")
    rows = [row.rstrip() for row in above_the_answer.splitlines()]
    return [row for row in rows if row.startswith(("ours: ", "other: "))]


def stories_about(verdict: Verdict) -> list[Story]:
    """Describe all differences, not only the first."""
    stories = [
        *stories_of(verdict),
        *(story_of(verdict, c) for c in verdict.differences),
    ]
    return [replace(story, line="") for story in stories]


def behaviour(verdict: Verdict) -> list[object]:
    """List all that is derived from a verdict."""
    return [
        verdict.answer,
        [(f.name, f.status, len(f.checks)) for f in findings_of([verdict])],
        list(map(str, stories_about(verdict))),
        words_of(verdict),
        without_texts(to_json(Report("", verdict, {}))),
    ]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_texts_of_checks_decide_nothing(situation: str) -> None:
    """With other texts in all checks, everything but these texts is the same."""
    verdict = verdict_on(situation)

    assert behaviour(reworded(verdict)) == behaviour(verdict)


# The texts are replaced where they are written, and everything is done again.


def reword_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the texts of lines, promises, breaches, claims and descriptions."""
    create = Claim.__init__

    def reword(lines: tuple[Line, ...]) -> tuple[Line, ...]:
        return tuple(x._replace(statement=other(x.statement)) for x in lines)

    def init(
        claim: Claim, kind: Any, of: Any, q: str, text: str, *more: Any, **typed: Any
    ) -> None:
        create(claim, kind, of, q, other(text), *more, **typed)

    def description(array: object) -> str:
        return other(original_describe(array))

    monkeypatch.setattr(Claim, "__init__", init)
    for table in ("_FORWARD", "_BACKWARD"):
        monkeypatch.setattr(equations, table, reword(getattr(equations, table)))
    for loss, table in vars(equations)["_LOSS"].items():
        monkeypatch.setitem(vars(equations)["_LOSS"], loss, reword(table))
    for promise in Promise:
        monkeypatch.setattr(promise, "_value_", other(promise.value))
        monkeypatch.setitem(BREACHES, promise, other(BREACHES[promise]))
    for module in list(sys.modules.values()):
        if vars(module).get("describe") is original_describe:
            monkeypatch.setattr(module, "describe", description)


def is_number(text: str) -> bool:
    """Return whether a text is a number, and not a description."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def decisions(verdict: Verdict) -> list[object]:
    """List what a verdict decides and measures, in typed fields only."""
    back = {other(text): text for text in ORIGINAL_BREACHES.values()}
    return [
        verdict.answer,
        [(f.name, f.status) for f in findings_of([verdict])],
        [
            (*c.subject, c.kind, c.quantity, c.when, c.basis, c.promise, c.passed)
            for c in verdict.checks
        ],
        [
            (c.count, c.worst.step, c.worst.index, str(c.worst.use))
            for c in verdict.checks
        ],
        [
            (
                (s.step, s.element, back.get(s.cause or "", s.cause)),
                {who: n for who, n in s.numbers.items() if is_number(n)},
                {who for who, n in s.numbers.items() if not is_number(n)},
                (str(s.difference), str(s.bound)),
                (s.before, s.aftermath),
            )
            for s in stories_about(verdict)
        ],
        remarks_of(verdict),
    ]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_texts_in_the_sources_decide_nothing(
    situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With lines, promises and descriptions reworded, the same is decided."""
    before = decisions(verdict_on(situation))

    reword_sources(monkeypatch)
    verdict = compare_in(situation)

    assert decisions(verdict) == before


def test_the_texts_were_really_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After rewording, no check has the statement that it had."""
    before = {check.statement for check in verdict_on("a line").checks}

    reword_sources(monkeypatch)
    after = {check.statement for check in compare_in("a line").checks}

    assert before & after == set()
