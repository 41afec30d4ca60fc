from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    Session,
    SessionClosed,
    SessionMap,
    Supervisor,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sessionstate.testing import VirtualClock


async def forever() -> None:
    """
    Wait until cancelled.
    """
    await asyncio.Event().wait()


async def noop() -> None:
    """
    Return at once.
    """


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Reraising:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, cls: object, error: BaseException | None, tb: object) -> None:
        try:
            if error is not None:
                raise error
        finally:
            del error  # it has a traceback that leads here


class _FailingEntry(_Reraising):
    async def __aenter__(self) -> None:
        raise ValueError("enter")


async def _enter_failing(s: Session) -> None:
    with suppress(ValueError):
        await s.enter_async_context(_FailingEntry())


async def _start_failing(s: Session) -> None:
    async def fail(*, task_status: object) -> None:
        await _crash()

    with suppress(ValueError):
        await s.start(fail)


async def _crash() -> None:
    await asyncio.sleep(0)  # an error of an eager step has its starter's frames behind it
    raise ValueError("crash")


async def _load_crash(s: Session) -> None:
    with suppress(ValueError):
        await s.get_or_create("key", _crash)


OWNING: dict[str, Callable[[Session], Awaitable[object] | object]] = {
    "nothing": lambda s: None,
    "callback": lambda s: s.callback(list),
    "async callback": lambda s: s.push_async_callback(noop),
    "task": lambda s: s.start_soon(forever),
    "context": lambda s: s.enter_async_context(_Reraising()),
    "load": lambda s: s.get_or_create("key", noop),
    "failed load": _load_crash,
    "failed entry": _enter_failing,
    "failed start": _start_failing,
    "crash": lambda s: s.start_soon(_crash),
    "values": lambda s: s.vars.update(s=s.lock),
}


class TestFreed:
    """
    No reference cycle: with the collector off, a closed session is gone with its last user.
    """

    @pytest.mark.parametrize("owned", OWNING)
    @pytest.mark.parametrize("how", ["returns", "fails", "interrupted", "cancelled", "open"])
    async def test_closed_session(
        self, supervisor: Supervisor, clock: VirtualClock, owned: str, how: str
    ) -> None:
        """
        Whatever it owned and however it ended, a closed session is freed by its count.
        """
        refs: list[weakref.ref[Session]] = []

        async def own(s: Session) -> None:
            refs.append(weakref.ref(s))
            result = OWNING[owned](s)
            if inspect.isawaitable(result):
                await result

        async def user() -> None:
            if how == "open":
                await own(await supervisor.open("a"))
                return
            with suppress(SessionClosed, ValueError):
                async with session("a") as s:
                    await own(s)
                    if how == "fails":
                        raise ValueError
                    if how != "returns":
                        await forever()

        with _no_collector():
            task = asyncio.create_task(user())
            await clock.settle()
            if how == "cancelled":
                task.cancel()
            else:
                supervisor.close_soon("a")
            await clock.settle()
            assert task.done()
            del task
            assert refs[0]() is None

    async def test_copied_context_pins_nothing(self, supervisor: Supervisor) -> None:
        """
        A context copied inside a session keeps the handle, and nothing of what it held.
        """

        class Value:
            pass

        values = [Value() for _ in range(4)]
        refs = [weakref.ref(each) for each in values]
        agents = SessionMap[Value]("agents")

        async def load() -> Value:
            return values[2]

        with _no_collector():
            async with session("a") as s:
                agents["a"] = values[0]
                s.vars["x"] = values[1]
                await s.get_or_create("key", load)
                s.callback(list, [values[3]])
                context = contextvars.copy_context()
            values.clear()
            assert [ref() for ref in refs] == [None] * 4
        assert s in context.values()

    async def test_entry_in_the_queue_pins_nothing(self, supervisor: Supervisor) -> None:
        """
        A closed session is not kept by its entry in the deadline queue.
        """
        with _no_collector():
            s = await supervisor.open("a", max_age=10)
            ref = weakref.ref(s)
            s.close_soon()
            del s
            assert ref() is None
            assert supervisor.statistics().queued == 0


async def test_nothing_when_nothing_is_owned(supervisor: Supervisor) -> None:
    """
    A session with plain callbacks is opened and closed without a task and without an await.
    """
    ran: list[int] = []
    before = asyncio.all_tasks()
    block = session("a")
    for coro in (block.__aenter__(), block.__aexit__(None, None, None)):
        with pytest.raises(StopIteration) as caught:
            coro.send(None)
        if isinstance(caught.value.value, Session):
            caught.value.value.callback(ran.append, 1)
    assert (ran, len(supervisor), asyncio.all_tasks()) == ([1], 0, before)
