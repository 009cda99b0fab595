"""The screen: 80 columns, the answer at the end, and no name broken or imitated."""

from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from compare.checks.check import Check, Claim, Doubt, judge
from compare.checks.verdict import Verdict
from compare.hosts.load import load
from compare.report.as_json import Report
from compare.report.layout import elide
from compare.report.screen import Detail, column_names, to_text
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.training.compare import compare
from impls import numpy_manual
from impls.interface import Problem
from tests.helpers import box, problem_of

LONG = "/a/long/path/to/the/folder/of/an_implementation_with_a_long_name.py"
WIDE = [LONG, f"{'deep/' * 30}port.py", "x" * 95, "port.py\x1b[2J" * 30, "名" * 95]
STEPS = 100
FAULT = "dw1 transposed"


def raising(*_: object) -> None:
    """Raise an error that looks like an answer."""
    raise ZeroDivisionError("boom\x1b[2J\nMATCH  numpy, torch")


RAISES = SimpleNamespace(forward=numpy_manual.forward, loss_and_gradients=raising)


def verdict_of(problem: Problem | None = None, **others: Any) -> Verdict:
    """Compare NumPy with others, by their names."""
    implementations = {"numpy": load("numpy"), **others}
    return compare(problem or problem_of(steps=STEPS), implementations)


def shown(verdict: Verdict, detail: Detail = "normal", *, colour: bool = False) -> str:
    """Print on a terminal of 80 columns."""
    console = Console(
        file=StringIO(),
        width=80,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
    )
    console.print(to_text(Report("xor", verdict, {}), detail), crop=False)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def match() -> Verdict:
    """Compare NumPy and PyTorch, which match."""
    return verdict_of(torch=load("torch"))


@pytest.fixture(scope="module")
def differ() -> Verdict:
    """Plant a transposed gradient."""
    return verdict_of(other=plant(fault_named(FAULT), load("numpy")))


@pytest.fixture(scope="module")
def broken() -> Verdict:
    """Compare two that match and one that raises an error."""
    return verdict_of(torch=load("torch"), raises=RAISES)


def test_a_match_ends_with_the_answer(match: Verdict) -> None:
    """The names, the problem, how much was compared, and how much of a bound."""
    *_, blank, answer, problem, extent = shown(match).splitlines()

    most = max(check.worst.use for check in match.checks)
    count = sum(check.count for check in match.checks if check.kind != "contract")
    assert not blank
    assert answer == "MATCH  numpy, torch"
    assert problem == "xor: 2-2-1, bce, float64, lr 0.9, 100 steps"
    assert extent.startswith(f"{count:,} values in ")
    assert extent.endswith(f"; at most {100 * most:.0f} % of any bound")


def test_quiet_shows_the_end_of_what_is_shown_otherwise(match: Verdict) -> None:
    """It is the answer and nothing else."""
    quiet = shown(match, "quiet")

    assert quiet.startswith("MATCH")
    assert shown(match).endswith(f"\n\n{quiet}")


def test_a_difference_ends_with_its_four_lines(differ: Verdict) -> None:
    """The failing number is the first of the numbers."""
    text = shown(differ)
    console = text[text.index("DIFFER") :].splitlines()

    assert console[0] == "DIFFER  numpy, other"
    assert console[2].startswith("first difference: step 0, dw1 = dz1 @ x.T")
    assert console[3].startswith("  other ")
    assert sum(not line.startswith("    ") for line in console[2:]) == 4


def test_a_failing_row_is_red_and_others_are_not(differ: Verdict) -> None:
    """Colour marks what failed."""
    rows = shown(differ, "verbose", colour=True).splitlines()
    audit = rows[next(i for i, row in enumerate(rows) if "audit of other" in row) :]
    red = {row.split("\x1b[31m")[1].split("  ")[0] for row in audit if "[31m" in row}

    assert red == {"dw1 = dz1 @ x.T"}


def test_no_colour_in_a_pipe(differ: Verdict) -> None:
    """A file or a pipe gets text alone."""
    assert "\x1b" not in shown(differ)


def test_the_largest_difference_of_any_pair_is_shown(match: Verdict) -> None:
    """Each quantity has one row, with the numbers of the largest difference."""
    rows = {row.split("  ")[0]: row for row in shown(match).splitlines()}
    weights = [
        c for c in match.checks if c.kind == "parity" and c.quantity in ("w1", "w2")
    ]
    largest = max((c.largest for c in weights), key=lambda point: point.difference)

    assert f"{largest.difference:.1e}  {largest.bound:.1e}" in rows["weights"]
    assert rows["weights"].rstrip().endswith("both")


@pytest.mark.parametrize("detail", ["normal", "verbose"])
def test_verbose_adds_lines_and_pairs(match: Verdict, detail: Detail) -> None:
    """Every line of every run is there, or one row for all of them."""
    text = shown(match, detail)

    assert text.count("new w1 = w1 - lr dw1") == (2 if detail == "verbose" else 0)
    assert text.count("\naudit   ") == (0 if detail == "verbose" else 1)


def test_what_raises_has_no_rows_and_the_others_have(broken: Verdict) -> None:
    """The place of the error is said; the rest is compared as ever."""
    text = shown(broken)
    tables, answer = text.split("COULD NOT COMPARE")

    assert "raises" not in tables
    assert "numpy, torch" in tables
    assert "raises: it raises an error" in answer
    assert "test_screen_layout.py, line " in " ".join(answer.split())


def test_a_function_that_is_missing_is_named() -> None:
    """The answer, below the tables of the others, says whose and which it is."""
    others = {"other": load("numpy"), "partial": box(forward=None)}
    text = shown(verdict_of(problem_of(steps=5), **others))

    assert text.splitlines()[-4:] == [
        "COULD NOT COMPARE  numpy, other, partial",
        "xor: 2-2-1, bce, float64, lr 0.9, 5 steps",
        "partial: a function is missing",
        "  nothing, expected forward(weights, x)",
    ]
    assert "weights" in text.split("COULD NOT COMPARE")[0]


@pytest.mark.parametrize("detail", ["quiet", "normal", "verbose"])
def test_no_message_imitates_an_answer(broken: Verdict, detail: Detail) -> None:
    """No line begins with MATCH, and no escape sequence is left."""
    text = shown(broken, detail)

    assert [line for line in text.splitlines() if line.startswith("MATCH")] == []
    assert "\x1b" not in text


@pytest.mark.parametrize("name", WIDE, ids=lambda name: repr(name)[:20])
@pytest.mark.parametrize("detail", ["quiet", "normal", "verbose"])
def test_long_names_keep_to_the_screen(name: str, detail: Detail) -> None:
    """They are shortened at a separator, or in the middle; no line is longer."""
    both = {"x" * 21: load("torch"), name: plant(fault_named(FAULT), load("numpy"))}
    text = shown(verdict_of(None, **both), detail)

    assert max(map(cell_len, text.splitlines())) <= 80
    assert name.rpartition("/")[2][-9:].replace("\x1b", "\\x1b") in text
    assert "\x1b" not in text


def test_what_is_printed_of_a_dict_is_printable() -> None:
    """Names that a caller gives to `compare` are escaped wherever they occur."""
    verdict = compare(problem_of(steps=3), {"a\x1b[2J": RAISES, "b\n": RAISES})

    assert [run.name for run in verdict.runs] == ["a\\x1b[2J", "b\\n"]
    assert {n for c in verdict.checks for n in c.subject} <= {
        run.name for run in verdict.runs
    }


@pytest.mark.parametrize(
    ("name", "longest", "expected"),
    [
        ("a/b/port.py", 20, "a/b/port.py"),
        ("some/folder/of/mine/port.py", 20, "…/of/mine/port.py"),
        ("C:\\folder\\of\\mine\\port.py", 15, "…\\mine\\port.py"),
        ("package.module.of.mine:network", 15, "…:network"),
        ("a_name_without_a_separator", 15, "a_name…parator"),
        ("some/folder/of_a_name_without_a_separator", 15, "…/of_a…parator"),
    ],
)
def test_a_path_is_shortened_at_a_separator(
    name: str, longest: int, expected: str
) -> None:
    """A part is left out whole."""
    assert elide(name, longest) == expected


def test_equal_short_names_get_numbers(match: Verdict) -> None:
    """Two files of one name in long paths have different labels."""
    names = [f"{folder}/{'deep/' * 9}port.py" for folder in "ab"]
    runs = [replace(run, name=n) for run, n in zip(match.runs, names, strict=True)]

    assert [*column_names(replace(match, runs=tuple(runs))).values()] == ["#1", "#2"]


def doubtful(match: Verdict, doubt: Doubt) -> list[Check]:
    """Make all checks of the paths doubtful, for one reason."""
    reason = f"because of {doubt}"
    return [
        replace(check, passed=None, doubt=doubt, reason=reason)
        for check in match.checks
        if check.basis == "drift"
    ]


def test_each_doubt_is_named_once(match: Verdict) -> None:
    """Five checks and two reasons are two lines."""
    checks = (*doubtful(match, "no bound"), *doubtful(match, "near 0.5"))
    text = shown(replace(match, checks=checks), "quiet")

    assert text.count("because of no bound") == 1
    assert text.count("because of near 0.5") == 1
    assert text.startswith("CANNOT TELL  numpy, torch")
    assert f"and {len(checks) // 2 - 1} more" in text


def test_an_unstable_run_says_once_from_which_step() -> None:
    """The reason is the drift's own, of the earliest step."""
    verdict = verdict_of(problem_of(steps=900, lr=2.0), torch=load("torch"))
    step = verdict.drift.first_invalid_step
    text = " ".join(shown(verdict, "quiet").split())

    assert verdict.answer == "unstable"
    assert f"past 1 by step {step}:" in text
    assert text.count("sharpness is 2.0") == 1


def test_only_a_match_states_its_resolution(match: Verdict, differ: Verdict) -> None:
    """What would have been noticed is worth nothing once something was."""
    assert "smallest relative error noticed" in shown(match)
    assert "smallest relative error noticed" not in shown(differ)


def test_a_wide_sample_is_numbered() -> None:
    """Ten samples of three inputs still fit."""
    problem = replace(problem_of(steps=3), x=problem_of().x + 0.123456)
    text = shown(verdict_of(problem, torch=load("torch")))

    assert "sample 3" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_unbounded_share_is_no_share(match: Verdict) -> None:
    """Where there is no bound, no percentage is shown."""
    claim = Claim("parity", ("numpy", "torch"), "loss", "loss", basis="drift")
    a = match.runs[0].trace.loss
    check = judge(claim, a, a + 1, float("inf"))
    rows = shown(replace(match, checks=(check,))).splitlines()

    assert [row.split()[1:4] for row in rows if row[:6] == "loss  "] == [
        ["1.0e+00", "inf", "-"]
    ]


def differing(verdict: Verdict, detail: Detail, **others: str) -> list[list[str]]:
    """Print the screen up to the numbers, of two environments."""
    one = {"python": "3.11", "framework": "numpy 2.4", "threads": "1", "jit": "off"}
    first, second = (run.name for run in verdict.runs)
    report = Report("", verdict, {first: one, second: {**one, **others}})
    console = Console(file=StringIO(), width=80)
    console.print(to_text(report, detail))
    assert isinstance(console.file, StringIO)
    head, *_ = console.file.getvalue().split("\na2 after")
    return [line.split() for line in head.splitlines()]


CHANGES = {"framework": "torch 2.9", "threads": "2", "cudnn": "tf32"}


def test_environments_are_compared_where_the_answer_is_no_match(
    match: Verdict, differ: Verdict
) -> None:
    """One line names what both state and what the first line does not show."""
    tools = ["python", "3.11,", "numpy", "2.4,", "torch", "2.9"]

    assert differing(match, "normal", **CHANGES) == [tools]
    assert differing(differ, "normal", **CHANGES) == [
        tools,
        ["environments", "differ", "in", "threads;", "see", "--verbose"],
    ]


@pytest.mark.parametrize("name", ["match", "differ"])
def test_verbose_shows_how_environments_differ(
    name: str, request: pytest.FixtureRequest
) -> None:
    """A row for each run, also where one of them states nothing."""
    verdict = request.getfixturevalue(name)
    first, second = (run.name for run in verdict.runs)

    _, _, *table = differing(verdict, "verbose", **CHANGES)

    assert table == [
        ["environment", "of"],
        ["framework", first, "numpy", "2.4"],
        [second, "torch", "2.9"],
        ["threads", first, "1"],
        [second, "2"],
        ["cudnn", first, "not", "stated"],
        [second, "tf32"],
    ]


@pytest.mark.parametrize("detail", ["normal", "verbose"])
def test_equal_environments_are_no_lines(differ: Verdict, detail: Detail) -> None:
    """There is nothing to say."""
    assert differing(differ, detail) == [["python", "3.11,", "numpy", "2.4"]]
