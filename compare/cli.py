"""The command line: arguments and exit statuses."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial, wraps
from importlib import metadata
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from compare.checks.check import has_failure
from compare.checks.printable import LONGEST_LINE, printable, printable_names
from compare.checks.verdict import Answer, decide
from compare.hosts.environment import DEVICES
from compare.hosts.host import Host, check_distinct, start
from compare.hosts.listing import listing
from compare.hosts.load import MODULES, OURS, labels, load
from compare.hosts.third_party import UnknownImplementationError, split
from compare.page.command import compare_command, diff_command
from compare.report.as_json import Report
from compare.report.console import plain_console, prepare_streams, progress
from compare.report.output import Files, check_writable, publish, write, write_json
from compare.report.screen import COLUMNS, Detail
from compare.testing import both, check_hosted
from compare.traces.file import read, same_problem, to_bytes
from compare.traces.memory import check_memory
from compare.traces.schema import Record
from compare.training.compare import compare as compare_implementations
from compare.training.compare import train
from compare.training.problems import (
    DTYPES,
    EXAM,
    SAMPLES,
    TABLES,
    Experiment,
    sizes_of,
)
from compare.training.replay import carry
from impls.interface import Problem

if TYPE_CHECKING:
    from compare.numerics.exact_run import ExactRun

STATUS = {
    "match": 0,
    "differ": 1,
    "could not compare": 3,
    "cannot tell": 3,
    "unstable": 3,
}
USAGE = 2
UNABLE = 3
OWN = ("-h", "--help", "--version", "--install-completion", "--show-completion")
"""The options of the program itself; others are options of `compare`."""
EXPECTED = (ImportError, ArithmeticError, MemoryError, OSError, RuntimeError)
"""Errors whose message is enough."""

NUMBERS = {
    "float_parsing": "a number, not {0!r}",
    "int_parsing": "an integer, not {0!r}",
    "int_parsing_size": "an integer of fewer digits, not {0}",
    "greater_than_equal": "at least {ge}, not {0}",
    "less_than_equal": "at most {le}, not {0}",
}
"""What an option takes, by the parser's type of a wrong value."""

VERDICT = (
    "Exit status: 0 match, 1 differ, 2 wrong usage, 3 unstable, cannot tell, or could "
    "not compare."
)
DONE = "Exit status: 0 done, 2 wrong usage, 3 it could not be done."

app = typer.Typer(
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


def print_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    """Print the version, and end the program."""
    if wanted:
        typer.echo(f"gradparity {metadata.version('gradparity')}")
        raise typer.Exit


@app.callback(epilog=VERDICT)
def gradparity(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            callback=print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Check whether implementations of one network agree, to within rounding.

    Without the name of a command, it is `compare`.
    """


OPTIONS = {
    "table": Annotated[
        str | None, typer.Option(help=f"{', '.join(TABLES)}. xor if none.")
    ],
    "seed": Annotated[
        int, typer.Option(help="Seed of the first weights, and of drawn data.")
    ],
    "lr": Annotated[float, typer.Option(help="Learning rate.")],
    "steps": Annotated[int, typer.Option(help="Number of updates.")],
    "loss": Annotated[
        str, typer.Option(help="bce, cross-entropy, or mse, mean squared error.")
    ],
    "dtype": Annotated[str, typer.Option(help=", ".join(DTYPES))],
    "network": Annotated[
        str,
        typer.Option(
            "--sizes",
            help="Inputs-hidden-outputs. Data are drawn unless they are 2-x-1.",
        ),
    ],
    "samples": Annotated[
        int | None,
        typer.Option(help=f"Samples to draw, in place of a table. {SAMPLES} if none."),
    ],
}
"""The option of each field of an experiment."""


def takes_experiment(
    *names: str,
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the options of an experiment, in place of its first parameter.

    Args:
        names: The fields of an experiment that can be set; all if none are named.
    """
    chosen = names or tuple(OPTIONS)
    keyword = Parameter.KEYWORD_ONLY
    options = [
        Parameter(n, keyword, default=getattr(Experiment, n), annotation=OPTIONS[n])
        for n in chosen
    ]

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def run(**arguments: Any) -> int:  # noqa: ANN401
            with usage_errors():
                experiment = Experiment(**{n: arguments.pop(n) for n in chosen})
            return command(experiment, **arguments)

        _, *others = signature(command).parameters.values()
        parameters = [*(p.replace(kind=keyword) for p in others), *options]
        vars(run)["__signature__"] = Signature(parameters)  # typer reads both
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


Implementations = Annotated[
    list[str] | None,
    typer.Option(
        help=f"{', '.join(OURS)}, package.module:object or file.py; repeat for each. "
        f"{', '.join(OURS)} if none; one alone is compared with numpy."
    ),
]
Device = Annotated[
    str, typer.Option(help=f"{', '.join(DEVICES)}: where PyTorch and JAX compute.")
]
Timeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds that an implementation may take to load, to train, and to "
        "answer. No limit if none."
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write everything to this file; - is standard output."),
]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", help="Draw to this .png or .svg.")
]
PageFile = Annotated[
    Path | None, typer.Option("--page", help="Show and explain it all in this .html.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show every pair and every line.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show the answer only.")]


def detail_of(*, verbose: bool, quiet: bool) -> Detail:
    """Return how much of a verdict is shown."""
    if verbose and quiet:
        raise ValueError("choose one of --verbose and --quiet")
    return "verbose" if verbose else "quiet" if quiet else "normal"


@app.command(epilog=f"\b\n{COLUMNS}\n\n{VERDICT}")
@takes_experiment()
def compare(
    experiment: Experiment,
    impl: Implementations = None,
    device: Device = "cpu",
    timeout: Timeout = None,
    json_file: JsonFile = None,
    figure_file: FigureFile = None,
    page_file: PageFile = None,
    *,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with the exact run, too.")
    ] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    force: Force = False,
) -> int:
    """Train all from the same weights, and compare every number."""
    with usage_errors():
        detail = detail_of(verbose=verbose, quiet=quiet)
        names = two_or_more(impl)
        sources = files_of(names)
        files = Files(json_file, figure_file, page_file, force=force, inputs=sources)
        check_memory(experiment.sizes, experiment.steps, len(names), exact=exact)
    console = plain_console(json_file)
    with started(names, device, timeout) as hosts:
        problem = experiment.problem()
        truth, missing = None, ""
        if exact:
            try:
                truth = run_exactly(console, problem).path()
            except ArithmeticError as error:  # the others can be compared
                missing = f"not compared with the exact run: {error}"
        with progress(console, stages=2 * len(names)) as notify:
            verdict = compare_implementations(problem, hosts, notify, truth)
    environments = {n: h.about.environment for n, h in hosts.items() if h.about}
    report = Report(experiment.about, verdict, environments)
    ours = dict(zip(hosts, names, strict=True))
    command = compare_command(experiment, impl or (), device, files.page, exact=exact)
    publish(console, report, files, detail, partial(draw_page, command, ours))
    unable = complain(missing, UNABLE) if missing else 0
    return STATUS[verdict.answer] or unable


def files_of(names: Sequence[str]) -> list[Path]:
    """List the files that implementations may be in; not all of them exist."""
    files: list[Path] = []
    for where, _ in map(split, names):
        if where.endswith(".py"):
            files.append(Path(where))
            continue
        module = MODULES.get(where, where).replace(".", "/")
        for folder in ("", *sys.path):  # a module may be in the current folder, too
            files += [Path(folder, f"{module}.py"), Path(folder, module, "__init__.py")]
    return files


@contextmanager
def started(
    names: Sequence[str], device: str, timeout: float | None
) -> Iterator[Mapping[str, Host]]:
    """Load implementations, each in a process of its own, until the context ends."""
    with ExitStack() as stack:
        with usage_errors():
            named = dict(zip(labels(names), names, strict=True))
            hosts = stack.enter_context(start(named, device, timeout))
            check_distinct(hosts)
        yield hosts


def draw_page(command: str, ours: Mapping[str, str], report: Report) -> bytes:
    """Build the page of a report; see `page.build.build`."""
    from compare.page.build import build

    return build(report, command, ours)


def two_or_more(names: Sequence[str] | None) -> Sequence[str]:
    """Return the names: ours if there are none, NumPy's before a single one.

    Raises:
        ValueError: A name comes twice, or NumPy's would be compared with itself.
    """
    names = names or OURS
    names = ("numpy", *names) if len(names) == 1 else names
    if len(set(names)) < len(names):
        raise ValueError(
            "name two implementations or more, each once, as --impl A --impl B"
        )
    return names


@app.command()
def check(
    name: Annotated[
        str, typer.Argument(help=f"One of {', '.join(OURS)}, or as --impl of compare.")
    ],
    against: Annotated[str, typer.Option(help="The reference, likewise.")] = "numpy",
    timeout: Timeout = None,
    json_file: JsonFile = None,
    *,
    force: Force = False,
) -> int:
    """Examine one implementation: the same checks as in pytest.

    XOR and other networks are trained, with both losses and in both dtypes.

    Exit status: 0 all pass, 1 one fails, 2 wrong usage, 3 cannot tell or could not
    compare.
    """
    from compare.report.listings import answer_of, findings_to_json, findings_to_text

    console = plain_console(json_file)
    with ExitStack() as stack:
        with usage_errors():
            Files(json_file, force=force, inputs=files_of([name, against]))
            hosts = stack.enter_context(start(both(name, against), timeout=timeout))
        with progress(console, stages=len(EXAM)) as notify:
            findings = check_hosted(hosts, EXAM, notify)
    reference, label = hosts
    if json_file:
        write_json(json_file, findings_to_json(label, reference, findings), force=force)
    console.print(findings_to_text(label, findings))
    return STATUS[answer_of(findings)]


@app.command(epilog=DONE)
@takes_experiment()
def record(
    experiment: Experiment,
    name: Annotated[
        str, typer.Argument(help=f"One of {', '.join(OURS)}, or as --impl of compare.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    device: Device = "cpu",
    timeout: Timeout = None,
    *,
    force: Force = False,
) -> int:
    """Train one, and save its trace for `gradparity diff`."""
    with usage_errors():
        check_writable(output, force=force, inputs=files_of([name]))
        check_memory(experiment.sizes, experiment.steps, 1)
    console = plain_console()
    with started([name], device, timeout) as hosts:
        problem = experiment.problem()
        with progress(console, stages=1) as notify:
            (run,) = train(problem, hosts, notify)
    if has_failure(run.contract):
        verdict = decide(problem, [run])
        publish(console, Report(experiment.about, verdict, {}), Files(), "quiet")
        console.print(f"{printable(output)} is not written: there is no trace to save")
        return UNABLE
    about = hosts[run.name].about
    environment = about.environment if about else {}
    saved = Record(problem, run, environment, experiment.about)
    write(output, to_bytes(saved), force=force)
    size = output.stat().st_size
    console.print(f"{printable(output)}: {problem.steps:,} steps, {size:,} bytes")
    return 0


@app.command(epilog=f"\b\n{COLUMNS}\n\n{VERDICT}")
def diff(
    files: Annotated[list[Path], typer.Argument(help="Two traces or more.")],
    json_file: JsonFile = None,
    figure_file: FigureFile = None,
    page_file: PageFile = None,
    *,
    verbose: Verbose = False,
    quiet: Quiet = False,
    force: Force = False,
) -> int:
    """Compare saved traces; no framework is needed."""
    with usage_errors():
        detail = detail_of(verbose=verbose, quiet=quiet)
        written = Files(json_file, figure_file, page_file, force=force, inputs=files)
        records = {name: read(path) for name, path in named(files).items()}
        same_problem(records)
        problem = next(iter(records.values())).problem
        check_memory(sizes_of(problem), problem.steps, len(files))
    console = plain_console(json_file)
    environments = {name: record.environment for name, record in records.items()}
    runs = [replace(record.run, name=name) for name, record in records.items()]
    with progress(console, stages=len(runs)) as notify:
        verdict = decide(problem, carry(problem, runs), notify)
    abouts = {record.about for record in records.values()}
    about = abouts.pop() if len(abouts) == 1 else ""
    report = Report(about, verdict, environments)
    ours = {name: record.run.name for name, record in records.items()}
    command = diff_command(files, written.page)
    publish(console, report, written, detail, partial(draw_page, command, ours))
    return STATUS[verdict.answer]


def named(files: Sequence[Path]) -> dict[str, Path]:
    """Name each file by its stem, or by its whole path if two stems are equal."""
    if len({*map(os.path.realpath, files)}) < max(2, len(files)):
        raise ValueError("name two traces or more, each once")
    unique = len({path.stem for path in files}) == len(files)
    names = printable_names(path.stem if unique else path for path in files)
    return dict(zip(names, files, strict=True))


@app.command(name="list", epilog=DONE)
def list_implementations() -> int:
    """List the implementations that have names."""
    from compare.report.listings import implementations_to_text

    plain_console().print(implementations_to_text(listing()))
    return 0


@app.command(name="exact", epilog=DONE)
@takes_experiment()
def print_exact_run(
    experiment: Experiment,
    digits: Annotated[int, typer.Option(min=1, max=200, help="Digits to print.")] = 30,
) -> int:
    """Print what real arithmetic gives, every digit certified."""
    with usage_errors():
        check_memory(experiment.sizes, experiment.steps, 1, exact=True)
    from compare.report.listings import exact_to_text

    console = plain_console()
    run = run_exactly(console, experiment.problem(), digits + 2)
    console.print(exact_to_text(experiment, run, digits))
    return 0


@app.command(name="explain", epilog=DONE)
@takes_experiment("table", "seed", "lr", "loss", "dtype", "network", "samples")
def explain_step(
    experiment: Experiment,
    step: Annotated[
        int | None,
        typer.Option(min=0, help="Which: 0 if none, or where the mistake enters."),
    ] = None,
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help=f"As --impl of compare; repeat for each. {', '.join(OURS)} if none."
        ),
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option(
            help="Plant this mistake in a copy of the implementation, numpy if none is "
            "named; `gradparity faults --list` lists them."
        ),
    ] = None,
    *,
    worksheet: Annotated[
        bool, typer.Option("--worksheet", help="Leave blanks; the answers follow.")
    ] = False,
) -> int:
    """Walk through one training step, line by line."""
    from compare.explain.lesson import choose, hosts_of, step_of
    from compare.explain.text import walk_to_text
    from compare.explain.walk import walk
    from compare.explain.worksheet import worksheet_to_text

    with usage_errors():
        if worksheet and fault:
            raise ValueError("choose one of --worksheet and --fault")
        lesson = choose(experiment, step, impl, fault)
    with ExitStack() as stack:
        with usage_errors():
            hosts = stack.enter_context(hosts_of(lesson))
            problem = lesson.experiment.problem()
        verdict = compare_implementations(problem, hosts)
    walked = walk(verdict, step_of(verdict, step))
    shown = (
        worksheet_to_text(walked, experiment.about)
        if worksheet
        else walk_to_text(walked, experiment.about, lesson.note)
    )
    plain_console().print(shown, crop=False)
    return 0


def run_exactly(console: Console, problem: Problem, digits: int = 0) -> "ExactRun":
    """Enclose the exact run, to so many digits at least, with a progress bar."""
    from compare.numerics.exact_run import TARGET, exact_run

    with progress(console, stages=problem.steps + 1) as notify:
        return exact_run(
            problem,
            target=min(10.0**-digits, TARGET),
            notify=lambda step: notify(f"exact run, step {step}"),
        )


LIST = "A value, or several with commas; repeatable."


@app.command(
    name="sweep",
    epilog="Exit status: 0 match, 1 the runs of a seed differ, 2 wrong usage, 3 the "
    "runs of no seed match, or it could not be done.",
)
def sweep_seeds(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="As --impl of compare, or a harmless rewrite, as `gradparity faults` "
            f"names them; repeat for each. {', '.join(OURS)} if none."
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="FIRST:END, or END alone: from 0.")
    ] = "0:1000",
    table: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    lr: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    steps: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    loss: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    dtype: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    network: Annotated[list[str] | None, typer.Option("--sizes", help=LIST)] = None,
    samples: Annotated[list[str] | None, typer.Option(help=LIST)] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The folder for the rows, in Parquet; started again, the same sweep "
            "goes on there.",
        ),
    ] = None,
    figure_file: FigureFile = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes; if none, one for each core, or as many as memory holds.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The scheduler of a Dask cluster."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that an --impl of yours may take to load, to train, and to "
            "answer. No limit if none."
        ),
    ] = None,
    *,
    workers_write: Annotated[
        bool,
        typer.Option(
            "--workers-write", help="Workers write the rows: all must see the folder."
        ),
    ] = False,
    force: Force = False,
) -> int:
    """Compare on many seeds and every combination of the options.

    Each value of an option is combined with each of the others.
    """
    from compare.sweep.command import Options, run_sweep

    given = {
        "table": table,
        "network": network,
        "samples": samples,
        "loss": loss,
        "dtype": dtype,
        "lr": lr,
        "steps": steps,
    }
    with usage_errors():
        options = Options.of(
            seeds,
            two_or_more(impl),
            given,
            Files(figure=figure_file, force=force),
            folder=output,
            jobs=jobs,
            dask=dask,
            workers_write=workers_write,
            timeout=timeout,
        )
    counts = run_sweep(plain_console(), options)
    worst: tuple[Answer, ...] = ("differ", "could not compare", "match")
    return STATUS[next((answer for answer in worst if counts[answer]), "cannot tell")]


@app.command(
    name="faults",
    epilog="Exit status: 0 all mistakes caught, none misnamed, all rewrites match; "
    "1 otherwise, 2 wrong usage, 3 it could not be done.",
)
def plant_faults(
    steps: Annotated[
        int, typer.Option(min=100, help="Updates: enough for each fault to happen.")
    ] = 300,
    impl: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(OURS)}; repeat for each. All if none."),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(DTYPES)}; repeat for each. All if none."),
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option(
            help="Plant this one only, in numpy and float64 if none is named."
        ),
    ] = None,
    json_file: JsonFile = None,
    *,
    names: Annotated[
        bool, typer.Option("--list", help="List the names of the faults.")
    ] = False,
    force: Force = False,
) -> int:
    """Plant every known mistake, and see where each is reported.

    Harmless rewrites are tried as well, and must match.
    """
    from compare.selftest.faults import FAULTS, fault_named
    from compare.selftest.table import fault_to_text, faults_to_text, to_json
    from compare.selftest.trial import list_trials, try_all

    if names:
        plain_console().print("\n".join(each.name for each in FAULTS))
        return 0
    bases, dtypes = (
        tuple(dict.fromkeys(given or (every[:1] if fault else every)))
        for given, every in ((impl, OURS), (dtype, DTYPES))
    )
    with usage_errors():
        Files(json_file, force=force)
        one = fault_named(fault) if fault else None
        faults, rewrites = list_trials(steps, bases, dtypes, one)
        check_memory(Experiment().sizes, steps, 2)
        for base in bases:
            load(base)
    console = plain_console(json_file)
    with progress(console, stages=len(faults) + len(rewrites)) as notify:
        trials = try_all(faults, rewrites, notify)
    if json_file:
        write_json(json_file, to_json(trials), force=force)
    shown = fault_to_text(one, trials) if one else faults_to_text(trials)
    console.print(shown, crop=False)
    return STATUS["match" if trials.good else "differ"]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn wrong arguments into an error of usage."""
    try:
        yield
    except (ValueError, UnknownImplementationError) as error:
        raise typer.TyperException(error.args[0]) from error


def run(arguments: Sequence[str]) -> int:
    """Run the command line, `compare` by default, and return its exit status."""
    prepare_streams()
    try:
        Path.cwd()
    except FileNotFoundError:
        return complain("the current folder was deleted: go to another one", UNABLE)
    first = arguments[0] if arguments else "--"
    if first.startswith("-") and first not in OWN:
        arguments = ["compare", *arguments]
    try:
        return int(app(list(arguments), "gradparity", standalone_mode=False) or 0)
    except typer.TyperException as error:
        return complain(wrong_value(error) or error.format_message(), USAGE)
    except SystemExit as stop:  # typer's: 0 after completion, 1 after a closed pipe
        return UNABLE if stop.code else 0
    except Exception as error:  # noqa: BLE001  # any error, but it is no difference
        words = " ".join(str(error).split())
        enough = words and isinstance(error, EXPECTED)
        kind = "" if enough else f"{type(error).__name__}: "
        return complain(kind + words, UNABLE)


def wrong_value(error: typer.TyperException) -> str:
    """Say what number an option takes, and what it was given; "" if that is no reason.

    The words are those of an experiment; the parser leaves out what was given.
    """
    from pydantic import ValidationError  # typer brings it

    cause, parameter = error.__cause__, getattr(error, "param", None)
    if not isinstance(cause, ValidationError) or not parameter:
        return ""
    found, *_ = cause.errors()
    due = NUMBERS.get(found["type"], "").format(found["input"], **found.get("ctx", {}))
    return due and f"{parameter.opts[0]} must be {due}"


def complain(words: str, status: int) -> int:
    """Print an error in one line, if standard error takes it, and return the status."""
    with suppress(OSError, ValueError):  # it is full, or closed
        typer.echo(f"gradparity: {printable(words, LONGEST_LINE)}", err=True)
    return status
