"""The format of trace files, version 2.

A trace is a safetensors file (https://github.com/huggingface/safetensors): any language
can write it, and nothing in it is executed. `impls.interface` defines the quantities,
and the sizes `n_x`, `n_h`, `n_y` and `m`. N is the number of steps.

Four tensors are required, all F64 or all F32: that is the dtype of the problem.

    problem.x   (n_x, m)           the inputs
    problem.y   (n_y, m)           the labels, between 0 and 1
    problem.w1  (n_h, n_x)         the weights before training
    problem.w2  (n_y, n_h)

The other tensors are the training. One that is missing, not finite, or of another shape
or dtype (F64, F32 or F16) does not make the file malformed: it is a difference.

    w1          (N + 1, n_h, n_x)  before each update; the last are the trained weights
    w2          (N + 1, n_y, n_h)
    loss        (N,)               this and what follows: at the weights of that row
    z1, a1      (N, n_h, m)
    z2, a2      (N, n_y, m)
    dz2         (N, n_y, m)
    dw2         (N, n_y, n_h)
    dz1         (N, n_h, m)
    dw1         (N, n_h, n_x)
    final_a2    (n_y, m)           a2 at the trained weights

The text under `__metadata__` must be printable, and each name and value at most 1,000
characters long. The first six are required; the others default to nothing and "no".

    format          gradparity trace 2
    implementation  its name
    loss            bce or mse
    lr              the learning rate, with enough digits to bring back every bit
    steps           N, from 1 to 2^53
    weights sha256  of the bytes of problem.w1 and then problem.w2, in lower-case hex;
                    elements are little-endian, row by row, as they are in the file
    end to end      quantities computed by another formula, such as: a1 a2
    unknown         those of z1, a1, z2, dz2 and dz1 that are not returned: z1 z2
    plain loop      yes if gradparity's own loop trained, for want of `train`; else no
    about           the problem, in a few words
    environment: *  anything the numbers may depend on, such as environment: device; it
                    is compared word by word, and decides nothing

No other names are allowed, so that a misspelt name is an error. The header is at most
a million bytes long.
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
REQUIRED = ("implementation", "loss", "lr", "steps", "weights sha256")
DEFAULTS = {"end to end": "", "unknown": "", "plain loop": "no", "about": ""}
ENVIRONMENT = "environment: "
PROBLEM = ("problem.x", "problem.y", "problem.w1", "problem.w2")
TRACE = tuple(field.name for field in fields(Trace))


@dataclass(frozen=True, eq=False)
class Record:
    """What a file holds.

    Attributes:
        problem: What was trained.
        run: What came of it.
        environment: What computed it, in words by name.
        about: The problem in a few words; empty if nobody said.
    """

    problem: Problem
    run: Run
    environment: Mapping[str, str]
    about: str = ""


def digest(weights: Weights[Array]) -> str:
    """Hash the bytes of both weights."""
    little = (w.astype(w.dtype.newbyteorder("<")).tobytes() for w in weights)
    return sha256(b"".join(little)).hexdigest()


def expect(text: Text, names: Collection[str]) -> None:
    """Check that a file is of this format, and that every name in it means something.

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
    texts = {"format", *REQUIRED, *DEFAULTS}
    texts |= {n for n in text if n.startswith(ENVIRONMENT) and n != ENVIRONMENT}
    tensors = {*PROBLEM, *TRACE, "final_a2"}
    _check_names("text", text, REQUIRED, texts)
    _check_names("tensor", names, PROBLEM, tensors)


def _check_names(
    kind: str, has: Collection[str], needs: Collection[str], may: Collection[str]
) -> None:
    for name in needs:
        if name not in has:
            raise ValueError(f"it has no {kind} {name!r}, and should have one")
    for name in has:
        if name not in may:
            raise ValueError(f"it has a {kind} {name!r}, which has no meaning")
