"""The checks of verdicts under names that are known in advance, for pytest.

A list of tests needs names before it runs. Every check that a verdict can hold belongs
to one of a few names, and each name gets a finding. A name under which nothing was
checked does not pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from compare.checks.check import Check, Promise, Resolution, has_failure
from compare.checks.resolution import coarsest
from compare.checks.verdict import Verdict
from compare.diagnosis.consequences import root_of
from compare.diagnosis.mistakes import UPDATES
from compare.diagnosis.story import Story, cause_of, story_of
from compare.numerics.equations import lines
from compare.training.problems import describe_problem

FindingStatus: TypeAlias = Literal[
    "failed", "cannot tell", "not reached", "follows", "not given", "passed"
]
"""From worst to best: a finding on several problems has the worst status of them."""

FINDINGS = (
    "signature",
    "answers",
    "inputs_unchanged",
    "memory",
    "start",
    "record",
    *(line.quantity for line in lines("bce")),
    "after_training",
    "replay",
    "gradients",
    "loss_curve",
    "weights",
    "probabilities",
    "classes",
    "reference",
)
"""In order: contract, record, lines, comparison with the reference, the reference."""

MAY_BE_LENT = (*UPDATES, "loss")
"""What may be ours, if the implementation has no `train`, or no loss of its own."""
STOPS = ("contract", "completeness")
"""A run that fails a check of these kinds is not compared with another."""
_PROMISES = {
    Promise.EXISTS: "signature",
    Promise.ARGUMENTS: "signature",
    Promise.QUANTITIES: "signature",
    Promise.ANSWERS: "answers",
    Promise.PAIR: "answers",
    Promise.ARRAYS: "answers",
    Promise.FINITE: "answers",
    Promise.OTHERS: "answers",
    Promise.INPUTS: "inputs_unchanged",
    Promise.OUTPUTS: "memory",
    Promise.REPEATS: "memory",
    Promise.CLEARED: "memory",
    Promise.UNBIASED: "memory",
    Promise.COPIED: "start",
    Promise.LASTS: "memory",
    Promise.TRAINS: "record",
    Promise.LIVES: "answers",
    Promise.IN_TIME: "answers",
}
_AUDITS = {"after training": "after_training", "in a replay": "replay"}
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
    """All checks under one name.

    Attributes:
        name: One of `FINDINGS`.
        status: "passed" only if something was compared on every problem, and all of it
            passed. "not reached": an earlier failure leaves nothing to compare.
            "follows": it fails, but only because of an earlier failure under another
            name. "not given": an intermediate that the implementation does not return;
            the quantities computed from it were judged instead. Or an update without a
            `train`, which a plain loop made, or a loss that is a plain one in every
            problem.
        reason: Why not passed; for a failure, the story. Of a loss that passed, which
            other loss is not checked.
        story: That of a failure, as data.
        problem: The problem with the worst status, as text.
        checks: The checks under this name.
    """

    name: str
    status: FindingStatus
    reason: str
    problem: str
    checks: tuple[Check, ...]
    story: Story | None = None

    @property
    def resolution(self) -> Resolution | None:
        """The smallest relative error that would have been reported by every check.

        None if no check has a bound.
        """
        return coarsest(self.checks)

    @property
    def fails(self) -> bool:
        """Whether it fails by itself: unproven checks fail, consequences do not."""
        return self.status in ("failed", "cannot tell")


def name_of(check: Check, verdict: Verdict) -> str:
    """Return which of `FINDINGS` a check of a verdict belongs to."""
    if check.subject == (verdict.runs[0].name,):
        return "reference"
    if check.promise:
        return _PROMISES[check.promise]
    match check.kind:
        case "completeness":
            return "start" if check.when == "at the start" else "record"
        case "audit":
            return _AUDITS.get(check.when, check.quantity)
        case _:
            return _PARITY[check.quantity]


def findings_of(verdicts: Sequence[Verdict]) -> tuple[Finding, ...]:
    """Summarise the verdicts on an implementation, name by name.

    Args:
        verdicts: On one problem or more; the runs are the reference and then the
            implementation.
    """
    return tuple(_finding(name, verdicts) for name in FINDINGS)


def _finding(name: str, verdicts: Sequence[Verdict]) -> Finding:
    pairs = [(_under(name, verdict), verdict) for verdict in verdicts]
    statuses = [_status(name, *pair) for pair in pairs]
    if "follows" in statuses and _repeats(name, pairs, statuses):
        statuses = ["passed" if s == "failed" else s for s in statuses]
    if name == "loss" and "passed" in statuses:
        statuses = ["passed" if s == "not given" else s for s in statuses]
    worst = min(statuses, key=get_args(FindingStatus).index)
    part, verdict = pairs[statuses.index(worst)]
    problem = describe_problem(verdict.problem)
    checks = tuple(check for part, _ in pairs for check in part.checks)
    if worst == "failed":
        story = story_of(verdict, _own_failures(name, part, verdict)[0])
        return Finding(name, worst, str(story), problem, checks, story)
    reason = _reason(name, worst, part, verdict) or _unchecked(name, verdicts)
    return Finding(name, worst, reason, problem, checks)


def _repeats(
    name: str,
    pairs: Sequence[tuple[Verdict, Verdict]],
    statuses: Sequence[FindingStatus],
) -> bool:
    """Return whether a name fails because of the mistake of another, on all problems.

    Few steps are not enough to name a mistake. If it is named on another problem, the
    other name has to fail on this one as well.
    """
    others = {
        name_of(_root(verdict, check), verdict)
        for part, verdict in pairs
        for check in part.differences
        if root_of(verdict, check) is check
    }
    failing = [
        {name_of(check, verdict) for check in verdict.differences}
        for (_, verdict), status in zip(pairs, statuses, strict=True)
        if status == "failed"
    ]
    return any(all(other in names for names in failing) for other in others - {name})


def _under(name: str, verdict: Verdict) -> Verdict:
    """Return a verdict with the checks of one name only."""
    belong = (check for check in verdict.checks if name_of(check, verdict) == name)
    return replace(verdict, checks=tuple(belong))


def _own_failures(name: str, part: Verdict, verdict: Verdict) -> list[Check]:
    """Return the failures under a name that do not follow from one under another."""
    roots = ((check, _root(verdict, check)) for check in part.differences)
    return [check for check, root in roots if name_of(root, verdict) == name]


def _root(verdict: Verdict, check: Check) -> Check:
    """Return the first failure that a failure follows from, or repeats.

    A mistake, once named, may be in several lines of a run: one in which the sum stands
    in place of the mean is in the loss and in each gradient.
    """
    root = root_of(verdict, check)
    twins = [
        other
        for other in verdict.differences
        if (other.kind, other.when, other.subject)
        == ("audit", "in a step", root.subject)
        and root_of(verdict, other) is other
    ]
    if root not in twins or root is twins[0] or not (cause := cause_of(verdict, root)):
        return root
    return next(other for other in twins if cause_of(verdict, other) == cause)


def _status(name: str, part: Verdict, verdict: Verdict) -> FindingStatus:
    outcomes, run = {check.passed for check in part.checks}, part.runs[1]
    if False in outcomes:
        return "failed" if _own_failures(name, part, verdict) else "follows"
    if None in outcomes:
        return "cannot tell"
    if outcomes:
        lent = (run.looped and name in UPDATES) or (run.plain_loss and name == "loss")
        return "not given" if lent else "passed"
    known = has_failure(run.contract) or name not in run.unknown
    return "not reached" if known else "not given"


def _reason(name: str, status: FindingStatus, part: Verdict, verdict: Verdict) -> str:
    match status:
        case "follows":
            root = _root(verdict, part.differences[0])
            return f"follows from {name_of(root, verdict)}"
        case "not reached":
            stop = next(c for c in verdict.checks if c.kind in STOPS and not c.passed)
            first = name_of(stop, verdict)
            why = f"{stop.label} {stop.statement}"
            outcome = "cannot tell" if stop.passed is None else "fails"
            return f"not reached: {first} {outcome}: {why}"
        case "cannot tell":
            check = next(check for check in part.checks if check.passed is None)
            subject = " and ".join(check.subject)
            return f"cannot tell {check.label} of {subject}: {check.reason}"
        case "not given" if name not in MAY_BE_LENT:
            return f"{verdict.runs[1].name} does not give {name}"
        case _:
            return ""


def _unchecked(name: str, verdicts: Sequence[Verdict]) -> str:
    """Say what of the implementation's own is not checked; "" if all of it is."""
    runs = {verdict.problem.loss: verdict.runs[1] for verdict in verdicts}
    if name in UPDATES and any(run.looped for run in runs.values()):
        return (
            "not checked: your optimizer: no train is given "
            "(torch_module takes optimizer=)"
        )
    plain = [loss for loss, run in runs.items() if run.plain_loss]
    if name == "loss" and plain:
        return f"not checked: your loss: criteria= gives no {', '.join(plain)}"
    return ""
