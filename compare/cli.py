"""The command line: arguments and exit statuses, nothing else."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from compare.checks.check import broken
from compare.checks.run import rows
from compare.checks.verdict import Answer, decide
from compare.numerics.exact_run import TARGET, ExactRun, exact_run
from compare.report.as_json import Report
from compare.report.output import (
    Files,
    check_writable,
    plain_console,
    progress,
    publish,
    write,
)
from compare.report.screen import differences_to_text
from compare.report.story import tell
from compare.traces import memory
from compare.traces.file import Record, differences, read, same_problem, to_bytes
from compare.training.compare import compare as verdict_of
from compare.training.devices import DEVICES
from compare.training.load import call
from compare.training.problems import DTYPES, TABLES, Experiment
from compare.training.record import record as run_of
from compare.training.registry import NAMES, UnknownImplementationError, listing, load
from compare.training.replay import carry
from impls.interface import Loss, Problem

STATUS = {"match": 0, "differ": 1, "cannot tell": 3}
USAGE = 2
UNABLE = 3
EXPECTED = (ImportError, ArithmeticError, MemoryError, OSError, RuntimeError)
"""Errors whose words say enough."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def gradparity() -> None:
    """Prove whether implementations of one network agree.

    Without the name of a command, it is `compare`.

    Exit status: 0 match, 1 differ, 2 wrong usage, 3 cannot tell or could not compare.
    """


Table = Annotated[str, typer.Option(help=", ".join(TABLES))]
Seed = Annotated[int, typer.Option(help="Seed of the first weights.")]
Rate = Annotated[float, typer.Option(help="Learning rate.")]
Steps = Annotated[int, typer.Option(help="Number of updates.")]
LossName = Annotated[Loss, typer.Option(help="Cross-entropy or mean squared error.")]
Dtype = Annotated[str, typer.Option(help=", ".join(DTYPES))]
Hidden = Annotated[int, typer.Option(help="Hidden units.")]
OURS = ", ".join(NAMES)
Names = Annotated[
    list[str] | None, typer.Option(help=f"{OURS}; repeat for each. All if none.")
]
AllNames = Annotated[
    list[str] | None,
    typer.Option(
        help=f"{OURS}, package.module:object or file.py; repeat for each. "
        f"{OURS} if none."
    ),
]
Device = Annotated[
    str, typer.Option(help=f"{', '.join(DEVICES)}: where PyTorch and JAX compute.")
]
Every = Annotated[
    int, typer.Option(min=1, max=memory.LONGEST, help="Record each K-th step.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write everything to this file.")
]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", help="Draw to this .png or .svg.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files.")]


@app.command()
def compare(
    impl: AllNames = None,
    table: Table = Experiment.table,
    seed: Seed = Experiment.seed,
    lr: Rate = Experiment.lr,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    hidden: Hidden = Experiment.hidden,
    device: Device = "cpu",
    every: Every = 1,
    json_file: JsonFile = None,
    figure_file: FigureFile = None,
    *,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with the exact run, too.")
    ] = False,
    force: Force = False,
) -> int:
    """Train all from the same weights, and compare all they did."""
    with usage_errors():
        names = two_or_more(impl)
        files = Files(json_file, figure_file, force=force)
        experiment = Experiment(table, seed, lr, steps, loss, dtype, hidden)
        problem = experiment.problem()
        memory.check(problem, every, len(names))
        called = call(names, device)
    console = plain_console()
    truth = run_exactly(console, problem).path() if exact else None
    implementations = {name: each.implementation for name, each in called.items()}
    with progress(console, stages=2 * len(names)) as notify:
        verdict = verdict_of(problem, implementations, notify, truth, every)
    environments = {name: each.environment for name, each in called.items()}
    publish(console, Report(experiment.about, verdict, environments), files)
    return STATUS[verdict.answer]


def two_or_more(names: Sequence[str] | None) -> Sequence[str]:
    """Take ours if none are named, and refuse to compare one with itself."""
    names = names or NAMES
    if len(set(names)) < max(2, len(names)):
        raise ValueError(
            "name two implementations or more, each once, as --impl A --impl B"
        )
    return names


@app.command()
def record(
    name: Annotated[str, typer.Argument(help=f"Of {OURS}, or as --impl of compare.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    table: Table = Experiment.table,
    seed: Seed = Experiment.seed,
    lr: Rate = Experiment.lr,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    hidden: Hidden = Experiment.hidden,
    device: Device = "cpu",
    every: Every = 1,
    *,
    force: Force = False,
) -> int:
    """Train one, and save its trace for `gradparity diff`."""
    with usage_errors():
        check_writable(output, (), force=force)
        experiment = Experiment(table, seed, lr, steps, loss, dtype, hidden)
        problem = experiment.problem()
        memory.check(problem, every)
        called = call([name], device)[name]
    console = plain_console()
    with progress(console, stages=1) as notify:
        notify(f"training {name}")
        run = run_of(problem, called.implementation, name, every)
    if broken(run.contract):
        verdict = decide(problem, [run])
        console.print(f"{tell(verdict) or verdict.answer}\n")
        console.print(f"{output} is not written: there is no trace to save")
        return STATUS[verdict.answer]
    trace = Record(problem, run, called.environment, experiment.about)
    write(output, to_bytes(trace))
    size = output.stat().st_size
    count = f"{len(rows(problem, run)):,} of {problem.steps:,} steps"
    console.print(f"{output}: {count}, {size:,} bytes")
    return 0


@app.command()
def diff(
    files: Annotated[list[Path], typer.Argument(help="Two traces or more.")],
    json_file: JsonFile = None,
    figure_file: FigureFile = None,
    *,
    force: Force = False,
) -> int:
    """Compare saved traces; no framework is needed."""
    with usage_errors():
        written = Files(json_file, figure_file, force=force)
        records = {name: read(path) for name, path in named(files).items()}
        same_problem(records)
        one = next(iter(records.values()))
        memory.check(one.problem, one.run.every, len(files), trained=False)
    console = plain_console()
    environments = {name: record.environment for name, record in records.items()}
    console.print(differences_to_text(differences(environments)))
    console.print()
    runs = [replace(record.run, name=name) for name, record in records.items()]
    with progress(console, stages=len(runs)) as notify:
        verdict = decide(one.problem, carry(one.problem, runs), notify)
    abouts = {record.about for record in records.values()}
    about = abouts.pop() if len(abouts) == 1 else ""
    publish(console, Report(about, verdict, environments), written)
    return STATUS[verdict.answer]


def named(files: Sequence[Path]) -> dict[str, Path]:
    """Call each file by its name alone, or by all of its path if that is needed."""
    if len({path.resolve() for path in files}) < max(2, len(files)):
        raise ValueError("name two traces or more, each once")
    stems = {path.stem: path for path in files}
    return stems if len(stems) == len(files) else {str(path): path for path in files}


@app.command(name="list")
def list_implementations() -> int:
    """List the implementations that have names."""
    from compare.report.listings import implementations_to_text

    plain_console().print(implementations_to_text(listing()))
    return 0


@app.command(name="exact")
def exactly(
    table: Table = Experiment.table,
    seed: Seed = Experiment.seed,
    lr: Rate = Experiment.lr,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    hidden: Hidden = Experiment.hidden,
    digits: Annotated[int, typer.Option(min=1, max=200, help="Digits to print.")] = 30,
) -> int:
    """Print what real arithmetic gives, every digit certified."""
    with usage_errors():
        experiment = Experiment(table, seed, lr, steps, loss, dtype, hidden)
        problem = experiment.problem()
        memory.check(problem, traces=1)
    from compare.report.listings import exact_to_text

    console = plain_console()
    run = run_exactly(console, problem, 10.0 ** -(digits + 2))
    console.print(exact_to_text(experiment, run, digits))
    return 0


def run_exactly(console: Console, problem: Problem, target: float = TARGET) -> ExactRun:
    """Enclose the exact run, with a progress bar."""
    with progress(console, stages=problem.steps + 1) as notify:
        return exact_run(
            problem,
            target=min(target, TARGET),
            notify=lambda step: notify(f"exactly, step {step}"),
        )


@app.command(name="sweep")
def sweep_seeds(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help=f"{OURS} or a harmless rewrite, as `gradparity faults` names them; "
            f"repeat for each. {OURS} if none."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    steps: Steps = Experiment.steps,
    loss: LossName = Experiment.loss,
    dtype: Dtype = Experiment.dtype,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> int:
    """Compare on many seeds, and count the verdicts.

    Exit status: 1 if the runs of any seed differ, 3 if those of none match, or else 0.
    """
    from compare.sweep.seeds import CHUNK, Tally, find, sweep
    from compare.sweep.table import sweep_to_text

    with usage_errors():
        experiment = Experiment(seed=first, steps=steps, loss=loss, dtype=dtype)
        replace(experiment, seed=first + seeds - 1)
        names = two_or_more(impl)
        memory.check(experiment.problem(), traces=len(names))
        for name in names:
            find(name, experiment.loss)
    console, tally = plain_console(), Tally()
    processes = ProcessPoolExecutor(jobs, get_context("spawn"))  # no fork of threads
    with processes, progress(console, stages=-(-seeds // CHUNK)) as notify:
        for lot in sweep(experiment, names, range(first, first + seeds), processes):
            tally += lot
            notify(f"{sum(map(len, tally.seeds.values()))} of {seeds} seeds")
    console.print(sweep_to_text(experiment, tally))
    worst: tuple[Answer, ...] = ("differ", "match", "cannot tell")
    return STATUS[next(answer for answer in worst if answer in tally.seeds)]


@app.command(name="faults")
def plant_faults(
    steps: Annotated[
        int, typer.Option(min=100, help="Updates: enough for each fault to happen.")
    ] = 300,
    impl: Names = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(DTYPES)}; repeat for each. All if none."),
    ] = None,
) -> int:
    """Plant every known mistake, and see who reports it.

    Harmless rewrites are tried as well, and have to match.

    Exit status: 0 all mistakes caught, none misnamed, all rewrites match; 1 otherwise.
    """
    from compare.selftest.table import faults_to_text
    from compare.selftest.trial import trials, try_all

    names, dtypes = (tuple(dict.fromkeys(n)) for n in (impl or NAMES, dtype or DTYPES))
    with usage_errors():
        faults, rewrites = trials(steps, names, dtypes)
        memory.check(Experiment(steps=steps).problem(), traces=2)
        for name in NAMES:  # whose frameworks' own checks are tried, too
            load(name)
    console = plain_console()
    with progress(console, stages=len(faults) + len(rewrites)) as notify:
        findings = try_all(steps, names, dtypes, notify)
    console.print(faults_to_text(findings))
    return STATUS["match" if findings.good else "differ"]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what was asked wrongly into an error of usage."""
    try:
        yield
    except (ValueError, UnknownImplementationError) as error:
        raise typer.TyperException(error.args[0]) from error


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
    except SystemExit:  # typer's, if nobody reads on
        return UNABLE
    except Exception as error:  # noqa: BLE001  # whatever it is, it is no difference
        words = " ".join(str(error).split())
        told = words and isinstance(error, EXPECTED)
        kind = "" if told else f"{type(error).__name__}: "
        sys.stderr.write(f"gradparity: {kind}{words}\n")
        return UNABLE


def main() -> None:
    """Run as a program, in one thread: on so small arrays more of them only wait."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is imported
    sys.path.insert(0, "")  # one's own modules lie where one is
    sys.exit(run(sys.argv[1:]))
