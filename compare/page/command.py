"""The command that makes a page again."""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from compare.training.problems import Experiment

OPTIONS = {"network": "sizes"}
"""Fields of an experiment whose option has another name."""


def compare_command(
    experiment: Experiment,
    names: Sequence[str],
    device: str,
    page: Path | None,
    *,
    exact: bool,
) -> str:
    """Write `gradparity compare` with the options that are not the defaults.

    >>> compare_command(Experiment(lr=2.0), ["numpy", "b.py"], "cpu", Path("p.html"),
    ...                 exact=False)
    'gradparity compare --lr 2.0 --impl numpy --impl b.py --page p.html'
    """
    words = ["gradparity", "compare"]
    for field in fields(experiment):
        value = getattr(experiment, field.name)
        if value != field.default:
            words += [f"--{OPTIONS.get(field.name, field.name)}", str(value)]
    for name in names:
        words += ["--impl", name]
    if device != "cpu":
        words += ["--device", device]
    words += ["--exact"] * exact
    return shlex.join([*words, "--page", str(page)])


def diff_command(files: Sequence[Path], page: Path | None) -> str:
    """Write `gradparity diff` of these files, one of which may look like an option."""
    names = [*map(str, files)]
    end = ["--"] * any(name.startswith("-") for name in names)
    return shlex.join(["gradparity", "diff", "--page", str(page), *end, *names])
