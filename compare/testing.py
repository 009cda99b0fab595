"""Parity tests for pytest: one case for each check and implementation.

    from compare.testing import parametrize_with_checks

    @parametrize_with_checks(
        ["my_package.port", "path/to/file.py:Port"],
        expected_failures={"my_package.port-loss": "logs the sum, not the mean"},
    )
    def test_port(implementation, check):
        check(implementation)

`check_implementation` returns the same findings as data, without pytest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from compare.checks.printable import printable_names
from compare.diagnosis.findings import FINDINGS, Finding, findings_of
from compare.hosts.host import Host, start
from compare.hosts.load import short_names
from compare.hosts.third_party import UnknownImplementationError
from compare.training.compare import compare
from compare.training.problems import EXAM, check_problem, describe_problem
from impls.interface import Problem

if TYPE_CHECKING:
    import pytest

Findings: TypeAlias = tuple[Finding, ...]


def check_implementation(
    implementation: object,
    *,
    against: object = "numpy",
    problems: Sequence[Problem] = EXAM,
    timeout: float | None = None,
) -> Findings:
    """Compare an implementation with a reference, and return a finding for each check.

    Args:
        implementation: A name as on the command line, which gets a process of its own,
            or an object, a class or a factory.
        against: The reference, likewise.
        problems: What to train.
        timeout: Seconds that each answer of a process may take; None is any time.

    Raises:
        ValueError: There is no problem, or one can't be trained.
        UnknownImplementationError: No implementation has that name.
        ImportError: The implementation can't be loaded.
    """
    if not problems:
        raise ValueError("give one problem or more")
    for problem in problems:
        check_problem(problem)
    with start(both(implementation, against), timeout=timeout) as hosts:
        return check_hosted(hosts, problems)


def both(implementation: object, against: object) -> dict[str, object]:
    """Name an implementation and its reference, which comes first."""
    name, reference = labels([implementation, against])
    return {reference: against, name: implementation}


def check_hosted(
    hosts: Mapping[str, Host],
    problems: Sequence[Problem],
    notify: Callable[[str], object] = lambda _: None,
) -> Findings:
    """Compare an implementation with its reference, where both are loaded.

    Args:
        hosts: The reference and the implementation; see `both`.
        problems: What to train.
        notify: Called with a description of each problem before it is trained.
    """
    verdicts = []
    for problem in problems:
        notify(describe_problem(problem))
        verdicts.append(compare(problem, hosts))
    return findings_of(verdicts)


def labels(implementations: Sequence[object]) -> list[str]:
    """Name each implementation: by its given name, or after its module, class or type.

    A file is named by its stem, as on the command line. Equal names get a number from
    the second on.
    """
    given = [one for one in implementations if isinstance(one, str)]
    short = short_names(dict.fromkeys(given))
    return printable_names(
        short[one]
        if isinstance(one, str)
        else getattr(one, "__name__", type(one).__name__)
        for one in implementations
    )


class AlreadyReportedError(Exception):
    """An implementation can't be loaded, which an earlier case has reported."""


@dataclass(frozen=True)
class NamedCheck:
    """A check as a function of an implementation, for pytest to call.

    Attributes:
        name: One of `diagnosis.findings.FINDINGS`.
        expected: Whether the check is expected to fail.
        findings: Returns the findings of an implementation.
    """

    name: str
    expected: bool = field(repr=False)
    findings: Callable[[object], Findings] = field(repr=False)

    def __call__(self, implementation: object) -> None:
        """Pass, fail with the story, or skip with the reason.

        A check is skipped if the quantity is not returned, if an earlier failure leaves
        nothing to compare, or if it fails only because of a failure under another name.
        An expected failure fails in the last two cases as well, so that consequences
        may be expected, and need not be.

        If the implementation cannot be loaded, the first check of it that runs fails,
        and the others are skipped.

        Raises:
            AssertionError: The check is not proven; the message is the story.
            UnknownImplementationError: No implementation has that name.
            ImportError: The implementation can't be loaded.
        """
        __tracebackhide__ = True  # the message is enough
        import pytest  # noqa: PLC0415  # findings work without pytest

        try:
            findings = self.findings(implementation)
        except AlreadyReportedError as error:
            pytest.skip(str(error))
        except (UnknownImplementationError, ImportError) as error:
            raise error.with_traceback(None) from None
        (finding,) = (finding for finding in findings if finding.name == self.name)
        follows = finding.status in ("follows", "not reached")
        if finding.fails or (follows and self.expected):
            failure = AssertionError(finding.reason)
            failure.add_note(f"on {finding.problem}")
            raise failure
        if follows or (finding.status == "not given" and not self.expected):
            pytest.skip(finding.reason)


def parametrize_with_checks(
    implementations: Sequence[object],
    *,
    against: object = "numpy",
    problems: Sequence[Problem] = EXAM,
    expected_failures: Mapping[str, str] = MappingProxyType({}),
) -> "pytest.MarkDecorator":
    """Make one case of each implementation and check, called `implementation-check`.

    An implementation is loaded and trained once, when its first case runs.

    Args:
        implementations: As for `check_implementation`.
        against: As for `check_implementation`.
        problems: As for `check_implementation`.
        expected_failures: The reasons of expected failures, by case. Unproven checks
            fail; tests listed in `expected_failures` must fail. What follows from a
            failure, expected or not, is skipped, unless it is listed as well.

    Raises:
        ValueError: There is no implementation, or no case of an expected failure.
    """
    import pytest  # noqa: PLC0415  # as above

    if isinstance(implementations, str) or not implementations:
        raise ValueError("give a list of one implementation or more")
    named = zip(labels(implementations), implementations, strict=True)
    cases = {
        f"{label}-{name}": (one, name)
        for (label, one), name in product(named, FINDINGS)
    }
    for case in expected_failures:
        if case not in cases:
            close = ", ".join(get_close_matches(case, cases) or cases)
            raise ValueError(f"no case is called {case!r}: choose from {close}")
    findings = _once(partial(check_implementation, against=against, problems=problems))
    parameters = []
    for case, (one, name) in cases.items():
        check = NamedCheck(name, case in expected_failures, findings)
        reason = expected_failures.get(case, "")
        fails = pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError)
        marks = [fails] if check.expected else []
        parameters.append(pytest.param(one, check, id=case, marks=marks))
    return pytest.mark.parametrize(("implementation", "check"), parameters)


def _once(find: Callable[[object], Findings]) -> Callable[[object], Findings]:
    """Cache findings by identity, because not every implementation can be hashed.

    An error is raised once: after that, `AlreadyReportedError` says that it was.
    """
    known: dict[int, tuple[object, Findings | Exception]] = {}

    def findings(implementation: object) -> Findings:
        key = id(implementation)  # it holds while its object is kept
        if key not in known:
            try:
                known[key] = implementation, find(implementation)
            except (UnknownImplementationError, ImportError) as error:
                known[key] = implementation, error
                raise
        _, found = known[key]
        if isinstance(found, Exception):
            raise AlreadyReportedError(f"not loaded: {found}") from None
        return found

    return findings
