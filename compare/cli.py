"""The command line: arguments and exit statuses, nothing else."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from compare.problems import DTYPES, LOSSES, TABLES, Experiment
from compare.report import to_json
from compare.screen import to_text
from compare.verdict import compare as verdict_of
from impls.interface import Loss, Problem
from impls.registry import NAMES, UnknownImplementationError, load

if TYPE_CHECKING:
    from compare.enclosure import ExactRun

STATUS = {"match": 0, "differ": 1, "cannot tell": 3}
USAGE = 2
UNABLE = 3

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def gradparity() -> None:
    """Prove whether implementations of one network agree.

    Exit status: 0 match, 1 differ, 2 wrong usage, 3 cannot tell or could not compare.
    """


Table = Annotated[str, typer.Option(help=", ".join(TABLES))]
Seed = Annotated[int, typer.Option(help="Of the weights.")]
Rate = Annotated[float, typer.Option(help="Learning rate.")]
Steps = Annotated[int, typer.Option(help="Updates to make.")]
LossName = Annotated[str, typer.Option(help=", ".join(LOSSES))]
Dtype = Annotated[str, typer.Option(help=", ".join(DTYPES))]
Hidden = Annotated[int, typer.Option(help="Hidden units.")]
Names = Annotated[
    list[str] | None, typer.Option(help=f"Repeat; of {', '.join(NAMES)}. All.")
]


@app.command()
def compare(
    impl: Names = None,
    table: Table = Experiment.table,
    seed: Seed = Experiment.seed,
    lr: Rate = Experiment.lr,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    hidden: Hidden = Experiment.hidden,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this file.")
    ] = None,
    figure_file: Annotated[
        Path | None, typer.Option("--figure", help="Draw to this .png or .svg.")
    ] = None,
    *,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with the exact run, too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> int:
    """Train all from the same weights, and compare all they did."""
    names = impl or NAMES
    if len(set(names)) < max(2, len(names)):
        raise typer.BadParameter("name two implementations or more, each once")
    if json_file and json_file == figure_file:
        raise typer.BadParameter("--json and --figure name the same file")
    for path, endings in ((json_file, ()), (figure_file, (".png", ".svg"))):
        check_writable(path, endings, force=force)
    with usage_errors():
        experiment = Experiment(
            table, seed, lr, steps, cast("Loss", loss), dtype, hidden
        )
        implementations = {name: load(name) for name in names}
    console = plain_console()
    problem = experiment.problem()
    truth = run_exactly(console, problem).path() if exact else None
    with progress(console, stages=2 * len(names)) as notify:
        verdict = verdict_of(problem, implementations, notify, truth)
    story = None
    if verdict.answer == "differ":
        from compare.story import tell  # ball arithmetic takes its time

        story = tell(verdict)
    console.print(to_text(experiment, verdict, story))
    if json_file:
        report = to_json(experiment, verdict, story)
        write(json_file, json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
    if figure_file:
        from compare.figures import draw  # matplotlib takes its time

        write(figure_file, draw(experiment, verdict, figure_file.suffix[1:]))
    return STATUS[verdict.answer]


@app.command(name="exact")
def exactly(
    table: Table = Experiment.table,
    seed: Seed = Experiment.seed,
    lr: Rate = Experiment.lr,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    hidden: Hidden = Experiment.hidden,
    digits: Annotated[int, typer.Option(min=1, max=200, help="To print.")] = 30,
) -> int:
    """Print what real arithmetic gives, every digit certified."""
    with usage_errors():
        experiment = Experiment(
            table, seed, lr, steps, cast("Loss", loss), dtype, hidden
        )
    from compare.listings import exact_to_text

    console = plain_console()
    run = run_exactly(console, experiment.problem(), 10.0 ** -(digits + 2))
    console.print(exact_to_text(experiment, run, digits))
    return 0


def run_exactly(
    console: Console, problem: Problem, target: float = 1e-28
) -> "ExactRun":
    """Enclose the exact run, with a progress bar."""
    from compare.enclosure import exact_run  # ball arithmetic takes its time

    with progress(console, stages=problem.steps + 1) as notify:
        return exact_run(
            problem,
            target=min(target, 1e-28),
            notify=lambda step: notify(f"exactly, step {step}"),
        )


@app.command(name="sweep")
def sweep_seeds(
    impl: Annotated[
        list[str] | None, typer.Option(help="Repeat; harmless rewrites, too. All.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> int:
    """Compare on many seeds, and count the verdicts.

    Exit status: 1 if the runs of any seed differ, 0 otherwise.
    """
    from compare.listings import sweep_to_text
    from compare.sweep import CHUNK, Tally, find, sweep

    with usage_errors():
        experiment = Experiment(
            seed=first, steps=steps, loss=cast("Loss", loss), dtype=dtype
        )
        replace(experiment, seed=first + seeds - 1)
        names = tuple({name: find(name) for name in impl or NAMES})
    console, tally = plain_console(), Tally()
    processes = ProcessPoolExecutor(jobs, get_context("spawn"))  # no fork of threads
    with processes, progress(console, stages=-(-seeds // CHUNK)) as notify:
        for lot in sweep(experiment, names, range(first, first + seeds), processes):
            tally += lot
            notify(f"{tally.answers.total()} of {seeds} seeds")
    console.print(sweep_to_text(experiment, tally))
    return STATUS["differ"] if tally.differ else STATUS["match"]


@app.command(name="faults")
def plant_faults(
    steps: Annotated[
        int, typer.Option(min=100, help="Updates: enough for each fault to happen.")
    ] = 300,
    impl: Names = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help=f"Repeat; of {', '.join(DTYPES)}. All.")
    ] = None,
) -> int:
    """Plant every known mistake, try every harmless rewrite, and see who reports what.

    Exit status: 0 all mistakes caught, none misnamed, all rewrites match; 1 otherwise.
    """
    from compare.listings import faults_to_text
    from compare.selftest import examine, trials

    names, dtypes = impl or NAMES, dtype or DTYPES
    with usage_errors():
        faults, rewrites = trials(steps, names, dtypes)
        for name in names:
            load(name)
    console = plain_console()
    with progress(console, stages=len(faults) + len(rewrites)) as notify:
        findings = examine(steps, names, dtypes, notify)
    console.print(faults_to_text(findings))
    return STATUS["match" if findings.good else "differ"]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what was asked wrongly into an error of usage."""
    try:
        yield
    except (ValueError, UnknownImplementationError) as error:
        raise typer.BadParameter(error.args[0]) from error


def check_writable(path: Path | None, endings: Sequence[str], *, force: bool) -> None:
    """Refuse a path that could not be written to later.

    Raises:
        typer.BadParameter: It could not; the message says why.
    """
    if path is None:
        return
    if endings and path.suffix not in endings:
        raise typer.BadParameter(f"{path} must end in {' or '.join(endings)}")
    try:
        if path.exists() and not (force and path.is_file()):
            raise typer.BadParameter(
                f"{path} exists: choose another name, or add --force"
            )
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name):
            pass  # what can be made beside it can be put in its place
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror}") from error


def write(path: Path, content: bytes) -> None:
    """Write all or nothing: an interruption leaves no half of a file."""
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=path.name, delete=False
    ) as part:
        part.write(content)
    Path(part.name).chmod(0o644)  # a temporary file is its maker's alone
    Path(part.name).replace(path)


def plain_console() -> Console:
    """Print what is there: no markup, and in a pipe no line broken."""
    width = None if sys.stdout.isatty() else 250
    return Console(markup=False, highlight=False, emoji=False, width=width)


@contextmanager
def progress(console: Console, stages: int) -> Iterator[Callable[[str], object]]:
    """Show a bar that moves on with each stage told of; in a pipe, show nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=stages, completed=-1)
        yield lambda stage: bar.update(task, advance=1, description=stage)


def run(arguments: Sequence[str]) -> int:
    """Run the command line, `compare` by default, and give its exit status."""
    first = arguments[0] if arguments else "--"
    if first.startswith("-") and first != "--help":
        arguments = ["compare", *arguments]
    try:
        return int(app(list(arguments), "gradparity", standalone_mode=False) or 0)
    except typer.TyperException as error:
        sys.stderr.write(f"gradparity: {error.format_message()}\n")
        return USAGE
    except (ImportError, ArithmeticError, MemoryError, OSError, RuntimeError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"gradparity: {words}\n")
        return UNABLE


def main() -> None:
    """Run as a program, in one thread: on so small arrays more of them only wait."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is imported
    sys.exit(run(sys.argv[1:]))
