"""What a file with a trace holds, for whoever writes one.

It is a safetensors file (https://github.com/huggingface/safetensors): any language can
write it, and nothing in it is ever executed. `impls.interface` says what the quantities
mean, and what `n_x`, `n_h`, `n_y` and `m` are. N is the number of steps, of which
R = ceil(N / K) are recorded: row r is that of step r K.

Four tensors are required, F64 or F32, all alike: that is the dtype of the problem.

    problem.x   (n_x, m)           the inputs
    problem.y   (n_y, m)           the labels, between 0 and 1
    problem.w1  (n_h, n_x)         the weights before training
    problem.w2  (n_y, n_h)

The others are what was trained. One that is missing, not finite, or of another shape or
dtype (F64, F32 or F16) makes no bad file, but a difference.

    w1          (R + 1, n_h, n_x)  before each update, and at last the trained ones
    w2          (R + 1, n_y, n_h)
    loss        (R,)               this and what follows: at the weights of the same row
    z1, a1      (R, n_h, m)
    z2, a2      (R, n_y, m)
    dz2         (R, n_y, m)
    dw2         (R, n_y, n_h)
    dz1         (R, n_h, m)
    dw1         (R, n_h, n_x)
    new_w1      (R, n_h, n_x)      right after each update: if K > 1, and only then
    new_w2      (R, n_y, n_h)
    final_a2    (n_y, m)           a2 at the trained weights

The text under `__metadata__` has to be printable, and each name and value at most 1,000
characters long. The first seven are required; the others default to nothing and "no".

    format          gradparity trace 1
    implementation  its name
    loss            bce or mse
    lr              the learning rate, with enough digits to bring back every bit
    steps           N, from 1 to 2^53
    every           K, from 1 to 100000; 1 if every step was recorded
    weights sha256  of the bytes of problem.w1 and then problem.w2, in lower-case hex;
                    elements are little-endian, row by row, as they are in the file
    end to end      quantities that it computes by a formula of its own, as: a1 a2
    unknown         which of z1, a1, z2, dz2 and dz1 it doesn't give, as: z1 z2
    plain loop      yes if it can't train, so that gradparity's own loop did; no if not
    about           the problem, in a few words
    environment: *  whatever the numbers may depend on, as environment: device; it is
                    compared word by word, and decides nothing

No other names are allowed, so that none is misspelt unnoticed. The header is at most a
million bytes long.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256

from compare.checks.run import Run
from compare.traces.container import Text
from impls.interface import Array, Problem, Trace, Weights

FORMAT = "gradparity trace"
VERSION = 1
SAID = ("implementation", "loss", "lr", "steps", "every", "weights sha256")
UNSAID = {"end to end": "", "unknown": "", "plain loop": "no", "about": ""}
ENVIRONMENT = "environment: "
GIVEN = ("problem.x", "problem.y", "problem.w1", "problem.w2")
COMPUTED = tuple(field.name for field in fields(Trace))
UPDATED = ("new_w1", "new_w2")


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
            " update gradparity, or record again"
        )
    texts = {"format", *SAID, *UNSAID}
    texts |= {n for n in text if n.startswith(ENVIRONMENT) and n != ENVIRONMENT}
    tensors = {*GIVEN, *COMPUTED, "final_a2"}
    if text.get("every") != "1":
        tensors |= {*UPDATED}
    _check_names("text", text, SAID, texts)
    _check_names("tensor", names, GIVEN, tensors)


def _check_names(
    kind: str, has: Collection[str], needs: Collection[str], may: Collection[str]
) -> None:
    for name in needs:
        if name not in has:
            raise ValueError(f"it has no {kind} {name!r}, and should have one")
    for name in has:
        if name not in may:
            raise ValueError(f"it has a {kind} {name!r}, which has no meaning")
