"""What is written with --json keeps to docs/schema.json."""

import json
from contextlib import redirect_stdout
from functools import cache
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from compare.cli import run
from compare.diagnosis.findings import FINDINGS
from tests.helpers import near

pytestmark = pytest.mark.slow

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema.json").read_text("utf-8"))
RAISING = """
def forward(weights, x):
    raise ZeroDivisionError("boom")

def loss_and_gradients(weights, x, y, loss):
    raise ZeroDivisionError("boom")
"""
PLANTED = """
from compare.selftest.faults import fault_named
from compare.selftest.plant import plant
from compare.hosts.load import load

network = plant(fault_named("NaN in the last gradient"), load("numpy"))
transposed = plant(fault_named("dw1 transposed"), load("numpy"))
"""
RUNS = {
    "match": ["--steps", "50", "--impl", "torch", "--exact"],
    "differ": ["--steps", "50", "--impl", "planted.py:transposed"],
    "not finite": ["--steps", "50", "--impl", "planted.py:network"],
    "could not compare": ["--steps", "5", "--impl", "raising.py"],
    "unstable": ["--steps", "900", "--lr", "2.0", "--impl", "torch"],
    "still": ["--steps", "50", "--lr", "1e-9", "--impl", "torch"],
}


@pytest.fixture
def written(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Run the command line beside two ports, and read what it writes."""
    (tmp_path / "raising.py").write_text(RAISING, "utf-8")
    (tmp_path / "planted.py").write_text(PLANTED, "utf-8")
    monkeypatch.chdir(tmp_path)
    return json.loads(output_of(*request.param))


@cache
def output_of(*arguments: str) -> str:
    """Run the command line, once with each list of arguments, and return its JSON."""
    with redirect_stdout(StringIO()) as out:
        run([*arguments, "--json", "-"])
    return out.getvalue()


def of_comparison(*names: str) -> pytest.MarkDecorator:
    """Compare NumPy with something, in ways of `RUNS`."""
    given = [["compare", "--impl", "numpy", *RUNS[name]] for name in names or RUNS]
    return pytest.mark.parametrize("written", given, indirect=True, ids=names or RUNS)


def keys(value: Any) -> set[str]:
    """Collect all keys of an object, at any depth."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if isinstance(value, dict):
        return {*value}.union(*map(keys, value.values()))
    return set()


def test_the_schema_is_one() -> None:
    """The file is a schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@of_comparison()
def test_each_answer_keeps_to_the_schema(written: Any) -> None:
    """Whatever the answer is, the keys and the types are those of the schema."""
    jsonschema.validate(written, SCHEMA)

    assert written["gradparity"] == metadata.version("gradparity")
    assert [key for key in keys(written) if " " in key] == []


def failed(written: Any) -> list[Any]:
    """List the failed checks whose numbers a line of one step gives."""
    return [
        check
        for check in written["checks"]
        if check["first"] and check["basis"] in ("line", "weights")
    ]


@of_comparison("differ")
def test_the_exact_number_of_each_failure_is_text(written: Any) -> None:
    """It has more digits than the float beside it, and rounds to that."""
    numbers = [(c["exact"], c["first"]["reference"]) for c in failed(written)]
    exact = [float(text) for text, _ in numbers]

    assert {check["kind"] for check in failed(written)} >= {"audit", "parity"}
    assert min(len(text) - len(str(number)) for text, number in numbers) > 0
    assert exact == near([number for _, number in numbers], 1e-14)


@of_comparison("differ", "could not compare", "match")
def test_what_has_no_exact_number_has_none(written: Any) -> None:
    """A check that passed, and a path of many steps."""
    others = [c for c in written["checks"] if c not in failed(written)]

    assert {check["exact"] for check in others} <= {None}


@of_comparison("differ")
def test_the_first_difference_has_the_exact_number(written: Any) -> None:
    """It is that of its check."""
    first = written["first_difference"]

    assert first["exact"] == first["check"]["exact"]
    assert first["exact"] in [number["digits"] for number in first["numbers"]]


@of_comparison("match")
@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "yes"},
        {"schema": 2},
        {"more": 1},
        {"remarks": [{"kind": "nice"}]},
        {"resolution": {"loss": 1e-9}},
        {"checks": [{}]},
    ],
    ids=str,
)
def test_what_is_not_described_is_refused(written: Any, wrong: dict[str, Any]) -> None:
    """The schema is no empty one."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written | wrong, SCHEMA)


@pytest.mark.parametrize(
    "written",
    [
        ["faults", "--steps", "100", "--fault", "stale gradient"],
        ["faults", "--steps", "100", "--fault", "stale gradient", "--dtype", "float32"],
    ],
    indirect=True,
    ids=str,
)
def test_a_fault_keeps_to_the_schema(written: Any) -> None:
    """The trials have their own description."""
    jsonschema.validate(written, SCHEMA)

    (planted,) = written["planted"]
    assert planted["status"] == "caught"
    assert planted["story"][0].startswith("first difference: step 1, new w1")


@pytest.mark.parametrize(
    ("written", "verdict", "failed"),
    [
        (["check", "torch"], "match", []),
        (["check", "planted.py:transposed"], "differ", ["record", "dw1"]),
        (["check", "raising.py"], "could not compare", ["answers"]),
    ],
    indirect=["written"],
    ids=["match", "differ", "could not compare"],
)
def test_findings_keep_to_the_schema(
    written: Any, verdict: str, failed: list[str]
) -> None:
    """Each finding has its name, status and reason, and how much was compared."""
    jsonschema.validate(written, SCHEMA)

    findings = written["findings"]
    assert [finding["name"] for finding in findings] == [*FINDINGS]
    assert [f["name"] for f in findings if f["status"] == "failed"] == failed
    assert [f for f in findings if f["status"] == "passed" and not f["numbers"]] == []
    assert (written["verdict"], written["reference"]) == (verdict, "numpy")
    assert [key for key in keys(written) if " " in key] == []
