"""What `gradparity check` prints of its findings."""

from io import StringIO

from rich.console import Console

from compare.report.listings import findings_to_text
from compare.selftest.rewrites import rewritten, tanh_sigmoid
from compare.testing import check_implementation
from compare.training.problems import tails


def test_a_failure_says_what_to_declare() -> None:
    """The advice is that of `gradparity compare`, below the numbers and the bound."""
    other = rewritten("numpy", sigmoid=tanh_sigmoid)
    findings = check_implementation(other, problems=[tails("bce", "float64")])
    file = StringIO()

    Console(file=file, width=200).print(findings_to_text("other", findings))

    advice = '  another correct formula? declare end_to_end = ("a1", "a2")\n'
    assert advice in file.getvalue()
