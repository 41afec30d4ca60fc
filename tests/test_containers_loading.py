"""
Loads that all who wait share, in ExpiringMap and LRUCache.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from sessionstate import (
    ExpiringMap,
    LRUCache,
    Session,
    SessionClosed,
    Supervisor,
    current_session,
)

Map = ExpiringMap[Any, Any] | LRUCache[Any, Any]


class Source:
    """
    A slow source of values that counts its loads.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0

    async def __call__(self) -> str:
        """
        Take a second.
        """
        self.begun += 1
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return f"value {self.begun}"


@pytest.fixture
def source() -> Source:
    """
    Give a source.
    """
    return Source()


@pytest.fixture(params=["map", "lru"])
def entries(request: pytest.FixtureRequest) -> Map:
    """
    Give a container of each kind.
    """
    return ExpiringMap(ttl=60) if request.param == "map" else LRUCache(maxsize=5)


def ask(entries: Map, factory: Callable[[], Awaitable[Any]], key: str = "key") -> asyncio.Task[Any]:
    """
    Ask for a value in a task of its own.
    """
    return asyncio.create_task(entries.get_or_create(key, factory))


class TestSingleFlight:
    async def test_all_waiters_share_one_load(self, entries: Map, source: Source) -> None:
        """
        However many ask at once, the factory runs once, and later ones get what was stored.
        """
        tasks = [ask(entries, source) for _ in range(5)]
        assert await asyncio.gather(*tasks) == ["value 1"] * 5
        assert await entries.get_or_create("key", source) == "value 1"
        assert entries["key"] == "value 1"
        assert source.begun == 1
        assert entries._loads == {}

    async def test_a_value_that_is_there_needs_no_load(self, entries: Map, source: Source) -> None:
        """
        None is a value like others.
        """
        entries["key"] = None
        assert await entries.get_or_create("key", source) is None
        assert source.begun == 0

    async def test_a_failure_reaches_all_and_is_not_remembered(self, entries: Map) -> None:
        """
        Whoever asks next begins another load.
        """
        errors = [OSError("down")]

        async def load() -> str:
            await asyncio.sleep(1)
            if errors:
                raise errors.pop()
            return "up"

        tasks = [ask(entries, load) for _ in range(3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(result) for result in results] == ["down"] * 3
        assert "key" not in entries
        assert await entries.get_or_create("key", load) == "up"

    async def test_one_cancellation_does_not_reach_the_others(
        self, entries: Map, source: Source
    ) -> None:
        """
        The load goes on, though the one who began it is cancelled.
        """
        first, second = ask(entries, source), ask(entries, source)
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == "value 1"
        assert first.cancelled()
        assert source.cancelled == 0

    async def test_the_last_waiter_cancels_the_load(self, entries: Map, source: Source) -> None:
        """
        A load that nobody waits for is not left running, and is not stored.
        """
        tasks = [ask(entries, source) for _ in range(2)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)
        assert source.cancelled == 1
        assert entries._loads == {}
        assert await entries.get_or_create("key", source) == "value 2"

    async def test_a_load_cancelled_from_outside_cancels_nobody(self, entries: Map) -> None:
        """
        Who waits for what cancelled itself gets an error, not a cancellation that is not theirs.
        """

        async def load() -> str:
            raise asyncio.CancelledError

        with pytest.raises(RuntimeError, match="load of 'key' was cancelled"):
            await entries.get_or_create("key", load)

    async def test_a_load_of_its_own_key_is_refused(self, entries: Map) -> None:
        """
        Directly or through others, it could never end.
        """

        async def one() -> Any:
            return await entries.get_or_create("two", two)

        async def two() -> Any:
            return await entries.get_or_create("one", one)

        with pytest.raises(RuntimeError, match="would wait for itself"):
            await entries.get_or_create("one", one)
        assert entries._loads == {}

    async def test_a_circle_through_a_session_is_refused(
        self, entries: Map, supervisor: Supervisor
    ) -> None:
        """
        Loads of containers and of sessions know of each other.
        """
        s = await supervisor.open("a")

        async def one() -> Any:
            return await s.get_or_create("two", two)

        async def two() -> Any:
            return await entries.get_or_create("one", one)

        with pytest.raises(RuntimeError, match="would wait for itself"):
            await entries.get_or_create("one", one)

    async def test_a_load_may_need_another(self, entries: Map, source: Source) -> None:
        """
        What is no circle is no error, asked for twice or not.
        """

        async def both() -> list[Any]:
            again = ask(entries, source, "other")
            return [await entries.get_or_create("other", source), await again]

        assert await entries.get_or_create("key", both) == ["value 1"] * 2

    async def test_two_ways_to_one_load_are_no_circle(self, entries: Map, source: Source) -> None:
        """
        A load that waits for two others, which both wait for a third, may itself be waited for.
        """

        async def half() -> Any:
            return await entries.get_or_create("base", source)

        async def whole() -> list[Any]:
            return await asyncio.gather(ask(entries, half, "left"), ask(entries, half, "right"))

        async def top() -> Any:
            return await entries.get_or_create("whole", whole)

        first = ask(entries, whole, "whole")
        await asyncio.sleep(0.5)
        assert await entries.get_or_create("top", top) == ["value 1"] * 2
        await first

    @pytest.mark.parametrize("factory", [None, "coroutine", "plain"])
    async def test_what_cannot_load_is_refused(self, entries: Map, factory: Any) -> None:
        """
        The factory is an async function, and nothing else.
        """
        given: Any = {None: None, "coroutine": 5, "plain": lambda: 5}[factory]
        with pytest.raises(TypeError, match="get_or_create\\(\\) needs an async factory"):
            await entries.get_or_create("key", given)
        assert entries._loads == {}


class TestExplicitWrites:
    @pytest.mark.parametrize("write", ["set", "delete", "pop", "clear"])
    async def test_an_explicit_write_wins(self, entries: Map, source: Source, write: str) -> None:
        """
        Who waits gets what was loaded; it is not stored over what was written meanwhile.
        """
        task = ask(entries, source)
        await asyncio.sleep(0.5)
        if write == "set":
            entries["key"] = "written"
        elif write == "clear":
            entries.clear()
        elif write == "pop":
            assert entries.pop("key", None) is None
        else:
            with pytest.raises(KeyError):
                del entries["key"]
        assert await task == "value 1"
        assert entries.get("key") == ("written" if write == "set" else None)
        await asyncio.sleep(0)
        assert entries._adrift == {}

    async def test_who_asks_after_it_begins_another_load(
        self, entries: Map, source: Source
    ) -> None:
        """
        A load that began before the value was deleted may know the old one.
        """
        before = ask(entries, source)
        await asyncio.sleep(0.5)
        entries.pop("key", None)
        after = ask(entries, source)
        assert await before == "value 2"[:-1] + "2"
        assert await after == "value 2"
        assert source.begun == 2
        assert entries["key"] == "value 2"

    async def test_giving_up_a_load_leaves_the_later_one(
        self, entries: Map, source: Source
    ) -> None:
        """
        The cancellation of who waits for a load that was overtaken does not touch the other.
        """
        before = ask(entries, source)
        await asyncio.sleep(0.5)
        entries.pop("key", None)
        after = ask(entries, source)
        await asyncio.sleep(0)
        before.cancel()
        assert await after == "value 2"
        assert source.cancelled == 1


class TestEnd:
    @pytest.mark.parametrize("overtaken", [False, True])
    async def test_the_end_of_the_owner_ends_its_loads(
        self, supervisor: Supervisor, source: Source, *, overtaken: bool
    ) -> None:
        """
        Who waits gets `SessionClosed`, the load is cancelled, and nothing is stored.
        """
        s = await supervisor.open("a")
        entries: ExpiringMap[str, str] = ExpiringMap(session=s)
        task = ask(entries, source)
        await asyncio.sleep(0.5)
        if overtaken:
            entries.clear()
        await supervisor.close("a")
        with pytest.raises(SessionClosed):
            await task
        assert source.cancelled == 1
        with pytest.raises(SessionClosed):
            await entries.get_or_create("key", source)
        assert source.begun == 1

    async def test_a_load_that_ignores_its_cancellation_stores_nothing(
        self, supervisor: Supervisor
    ) -> None:
        """
        A late write must not bring back what has ended.
        """
        s = await supervisor.open("a")
        entries: ExpiringMap[str, str] = ExpiringMap(session=s)

        async def load() -> str:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                return "late"
            return "in time"

        task = ask(entries, load)
        await asyncio.sleep(0.5)
        await supervisor.close("a")
        with pytest.raises(SessionClosed):
            await task
        assert len(entries) == 0

    async def test_a_load_has_the_context_of_who_asked_but_not_its_place(
        self, entries: Map, supervisor: Supervisor
    ) -> None:
        """
        Context variables are seen by the factory; it is not part of what a session waits for.
        """
        variable: ContextVar[str] = ContextVar("variable")
        variable.set("seen")
        asking: asyncio.Future[Session] = asyncio.get_running_loop().create_future()

        async def load() -> str:
            await supervisor.close(current_session().id)
            return variable.get()

        async def owner() -> None:
            async with supervisor.attach("a"):
                asking.set_result(current_session())
                await entries.get_or_create("key", load)

        other = asyncio.create_task(owner())
        await asking
        assert await entries.get_or_create("key", load) == "seen"
        with pytest.raises(SessionClosed):
            await other

    async def test_a_container_is_freed_after_its_loads(self, source: Source) -> None:
        """
        A load that is over holds nothing.
        """
        entries: ExpiringMap[str, str] = ExpiringMap()
        gc.disable()
        try:
            await entries.get_or_create("key", source)
            await asyncio.sleep(0)
            gone = weakref.ref(entries)
            del entries
            assert gone() is None
        finally:
            gc.enable()

    @pytest.mark.parametrize("works", [True, False])
    async def test_what_a_factory_began_does_not_hold_the_container(self, works: bool) -> None:
        """
        A task that outlives its load, as a connection's reader does, holds no other's entries.
        """
        entries: ExpiringMap[str, str] = ExpiringMap()
        readers: list[asyncio.Task[None]] = []

        async def load() -> str:
            readers.append(asyncio.create_task(asyncio.sleep(100)))
            if not works:
                raise OSError("down")
            return "connection"

        with contextlib.suppress(OSError):
            await entries.get_or_create("key", load)
        await asyncio.sleep(0)
        gone = weakref.ref(entries)
        del entries
        gc.collect()
        assert gone() is None
        readers[0].cancel()
        await asyncio.wait(readers)

    async def test_a_value_that_does_not_fit_is_the_waiters_error(self) -> None:
        """
        What cannot be stored is told to who asked for it.
        """
        entries: ExpiringMap[str, str] = ExpiringMap(max_weight=3, weigher=lambda _, v: len(v))

        async def load() -> str:
            return "heavy"

        with pytest.raises(ValueError, match="weighs 5"):
            await entries.get_or_create("key", load)
