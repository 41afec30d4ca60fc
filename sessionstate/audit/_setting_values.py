"""
What each setting may be, and what to write instead of what it must not be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, cast

from sessionstate.audit._findings import Confidence
from sessionstate.audit._patterns import compiled
from sessionstate.audit._rules import RULES


class WrongValueError(Exception):
    """
    A value that makes no sense. The message says which, and what to write instead.
    """


def strings(value: object) -> tuple[str, ...]:
    """
    Check a list of texts.
    """
    if not isinstance(value, (list, tuple)):
        raise WrongValueError(f"{value!r} is no list: write it as in ['this', 'that']")
    items = cast("Iterable[object]", value)
    return tuple(_text(each) for each in items)


def codes(value: object) -> tuple[str, ...]:
    """
    Check a list of rules and sub-codes.
    """
    near = {rule.name: code for code, rule in RULES.items()}
    near |= {code.casefold(): code for code in RULES}
    for each in (given := strings(value)):
        if each not in RULES:
            instead = near.get(each.casefold(), "SS001 to SS010, or a sub-code such as SS002b")
            raise WrongValueError(f"{each!r} is no rule: write {instead}")
    return given


def patterns(value: object) -> tuple[str, ...]:
    """
    Check a list of patterns of paths.
    """
    for each in (given := strings(value)):
        _pattern(each.removeprefix("!"))
    return given


def ignores(value: object) -> dict[str, tuple[str, ...]]:
    """
    Check rules by patterns.
    """
    table = _table(value, as_in="{'scripts/*' = ['SS001']}")
    return {_pattern(key): codes(each) for key, each in table.items()}


def pairs(value: object) -> dict[str, str]:
    """
    Check names of methods by names of methods.
    """
    table = _table(value, as_in="{subscribe = 'unsubscribe'}")
    return {_name(key): _name(each) for key, each in table.items()}


def names(value: object) -> tuple[str, ...]:
    """
    Check a list of names.
    """
    return tuple(_name(each) for each in strings(value))


def confidence(value: object) -> Confidence:
    """
    Check how sure a finding must be.
    """
    if value not in list(Confidence):
        raise WrongValueError(f"{value!r} is no confidence: write 'high', 'medium' or 'low'")
    return Confidence(cast("str", value))


def count(value: object) -> int | None:
    """
    Check a number of processes.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise WrongValueError(f"{value!r} is no number of processes: write 1 or more")
    return value


def flag(value: object) -> bool:
    """
    Check a yes or no.
    """
    if not isinstance(value, bool):
        raise WrongValueError(f"{value!r} is neither yes nor no: write true or false")
    return value


def path(value: object) -> Path:
    """
    Check the path of a file or a folder.
    """
    if not isinstance(value, (str, os.PathLike)) or not str(cast("object", value)):
        raise WrongValueError(f"{value!r} is no path: write it as in 'folder/file'")
    return Path(cast("str", value))


def maybe_path(value: object) -> Path | None:
    """
    Check the path of a file or a folder, which need not be given.
    """
    return None if value is None else path(value)


CHECKS: Final[Mapping[str, Callable[[object], object]]] = {
    "select": codes,
    "ignore": codes,
    "confidence": confidence,
    "exclude": patterns,
    "per_path_ignores": ignores,
    "bounded_keys": names,
    "session_keys": names,
    "listener_pairs": pairs,
    "baseline": maybe_path,
    "jobs": count,
    "cache": flag,
    "cache_dir": maybe_path,
    "include_tests": flag,
    "force_exclude": flag,
    "root": path,
}
"""By the name of the field. Each returns the value as the field has it."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError(f"{value!r} is no text: write it as in 'this'")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise WrongValueError(f"{value!r} is no name: write it as in 'session_id'")
    return value


def _pattern(value: str) -> str:
    try:
        compiled(value)
    except re.error as error:
        raise WrongValueError(
            f"{value!r} is no pattern of paths ({error.msg}): write it as in 'generated/*.py'"
        ) from error
    return value


def _table(value: object, *, as_in: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise WrongValueError(f"{value!r} is no table: write it as in {as_in}")
    table = cast("Mapping[object, object]", value)
    return {_text(key): each for key, each in table.items()}
