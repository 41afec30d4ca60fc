"""
What the command is told by name, as ``module:function``.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

from sessionstate._cli._ends import CannotRunError
from sessionstate.testing._reprs import short_repr

Function = Callable[..., Any]


class Named(NamedTuple):
    """
    A function, and what it was called.
    """

    name: str
    function: Function


def functions(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> list[Function]:
    """
    Find several functions.
    """
    return [find(each) for each in value]


def things(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> list[object]:
    """
    Find several things of any kind.
    """
    return [look_up(each) for each in value]


def function(_: click.Context, __: click.Parameter, value: str | None) -> Function | None:
    """
    Find a function, if one is named.
    """
    return None if value is None else find(value)


def named(_: click.Context, __: click.Parameter, value: str | None) -> Named | None:
    """
    Find the request, and keep what it was called.
    """
    return None if value is None else Named(value, find(value))


def find(name: str) -> Function:
    """
    Return the function that *name* is, as ``module:function``.
    """
    found = look_up(name)
    if not callable(found):
        raise click.BadParameter(f"{name!r} is {short_repr(found)}, which cannot be called")
    return found


def look_up(name: str) -> object:
    """
    Return what *name* is, as ``module:name``.
    """
    module, _, path = name.rpartition(":")
    if not (module and path):
        raise click.BadParameter(f"{name!r} must name a module and a function, as app:request")
    if module.endswith(".py") or "/" in module or os.sep in module:
        _refuse_file(module, path)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise CannotRunError(f"{module!r} could not be imported: {error}") from error
        raise click.BadParameter(
            f"there is no module {error.name!r}, neither here nor installed"
        ) from None
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise CannotRunError(f"{module!r} could not be imported: {what}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise click.BadParameter(f"{module!r} has no {path!r}")
        found = getattr(found, part)
    return found


def _refuse_file(file: str, path: str) -> NoReturn:
    """
    Say what to write instead of a file.
    """
    here, there = Path.cwd().resolve(), Path(file).resolve().with_suffix("")
    where, module = f"go to {str(Path(file).parent)!r} and ", there.name
    if there.is_relative_to(here):
        where, module = "", ".".join(there.relative_to(here).parts)
    raise click.BadParameter(f"{file!r} is a file, not a module: {where}write {module}:{path}")
