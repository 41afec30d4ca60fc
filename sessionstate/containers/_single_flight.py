"""The loads of a container."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from sessionstate._context import detach
from sessionstate._flight import Flight

if TYPE_CHECKING:
    from ._container import Container

K = TypeVar("K")
V = TypeVar("V")


class Load(Flight, Generic[K, V]):
    """A load under way. It is stored when it ends, unless somebody wrote in between."""

    __slots__ = ("_container", "_ended", "_task", "key", "needs", "waiters")

    key: K

    def __init__(self, container: Container[K, V], key: K) -> None:
        self.key = key
        self.needs = {}
        self.waiters = {}
        self._container: Container[K, V] | None = container
        self._task: asyncio.Task[None] | None = None

    def begin(self, factory: Callable[[], Awaitable[V]]) -> None:
        """Load in a task of its own, which whoever asked first does not own."""
        context = copy_context()
        context.run(detach)
        # Not eager: whoever asks is to be known as waiting before anything happens.
        self._task = asyncio.Task(self._run(factory), name=f"load {self.key!r}", context=context)
        self._task.add_done_callback(self._done)

    async def _run(self, factory: Callable[[], Awaitable[V]]) -> None:
        value = await self.make(factory)
        container = self._container
        assert container is not None
        if container._loads.get(self.key) is self:
            self._forget()
            container[self.key] = value
        self.land(value)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None  # whose context leads here
        self._forget()
        self._container = None  # tasks that the factory began have this load in their contexts
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(lambda: error)
        else:
            self.fail(self._cancelled)

    def _forget(self) -> None:
        container = self._container
        if container is None:
            return
        container._adrift.pop(self, None)
        if container._loads.get(self.key) is self:
            del container._loads[self.key]

    def _cancelled(self) -> Exception:
        return RuntimeError(f"the load of {self.key!r} was cancelled, by itself or from outside")

    def end(self, ended: Callable[[], Exception]) -> asyncio.Task[None] | None:
        """Give the load up, as the container's owner ends; return its task, if it still runs."""
        task = self._task
        self.fail(ended)
        self.give_up()
        return task

    def give_up(self) -> None:
        """Cancel the load, once; who asks next begins another."""
        self._forget()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()


async def load(container: Container[K, V], key: K, factory: Callable[[], Awaitable[V]]) -> V:
    """Return the value of *key*, which *container* does not have, joining a load under way."""
    loop = asyncio.get_running_loop()
    found = container._loads.get(key)
    if found is None:
        given: object = factory
        if not callable(given):
            raise TypeError(f"get_or_create() needs an async factory, not {given!r}")
        found = container._loads[key] = Load(container, key)
        found.begin(factory)
    value: Any = await found.join(loop, f"this {type(container).__name__}")
    return cast("V", value)
