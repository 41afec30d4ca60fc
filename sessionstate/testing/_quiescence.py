"""
Quiet after a round: sessions are closed, times have passed, caches are empty.

What is left then was left behind, and is no longer there because it happens to be in use.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import linecache
import re
from collections.abc import Awaitable, Callable, Iterable
from math import inf, isfinite
from typing import Any, Final

from sessionstate import ExpiringMap, ReplayGuard

from ._clock import VirtualClock
from ._counts import Cache, Counts
from ._virtual_loop import VirtualLoop

Advance = float | VirtualClock | Callable[[], object] | None
LONG: Final = 3600.0
PATIENCE: Final = (0.0, 0.0, 0.0, 0.001, 0.004, 0.01, 0.03)
"""Real seconds that the tasks of a round have for their ends."""


class Quiescence:
    """
    Makes it quiet, and knows how many entries are left that nothing would have removed.
    """

    def __init__(self, counts: Counts, reset: Iterable[object], advance: Advance) -> None:
        self._counts = counts
        self._resets = [_resetter(each) for each in reset]
        self._advance = advance
        self.endless: list[tuple[object, int, str]] = []
        """Containers, with the entries that they would keep for ever, and the oldest key."""

    async def reach(self) -> None:
        """
        Let everything end that a round began.
        """
        await self._settle()
        await self._close()
        self._counts.look()
        kept = self._counts.kept()
        await self._let_pass(_longest(kept))
        await self._settle()
        await self._reset(kept)
        gc.collect()
        self._counts.look()  # closed sessions in cycles are gone by now

    async def _close(self) -> None:
        # A method of its own, so that nothing here holds what is looked for next.
        left = self._counts.left_open()
        for session in left:
            session.close_soon()
        for session in left:
            await session.wait_closed()

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            await loop.clock.settle()
            return
        before = len(asyncio.all_tasks())
        for pause in PATIENCE:
            await asyncio.sleep(pause)
            now = len(asyncio.all_tasks())
            if pause and now == before:
                return
            before = now

    async def _let_pass(self, seconds: float) -> None:
        """
        Let *seconds* pass where time can be moved; sessions from before are not to notice.
        """
        advance, loop = self._advance, asyncio.get_running_loop()
        clock = loop.clock if isinstance(loop, VirtualLoop) else None
        if isinstance(advance, VirtualClock):
            clock = advance
        elif callable(advance):
            await _call(advance)
            return
        elif advance is not None:
            seconds = advance
        if clock is None or not seconds:
            return
        for session in self._counts.lasting():
            session.extend(seconds + LONG)
        # At once: to go through every timer would take long, and really long beside open sockets.
        clock.jump(seconds)

    async def _reset(self, kept: list[Any]) -> None:
        self.endless.clear()
        for each in kept:
            if isinstance(each, Cache):
                if each.cache_parameters()["maxsize"] is not None:
                    each.cache_clear()
            elif isinstance(each, ReplayGuard):
                for half in (each._plain, each._signed):
                    for key in list(half.rows):
                        half.forget(key)
            elif each._over is None and (entries := _let_go(each)):
                self.endless.append((each, len(entries), repr(entries[0])))
        for reset in self._resets:
            await _call(reset)
        re.purge()
        linecache.clearcache()


def _let_go(container: Any) -> list[object]:
    """
    Empty what is bounded, in number or in time; return the keys that would stay for ever.
    """
    if container._maxsize < inf or getattr(container, "_max_weight", inf) < inf:
        container.clear()
    elif hasattr(container, "expire"):
        container.expire()
        for key in [key for key, entry in container._entries.items() if entry.due < inf]:
            container.pop(key, None)
    return list(container._entries)


def _longest(kept: list[Any]) -> float:
    """
    Return a time that is longer than whatever *kept* keeps.
    """
    spans = [LONG]
    for each in kept:
        spans += [each._span] if isinstance(each, ExpiringMap) else []
        spans += [each._window + each._skew] if isinstance(each, ReplayGuard) else []
    return 1.0 + 1.01 * max(filter(isfinite, spans))


def _resetter(thing: object) -> Callable[[], object]:
    for name in ("cache_clear", "clear"):
        method: Callable[[], object] | None = getattr(thing, name, None)
        if callable(method):
            return method
    if callable(thing):
        return thing
    raise TypeError(
        f"reset= takes functions without arguments, and objects with clear() or cache_clear(); "
        f"{thing!r} is neither"
    )


async def _call(function: Callable[[], object]) -> None:
    answer = function()
    if inspect.isawaitable(answer):
        await _as_awaitable(answer)


async def _as_awaitable(answer: Awaitable[object]) -> None:
    await answer
