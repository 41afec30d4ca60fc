"""
The exact check of one test after the other, for a test runner.

Tasks have to be looked at before their loop is closed, which cancels them. Test runners close
their loops through `asyncio.Runner`, so that is where this looks.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from typing import Any, Final

from sessionstate import supervisors

from ._leftovers import Census, Found, Key, Leftover, Loop, activity, census, ignored, kept
from ._origins import origins
from ._settling import settle, settle_outside

TASK: Final = "asyncio task"
FILE: Final = "file descriptor"
Name = tuple[str, str, str | None]


class Check:
    """
    Compares what is open after a test, and after the fixtures of its own, with what was before.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._loops: weakref.WeakKeyDictionary[asyncio.Runner, Loop] = weakref.WeakKeyDictionary()
        self._adopted: dict[object, Census] = {}
        """What fixtures of a wider scope opened, which may stay as long as they do."""
        self._before: Census | None = None
        self._gone_with_loop: dict[Name, Leftover] = {}
        """What was left when its loop was closed. Nothing of it is kept alive by that."""
        self._undo: list[tuple[str, Callable[..., Any]]] = []
        self._noting = False

    # Loops

    def install(self) -> None:
        """Begin to watch the loops of runners in this thread, where the tests run."""
        loops, closing, thread = self._loops, self._closing, threading.get_ident()

        def noting(method: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(method)
            def noted(runner: asyncio.Runner, *args: Any, **kwargs: Any) -> Any:
                if runner not in loops and threading.get_ident() == thread:
                    loops[runner] = get_loop(runner)
                return method(runner, *args, **kwargs)

            return noted

        get_loop, run, close = (
            getattr(asyncio.Runner, name) for name in ("get_loop", "run", "close")
        )

        @wraps(close)
        def closing_first(runner: asyncio.Runner) -> None:
            loop = loops.pop(runner, None)
            if loop is None or loop.is_closed():
                close(runner)
            else:
                closing(loop, lambda: close(runner))

        for name, new in (
            ("run", noting(run)),
            ("get_loop", noting(get_loop)),
            ("close", closing_first),
        ):
            self._undo.append((name, getattr(asyncio.Runner, name)))
            setattr(asyncio.Runner, name, new)

    def uninstall(self) -> None:
        """Watch no more."""
        self._note_no_more()
        while self._undo:
            name, before = self._undo.pop()
            setattr(asyncio.Runner, name, before)

    def _closing(self, loop: Loop, close: Callable[[], None]) -> None:
        """Look at what *loop* has before it is closed, and at what survives that."""
        if self._before is None or not self._concerns():
            close()
            return
        earlier = self._earlier()

        def look() -> Found:
            return kept(loop)._new(earlier)

        alive = supervisors()  # or a dropped one would be gone before anybody looked
        before = look()
        if self._runs_in_loop:
            with suppress(RuntimeError):  # somebody has stopped it
                before = loop.run_until_complete(settle(look, self._settle))
        try:
            close()
        finally:
            after = look()
            for key, leftover in before.items():
                # What ends with the test's own loop is its own: tasks, and sockets that it has not
                # made for itself. asyncio.run() in a test cancels by design.
                dies = leftover.kind == TASK or (leftover.kind == FILE and leftover.opened_where)
                if self._runs_in_loop if dies else key in after:
                    self._gone_with_loop[_name(leftover)] = leftover
            del alive

    # A test

    def begin(self, *, always: bool, runs_in_loop: bool) -> None:
        """
        Begin with a test: *always*, or only if it opens something of sessionstate's.
        """
        self._always, self._runs_in_loop = always, runs_in_loop
        self._activity = activity()
        self._gone_with_loop = {}
        self._released: set[Key] = set()
        self._before = census(*self._open_loops())
        self._note_no_more()
        origins.begin(others=always or bool(supervisors()))
        self._noting = True

    def _note_no_more(self) -> None:
        if self._noting:
            self._noting = False
            origins.end()

    def look(self) -> Census | None:
        """Return what is open, before a fixture of a wider scope is set up."""
        return None if self._before is None else census(*self._open_loops())

    def adopt(self, fixture: object, before: Census) -> None:
        """Let what *fixture* has opened stay as long as the fixture does."""
        now = census(*self._open_loops())
        self._adopted[fixture] = Census(now._new(before._with(self._adopted.values())))

    def release(self, fixture: object) -> None:
        """Let what *fixture* has opened stay no longer."""
        adopted = self._adopted.pop(fixture, None)
        if adopted is not None and self._before is not None:
            self._released |= adopted._found.keys()

    def end(self, ignore: Iterable[str]) -> list[Leftover]:
        """Return what the test leaves."""
        patterns = tuple(ignore)
        left: Found = {}
        if self._concerns():
            earlier, loops = self._earlier(), self._open_loops()

            def look() -> Found:
                found, gone = census(*loops)._new(earlier, patterns), self._gone_with_loop
                return {key: each for key, each in found.items() if _name(each) not in gone}

            left = settle_outside(look, loops, self._settle)
        self._before = None
        self._note_no_more()
        gone, self._gone_with_loop = self._gone_with_loop, {}
        return [each for each in gone.values() if not ignored(each, patterns)] + [*left.values()]

    def _concerns(self) -> bool:
        return self._always or activity() != self._activity

    def _earlier(self) -> Census:
        assert self._before is not None
        earlier = self._before._with(self._adopted.values())
        released = self._released
        return Census({key: each for key, each in earlier._found.items() if key not in released})

    def _open_loops(self) -> list[Loop]:
        return [loop for loop in dict.fromkeys(self._loops.values()) if not loop.is_closed()]


def _name(leftover: Leftover) -> Name:
    return leftover.kind, leftover.name, leftover.opened_where
