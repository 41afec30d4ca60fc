"""
Where tasks wait: for messages, and for what comes out of their waits.
"""

from __future__ import annotations

import asyncio
import gc
import re
import traceback
import types
from types import FrameType
from typing import Any, Final

LIBRARIES: Final = ("asyncio.", "anyio.", "sessionstate.")
"""Modules in which nobody wants to be told that something waits."""

RUNNER: Final = "sessionstate.testing."

_KINDS: Final[dict[type, tuple[str, str]]] = {
    types.CoroutineType: ("cr_frame", "cr_await"),
    types.GeneratorType: ("gi_frame", "gi_yieldfrom"),
    types.AsyncGeneratorType: ("ag_frame", "ag_await"),
}
"""What each calls its frame, and what it waits for."""


def waits_at(task: asyncio.Task[Any]) -> str:
    """
    Return the line at which *task* waits, as ``file:line``; an empty text if it has none.
    """
    frames = task.get_stack(limit=1)
    return line(frames[0]) if frames else ""


def place(waits: object) -> str:
    """
    Return the innermost line of somebody's own code at which a task or a generator waits.

    It is the innermost line of all where there is none but of libraries.
    """
    frames = frames_of(waits)
    own = [frame for frame in frames if not module(frame).startswith(LIBRARIES)]
    return line((own or frames)[-1]) if frames else ""


def frames_of(waits: object) -> list[FrameType]:
    """
    Return the frames of what a task or a generator waits in, the outermost first.

    Those of whoever runs a scenario are left out.
    """
    coro: Any = getattr(waits, "get_coro", None)
    inner: Any = waits if coro is None else coro()
    frames: list[FrameType] = []
    while inner is not None:
        kind = _KINDS.get(inner.__class__)
        if kind is None:  # such as what asks a generator: it does not tell whom
            inner = next((each for each in gc.get_referents(inner) if _runs(each)), None)
            continue
        frame = getattr(inner, kind[0])
        if frame is not None and not module(frame).startswith(RUNNER):
            frames.append(frame)
        inner = getattr(inner, kind[1])
    return frames


def what_runs(task: asyncio.Task[Any]) -> str:
    """
    Return what *task* runs, and its name if it was given one: a number of asyncio's is none.
    """
    what: str = getattr(task.get_coro(), "__qualname__", "?")
    name = str(task.get_name())  # which some of 3.13 answer with None
    unnamed = name == what or re.fullmatch(r"Task-\d+|None", name)
    return what if unnamed else f"{what}, task {name!r},"


def module(frame: FrameType) -> str:
    """
    Return the name of the module that *frame* is of.
    """
    return str(frame.f_globals.get("__name__"))


def line(frame: FrameType) -> str:
    """
    Return where *frame* is, as ``file:line``.
    """
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def raised_at(error: BaseException) -> str:
    """
    Say which line raised *error*, the innermost one.
    """
    lines = list(traceback.walk_tb(error.__traceback__))
    return f" at {lines[-1][0].f_code.co_filename}:{lines[-1][1]}" if lines else ""


def _runs(thing: object) -> bool:
    return type(thing) in _KINDS or type(thing).__name__.startswith("async_generator_")
