"""Why each line follows from the ones before, and how each framework computes it."""

from collections.abc import Collection

from compare.checks.check import Check, Promise
from compare.numerics.equations import Line, cross_entropy, cross_entropy_slope

WHY = {
    "z1": "A hidden unit adds its weighted inputs.",
    "a1": "1 / (1 + exp(-z1)) is from 0 to 1.",
    "z2": "The output unit adds the hidden units, each times its weight.",
    "a2": "The sigmoid again: the probability that the label is 1.",
    "bce": "For each sample, -log of the probability given to its label; then the "
    "mean.",
    "mse": "For each sample, the square of the error; then the mean.",
    "bce slope": "da2 = (a2 - y) / (a2 (1 - a2) m) times the slope a2 (1 - a2), which "
    "cancels.",
    "mse slope": "da2 = 2 (a2 - y) / (m n_y) times the slope a2 (1 - a2).",
    "dw2": "z2 = w2 @ a1: each sample adds dz2 times a1 to the slope of a weight.",
    "da1": "z2 = w2 @ a1: a hidden unit acts on each output, times its weight.",
    "dz1": "z2 = w2 @ a1: da1 = w2.T @ dz2, times the slope of the sigmoid, "
    "a1 (1 - a1).",
    "dw1": "z1 = w1 @ x: each sample adds dz1 times x.",
    "new_w1": "Go down the slope: subtract lr times the gradient.",
    "new_w2": "The same for the weights of the output.",
}
"""The reason for each line, for a reader who knows derivatives; da1 is one on paper.

da1 and da2 are the derivatives of the loss by a1 and a2.
"""

INSTEAD = {
    "torch": {
        "z1": "records each operation, to go back",
        "bce": "binary_cross_entropy_with_logits",
        "bce slope": "autograd starts at the loss",
        "mse slope": "autograd starts at the loss",
        "dw2": "goes back through @",
        "dz1": "goes back through @ and sigmoid",
        "dw1": "goes back through @",
        "new_w1": "arithmetic, and a new record",
    },
    "jax": {
        "z1": "compiles all of them",
        "bce": "one log, of max(a2, 1 - a2)",
        "bce slope": "differentiates by a 0 added to z2",
        "mse slope": "differentiates by a 0 added to z2",
        "dw2": "differentiates by w2",
        "dz1": "differentiates by a 0 added to z1",
        "dw1": "differentiates by w1",
        "new_w1": "part of one compiled loop",
    },
}
"""What our other two implementations do where NumPy's computes the line by hand."""

ENDS = {
    Promise.TRAINS: "its training",
    Promise.ANSWERS: "a call of its functions",
}
"""What ends with an error where a promise is broken."""


def key_of(line: Line) -> str:
    """Name a line as the sentences do: two of them depend on the loss."""
    match line.quantity:
        case "loss":
            return "bce" if line.formula is cross_entropy else "mse"
        case "dz2":
            bce = line.formula is cross_entropy_slope
            return "bce slope" if bce else "mse slope"
        case quantity:
            return quantity


def reason(line: Line) -> str:
    """Say why a line follows from the ones before."""
    return WHY[key_of(line)]


def instead(line: Line, runs: Collection[str]) -> str:
    """Say what those of our implementations do that differ; "" if none does."""
    key = key_of(line)
    return "; ".join(
        f"{name}: {does[key]}"
        for name, does in INSTEAD.items()
        if name in runs and key in does
    )


def obstacle(check: Check) -> str:
    """Say why a run has no step to show, by the check that it fails."""
    value, due = check.worst.value, check.worst.reference
    if check.promise in ENDS:
        return f"{ENDS[check.promise]} ends with an error: {value}"
    if check.promise in (Promise.LIVES, Promise.IN_TIME):
        return str(value)
    return f"its {check.quantity} is {value}, and should be {due}"
