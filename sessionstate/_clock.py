"""Seconds: where they come from and which ones are accepted."""

from __future__ import annotations

import time
from datetime import timedelta
from enum import Enum
from math import inf, isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

Seconds = float | timedelta
"""A duration: seconds as a number, or a `datetime.timedelta`."""


class Unset(Enum):
    """The default of a parameter that was not named, where None has a meaning."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "<the supervisor's>"


UNSET: Final = Unset.UNSET

LARGEST: Final = 2.0**1000  # of an int that is taken for a float

_REAL_TIME = frozenset({"asyncio.base_events", "uvloop.loop"})


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """
    The monotonic clock that fits *loop*.

    It is `time.monotonic` where the loop's own time is that of asyncio or uvloop: the same clock,
    at half the cost, and not rounded to milliseconds as uvloop's is. A loop with a time of its own
    is taken at its word.
    """
    cls = next(cls for cls in type(loop).__mro__ if "time" in vars(cls))
    real = cls.__module__ in _REAL_TIME and "time" not in getattr(loop, "__dict__", ())
    return time.monotonic if real else loop.time


def seconds(name: str, value: Seconds, *, zero: bool = False, never: bool = False) -> float:
    """Validate a duration and return it in seconds; *never* tells that None would be accepted."""
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif type(value) is not bool and isinstance(value, int | float):
        number = inf if isinstance(value, int) and abs(value) > LARGEST else float(value)
    else:
        raise TypeError(
            f"{name} must be seconds as a number or a timedelta, not {value!r} "
            f"({type(value).__name__})"
        )
    if not isfinite(number) or number < 0 or (number == 0 and not zero):
        least = "at least 0" if zero else "more than 0"
        advice = f": write {name}=None for 'never'" if never else ""
        raise ValueError(f"{name} must be a finite number of seconds, {least}, not {value}{advice}")
    return number


def limit(name: str, value: Seconds | None) -> float:
    """Validate a limit and return it in seconds: infinite for None, which means never."""
    return inf if value is None else seconds(name, value, never=True)


def named_limit(name: str, value: Seconds | Unset | None) -> float | None:
    """Same as `limit`, but None for what a call did not name."""
    return None if isinstance(value, Unset) else limit(name, value)
