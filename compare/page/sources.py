"""The source of our implementations, side by side: function by function."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from compare.hosts.load import MODULES
from impls.interface import Activations, Gradients

QUANTITIES = ("w1", "w2", "loss", *Activations._fields, *Gradients._fields)


@dataclass(frozen=True)
class CodeLine:
    """A line of source: its number, its text, and the quantities it computes."""

    number: int
    text: str
    quantities: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One function in each of the files.

    Attributes:
        name: The name of the function.
        cells: Its lines in each file, in the order of the files; empty where there is
            no such function.
    """

    name: str
    cells: tuple[tuple[CodeLine, ...], ...]


@dataclass(frozen=True)
class Sources:
    """The files, by name of their run, and the rows that they have in common."""

    files: Mapping[str, str]
    rows: tuple[Row, ...]


def side_by_side(implementations: Mapping[str, str]) -> Sources:
    """Align the source of our implementations.

    Args:
        implementations: The name of the implementation of each run, by that of the run.
            Those that are not ours are left out.
    """
    ours = {run: MODULES[n] for run, n in implementations.items() if n in MODULES}
    parts = [
        dict(_functions(_path(module).read_text("utf-8"))) for module in ours.values()
    ]
    names = dict.fromkeys(name for part in parts for name in part)
    rows = [Row(name, tuple(part.get(name, ()) for part in parts)) for name in names]
    files = {run: module.replace(".", "/") + ".py" for run, module in ours.items()}
    return Sources(files, tuple(rows))


def _path(module: str) -> Path:
    """Find a file without importing it: its framework may be absent."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the source of {module} is not installed")
    return Path(spec.origin)


def _functions(source: str) -> Iterator[tuple[str, tuple[CodeLine, ...]]]:
    """Cut the functions out of a file, without their docstrings."""
    tree, texts = ast.parse(source), source.splitlines()
    computed, prose = _computed(tree), _prose(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            start = min([d.lineno for d in node.decorator_list], default=node.lineno)
            kept = (
                n for n in range(start, (node.end_lineno or 0) + 1) if n not in prose
            )
            lines = (
                CodeLine(n, texts[n - 1], tuple(computed.get(n, ()))) for n in kept
            )
            yield node.name, tuple(lines)


def _prose(tree: ast.Module) -> set[int]:
    """Find the lines of the docstrings of functions."""
    strings = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node)
    ]
    return {n for s in strings for n in range(s.lineno, (s.end_lineno or 0) + 1)}


def _computed(tree: ast.Module) -> dict[int, list[str]]:
    """Say of each line which quantities its statement computes.

    An assignment computes the names on its left, and `da1` is a part of `dz1`. All of
    `cost` computes the loss. A call of a framework's `grad` computes all derivatives,
    and a subtraction from weights the new weights.
    """
    found: dict[int, list[str]] = {}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Return):
                quantities = _of_statement(function.name, statement)
                for n in range(statement.lineno, (statement.end_lineno or 0) + 1):
                    found.setdefault(n, quantities)
    return found


def _of_statement(function: str, statement: ast.stmt) -> list[str]:
    nodes = [*ast.walk(statement)]
    if function == "cost":
        return ["loss"]
    if any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in nodes):
        return [*Gradients._fields]
    if any(isinstance(n, ast.Sub) for n in nodes) and "weights" in ast.dump(statement):
        return ["new_w1", "new_w2"]
    stored = [
        n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    names = {"da1": "dz1", "value": "loss"}
    assigned = [names.get(n.id, n.id) for n in stored]
    return [quantity for quantity in assigned if quantity in QUANTITIES]
