"""Rules for the tests themselves that no linter has."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def loose_comparisons(source: str) -> list[int]:
    """List the lines that call `approx` without a stated absolute error.

    Without one it is 1e-12, and numbers smaller than that are all equal.
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == "approx"
        if not any(keyword.arg == "abs" for keyword in call.keywords)
    ]


def loops(source: str) -> list[int]:
    """List the lines of tests that begin a loop.

    A loop hides which case failed, and may run no case at all. Cases are parametrized;
    a comprehension that builds data is no loop.
    """
    tests = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    ]
    nodes = (node for test in tests for node in ast.walk(test))
    return [node.lineno for node in nodes if isinstance(node, ast.For | ast.While)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_test_has_a_loop(path: Path) -> None:
    """Each case of a test has a name of its own."""
    assert loops((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def test_a():\n    for x in y:\n        assert x", [2]),
        (
            "class TestA:\n    def test_a(self):\n        while f():\n            g()",
            [3],
        ),
        ("def test_a():\n    def f():\n        for x in y:\n            g()", [3]),
        ("def test_a():\n    with f():\n        for x in y:\n            g()", [3]),
        ("def helper():\n    for x in y:\n        f()", []),
        ("def test_a():\n    assert [x for x in y] == z", []),
        ("def test_a():\n    pass\n\nfor x in y:\n    f()", []),
    ],
    ids=["for", "while", "nested function", "block", "helper", "data", "module"],
)
def test_a_loop_is_found(source: str, lines: list[int]) -> None:
    """The rule itself finds what it should, and nothing else."""
    assert loops(source) == lines


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_approx_states_its_absolute_error(path: Path) -> None:
    """A comparison with the default of 1e-12 may be unable to fail."""
    assert loose_comparisons((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("assert a == pytest.approx(b)", [1]),
        ("\nassert a == pytest.approx(b, rel=1e-9)", [2]),
        ("from pytest import approx\nassert approx(b, 1e-9) == a", [2]),
        ("x = [f(pytest.approx(b, abs=0)), approx(b)]", [1]),
        ("assert a == pytest.approx(b, rel=1e-9, abs=0)", []),
        ("assert a == pytest.approx(b, abs=1e-3)", []),
        ("# pytest.approx(b)", []),
    ],
)
def test_a_loose_comparison_is_found(source: str, lines: list[int]) -> None:
    """The rule itself finds what it should, and nothing else."""
    assert loose_comparisons(source) == lines


def test_this_file_is_looked_at() -> None:
    """The list of files is not empty by mistake."""
    assert Path("tests/test_lint.py") in FILES
