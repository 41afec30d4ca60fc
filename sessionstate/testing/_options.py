"""
What `explore` is told to do, looked at before anything runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable

from ._points import Mode, Point


def chosen_modes(given: Collection[Mode | str]) -> set[Mode]:
    """
    Return the modes of those names, or the one of that name.
    """
    known = [str(mode) for mode in Mode]
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
    return tuple(map(re.compile, given))


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
