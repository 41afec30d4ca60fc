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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from math import inf, isfinite
from typing import Any, Final

from sessionstate import ExpiringMap, ReplayGuard
from sessionstate.containers._container import Container

from ._clock import VirtualClock
from ._counts import Cache, Counts, Kept
from ._reprs import short_repr
from ._virtual_loop import VirtualLoop

Advance = float | VirtualClock | Callable[[], object] | None
MAP: Final[type[Any]] = Container
LONG: Final = 3600.0
PATIENCE: Final = (0.0, 0.0, 0.0, 0.001, 0.004, 0.01, 0.03)
"""Real seconds that the tasks of a round have for their ends."""
CLOSING: Final = 60.0
"""Seconds that the sessions of a round have for theirs."""
RISES: Final = 2
"""Rounds running in which a cache has grown that fills, and does not keep a few things."""


class Quiescence:
    """
    Makes it quiet, and knows how many entries are left that nothing would have removed.
    """

    def __init__(
        self, counts: Counts, reset: Iterable[object], keep: Iterable[object], advance: Advance
    ) -> None:
        self._counts = counts
        self._resets = [_resetter(each) for each in _several("reset", reset)]
        self._spared = [_kept(each) for each in _several("keep", keep)]
        self._advance = advance
        self._sizes: dict[int, tuple[int, int]] = {}
        """How large each was that has a bound, and in how many rounds running it had grown."""
        self.endless: list[tuple[Any, int, object]] = []
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
        try:
            async with asyncio.timeout(CLOSING):
                for session in left:
                    await session.wait_closed()
        except TimeoutError:
            return  # they are counted

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
        lasting = [(each, each._clock()) for each in self._counts.lasting()]
        advance, loop = self._advance, asyncio.get_running_loop()
        # At once: to go through every timer would take long, and really long beside open sockets.
        if isinstance(advance, VirtualClock):
            advance.jump(seconds)
        elif callable(advance):
            await _call(advance)
        elif isinstance(loop, VirtualLoop):
            loop.clock.jump(seconds if advance is None else advance)
        for session, before in lasting:
            passed = session._clock() - before
            session.opened_at += passed
            session.last_used += passed
            session._extended += passed

    async def _reset(self, kept: list[Kept]) -> None:
        self.endless.clear()
        sizes: dict[int, tuple[int, int]] = {}
        for each in kept:
            if isinstance(each, MAP):
                if each._over is not None:
                    continue
                if hasattr(each, "expire"):
                    each.expire()
                if keys := _endless(each):
                    self.endless.append((each, len(keys), keys[0]))
            size = _bounded(each)
            before, rises = self._sizes.get(id(each), (size, 0))
            if rises < RISES:
                rises = rises + 1 if size > before else 0
            if rises >= RISES and not any(each is spared for spared in self._spared):
                _empty(each)
                size = 0
            sizes[id(each)] = size, rises
        self._sizes = sizes
        for reset in self._resets:
            await _call(reset)
        re.purge()
        linecache.clearcache()


def _is_bounded(container: Any) -> bool:
    """
    Tell whether *container* has a bound in number.
    """
    return container._maxsize < inf or getattr(container, "_max_weight", inf) < inf


def _stays(entry: Any) -> bool:
    return getattr(entry, "due", inf) == inf


def _endless(container: Any) -> list[object]:
    """
    Return the keys that *container* would keep for ever.
    """
    if _is_bounded(container):
        return []
    return [key for key, entry in container._entries.items() if _stays(entry)]


def _bounded(kept: Any) -> int:
    """
    Return how many entries of *kept* a bound would remove, in number or in time.
    """
    if isinstance(kept, Cache):
        return 0 if kept.cache_parameters()["maxsize"] is None else kept.cache_info().currsize
    if isinstance(kept, ReplayGuard) or _is_bounded(kept):
        return len(kept)
    return sum(not _stays(entry) for entry in kept._entries.values())


def _empty(kept: Any) -> None:
    """
    Remove them.
    """
    if isinstance(kept, Cache):
        kept.cache_clear()
    elif isinstance(kept, ReplayGuard):
        for half in (kept._plain, kept._signed):
            for key in list(half.rows):
                half.forget(key)
    elif _is_bounded(kept):
        kept.clear()
    else:
        for key in [key for key, entry in kept._entries.items() if not _stays(entry)]:
            kept.pop(key, None)


def _longest(kept: list[Kept]) -> float:
    """
    Return a time that is longer than whatever *kept* keeps.
    """
    spans = [LONG]
    for each in kept:
        spans += [each._span] if isinstance(each, ExpiringMap) else []
        spans += [each._window + each._skew] if isinstance(each, ReplayGuard) else []
    return 1.0 + 1.01 * max(filter(isfinite, spans))


def _several(name: str, things: Iterable[object]) -> list[object]:
    """
    Refuse one thing where a list is wanted: many a cache can be iterated, or is empty.
    """
    shown = short_repr(things)
    if isinstance(things, str | Mapping) or not isinstance(things, Iterable):
        raise TypeError(f"{name}= takes a list, not {shown}: write {name}=[...]")
    return list(things)


def _kept(thing: object) -> object:
    thing = getattr(thing, "__func__", thing)  # of a method that is cached
    if not isinstance(thing, (Cache, MAP, ReplayGuard)):
        raise TypeError(
            f"keep= takes caches of functools and containers of sessionstate, which would be "
            f"emptied if they grew; {short_repr(thing)} is neither, and is left alone"
        )
    return thing


def _resetter(thing: object) -> Callable[[], object]:
    for name in ("cache_clear", "clear"):
        method: Callable[[], object] | None = getattr(thing, name, None)
        if callable(method):
            return method
    if callable(thing):
        return thing
    raise TypeError(
        f"reset= takes functions without arguments, and objects with clear() or cache_clear(); "
        f"{short_repr(thing)} is neither"
    )


async def _call(function: Callable[[], object]) -> None:
    answer = function()
    if inspect.isawaitable(answer):
        await _as_awaitable(answer)


async def _as_awaitable(answer: Awaitable[object]) -> None:
    await answer
