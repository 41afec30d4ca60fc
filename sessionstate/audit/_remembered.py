"""
What was judged of all files together, for as long as nothing has changed since.

It stands under a hash of all that it depends on: the files by their paths, names and contents, the
settings that judging looks at, the code of the audit. What merely sieves findings comes afterwards,
so other settings of that kind still find it.

A project may come with a cache that somebody made up. So this is JSON, each value of it is checked,
and no path is believed but those that are audited: whatever is wrong means that nothing is known.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable
from collections.abc import Container as Among
from dataclasses import fields
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

import sessionstate
from sessionstate.audit._cache import Cache
from sessionstate.audit._findings import (
    Confidence,
    Container,
    Exit,
    Finding,
    Place,
    Severity,
    Verdict,
)
from sessionstate.audit._rules import RULES, rule_of
from sessionstate.audit._settings import Settings

DEPENDS: Final = ("session_keys", "bounded_keys", "listener_pairs", "include_tests")
"""The settings that judging depends on; it does not see any other."""
LARGEST: Final = 64_000_000
"""How many bytes what was judged may take."""
NUMBERS: Final = range(2**31)

One = TypeVar("One")


class Judged(NamedTuple):
    """
    What is found in all files together, before anything is sieved.
    """

    findings: tuple[Finding, ...]
    containers: tuple[Container, ...]
    """By path and line; each as if there were no finding."""
    lines: int
    """How many there are in all files."""


class _WrongError(Exception):
    """
    It is not what `remember` wrote.
    """


@cache
def code() -> bytes:
    """
    Return what stands for the audit itself.
    """
    told = blake2b(repr((sys.version, sessionstate.__version__)).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):  # none in an archive
        told.update(path.read_bytes())
    return told.digest()


def seen(settings: Settings) -> Settings:
    """
    Return those of *settings* that judging depends on, and all others by default.
    """
    return Settings(**{name: getattr(settings, name) for name in DEPENDS})


def key_of(contents: bytes, settings: Settings) -> bytes:
    """
    Return the key of what is judged of files with the hash *contents*.
    """
    told = blake2b(contents, digest_size=20, key=code())
    for name in DEPENDS:
        value = getattr(settings, name)
        told.update(ascii(dict(value) if name == "listener_pairs" else value).encode())
    return told.digest()


def remember(cache: Cache, key: bytes, judged: Judged) -> None:
    """
    Keep what was judged.
    """
    text = json.dumps(judged, default=_values, separators=(",", ":"))
    cache.keep_judged(key, zlib.compress(text.encode("ascii"), 1))


def recall(cache: Cache, key: bytes, paths: Among[str]) -> Judged | None:
    """
    Return what was judged of the files at *paths*, if it is known.
    """
    data = cache.judged(key)
    if not isinstance(data, bytes):
        return None
    try:
        reading = zlib.decompressobj()
        text = reading.decompress(data, LARGEST)
        return _Reader(paths).judged(json.loads(text)) if reading.eof else None
    except (zlib.error, ValueError, RecursionError, _WrongError):
        return None


def _values(one: Any) -> list[Any]:  # noqa: ANN401 - any of the dataclasses
    return [getattr(one, each.name) for each in fields(one)]


class _Reader:
    """
    Makes findings of lists, and believes nothing.
    """

    def __init__(self, paths: Among[str]) -> None:
        self._paths = paths

    def judged(self, told: object) -> Judged:
        findings, containers, lines = _parts(told, 3)
        return Judged(
            _each(self._finding, findings), _each(self._container, containers), _number(lines)
        )

    def _finding(self, told: object) -> Finding:
        rule, name, path, line, column, container, severity, confidence, message, *rest = _parts(
            told, 14
        )
        exits, writes, removals, defined, advice = rest
        if not isinstance(name, str) or name not in RULES or rule != rule_of(name):
            raise _WrongError
        return Finding(
            rule_of(name),
            name,
            self._path(path),
            _number(line),
            _number(column),
            _text(container),
            Severity(severity),
            Confidence(confidence),
            _text(message),
            _each(_exit, exits),
            _each(self._place, writes),
            _each(self._place, removals),
            None if defined is None else self._place(defined),
            _text(advice),
        )

    def _container(self, told: object) -> Container:
        name, kind, defined, verdict, reason, writes, removals, code = _parts(told, 8)
        return Container(
            _text(name),
            _text(kind),
            self._place(defined),
            Verdict(verdict),
            _text(reason),
            _number(writes),
            _number(removals),
            _text(code),
        )

    def _place(self, told: object) -> Place:
        path, line, column, text = _parts(told, 4)
        return Place(self._path(path), _number(line), _number(column), _text(text))

    def _path(self, told: object) -> str:
        if not isinstance(told, str) or told not in self._paths:
            raise _WrongError
        return told


def _exit(told: object) -> Exit:
    line, kind, message = _parts(told, 3)
    return Exit(_number(line), _text(kind), _text(message))


def _each(make: Callable[[object], One], told: object) -> tuple[One, ...]:
    return tuple(map(make, _list(told)))


def _parts(told: object, number: int) -> list[Any]:
    parts = _list(told)
    if len(parts) != number:
        raise _WrongError
    return parts


def _list(told: object) -> list[Any]:
    if not isinstance(told, list):
        raise _WrongError
    return cast("list[object]", told)


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise _WrongError
    return told


def _number(told: object) -> int:
    if type(told) is not int or told not in NUMBERS:
        raise _WrongError
    return told
