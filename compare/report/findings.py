"""The checks of verdicts, gathered under names that are known before any was made.

Whoever lists tests has to name them first and to run them later. So every check that a
verdict can hold belongs to one of a few names, and each name gets a finding, whatever
happened: also if nothing was checked under it, which is no pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from compare.checks.check import Check, broken
from compare.checks.verdict import Verdict
from compare.numerics.equations import lines
from compare.report.story import tell
from compare.training import contract
from compare.training.problems import in_words

Status: TypeAlias = Literal[
    "failed", "not reached", "cannot tell", "not given", "passed"
]
"""From the worst to the best: what holds of several problems is the worst of each."""

NAMES = (
    "signature",
    "answers",
    "inputs_unchanged",
    "memory",
    "start",
    "record",
    *(line.quantity for line in lines("bce")),
    "after_training",
    "gradients",
    "loss_curve",
    "weights",
    "probabilities",
    "classes",
    "reference",
)
"""In order: contract, record, lines, comparison with the reference, the reference."""

STOPS = ("contract", "continuity")
"""The kinds of checks after whose failure a run is not compared with another."""
_CONTRACT = {
    contract.IS_THERE: "signature",
    contract.TAKES: "signature",
    contract.NAMES_QUANTITIES: "signature",
    contract.ANSWERS: "answers",
    contract.PAIR: "answers",
    contract.KIND: "answers",
    contract.FINITE: "answers",
    contract.INPUTS: "inputs_unchanged",
    contract.OUTPUTS: "memory",
    contract.AGAIN: "memory",
    contract.TRAINS: "record",
}
_PARITY = {
    "dw1": "gradients",
    "dw2": "gradients",
    "loss": "loss_curve",
    "w1": "weights",
    "w2": "weights",
    "a2": "probabilities",
    "classes": "classes",
}


@dataclass(frozen=True)
class Finding:
    """What was found under one name.

    Attributes:
        name: One of `NAMES`.
        status: "passed" only if something was compared on every problem, and all of it
            passed. "not reached": what failed before leaves nothing to compare. "not
            given": an intermediate that the implementation doesn't offer, so that what
            follows from it was judged instead.
        reason: Why not passed; of a failure, the story of where they part.
        problem: On which problem, in words.
        checks: What the finding rests on.
    """

    name: str
    status: Status
    reason: str
    problem: str
    checks: tuple[Check, ...]

    @property
    def fails(self) -> bool:
        """Whatever was asked and is not proven fails."""
        return self.status not in ("passed", "not given")


def name_of(check: Check, reference: str) -> str:
    """Say to which of `NAMES` a check belongs."""
    if check.subject == (reference,):
        return "reference"
    match check.kind:
        case "contract":
            return _CONTRACT[check.words]
        case "continuity":
            return "start" if check.quantity.startswith("first ") else "record"
        case "audit":
            final = check.quantity.startswith("final ")
            return "after_training" if final else check.quantity
        case _:
            return _PARITY[check.quantity]


def find(verdicts: Sequence[Verdict]) -> tuple[Finding, ...]:
    """Sum up what was found of an implementation, name by name.

    Args:
        verdicts: Of the same two on one problem or more: the reference, then who is
            asked about.
    """
    return tuple(_find(name, verdicts) for name in NAMES)


def _find(name: str, verdicts: Sequence[Verdict]) -> Finding:
    parts = [_under(name, verdict) for verdict in verdicts]
    statuses = [_status(name, part) for part in parts]
    worst = min(statuses, key=get_args(Status).index)
    n = statuses.index(worst)
    return Finding(
        name,
        worst,
        _reason(name, worst, parts[n], verdicts[n]),
        in_words(verdicts[n].problem),
        tuple(check for part in parts for check in part.checks),
    )


def _under(name: str, verdict: Verdict) -> Verdict:
    """Leave in a verdict the checks of one name."""
    reference = verdict.runs[0].name
    belong = (check for check in verdict.checks if name_of(check, reference) == name)
    return replace(verdict, checks=tuple(belong))


def _status(name: str, part: Verdict) -> Status:
    outcomes, run = {check.passed for check in part.checks}, part.runs[1]
    if outcomes:
        unproven: Status = "failed" if False in outcomes else "cannot tell"
        return "passed" if outcomes == {True} else unproven
    known = broken(run.contract) or name not in run.unknown
    return "not reached" if known else "not given"


def _reason(name: str, status: Status, part: Verdict, verdict: Verdict) -> str:
    match status:
        case "failed":
            return str(tell(verdict, part.first_difference))
        case "not reached":
            stop = next(c for c in verdict.checks if c.kind in STOPS and not c.passed)
            first = name_of(stop, verdict.runs[0].name)
            why = f"{stop.quantity} {stop.words}"
            outcome = "cannot tell" if stop.passed is None else "fails"
            return f"not reached: {first} comes before it, and {outcome}: {why}"
        case "cannot tell":
            check = next(check for check in part.checks if check.passed is None)
            who = " and ".join(check.subject)
            return f"cannot tell {check.quantity} of {who}: {check.reason}"
        case "not given":
            return f"{verdict.runs[1].name} does not give {name}"
        case "passed":
            return ""
