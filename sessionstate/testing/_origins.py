"""
Where things came from, noted as long as somebody checks; at other times nothing is patched.

What a session owns, sockets and child processes are noted as they are made. Of coroutines the
interpreter itself can keep where they were called: for most tasks, the line that started them.

Nothing of this may be felt by who makes things: a note that cannot be taken is not taken, and what
others patched meanwhile stays as they want it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from asyncio import runners
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio

from sessionstate._hosting import HostedContext
from sessionstate._resources import Callback
from sessionstate._sites import OURS, OUTERMOST, Site, place
from sessionstate._supervisor import Supervisor
from sessionstate._tasks import OwnedTask

if TYPE_CHECKING:
    from sessionstate._session import Session

Init = Callable[..., None]
T = TypeVar("T")
N = TypeVar("N")

OWN: Final = Callback, HostedContext, OwnedTask
SOCKET: Final = socket.socket  # themselves, whatever a test puts in their place
PROCESS: Final = subprocess.Popen
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


class Notes(Generic[T, N]):
    """Notes on things that live, by their identity: they may compare by content, or not at all."""

    def __init__(self) -> None:
        self._notes: dict[int, tuple[weakref.ref[T], N]] = {}

    def add(self, thing: T, note: N) -> None:
        """Take note of *thing*."""
        name = id(thing)
        self._notes[name] = weakref.ref(thing, lambda _: self._notes.pop(name, None)), note

    def items(self) -> list[tuple[T, N]]:
        """Return what lives, with the notes."""
        found = list(self._notes.values())  # at once: other threads make things meanwhile
        return [(thing, note) for ref, note in found if (thing := ref()) is not None]

    def clear(self) -> None:
        """Forget them all."""
        self._notes.clear()


class Here(threading.local):
    """How many checks have begun in this thread, and how coroutines were followed before."""

    checks = 0
    depth: int | None = None


class Origins:
    """Where the handles and the child processes come from that were made while it was noted."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._checks = 0
        self._others = False
        self._here = Here()
        self._patches: list[tuple[type, weakref.ref[Init], Init]] = []
        self._made: weakref.WeakKeyDictionary[Session, dict[int, tuple[Site | None, float]]]
        self._made = weakref.WeakKeyDictionary()
        """By `id`: what has it now was noted, or is older than the notes."""
        self._started: Notes[subprocess.Popen[Any], tuple[int, Site | None]] = Notes()
        self._opened: Notes[socket.socket, tuple[Site | None, float]] = Notes()

    def begin(self, *, others: bool) -> None:
        """
        Note what is sessionstate's from now on; what is others' too, or from a supervisor on.
        """
        with self._lock:
            self._checks += 1
            self._here.checks += 1
            try:
                if self._checks == 1:
                    self._patch(Supervisor, self._begun)
                    for kind in OWN:
                        self._patch(kind, self._owned)
                if others:
                    self._follow()
            except BaseException:
                self.end()
                raise

    def end(self) -> None:
        """
        Note no more, once everybody has said so who began.
        """
        with self._lock:
            self._unfollow()
            self._checks -= 1
            if self._checks:
                return
            self._patches = [each for each in reversed(self._patches) if not _undone(*each)][::-1]
            self._others = False
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
        return {pid: place(*site) for _, (pid, site) in self._started.items() if site}

    def of_sockets(self) -> dict[int, tuple[str | None, float]]:
        """Return the places that made sockets, and their ages, by file descriptor."""
        now = time.monotonic()
        return {
            SOCKET.fileno(each): (None if site is None else place(*site), now - when)
            for each, (site, when) in self._opened.items()
        }

    def _follow(self) -> None:
        """Note what others make, and follow the coroutines of a thread that checks."""
        with self._lock:
            if not self._others:
                self._others = True
                self._patch(PROCESS, self._spawned)
                self._patch(SOCKET, self._connected)
        depth = sys.get_coroutine_origin_tracking_depth()
        if self._here.checks and depth < DEPTH:
            if self._here.depth is None:
                self._here.depth = depth
            sys.set_coroutine_origin_tracking_depth(DEPTH)

    def _unfollow(self) -> None:
        """Follow them as before, unless a check goes on in this thread, or others follow them."""
        here = self._here
        here.checks = max(0, here.checks - 1)  # it may have begun in another
        if here.checks == 0 and here.depth is not None:
            if sys.get_coroutine_origin_tracking_depth() == DEPTH:
                sys.set_coroutine_origin_tracking_depth(here.depth)
            here.depth = None

    def _patch(self, kind: type, note: Callable[[Any, FrameType], None]) -> None:
        init: Init = kind.__init__  # type: ignore[misc]

        @wraps(init)
        def noted(thing: object, /, *args: Any, **kwargs: Any) -> None:
            init(thing, *args, **kwargs)
            if self._checks:  # or it stays only beneath a patch of somebody else's
                with suppress(Exception):
                    note(thing, sys._getframe(1))

        kind.__init__ = noted  # type: ignore[misc]
        self._patches.append((kind, weakref.ref(noted), init))

    def _begun(self, *_: object) -> None:
        self._follow()

    def _owned(self, handle: Any, frame: FrameType) -> None:
        session: Session = handle._session
        notes = self._made.setdefault(session, {})
        notes[id(handle)] = _maker(frame), session._clock()
        if len(notes) > SPARE + 2 * (len(session._steps or ()) + len(session._tasks or ())):
            owned = {id(each) for each in [*(session._steps or ()), *(session._tasks or ())]}
            owned.add(id(handle))  # it is only being made
            self._made[session] = {key: each for key, each in notes.items() if key in owned}

    def _spawned(self, process: subprocess.Popen[Any], frame: FrameType) -> None:
        self._started.add(process, (process.pid, _maker(frame)))

    def _connected(self, made: socket.socket, frame: FrameType) -> None:
        self._opened.add(made, (_maker(frame), time.monotonic()))


def _undone(kind: type, ref: weakref.ref[Init], init: Init) -> bool:
    """Undo a patch that is the last; tell whether it is gone, and not beneath somebody else's."""
    noted = ref()
    if noted is not None and kind.__init__ is noted:  # type: ignore[misc]
        kind.__init__ = init  # type: ignore[misc]
        return True
    return noted is None


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
