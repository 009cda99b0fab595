"""The public Python interface; `import compare` has all of it.

Nothing here imports a framework until an implementation that needs it is named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from rich.console import Console

from compare.checks.verdict import Verdict
from compare.hosts.host import check_distinct, start
from compare.hosts.load import OURS, labels
from compare.report.as_json import Report
from compare.report.screen import to_text
from compare.testing import check_implementation, implementations_in
from compare.traces.file import read
from compare.traces.memory import check_memory
from compare.traces.schema import Record
from compare.training.compare import compare as compare_hosted
from compare.training.problems import Experiment, sizes_of, trainable
from impls.interface import Problem

WIDTH = 100
"""Columns of the screen in a notebook."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Verdict):
    """A verdict that shows itself in a notebook: the screen, and the figure.

    Attributes:
        about: The problem in a few words.
        environments: The environment of each implementation that was named.
    """

    about: str = ""
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """Return the screen and the figure as HTML, for Jupyter."""
        from compare.report.figure import draw  # noqa: PLC0415  # it takes its time

        report = Report(self.about, self, self.environments)
        console = Console(
            file=StringIO(),
            record=True,
            width=WIDTH,
            markup=False,
            highlight=False,
            force_jupyter=False,  # printing would display it once more
        )
        console.print(to_text(report))
        frame = '<pre style="line-height:1.2;font-family:monospace">{code}</pre>'
        screen = console.export_html(inline_styles=True, code_format=frame)
        picture = draw(report, "svg").decode()
        return screen + picture[picture.index("<svg") :]


def compare(
    problem: Experiment | Problem,
    implementations: Iterable[object] = OURS,
    *,
    device: str = "cpu",
    timeout: float | None = None,
) -> Comparison:
    """Train implementations from the same weights, and compare all they computed.

    >>> from compare import Experiment, compare
    >>> verdict = compare(Experiment(steps=20), ["numpy", "torch"])
    >>> verdict
    <Comparison: match of numpy, torch in ... checks>
    >>> verdict.answer
    'match'

    Args:
        problem: What to train.
        implementations: Two or more: names as on the command line or paths, each of
            which gets a process of its own; or objects, classes or factories, which are
            called in this process. The three of this project by default.
        device: Where PyTorch and JAX compute: "cpu" or "cuda".
        timeout: Seconds that each answer of a process may take; None is any time.

    Returns:
        The verdict. Its `answer` is "match", "differ", "unstable", "cannot tell" or
        "could not compare"; a notebook shows it as the command line does.

    Raises:
        TypeError: The problem or an implementation is something else.
        ValueError: There is no such device, one implementation is named twice or alone,
            the problem can't be trained, or training it would not fit into memory.
        LookupError: There is no implementation of that name.
        ImportError: An implementation can't be imported.
        RuntimeError: The device is not available.
        MemoryError: The arrays of the experiment would not fit into memory.
    """
    about = problem.about if isinstance(problem, Experiment) else ""
    made = trainable(problem)
    given = implementations_in(implementations, 2, "two implementations")
    check_memory(sizes_of(made), made.steps, len(given))
    named = dict(zip(labels(given), given, strict=True))
    with start(named, device, timeout) as hosts:
        check_distinct(hosts)
        verdict = compare_hosted(made, hosts)
    environments = {n: h.about.environment for n, h in hosts.items() if h.about}
    return Comparison(**vars(verdict), about=about, environments=environments)


check = check_implementation


def read_trace(path: str | Path) -> Record:
    """Read a trace that `gradparity record` has written.

    >>> from tempfile import TemporaryDirectory
    >>> from compare import read_trace
    >>> from compare.cli import run
    >>> with TemporaryDirectory() as folder:
    ...     output = f"{folder}/numpy.safetensors"
    ...     status = run(["record", "numpy", "--steps", "20", "--output", output])
    ...     record = read_trace(output)
    /...numpy.safetensors: 20 steps, ... bytes
    >>> record.run.trace.loss.shape
    (20,)

    Args:
        path: The file.

    Returns:
        The problem, the run with its `trace`, and the environment.

    Raises:
        TraceFileError: It can't be read, or is no trace: a ValueError that says why.
    """
    return read(Path(path))
