"""Third-party implementations, loaded by name.

A name has one of three forms:

    my-name                     an entry point of the group `gradparity.implementations`
    package.module:object       an object in a module that can be imported
    path/to/file.py:object      an object in a file

Without an object, the module itself is the implementation. A class, or another callable
that has no `forward`, is called without arguments: its result is the implementation.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from itertools import takewhile
from operator import attrgetter
from pathlib import Path
from traceback import extract_tb
from types import FunctionType, ModuleType
from typing import cast

from compare.contract.calls import error_line
from compare.hosts.environment import MOVABLE, install_command

TORCH_MODULE = "torch.nn.modules.module.Module"
"""Found by its name, so that PyTorch need not be imported."""


class UnknownImplementationError(LookupError):
    """No implementation has that name."""


class BrokenImplementationError(ImportError):
    """A third-party implementation was found, but failed while it was loaded."""


def load(name: str, others: Iterable[str]) -> object:
    """Load the third-party implementation called `name`.

    Args:
        name: A name in one of the three forms.
        others: Names to suggest if there is no such implementation.

    Raises:
        UnknownImplementationError: There is none, or more than one package offers one.
        BrokenImplementationError: It was found, and raised an error.
    """
    points = entry_points()
    named = [point for point in points if point.name == name]
    if len(named) > 1:
        offers = " or ".join(f"{point.value} of {package(point)}" for point in named)
        raise _unknown(name, f"more than one package has it; choose {offers}")
    names = ", ".join(dict.fromkeys([*others, *(point.name for point in points)]))
    try:
        found = named[0].load() if named else _find(name, names)
        return build(found)
    except UnknownImplementationError:
        raise
    except (Exception, SystemExit) as error:
        raise BrokenImplementationError(
            f"cannot load {name!r}: {error_line(error)}{_advice(name, error)}"
        ) from error


def _advice(name: str, error: BaseException) -> str:
    """Say what to do about an error while loading; "" if that is not known.

    A line `from . import x` that raises an ImportError itself, of no name, is in no
    package. What is wrong in `x` is raised in a line of `x`.
    """
    if not isinstance(error, ImportError):
        return ""
    if error.name in MOVABLE and isinstance(error, ModuleNotFoundError):
        return f": {install_command(error.name)}"
    *_, last = extract_tb(error.__traceback__)
    is_relative = error.name is None and re.match(r"from\s*\.", last.line or "")
    return _as_module(name) if is_relative else ""


def _as_module(name: str) -> str:
    """Say how to name a file of a package, which may import what is in the package."""
    where, what = split(name)
    path = Path(where).absolute()
    packages = [*takewhile(lambda f: (f / "__init__.py").is_file(), path.parents)]
    module = ".".join([*(f.name for f in reversed(packages)), path.stem])
    if not where.endswith(".py") or not packages or not _is_dotted(module):
        return ""
    named = module + (f":{what}" if what else "")
    return f": name it as a module, {named}, with PYTHONPATH={packages[-1].parent}"


def build(found: object) -> object:
    """Call a class or a factory; return an implementation as it is.

    Raises:
        UnknownImplementationError: It is a bare module of PyTorch, or a function that
            takes arguments.
    """
    if is_module(found) and not hasattr(found, "loss_and_gradients"):
        raise _unwrapped(found)
    makes = isinstance(found, type) or not hasattr(found, "forward")
    if isinstance(found, FunctionType) and makes and _needs_arguments(found):
        raise UnknownImplementationError(
            f"{found.__name__} takes arguments: name a file or an object with forward "
            "and loss_and_gradients, or what makes one when it is called without any"
        )
    return found() if makes and callable(found) else found


def _needs_arguments(function: FunctionType) -> bool:
    try:
        signature(function).bind()
    except TypeError:
        return True
    return False


def _unwrapped(module: object) -> UnknownImplementationError:
    """Say how a module of PyTorch, or a class of one, becomes an implementation."""
    name = getattr(module, "__name__", type(module).__name__)
    return UnknownImplementationError(
        f"{name} is a module of PyTorch, not an implementation: wrap it, as "
        f"network = torch_module({name}), with torch_module of compare.adapters"
    )


def is_module(found: object) -> bool:
    """Return whether it is a `torch.nn.Module`, or a class of one."""
    kinds = (found if isinstance(found, type) else type(found)).__mro__
    return any(f"{k.__module__}.{k.__name__}" == TORCH_MODULE for k in kinds)


def entry_points() -> list[metadata.EntryPoint]:
    """List the implementations that installed packages offer."""
    return sorted(metadata.entry_points(group="gradparity.implementations"))


def package(point: metadata.EntryPoint) -> str:
    """Return the package that offers an entry point, and its version."""
    distribution = cast("metadata.Distribution", point.dist)
    return f"{distribution.name} {distribution.version}"


def split(name: str) -> tuple[str, str]:
    """Split a name into a module or file, and the object in it, "" if none is named."""
    where, _, what = name.rpartition(":")
    if not where or name.endswith(".py") or not _is_dotted(what):
        return name, ""  # the colon of C:\file.py, say
    return where, what


def origin(name: str) -> str:
    """Return the module or file that a name leads to, and its object.

    All names of one object have the same, except a module and its file, which are two.
    """
    points = (point.value for point in entry_points() if point.name == name)
    where, what = split(next(points, name))
    return f"{os.path.realpath(where) if where.endswith('.py') else where}:{what}"


def _find(name: str, names: str) -> object:
    """Find `module:object`, `file.py:object`, or one without an object."""
    where, what = split(name)
    if where.endswith(".py:"):  # as pytest names a test
        raise _unknown(name, f"write one colon: {where}{what}")
    if where.endswith(".py"):
        module = _execute(_file(name, where))
    else:
        module = _import(name, where, names)
    if not what:
        return _module(name, where, module)
    try:
        return attrgetter(what)(module)
    except AttributeError as error:
        why = f"there is no {what!r} in {where}: name an object that it defines"
        raise _unknown(name, why) from error


def _module(name: str, where: str, module: ModuleType) -> ModuleType:
    """Return a module that is an implementation; suggest an object that is one.

    Raises:
        UnknownImplementationError: It lacks a function that every implementation has,
            and an object of it is one; or it has none, but a bare module of PyTorch.
    """
    has = [hasattr(module, each) for each in ("forward", "loss_and_gradients")]
    if all(has):
        return module
    objects = {k: o for k, o in vars(module).items() if not isinstance(o, ModuleType)}
    for key, found in objects.items():
        if hasattr(found, "loss_and_gradients") and not isinstance(found, type):
            why = f"{where} has an implementation called {key}: write {where}:{key}"
            raise _unknown(name, why)
    for found in objects.values():
        if not any(has) and is_module(found) and found.__module__ == module.__name__:
            raise _unwrapped(found)
    return module


def _is_dotted(words: str) -> bool:
    return all(word.isidentifier() for word in words.split("."))


def _import(name: str, module: str, names: str) -> ModuleType:
    """Import a module; a missing module is unknown, a failing one is broken.

    It may be in the current folder.
    """
    _look_in(Path.cwd())
    try:
        if _is_dotted(module):
            return _no_folder(module, importlib.import_module(module))
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
    if os.path.isdir(module):  # noqa: PTH112  # a long name is none
        raise _folder(module)
    if os.path.isfile(module):  # noqa: PTH113  # likewise
        raise _unknown(name, f"{module} is no file of Python: its name must end in .py")
    if "." in name or ":" in name:
        why = f"there is no module {module!r}: install it, or set PYTHONPATH"
    else:
        why = (
            f"choose from {names}, or name one of yours"
            " as package.module:object or path/to/file.py"
        )
    raise _unknown(name, why)


def _no_folder(name: str, module: ModuleType) -> ModuleType:
    """Return a module that has code: Python imports any folder as an empty package."""
    if hasattr(module, "__path__") and getattr(module, "__file__", None) is None:
        raise _folder(name)
    return module


def _folder(name: str) -> UnknownImplementationError:
    return UnknownImplementationError(f"{name} is a folder: name a file or a module")


def _file(name: str, where: str) -> Path:
    """Return the path of a file; a loop of links or a long name may make it none."""
    try:
        path = Path(where).resolve(strict=True)
        found = path.is_file()
    except (OSError, RuntimeError):  # a loop is a RuntimeError before Python 3.13
        path, found = Path(where).absolute(), False
    if not found:
        raise _unknown(name, f"there is no file {path}: correct the path")
    if not os.access(path, os.R_OK):
        raise _unknown(name, f"{path} can't be read: change its permissions")
    return path


def _execute(path: Path) -> ModuleType:
    """Run a file as a module, once: a second call returns the same module.

    It may import what is beside it.
    """
    _look_in(path.parent)
    unique = f"file_{bytes(path).hex()}"
    if unique in sys.modules:
        return sys.modules[unique]
    loader = SourceFileLoader(unique, str(path))
    spec = cast("ModuleSpec", spec_from_file_location(unique, path, loader=loader))
    module = sys.modules[unique] = module_from_spec(spec)  # dataclasses look there
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _look_in(folder: Path) -> None:
    """Import from a folder, too: last, so that nothing there replaces a package."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _unknown(name: str, why: str) -> UnknownImplementationError:
    return UnknownImplementationError(f"unknown implementation {name!r}: {why}")
