"""
What is shown of somebody's objects: it never raises, and fits on a line.
"""

from __future__ import annotations

from asyncio import TimerHandle
from reprlib import Repr
from typing import Final

from ._timers import told

LONGEST: Final = 200
"""Characters."""

_repr: Final = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = LONGEST


def short_repr(thing: object) -> str:
    """
    Return the repr of *thing*, cut in its middle where it is long, or its type if that raises.
    """
    try:
        text = told(thing) if isinstance(thing, TimerHandle) else _repr.repr(thing)
    except Exception as error:
        return f"<{type(thing).__qualname__}, whose repr raises {type(error).__name__}>"
    return short_text(text)


def short_text(text: str) -> str:
    """
    Return *text* on one line, cut in its middle where it is long.
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"
    return text.replace("\r", "\\r").replace("\n", "\\n")
