"""
Where code is that waits, or that does not let others run: as text, and nothing of its values.
"""

from __future__ import annotations

import asyncio
import sys
from types import FrameType
from typing import Final

from sessionstate._sites import place_in

DEEPEST: Final = 20
"""Places of a stack that are told, the innermost ones."""
PARTS: Final = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


def waiting_at(task: asyncio.Task[object] | None) -> list[str]:
    """Return where *task* waits, the innermost place first; nothing if it has ended."""
    found: list[str] = []
    waits: object = None if task is None else task.get_coro()
    while waits is not None:
        for frame_name, next_name in PARTS:
            frame = getattr(waits, frame_name, None)
            if isinstance(frame, FrameType):
                found.append(place_in(frame.f_code, frame.f_lasti))
                waits = getattr(waits, next_name, None)
                break
        else:
            break
    return found[::-1][:DEEPEST]


def running_at(thread: int) -> list[str]:
    """Return where a thread is, the innermost place first; nothing if it has ended."""
    found: list[str] = []
    frame = sys._current_frames().get(thread)
    while frame is not None and len(found) < DEEPEST:
        found.append(place_in(frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return found
