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

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from compare.checks.check import describe
from compare.diagnosis.findings import FINDINGS, Finding, findings_of
from compare.hosts.host import Host, start
from compare.hosts.load import labels
from compare.hosts.third_party import UnknownImplementationError
from compare.training.compare import compare
from compare.training.problems import EXAM, Experiment, describe_problem, trainable
from impls.interface import Problem

if TYPE_CHECKING:
    import pytest

T = TypeVar("T")
Findings: TypeAlias = tuple[Finding, ...]
DATA = (type(None), bytes, int, float, list, tuple, set, dict)
"""Types of Python that hold no functions of an implementation."""


def check_implementation(
    implementation: object,
    *,
    against: object = "numpy",
    problems: Iterable[Experiment | Problem] = EXAM,
    timeout: float | None = None,
) -> Findings:
    """Examine one implementation: the findings of `gradparity check` and of pytest.

    >>> from compare import Experiment, check
    >>> findings = check("numpy", problems=[Experiment(steps=20)])
    >>> {finding.status for finding in findings}
    {'passed'}

    Args:
        implementation: A name as on the command line or a path, which gets a process of
            its own, or an object, a class or a factory.
        against: The reference, likewise.
        problems: What to train.
        timeout: Seconds that each answer of a process may take; None is any time.

    Raises:
        TypeError: An implementation or a problem is something else.
        ValueError: There is no problem, or one can't be trained.
        LookupError: There is no implementation of that name.
        ImportError: An implementation can't be imported.
    """
    made = problems_in(problems)
    with start(both(implementation, against), timeout=timeout) as hosts:
        return check_hosted(hosts, made)


def items_of(given: Iterable[T], least: int, words: str) -> list[T]:
    """Return the items of a list, or of what else can be read like one.

    Args:
        given: What should be a list.
        least: How many items there must be.
        words: As many items, in words.

    Raises:
        ValueError: It is something else, or has too few.
    """
    is_list = isinstance(given, Iterable) and not isinstance(
        given, str | bytes | Mapping
    )
    items = [*given] if is_list else []
    if len(items) < least:
        found = len(items) if is_list else describe(given)
        raise ValueError(f"give a list of {words} or more, not {found}")
    return items


def problems_in(given: Iterable[Experiment | Problem]) -> list[Problem]:
    """Return the problems of a list; see `trainable` and `items_of`."""
    return [*map(trainable, items_of(given, 1, "one problem"))]


def implementations_in(
    given: Iterable[object], least: int = 1, words: str = "one implementation"
) -> list[object]:
    """Return the implementations of a list; a path is a name.

    Raises:
        TypeError: One is something else.
        ValueError: See `items_of`.
    """
    items = items_of(given, least, words)
    found = [os.fspath(i) if isinstance(i, os.PathLike) else i for i in items]
    for each in found:
        if type(each) in DATA:
            raise TypeError(
                "an implementation must be a name, a path, an object with forward and "
                f"loss_and_gradients, or what makes one, not {describe(each)}"
            )
    return found


def both(implementation: object, against: object) -> dict[str, object]:
    """Name an implementation and its reference, which comes first."""
    one, other = implementations_in([implementation, against])
    name, reference = labels([one, other])
    return {reference: other, name: one}


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
    implementations: Iterable[object],
    *,
    against: object = "numpy",
    problems: Iterable[Experiment | Problem] = EXAM,
    expected_failures: Mapping[str, str] = MappingProxyType({}),
    timeout: float | None = None,
) -> "pytest.MarkDecorator":
    """Make one case of each implementation and check, called `implementation-check`.

    It decorates a function, or a method of a plain class: `unittest.TestCase` gives its
    methods no arguments. An implementation is loaded and trained once, when its first
    case runs.

    Args:
        implementations: As for `check_implementation`.
        against: As for `check_implementation`.
        problems: As for `check_implementation`.
        expected_failures: The reasons of expected failures, by case. Unproven checks
            fail; tests listed in `expected_failures` must fail. What follows from a
            failure, expected or not, is skipped, unless it is listed as well.
        timeout: As for `check_implementation`.

    Raises:
        TypeError: An implementation, a problem or `expected_failures` is something
            else.
        ValueError: There is no implementation, no problem, or no case of an expected
            failure; or a problem can't be trained.
    """
    import pytest  # noqa: PLC0415  # as above

    if not isinstance(expected_failures, Mapping):
        raise TypeError(
            'expected_failures must give a reason for each case, as {"port-loss": '
            f'"logs the sum"}}, not {describe(expected_failures)}'
        )
    given = implementations_in(implementations)
    implementations_in([against])
    named = zip(labels(given), given, strict=True)
    cases = {
        f"{label}-{name}": (one, name)
        for (label, one), name in product(named, FINDINGS)
    }
    for case in expected_failures:
        if case not in cases:
            close = ", ".join(get_close_matches(case, cases) or cases)
            raise ValueError(f"no case is called {case!r}: choose from {close}")
    findings = _once(
        partial(
            check_implementation,
            against=against,
            problems=problems_in(problems),
            timeout=timeout,
        )
    )
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
