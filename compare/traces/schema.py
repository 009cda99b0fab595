"""The format of trace files: their names of tensors and text.

`docs/traces.md` describes what each means.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256

from compare.checks.run import Run
from compare.traces.container import Text
from impls.interface import Array, Problem, Trace, Weights

FORMAT = "gradparity trace"
VERSION = 2
REQUIRED = ("format", "implementation", "loss", "lr", "steps", "weights sha256")
DEFAULTS = {
    "end to end": "",
    "unknown": "",
    "plain loop": "no",
    "plain loss": "no",
    "about": "",
}
ENVIRONMENT = "environment: "
PROBLEM = ("problem.x", "problem.y", "problem.w1", "problem.w2")
TRACE = tuple(field.name for field in fields(Trace))
TENSORS = (*PROBLEM, *TRACE, "final_a2")


@dataclass(frozen=True, eq=False)
class Record:
    """What a file holds.

    Attributes:
        problem: What was trained.
        run: The training.
        environment: What computed it, as text by name.
        about: The problem in a few words; may be empty.
    """

    problem: Problem
    run: Run
    environment: Mapping[str, str]
    about: str = ""


def digest(weights: Weights[Array]) -> str:
    """Hash the bytes of both weights, as `weights sha256`."""
    little = (w.astype(w.dtype.newbyteorder("<")).tobytes() for w in weights)
    return sha256(b"".join(little)).hexdigest()


def check_names(text: Text, names: Collection[str]) -> None:
    """Check that a file is of this format and has its names, and no others.

    Raises:
        ValueError: It is not; the message says why.
    """
    found = re.fullmatch(f"{FORMAT} ([0-9]+)", text.get("format", ""))
    if not found:
        raise ValueError(f"it is no trace: its format is not '{FORMAT} {VERSION}'")
    if found[1] != str(VERSION):
        raise ValueError(
            f"it is of version {found[1]}, and this gradparity reads version {VERSION}:"
            " record it again with this version"
        )
    environment = {n for n in text if n.startswith(ENVIRONMENT) and n != ENVIRONMENT}
    _check_names("text", text, REQUIRED, {*REQUIRED, *DEFAULTS, *environment})
    _check_names("tensor", names, PROBLEM, TENSORS)


def _check_names(
    kind: str, has: Collection[str], needs: Collection[str], may: Collection[str]
) -> None:
    for name in (*needs, *has):
        if name not in has:
            raise ValueError(f"it has no {kind} {name!r}, and should have one")
        if name not in may:
            raise ValueError(f"it has a {kind} {name!r}, which has no meaning")
