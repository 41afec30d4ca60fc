"""
The parts of a scenario: what is made for it, what it does, and the ways to interfere with that.
"""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, cast

from ._points import Injected

DEAF: Final = (
    "asyncio.locks",
    "asyncio.queues",
    "asyncio.taskgroups",
    "asyncio.timeouts",
    "anyio.",
    "sessionstate.",
)
"""
Modules that wait for futures which only they complete: nothing but a cancellation ever comes out of
those, so nothing else is thrown into them.
"""

LIBRARIES: Final = ("asyncio.", "anyio.", "sessionstate.")
"""Modules in which nobody wants to be told that a scenario waits."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What `explore` was given.
    """

    body: Callable[..., Any]
    check: Callable[..., Any] | None
    setup: Callable[[], Any] | None

    @property
    def name(self) -> str:
        """
        What it is called in reports.
        """
        body = self.body
        return getattr(body, "__qualname__", None) or repr(body)

    def arguments(self, world: Any) -> tuple[Any, ...]:
        """
        Return what the scenario and its check are called with: what was made, if anything was.
        """
        return () if world is None else (world,)

    async def make(self) -> AbstractAsyncContextManager[Any]:
        """
        Call the setup, and return what to enter.
        """
        made: object = None if self.setup is None else self.setup()
        if isinstance(made, Awaitable) and not isinstance(made, AbstractAsyncContextManager):
            made = await cast("Awaitable[object]", made)
        if isinstance(made, AbstractAsyncContextManager):
            return cast("AbstractAsyncContextManager[object]", made)
        return nullcontext(made)


class Interference:
    """
    Runs the body of a scenario, counts its awaits and values, and breaks in at one of them.
    """

    def __init__(self, *, throw_at: int = 0, abandon_at: int = 0) -> None:
        self.awaits = 0
        self.values = 0
        self.struck = False
        """Whether it broke in."""
        self.waits_at = ""
        """Where the scenario waited last: ``file:line``."""
        self._generator: AsyncIterator[object] | None = None
        self._throw_at = throw_at
        self._abandon_at = abandon_at

    async def run(self, made: Any) -> None:
        """
        Run *made*, which the body of a scenario returned: something to await, or to iterate over.
        """
        if isinstance(made, AsyncIterator):
            values = cast("AsyncIterator[object]", made)
            self._generator = values
            try:
                await self._drive(self._iterate(values))
            finally:
                self._generator = None  # nobody may keep what was abandoned
        else:
            await self._drive(_awaiting(made))

    async def _iterate(self, values: AsyncIterator[object]) -> None:
        async for _ in values:
            self.values += 1
            if self.values == self._abandon_at:
                self.struck = True
                return

    @types.coroutine
    def _drive(self, coro: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        send: Callable[[], Any] = lambda: coro.send(None)  # noqa: E731
        while True:
            try:
                waits_for = send()
            except StopIteration:
                return
            may_fail = self._look(coro)
            try:
                yield waits_for
            except GeneratorExit:
                coro.close()
                raise
            except BaseException as exc:
                send = _thrower(coro, exc)
            else:
                send = lambda: coro.send(None)  # noqa: E731
                if may_fail and self.awaits == self._throw_at:
                    self.struck = True
                    send = _thrower(coro, Injected(f"injected into await {self.awaits}"))

    def _look(self, coro: Any) -> bool:
        """
        Count the await at which *coro* is, unless nothing but a cancellation can come out of it.
        """
        frames: list[FrameType] = []
        while coro is not None:
            if type(coro).__name__ == "async_generator_asend":  # which does not tell whose it is
                coro = self._generator
            frame = _attribute(coro, "frame")
            if frame is not None:
                frames.append(frame)
            coro = _attribute(coro, "await")
        own = [frame for frame in frames if not _module(frame).startswith(LIBRARIES)]
        at = (own or frames)[-1]
        self.waits_at = f"{at.f_code.co_filename}:{at.f_lineno}"
        if _module(frames[-1]).startswith(DEAF):
            return False
        self.awaits += 1
        return True


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _attribute(coro: Any, name: str) -> Any:
    """
    Return what is called ``cr_...`` of a coroutine, ``ag_...`` and ``gi_...`` of generators.
    """
    for prefix in ("cr_", "ag_", "gi_"):
        value = getattr(coro, prefix + name, None)
        if value is not None:
            return value
    return getattr(coro, "gi_yieldfrom", None) if name == "await" else None


async def _awaiting(made: object) -> None:
    if not isinstance(made, Awaitable):
        raise TypeError(f"a scenario is an async function; this one returned {made!r}")
    await cast("Awaitable[object]", made)


def _thrower(coro: Coroutine[Any, Any, None], exc: BaseException) -> Callable[[], Any]:
    return lambda: coro.throw(exc)
