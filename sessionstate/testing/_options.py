"""
What `explore` is told to do, looked at before anything runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from typing import cast

from ._points import Mode, Point


def functions(**given: object) -> None:
    """
    Refuse what is there and cannot be called.
    """
    for name, each in given.items():
        if each is not None and not callable(each):
            raise TypeError(f"{name} is a function, to be called in each run, not {each!r}")


def errors(
    given: type[BaseException] | tuple[type[BaseException], ...],
) -> tuple[type[BaseException], ...]:
    """
    Return the classes of errors that a scenario may raise.
    """
    kinds: tuple[object, ...] = given if isinstance(given, tuple) else (given,)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise TypeError(
            f"raises is a class of errors or a tuple of them, such as (OSError, ValueError), "
            f"not {given!r}"
        )
    return cast("tuple[type[BaseException], ...]", kinds)


def chosen_modes(given: Collection[Mode | str]) -> set[Mode]:
    """
    Return the modes of those names, or the one of that name.
    """
    known = [str(mode) for mode in Mode]
    if not isinstance(given, Iterable):
        raise TypeError(
            f"modes is a list of modes, not {given!r}: choose from {', '.join(known)}, or leave it "
            f"out for all"
        )
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ValueError(
            f"modes is empty, so nothing would be tried: choose from {', '.join(known)}, or leave "
            f"it out for all"
        )
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{unknown[0]!r} is no mode: choose from {', '.join(known)}")
    return {Mode(name) for name in names}


def one_point(given: Point | str | None) -> Point | None:
    """
    Return the one point to replay, if there is one.
    """
    if given is None or isinstance(given, Point):
        return given
    if not isinstance(given, str):
        raise TypeError(f"only is a point from a report, such as 'cancel@17', not {given!r}")
    return Point.parse(given)


def patterns(given: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """
    Return what problems are ignored.
    """
    if isinstance(given, str):  # whose every letter would be a pattern
        raise TypeError(f"ignore is a list of patterns, not one: ignore=[{given!r}]")
    if not isinstance(given, Iterable):
        raise TypeError(f"ignore is a list of patterns, not {given!r}")
    return tuple(map(_pattern, given))


def _pattern(given: object) -> re.Pattern[str]:
    if not isinstance(given, str):
        raise TypeError(f"ignore is a list of patterns, as texts, and {given!r} is none")
    try:
        return re.compile(given)
    except re.error as exc:
        raise ValueError(
            f"{given!r} in ignore is no regular expression: {exc}; for the text itself, "
            f"re.escape({given!r})"
        ) from None


def whole(name: str, given: object, *, least: int | None = None) -> None:
    """
    Refuse what is no whole number, or less than the *least* that makes sense.
    """
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} is a whole number, not {given!r}")
    if least is not None and given < least:
        raise ValueError(f"{name} is {given}, so nothing would be tried: at least {least}")


def seconds(name: str, given: object, *, none: bool, zero: bool) -> None:
    """
    Refuse what is no number of seconds; whether 0 and None are some, the caller knows.
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{name} is a number of seconds, not {given!r}")
    least = "0 or more" if zero else "more than 0"
    if not math.isfinite(given) or given < 0 or (given == 0 and not zero):
        instead = ", or None for no limit" if none else ""
        raise ValueError(f"{name} is {given!r}: it is a finite number of seconds, {least}{instead}")
