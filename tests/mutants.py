"""Change the code in small ways, one at a time, and see whether a test fails.

A change that no test notices survives: a test is missing, or the change has no effect
that counts. Cosmic Ray makes the changes, in a copy of the project. Which modules are
changed, and which tests must notice, is set in pyproject.toml, under `tool.mutants`.

    python tests/mutants.py            all modules
    python tests/mutants.py drift      those whose path has "drift" in it
"""

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import toml
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome

ROOT = Path(__file__).parents[1]
COPIED = ("compare", "impls", "tests", "benchmarks", "pyproject.toml")


class Score(NamedTuple):
    """The result of one module.

    Attributes:
        killed: How many changes a test noticed.
        total: How many changes were made.
        survivors: The difference of each change that no test noticed, as text.
    """

    killed: int
    total: int
    survivors: list[str]


def session(project: Path, module: str, settings: dict[str, Any]) -> Score:
    """Make all changes in one module of a project.

    Args:
        project: A copy of the project, which is changed in place.
        module: The path of the module in the project.
        settings: `tool.mutants` of pyproject.toml.
    """
    tests = settings["modules"][module]
    name = Path(module).stem
    config, database = project / f"{name}.toml", project / f"{name}.sqlite"
    command = [sys.executable, "-m", "pytest", *settings["pytest"], *tests]
    config.write_text(
        toml.dumps(
            {
                "cosmic-ray": {
                    "module-path": module,
                    "timeout": settings["timeout"],
                    "excluded-modules": [],
                    "test-command": " ".join(command),
                    "distributor": {"name": "local"},
                    "filters": {
                        "operators-filter": {"exclude-operators": settings["excluded"]}
                    },
                }
            }
        )
    )
    tool = Path(sys.executable).parent
    run(project, *command)  # without a change, all tests pass
    run(project, str(tool / "cosmic-ray"), "init", config.name, database.name)
    run(project, str(tool / "cr-filter-operators"), database.name, config.name)
    run(project, str(tool / "cosmic-ray"), "exec", config.name, database.name)
    with use_db(str(database), WorkDB.Mode.open) as work:
        results = [result for _, result in work.results]
    outcomes = [result for result in results if result.test_outcome]
    survivors = [
        str(result.diff)
        for result in outcomes
        if result.test_outcome == TestOutcome.SURVIVED
    ]
    return Score(len(outcomes) - len(survivors), len(outcomes), survivors)


def run(project: Path, *command: str) -> None:
    """Run a command in the copy; its output is shown if it fails."""
    done = subprocess.run(  # noqa: S603  # the commands are those above
        command, cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def main(wanted: Iterable[str]) -> int:
    """Change all modules, or those whose paths contain a given text.

    Returns:
        0 if in each module at least the share `least` was noticed, and 1 otherwise.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    settings = settings["tool"]["mutants"]
    wanted = [*wanted]
    modules = [
        module
        for module in settings["modules"]
        if not wanted or any(text in module for text in wanted)
    ]
    enough = True
    with tempfile.TemporaryDirectory() as copy:
        for name in COPIED:
            source, target = ROOT / name, Path(copy, name)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        for module in modules:
            score = session(Path(copy), module, settings)
            share = score.killed / score.total
            enough = enough and share >= settings["least"]
            print(*score.survivors, sep="\n")
            print(f"{module}: {score.killed} of {score.total}, {share:.1%}", flush=True)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
