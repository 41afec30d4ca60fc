"""
Places in the source: kept as code and instruction, for speed, and resolved when somebody reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from types import CodeType, FrameType
from typing import Final

Site = tuple[CodeType, int]
"""A place: code, and an instruction of it."""


def place(code: CodeType, lasti: int) -> str:
    """Return a place in the source as ``file:line``."""
    lines = (line for start, stop, line in code.co_lines() if start <= lasti < stop and line)
    return f"{code.co_filename}:{next(lines, code.co_firstlineno)}"


def place_in(code: CodeType, lasti: int) -> str:
    """Return a place in the source as ``file:line in function``."""
    return f"{place(code, lasti)} in {code.co_qualname}"


def outside(frame: FrameType | None) -> FrameType | None:
    """Return *frame* or the first that leads to it and is not ours; None if there is none."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(OURS):
            return None if file == OUTERMOST else frame
        frame = frame.f_back
    return None


def site(frame: FrameType | None) -> Site | None:
    """Return the place outside of this package that leads to *frame*."""
    found = outside(frame)
    return None if found is None else (found.f_code, found.f_lasti)


OURS: Final = (
    place.__code__.co_filename.removesuffix("_sites.py"),
    Hashable.__hash__.__code__.co_filename,  # of collections.abc, through which maps are written
)
RUN: Final = asyncio.Handle._run.__code__  # nobody who calls it is the program's
OUTERMOST: Final = RUN.co_filename
