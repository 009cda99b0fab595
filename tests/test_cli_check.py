"""`gradparity check`: the findings of the pytest cases on the command line."""

from pathlib import Path

import pytest

from compare.cli import run, two_or_more
from compare.diagnosis.findings import FINDINGS
from compare.hosts.load import OURS, labels
from compare.testing import check_implementation
from tests.helpers import RIGHT, WRONG

pytestmark = pytest.mark.slow

RAISES = """
from impls.numpy_manual import loss_and_gradients

def forward(weights, x):
    raise RuntimeError("not today")
"""


BARE = "from impls.numpy_manual import forward, loss_and_gradients\n"
SCREEN = 23
"""Lines of a terminal, but for the prompt."""


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Give the path of a port that is not written yet."""
    return tmp_path / "port.py"


@pytest.mark.parametrize(
    ("code", "status", "answer"),
    [(RIGHT, 0, "MATCH"), (WRONG, 1, "DIFFER"), (RAISES, 3, "COULD NOT COMPARE")],
    ids=["right", "wrong", "raises"],
)
def test_the_findings_of_pytest_are_printed(
    port: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    status: int,
    answer: str,
) -> None:
    """A line for each status, failures in full, then the answer: on one screen."""
    port.write_text(code)

    assert run(["check", str(port)]) == status

    out = capsys.readouterr().out
    findings = check_implementation(str(port))
    words = {*out.replace(",", " ").split()}
    stories = [finding.story.rows() for finding in findings if finding.story]
    flat = " ".join(out.split())
    assert {*FINDINGS} <= words
    assert len(out.splitlines()) <= SCREEN
    assert out.splitlines()[-1].startswith(f"{answer}  port: ")
    assert all(" ".join(row.split()) in flat for story in stories for row in story)
    assert bool(stories) == (status > 0)


@pytest.mark.parametrize(("code", "shown"), [(RIGHT, False), (BARE, True)])
def test_what_a_plain_loop_leaves_unchecked_is_stated(
    port: Path, capsys: pytest.CaptureFixture[str], code: str, *, shown: bool
) -> None:
    """Without a train, no optimizer is checked, and its checks do not pass."""
    port.write_text(code)

    assert run(["check", str(port)]) == 0

    out = capsys.readouterr().out
    assert ("not checked" in out) == shown
    assert ("not given (2): new_w1, new_w2" in out) == shown


def test_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The status is that of wrong usage, and the message lists the names."""
    assert run(["check", "nosuch"]) == 2
    assert "choose from numpy, torch, jax" in capsys.readouterr().err


def test_an_error_of_ours_is_no_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happens after the start has another status, as of `compare`."""

    def fail(*_: object) -> None:
        raise ValueError("not of the user")

    monkeypatch.setattr("compare.testing.compare", fail)

    assert run(["check", "numpy"]) == 3
    assert "gradparity: ValueError: not of the user" in capsys.readouterr().err


def test_one_implementation_is_compared_with_numpy() -> None:
    """NumPy's comes first; NumPy's alone is compared with nothing."""
    assert two_or_more(["mine.py"]) == ("numpy", "mine.py")
    assert two_or_more(None) == OURS
    with pytest.raises(ValueError, match="two implementations or more"):
        two_or_more(["numpy"])


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["numpy", "a/port.py"], ["numpy", "port"]),
        (["a/port.py", "b/port.py"], ["a/port.py", "b/port.py"]),
        (["a/port.py:One", "b/port.py:Two"], ["port:One", "port:Two"]),
        (["numpy", "a/numpy.py"], ["numpy", "a/numpy.py"]),
        (["package.port:Port", "a/port.py"], ["package.port:Port", "port"]),
    ],
)
def test_a_file_is_named_by_its_stem(names: list[str], short: list[str]) -> None:
    """The whole path only where two stems are equal; in pytest likewise."""
    assert labels(names) == short
