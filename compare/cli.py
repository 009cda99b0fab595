"""The command line: arguments and exit statuses, nothing else."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from compare.problems import DTYPES, LOSSES, TABLES, Experiment
from compare.report import faults_to_text, sweep_to_text, to_json, to_text
from compare.verdict import ask, decide, train
from impls.interface import Loss
from impls.registry import NAMES, UnknownImplementationError, load

STATUS = {"match": 0, "differ": 1, "cannot tell": 3}
USAGE = 2
UNABLE = 3

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def gradparity() -> None:
    """Prove whether implementations of one network agree.

    Exit status: 0 match, 1 differ, 2 wrong usage, 3 cannot tell or could not compare.
    """


@app.command()
def compare(
    impl: Annotated[
        list[str] | None, typer.Option(help=f"Repeat; of {', '.join(NAMES)}. All.")
    ] = None,
    table: Annotated[str, typer.Option(help=", ".join(TABLES))] = Experiment.table,
    seed: Annotated[int, typer.Option(help="Of the weights.")] = Experiment.seed,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = Experiment.lr,
    steps: Annotated[int, typer.Option(help="Updates to make.")] = Experiment.steps,
    loss: Annotated[str, typer.Option(help=", ".join(LOSSES))] = Experiment.loss,
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = Experiment.dtype,
    hidden: Annotated[int, typer.Option(help="Hidden units.")] = Experiment.hidden,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this file.")
    ] = None,
    figure_file: Annotated[
        Path | None, typer.Option("--figure", help="Draw to this .png or .svg.")
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> int:
    """Train all from the same weights, and compare all they did."""
    names = impl or NAMES
    if len(set(names)) < max(2, len(names)):
        raise typer.BadParameter("name two implementations or more, each once")
    for path, endings in ((json_file, ()), (figure_file, (".png", ".svg"))):
        check_writable(path, endings, force=force)
    with usage_errors():
        experiment = Experiment(
            table, seed, lr, steps, cast("Loss", loss), dtype, hidden
        )
        implementations = {name: load(name) for name in names}
    console = plain_console()
    problem = experiment.problem()
    with progress(console, stages=2 * len(names)) as notify:
        traces = train(problem, implementations, notify)
        verdict = decide(problem, ask(problem, implementations, traces), notify)
    console.print(to_text(experiment, verdict))
    if json_file:
        report = to_json(experiment, verdict)
        write(json_file, json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
    if figure_file:
        from compare.figures import draw  # matplotlib takes its time

        write(figure_file, draw(experiment, verdict, figure_file.suffix[1:]))
    return STATUS[verdict.answer]


@app.command(name="sweep")
def sweep_seeds(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    steps: Annotated[int, typer.Option(help="Updates to make.")] = Experiment.steps,
    loss: Annotated[str, typer.Option(help=", ".join(LOSSES))] = Experiment.loss,
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = Experiment.dtype,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> int:
    """Compare on many seeds, and count the verdicts."""
    from compare.sweep import CHUNK, Tally, sweep

    with usage_errors():
        experiment = Experiment(
            seed=first, steps=steps, loss=cast("Loss", loss), dtype=dtype
        )
        replace(experiment, seed=first + seeds - 1)
    console, tally = plain_console(), Tally()
    processes = ProcessPoolExecutor(jobs, get_context("spawn"))  # no fork of threads
    with processes, progress(console, stages=-(-seeds // CHUNK)) as notify:
        for lot in sweep(experiment, NAMES, range(first, first + seeds), processes):
            tally += lot
            notify(f"{tally.answers.total()} of {seeds} seeds")
    console.print(sweep_to_text(experiment, tally))
    return STATUS["differ"] if tally.differ else STATUS["match"]


@app.command(name="faults")
def plant_faults(
    steps: Annotated[
        int, typer.Option(min=100, help="Updates: enough for each fault to happen.")
    ] = 300,
    impl: Annotated[
        list[str] | None, typer.Option(help=f"Repeat; of {', '.join(NAMES)}. All.")
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help=f"Repeat; of {', '.join(DTYPES)}. All.")
    ] = None,
) -> int:
    """Plant every known mistake, try every harmless rewrite, and see who reports what.

    Exit status: 0 all mistakes caught and all rewrites match, 1 otherwise.
    """
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
    if not path.parent.is_dir():
        raise typer.BadParameter(f"cannot write {path}: there is no such folder")
    if path.exists() and not (force and path.is_file()):
        raise typer.BadParameter(f"{path} exists: choose another name, or add --force")
    if not os.access(path.parent, os.W_OK):
        raise typer.BadParameter(f"cannot write {path}: permission denied")


def write(path: Path, content: bytes) -> None:
    """Write all or nothing: an interruption leaves no half of a file."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def plain_console() -> Console:
    """Print what is there: no markup, and in a pipe no line broken."""
    width = None if sys.stdout.isatty() else 200
    return Console(markup=False, highlight=False, emoji=False, width=width)


@contextmanager
def progress(console: Console, stages: int) -> Iterator[Callable[[str], None]]:
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
    except ImportError as error:
        sys.stderr.write(f"gradparity: {error}\n")
        return UNABLE


def main() -> None:
    """Run as a program."""
    sys.exit(run(sys.argv[1:]))
