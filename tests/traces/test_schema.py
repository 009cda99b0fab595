"""The names of a trace file: its version, what is required, and what is documented."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from compare.traces import schema
from compare.traces.schema import digest
from compare.training.problems import sizes_of
from impls.interface import Array, Weights
from tests.traces.files import PROBLEM, Tensors, refused, text_and_tensors, write

PAGE = (Path(__file__).parents[2] / "docs" / "traces.md").read_text()
VERSION_1 = {
    "format": "gradparity trace 1",
    "implementation": "numpy",
    "loss": "bce",
    "lr": "0.9",
    "steps": "20",
    "weights sha256": (
        "a15c1b1ac12dfd2f9572b2d9444885e868cc3b7fbcb1e22c20cbefae6396db4e"
    ),
    "end to end": "",
    "unknown": "",
    "plain loop": "no",
    "about": "xor, seed 2",
    "environment: python": "3.11.7",
    "environment: framework": "numpy 2.4.6",
    "environment: device": "cpu",
    "environment: subnormals": "kept",
}
"""The text of a trace that version 1 wrote, without `every`."""
UPDATED: Tensors = {"new_w1": np.zeros((20, 2, 2)), "new_w2": np.zeros((20, 1, 2))}
"""The tensors that version 1 added if it recorded each K-th step."""


def rows(first: str) -> dict[str, list[str]]:
    """Read the table of the page whose first column is so headed: its cells by name."""
    lines = PAGE.split(f"| {first} |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {name.strip("`"): others for name, *others in cells}


def required(table: dict[str, list[str]], column: int) -> list[str]:
    """List the names that a table calls required."""
    return [name for name, cells in table.items() if cells[column] == "yes"]


def test_every_tensor_is_documented() -> None:
    """The page describes each tensor of the format, and no other."""
    assert sorted(rows("tensor")) == sorted(schema.TENSORS)


def test_every_text_is_documented() -> None:
    """The page describes each text of the format, and no other."""
    names = [*schema.REQUIRED, *schema.DEFAULTS, f"{schema.ENVIRONMENT}*"]

    assert sorted(rows("text")) == sorted(names)


def test_what_is_required_is_documented() -> None:
    """The page says of the same names that they are required."""
    assert required(rows("tensor"), 1) == [*schema.PROBLEM]
    assert required(rows("text"), 0) == [*schema.REQUIRED]


def test_the_version_is_documented() -> None:
    """The page gives the format and its version as a file must state it."""
    assert rows("text")["format"][-1] == f"`{schema.FORMAT} {schema.VERSION}`"


@pytest.mark.parametrize("name", schema.TENSORS)
def test_the_shape_is_documented(name: str) -> None:
    """The page gives the shape that the tensor of a good file has."""
    _, tensors = text_and_tensors()
    sizes = sizes_of(PROBLEM)._asdict() | {"N": PROBLEM.steps}
    sizes["N + 1"] = PROBLEM.steps + 1
    shape = rows("tensor")[name][0].strip("()").split(", ")

    assert tuple(sizes[size] for size in shape) == tensors[name].shape


@pytest.mark.parametrize(
    "content",
    [save({"w": np.zeros(3)}), save({"w": np.zeros(3)}, {"format": "pt"})],
    ids=["no text", "weights"],
)
def test_another_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file of weights is no trace."""
    (tmp_path / "trace").write_bytes(content)

    refused(tmp_path / "trace", "no trace: its format is not 'gradparity trace 2'")


@pytest.mark.parametrize(
    ("every", "tensors"), [("1", {}), ("7", UPDATED)], ids=["all steps", "each 7th"]
)
def test_version_1_is_refused(tmp_path: Path, every: str, tensors: Tensors) -> None:
    """A trace of version 1 gives one line that says to record it again."""
    path = write(tmp_path / "trace", VERSION_1 | {"every": every}, tensors)

    refused(
        path,
        "it is of version 1, and this gradparity reads version 2: record it again "
        "with this version",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ({"format": None}, "no trace"),
        ({"format": "gradparity trace"}, "no trace"),
        ({"format": "gradparity trace 2 "}, "no trace"),
        ({"format": "gradparity trace 3"}, "version 3, and this gradparity reads"),
        ({"implementation": None}, "no text 'implementation'"),
        ({"loss": None}, "no text 'loss'"),
        ({"lr": None}, "no text 'lr'"),
        ({"steps": None}, "no text 'steps'"),
        ({"weights sha256": None}, "no text 'weights sha256'"),
        ({"environment: ": "none"}, "a text 'environment: '"),
        ({"momentum": "0.9"}, "a text 'momentum'"),
        ({"every": "1"}, "a text 'every'"),
    ],
)
def test_wrong_names_of_text_are_refused(
    tmp_path: Path, text: dict[str, str | None], why: str
) -> None:
    """A required name is missing, or a name has no meaning."""
    refused(write(tmp_path / "trace", text, {}), why)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"problem.x": None}, "no tensor 'problem.x'"),
        ({"problem.y": None}, "no tensor 'problem.y'"),
        ({"problem.w1": None}, "no tensor 'problem.w1'"),
        ({"problem.w2": None}, "no tensor 'problem.w2'"),
        ({"bias": np.zeros(2)}, "a tensor 'bias'"),
        ({"new_w1": np.zeros((20, 2, 2))}, "a tensor 'new_w1'"),
    ],
)
def test_wrong_names_of_tensors_are_refused(
    tmp_path: Path, tensors: Tensors, why: str
) -> None:
    """A trace without its problem cannot be judged, and other names have no meaning."""
    refused(write(tmp_path / "trace", {}, tensors), why)


def test_the_order_of_bytes_does_not_matter() -> None:
    """The digest of the weights is the same on every machine."""
    big: Weights[Array] = Weights(*(w.astype(">f8") for w in PROBLEM.weights))

    assert digest(big) == digest(PROBLEM.weights)


def test_the_digest_is_that_of_the_notebooks_weights() -> None:
    """Version 1 recorded the same digest, on another machine."""
    assert digest(PROBLEM.weights) == VERSION_1["weights sha256"]
