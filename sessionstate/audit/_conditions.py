"""
Conditions around a removal: which are about the entry itself, and which are about something else.
"""

from __future__ import annotations

import re
from typing import Final

from sessionstate.audit._calling import Calls, Site
from sessionstate.audit._containers import Op
from sessionstate.audit._contexts import DEFERRED, EXCEPT, FINALLY, TEST, Frame, Seen
from sessionstate.audit._flow import EVERYTHING

SIZE: Final = re.compile(
    r"(?i)(^|\s|_)(len|max\w*|size|limit|capacity|cap|count|full|maxlen|qsize)\b|max_|_limit|limit_"
)
"""What a test of a size is about."""
CALLBACKS: Final = frozenset(
    {
        *("add_done_callback", "finalize", "callback", "push_async_callback", "push", "call_later"),
        *("call_at", "addCleanup", "call_soon", "call_soon_threadsafe", "async_on_unload", "link"),
        *("add_cleanup", "defer", "on_teardown", "add_finalizer", "addfinalizer"),
        *("async_call_later",),
        *("Timer", "enter", "schedule", "add_task", "call_every", "add_job", "BackgroundTask"),
    }
)
"""What is handed to these runs in the end."""
ENDINGS: Final = re.compile(
    r"(?i)terminat|close|done|err|fail|succe|complet|ok$|cancel|crash|clean|own|exc|open|state|status"
    r"|connected|alive|ready|drain|stopp|reason|cause|outcome"
)
"""What a test asks that is about how something ended, not about whether there is an entry."""


GONE: Final = re.compile(
    r"Disconnect|Closed|Cancelled|EOF|ConnectionReset|BrokenPipe|IncompleteRead"
)
"""Errors that tell of an end, not of a failure to begin."""
NAMELESS: Final = frozenset({"None", "len", "self", "cls", "isinstance"})
"""Names in a test that say nothing about what it asks."""
MARKS: Final = frozenset({"self", "p", "v", "a", "r", "k", "t", "str", "int", ""})
"""Words in a key that are no names: its origin, and types."""


def text_of(key: str) -> str:
    """
    Return the text of a key: a name, with what it hangs on.
    """
    return key.partition(":")[2].partition("<")[0].partition("|")[0]


def through_finally(frames: tuple[Frame, ...], key: str) -> bool | None:
    """
    Tell whether frames lead through a finally: True, or False where another condition is in it.
    """
    at = max((i for i, frame in enumerate(frames) if frame.kind == FINALLY), default=-1)
    if at < 0:
        return None
    for frame in frames[at + 1 :]:
        if frame.kind == TEST and not is_harmless(frame, key):
            return False
    return True


def is_harmless(frame: Frame, key: str) -> bool:
    """
    Tell whether a test is about the entry itself.
    """
    branch, guards = frame.detail
    return bool(guards) or not branch or is_about_key(frame.text, key)


def is_about_key(about: str, key: str) -> bool:
    """
    Tell whether the names in a test are those of a key, or of one thing that goes with it.
    """
    asked = [name for name in about.split() if name not in NAMELESS]
    named = set(re.split(r"\W+", key)) - MARKS
    if set(asked) <= named:
        return True
    if any(ENDINGS.search(name) for name in asked):
        return False
    # `if not any(run.session_id == session_id ...)`: whether somebody still uses the entry.
    return len(asked) == 1 or bool(named.intersection(asked))


def in_one_except(frames: tuple[Frame, ...]) -> bool:
    """
    Tell whether frames lead through an except that does not catch everything.
    """
    handler = next((f for f in reversed(frames) if f.kind == EXCEPT), None)
    if handler is None:
        return False
    types = set(handler.text.split())
    return bool(types) and not types & EVERYTHING


def rolls_back(item: Op | Site | Seen) -> bool:
    """
    Tell whether something stands in an except: it undoes what did not come to be.
    """
    return any(frame.kind == EXCEPT and not GONE.search(frame.text) for frame in item.frames)


def is_handed_on(item: Op | Site, calls: Calls) -> bool:
    """
    Tell whether a lambda is handed to what calls it in the end.
    """
    line = next(frame.line for frame in item.frames if frame.kind == DEFERRED)
    return any(
        seen.event[3] in {line, line - 1} and seen.event[2] in CALLBACKS
        for seen in calls.events(item.func)
    )
