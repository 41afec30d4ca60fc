"""
Where things came from, noted as long as somebody checks; at other times nothing is patched.

What a session owns, sockets and child processes are noted as they are made. Of coroutines the
interpreter itself can keep where they were called: for most tasks, the line that started them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from asyncio import runners
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import anyio

from sessionstate._hosting import HostedContext
from sessionstate._resources import Callback
from sessionstate._sites import OURS, OUTERMOST, Site, place
from sessionstate._supervisor import Supervisor
from sessionstate._tasks import OwnedTask

if TYPE_CHECKING:
    from sessionstate._session import Session

Init = Callable[..., None]

DEPTH: Final = 4
"""Callers of a coroutine that are kept: three of a library, as of anyio, and who called that."""
SPARE: Final = 64
"""Notes of a session about what it does not own any more."""
LIBRARIES: Final = (
    *OURS,
    *(str(Path(file).parent) + os.sep for file in (OUTERMOST, anyio.__file__)),
    subprocess.__file__,
    socket.__file__,
)
"""Files that make things for others."""
LOOPS: Final = (OUTERMOST, runners.__file__)  # uvloop's callbacks have no frame of their own
"""Files that nobody leads to who makes something in a loop."""


class Origins:
    """Where the handles and the child processes come from that were made while it was noted."""

    def __init__(self) -> None:
        self._checks = 0
        self._undo: list[tuple[type, Init]] = []
        self._depth = 0
        self._made: WeakKeyDictionary[Session, dict[int, tuple[Site | None, float]]]
        self._made = WeakKeyDictionary()
        """By `id`: what has it now was noted, or is older than the notes."""
        self._started: WeakKeyDictionary[subprocess.Popen[Any], Site | None] = WeakKeyDictionary()
        self._opened: WeakKeyDictionary[socket.socket, tuple[Site | None, float]]
        self._opened = WeakKeyDictionary()

    def begin(self, *, tasks: bool) -> None:
        """
        Note from now on: *tasks* at once, or with the first thing of sessionstate's.
        """
        if not self._checks:
            self._depth = sys.get_coroutine_origin_tracking_depth()
            self._patch(Supervisor, self._begun)
            for kind in (Callback, HostedContext, OwnedTask):
                self._patch(kind, self._owned)
            self._patch(subprocess.Popen, self._spawned)
            self._patch(socket.socket, self._connected)
        self._checks += 1
        if tasks:
            self._track()

    def end(self) -> None:
        """
        Note no more, once everybody has said so who began.
        """
        self._checks -= 1
        if self._checks:
            return
        while self._undo:
            kind, init = self._undo.pop()
            kind.__init__ = init  # type: ignore[misc]
        sys.set_coroutine_origin_tracking_depth(self._depth)
        self._made.clear()
        self._started.clear()
        self._opened.clear()

    def of(self, session: Session, handle: object) -> tuple[str | None, float | None]:
        """Return the place that gave *handle* to *session*, and its age; as far as is known."""
        site, when = self._made.get(session, {}).get(id(handle), (None, None))
        where = None if site is None else place(*site)
        return where, None if when is None else session._clock() - when

    def of_children(self) -> dict[int, str]:
        """Return the places that started child processes, by process id."""
        return {process.pid: place(*site) for process, site in self._started.items() if site}

    def of_sockets(self) -> dict[int, tuple[str | None, float]]:
        """Return the places that made sockets, and their ages, by file descriptor."""
        now = time.monotonic()
        return {
            each.fileno(): (None if site is None else place(*site), now - when)
            for each, (site, when) in self._opened.items()
        }

    def _track(self) -> None:
        sys.set_coroutine_origin_tracking_depth(max(self._depth, DEPTH))

    def _patch(self, kind: type, note: Callable[[Any, FrameType], None]) -> None:
        init: Init = kind.__init__  # type: ignore[misc]

        @wraps(init)
        def noted(thing: object, *args: Any, **kwargs: Any) -> None:
            init(thing, *args, **kwargs)
            note(thing, sys._getframe(1))

        self._undo.append((kind, init))
        kind.__init__ = noted  # type: ignore[misc]

    def _begun(self, *_: object) -> None:
        self._track()

    def _owned(self, handle: Any, frame: FrameType) -> None:
        session: Session = handle._session
        notes = self._made.setdefault(session, {})
        notes[id(handle)] = _maker(frame), session._clock()
        if len(notes) > SPARE + 2 * (len(session._steps or ()) + len(session._tasks or ())):
            owned = {id(each) for each in [*(session._steps or ()), *(session._tasks or ())]}
            owned.add(id(handle))  # it is only being made
            self._made[session] = {key: each for key, each in notes.items() if key in owned}

    def _spawned(self, process: subprocess.Popen[Any], frame: FrameType) -> None:
        self._started[process] = _maker(frame)

    def _connected(self, made: socket.socket, frame: FrameType) -> None:
        self._opened[made] = _maker(frame), time.monotonic()


def _maker(frame: FrameType | None) -> Site | None:
    """Return the place that leads to *frame*, outside of the libraries."""
    while frame is not None and frame.f_code.co_filename not in LOOPS:
        if not frame.f_code.co_filename.startswith(LIBRARIES):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None


def called_at(coro: Any) -> str | None:
    """Return the place that called a coroutine, if that was kept."""
    origin: tuple[tuple[str, int, str], ...] = getattr(coro, "cr_origin", None) or ()
    places = (f"{file}:{line}" for file, line, _ in origin if not file.startswith(LIBRARIES))
    return next(places, None)


def defined_at(call: object) -> str | None:
    """Return the place that defines a function, if it is one."""
    while isinstance(call, partial):
        call = call.func
    code = getattr(call, "__code__", None)
    return None if code is None else f"{code.co_filename}:{code.co_firstlineno}"


origins: Final = Origins()
