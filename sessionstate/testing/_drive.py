"""
Makes the requests of a leak check, each in a task of its own, as a server would.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final

from ._leak_text import short
from ._places import place
from ._reprs import short_repr
from ._virtual_loop import VirtualLoop

PATIENCE: Final = 3
"""Requests that may raise before it is given up."""
MINUTE: Final = 60.0
"""Seconds that a request may take by a real clock."""
DAY: Final = 86_400.0
"""The same by a virtual one, which need not be waited for."""
GRACE: Final = 1.0
"""Seconds that a request has to end when it is cancelled."""

Request = Callable[..., Awaitable[object]]


class RequestError(RuntimeError):
    """
    The requests of a leak check raise, or do not end, so that nothing can be said about them.

    The first error that they raised is its cause.

    .. versionadded:: 0.1
    """


class Drive:
    """
    Makes the requests.
    """

    def __init__(self, request: Request, requests: int, time_limit: float | None) -> None:
        if time_limit is None:
            time_limit = DAY if isinstance(asyncio.get_running_loop(), VirtualLoop) else MINUTE
        self.made = 0
        self._request = request
        self._numbered = _takes_number(request)
        self._requests = requests
        self._limit = None if time_limit == inf else time_limit
        self._raised: list[str] = []
        self._first: BaseException | None = None

    async def round(self) -> None:
        """
        Make the requests of one round, one after the other.
        """
        for _ in range(self._requests):
            await self._one()

    async def _one(self) -> None:
        number = self.made
        self.made += 1
        # Not by the loop's factory: its dict of options is freed, and handed on to what requests
        # keep, which would be charged with it.
        task = asyncio.Task(self._call(number))
        try:
            await asyncio.wait({task}, timeout=self._limit)
            if not task.done():
                raise self._late(number, task)
        finally:
            await _ended(task)
        if task.cancelled():
            self._failed(asyncio.CancelledError())
            return
        task.result()

    async def _call(self, number: int) -> None:
        try:
            coming: object = self._request(number) if self._numbered else self._request()
            if isinstance(coming, Awaitable):
                await coming
                return
        except Exception as error:
            self._failed(error)
            return
        raise TypeError(
            f"{name_of_request(self._request)} returned {short_repr(coming)}, which cannot be "
            f"awaited: a request is an async function, 'async def'"
        )

    def _failed(self, error: BaseException) -> None:
        # A traceback holds what its frames held, which would look like a leak: only one is kept.
        self._raised.append(short_repr(error))
        self._first = self._first or error
        if len(self._raised) == PATIENCE:
            raise RequestError(
                f"{PATIENCE} of the first {self.made} requests of {name_of_request(self._request)} "
                f"raised, the first one {self._raised[0]}: nothing can be said about them. Mend "
                f"the request, or catch in it what it is expected to raise"
            ) from self._first

    def _late(self, number: int, task: asyncio.Task[None]) -> RequestError:
        where = place(task)
        waits = f"it waits at {short(where)}" if where else "nobody knows what it waits for"
        return RequestError(
            f"request {number} of {name_of_request(self._request)} did not end within "
            f"{self._limit:g} s: {waits}. Let it end, or give it longer: time_limit= / --time-limit"
        )

    def notes(self) -> tuple[str, ...]:
        """
        Say what was raised.
        """
        return tuple(f"a request raised {error}" for error in self._raised)


async def _ended(task: asyncio.Task[None]) -> None:
    """
    End *task* if it still runs; whoever raises its error, asyncio need not log it.
    """
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE)
    if task.done() and not task.cancelled():
        task.exception()


def request_waits_at(loop: asyncio.AbstractEventLoop) -> str:
    """
    Return the line of the program at which the request waits that is under way in *loop*.
    """
    ours = Drive._call.__code__
    tasks = (each for each in asyncio.all_tasks(loop) if _code(each) is ours)
    return next((short(place(each)) for each in tasks), "")


def _code(task: asyncio.Task[Any]) -> object:
    return getattr(task.get_coro(), "cr_code", None)


def _takes_number(request: Request) -> bool:
    """
    Tell whether *request* takes a number, and refuse what is no async function.
    """
    if not callable(request):
        raise TypeError(
            f"a request is an async function, to be called each time, not {short_repr(request)}"
        )
    name = name_of_request(request)
    if inspect.isasyncgenfunction(request):
        raise TypeError(
            f"{name} is an async generator function, which is iterated, not awaited: wrap it, "
            f"'async for _ in {name}(): ...' in an async function"
        )
    try:
        signature = inspect.signature(request)
    except (TypeError, ValueError):  # of what is written in C it is not always known
        return False
    takes = {number: _accepts(signature, *range(number)) for number in (0, 1)}
    if not any(takes.values()):
        raise TypeError(
            f"{name}{signature} must take the number of the request, or nothing: bind the rest "
            f"with functools.partial"
        )
    return takes[1]


def _accepts(signature: inspect.Signature, *arguments: object) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def name_of_request(request: object) -> str:
    """
    Return what *request* is called.
    """
    name = getattr(request, "__qualname__", None)
    return name if isinstance(name, str) else short_repr(request)
