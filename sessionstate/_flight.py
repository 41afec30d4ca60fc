"""One load of a value, shared by all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ._context import describe, loading


class Flight:
    """A load under way, and who waits for it."""

    __slots__ = ()

    key: Any
    needs: dict[Flight, int]
    """The loads that this one waits for."""
    waiters: dict[asyncio.Future[Any], None]

    def waits_for(self, other: Flight) -> bool:
        """Tell whether this load cannot end before *other* does."""
        seen: dict[Flight, None] = {}
        ahead: list[Flight] = [self]
        while ahead:
            flight = ahead.pop()
            if flight is other:
                return True
            if flight not in seen:
                seen[flight] = None
                ahead.extend(flight.needs)
        return False

    async def make(self, factory: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Await what *factory* returns, so that loads which are asked for meanwhile are known."""
        loading.set(self)
        awaitable = factory()
        if not isinstance(awaitable, Awaitable):
            raise TypeError(
                f"get_or_create() needs an async factory, but {describe(factory)} returned "
                f"{awaitable!r}"
            )
        return await awaitable

    def land(self, value: object) -> None:
        """Hand the value to all who wait."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(value)

    def fail(self, error: Callable[[], BaseException]) -> None:
        """Hand ``error()`` to all who still wait."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_exception(error())
        self.waiters.clear()

    async def join(self, loop: asyncio.AbstractEventLoop, where: str) -> Any:  # noqa: ANN401
        """Wait for the value; the last one to give up gives the load up."""
        asking = loading.get()
        if asking is not None and self.waits_for(asking):
            raise RuntimeError(
                f"get_or_create({self.key!r}) of {where} would wait for itself: its factory needs, "
                f"directly or through other factories, the value that it makes"
            )
        waiter: asyncio.Future[Any] = loop.create_future()
        self.waiters[waiter] = None
        if asking is not None:
            asking.needs[self] = asking.needs.get(self, 0) + 1
        try:
            return await waiter
        finally:
            self.waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled():
                waiter.exception()  # it may have come together with the waiter's cancellation
            del waiter  # the traceback of its error leads here
            if asking is not None:
                asking.needs[self] -= 1
                if not asking.needs[self]:
                    del asking.needs[self]
            if not self.waiters:
                self.give_up()

    def give_up(self) -> None:
        """Cancel the load, if it is still under way: nobody waits for it any more."""
        raise NotImplementedError  # pragma: no cover - each kind has its own
