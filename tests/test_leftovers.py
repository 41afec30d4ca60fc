"""
What is open is found by looking, and told from what was open before.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import ExpiringMap, LRUCache, ReplayGuard, SessionMap, Supervisor
from sessionstate.testing import VirtualClock, census
from sessionstate.testing._leftovers import Census, Leftover, activity, kept

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

agents = SessionMap[str]("agents")


def names(left: list[Leftover]) -> list[str]:
    """
    Return what is left, for comparison.
    """
    return [f"{each.kind} {each.name}" for each in left]


class Emitter:
    """
    Something to listen to, which is silent.
    """

    def on(self, event: str, handler: Callable[[], object]) -> None:
        """
        Take a listener.
        """

    def off(self, event: str, handler: Callable[[], object]) -> None:
        """
        Give it back.
        """


class TestCensus:
    async def test_names_what_a_session_keeps(self, supervisor: Supervisor) -> None:
        """
        A session and everything that it owns and keeps is found, each with its kind and its key.
        """
        before = census()
        async with supervisor.session("chat-42") as session:
            agents["chat-42"] = "agent"
            session.start_soon(asyncio.sleep, 100)
            session.callback(print)
            session.listen(Emitter(), "event", print)
            session.call_later(50, print)
            left = census().since(before)
            assert names(left) == [
                "session chat-42",
                "task chat-42: sleep",
                "callback chat-42: print",
                "listener chat-42: print on Emitter",
                "timer chat-42: print",
                "slot chat-42: agents",
            ]
            assert census().since(census()) == []
        assert census().since(before) == []

    async def test_tells_age_reason_and_place(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A session says how old it is, why it is there, and where it was opened.
        """
        before = census()
        async with supervisor.attach("held", stall_timeout=60):
            await clock.advance(12)
            (held,) = census().since(before)
            assert held.age == 12
            assert held.reason is not None
            assert held.reason.startswith("held by ")
            assert held.reason.endswith("; stalled in 48 s")
            assert str(held.opened_where).startswith(__file__)
            assert f"12 s old: {held.reason}\n    opened at {__file__}:" in held.text
        (idle,) = census().since(before)
        assert idle.reason == "idle in 1800 s"
        await supervisor.close("held")

    async def test_tells_that_it_has_no_deadline(self, supervisor: Supervisor) -> None:
        """
        A session that nothing would end says so.
        """
        before = census()
        await supervisor.open("a", idle_timeout=None)
        assert [each.reason for each in census().since(before)] == ["it has no deadline"]
        await supervisor.close("a")

    async def test_sees_a_session_that_cleans_up(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A session whose clean-up takes its time is open, and says since when it ends.
        """
        before = census()
        session = await supervisor.open("slow")
        session.push_async_callback(asyncio.sleep, 2)
        session.close_soon()
        await clock.advance(1)
        left = census().since(before)
        assert [each.reason for each in left if each.kind == "session"] == [
            "it ended 1 s ago (completed), and cleans up"
        ]
        await session.wait_closed()

    async def test_sees_what_a_lasting_session_was_given(self, supervisor: Supervisor) -> None:
        """
        Of a session that was there before, only what is new is left.
        """
        session = await supervisor.open("lasting")
        kept_before = session.callback(print)
        before = census()
        again = session.callback(print)
        assert names(census().since(before)) == ["callback lasting: print"]
        again.cancel()
        assert census().since(before) == []
        kept_before.cancel()
        await session.aclose()

    async def test_sees_a_supervisor_that_was_not_left(
        self, start_supervisor: StartSupervisor
    ) -> None:
        """
        A supervisor is named with the place where it was entered; its own tasks are not.
        """
        before = census()
        await start_supervisor(name="extra", default=False)
        left = [each for each in census().since(before) if each.kind != "asyncio task"]
        assert names(left) == ["supervisor extra"]
        assert "conftest.py:" in str(left[0].opened_where)
        assert "extra: expiry" not in str(census().since(before))

    async def test_sees_a_deadline_that_was_left(self, supervisor: Supervisor) -> None:
        """
        A closed session that is still queued for its deadline is found.
        """
        before = census()
        session = await supervisor.open("a")
        await session.aclose()
        supervisor._expiry.idle.add(session, 1e6, 1.0)
        assert names(census().since(before)) == ["deadline a"]
        session._leave_queue()

    async def test_sees_an_abandoned_clean_up(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        A clean-up that would not end, and was abandoned, is found as long as it goes on.
        """
        supervisor = await start_supervisor(close_timeout=1)
        before = census()
        session = await supervisor.open("a")
        free = asyncio.Event()

        async def deaf() -> None:
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue

        session.push_async_callback(deaf)
        session.close_soon()
        await clock.advance(5)
        left = census().since(before)
        assert [each.reason for each in left] == ["a clean-up has abandoned it"]
        free.set()
        await clock.settle()

    async def test_sees_foreign_tasks(self) -> None:
        """
        A task of nobody's is named with what runs, where it waits and where that is defined.
        """
        before = census()

        async def pump() -> None:
            await asyncio.sleep(100)

        task = asyncio.create_task(pump(), name="pump-1")
        await asyncio.sleep(0)
        (left,) = census().since(before)
        assert left.name.startswith("pump-1: ")
        assert str(left.reason).startswith(f"it waits at {__file__}:")
        assert f"\n    defined at {__file__}:" in left.text
        task.cancel()
        await asyncio.wait([task])
        assert census().since(before) == []

    async def test_sees_tasks_that_are_no_coroutines(self) -> None:
        """
        A task that runs an awaitable of another kind is found too.
        """
        before = census()

        async def numbers() -> Any:
            await asyncio.sleep(100)
            yield 1

        iterator = numbers()
        task = asyncio.ensure_future(iterator.__anext__())
        await asyncio.sleep(0)
        (left,) = census().since(before)
        assert left.kind == "asyncio task"
        task.cancel()
        await asyncio.wait([task])
        await iterator.aclose()

    def test_sees_the_tasks_of_other_loops(self) -> None:
        """
        Tasks of a loop that does not run now are found if the loop is named.
        """
        loop = asyncio.new_event_loop()
        before = census(loop)

        task = loop.create_task(asyncio.sleep(100), name="left")
        loop.run_until_complete(asyncio.sleep(0))
        assert names(census(loop).since(before)) == ["asyncio task left: sleep"]
        assert kept(loop).since(before) == census(loop).since(before)
        task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what is open")
    def test_sees_file_descriptors(self) -> None:
        """
        A descriptor that was opened is found, and is gone when it is closed.
        """
        before = census()
        read, write = os.pipe()
        left = names(census().since(before))
        assert len(left) == 2
        assert left[0].startswith(f"file descriptor {read}, pipe")
        os.close(read)
        os.close(write)
        assert census().since(before) == []

    def test_sees_children(self) -> None:
        """
        A child process that runs is found by its number.
        """
        before = census()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            left = [each for each in census().since(before) if each.kind == "child process"]
            assert left[0].name.startswith(f"{child.pid}, ")
            assert child.stdin is not None
            child.stdin.close()
        assert census().since(before) == []

    def test_says_what_it_is(self) -> None:
        """
        A census tells how many things were open.
        """
        taken = census()
        assert repr(taken) == f"<Census of {len(taken)}>"
        assert len(Census({})) == 0


class TestContainers:
    def test_overdue_entry_without_an_owner(self) -> None:
        """
        An entry that is due, in a map that nobody owns or asks, is left; it names the map's place.
        """
        clock = VirtualClock()
        before = census()
        tokens = ExpiringMap[str, int](ttl=10, clock=clock)
        tokens["t1"] = 1
        assert census().since(before) == []
        clock.jump(11)
        (left,) = census().since(before)
        assert (left.kind, left.name) == ("entry", "'t1' of ExpiringMap")
        assert "has no owner" in str(left.reason)
        assert str(left.opened_where).startswith(__file__)
        assert len(tokens) == 0
        assert names(census().since(before)) == ["entry 't1' of ExpiringMap"]
        tokens.expire()
        assert census().since(before) == []

    def test_overdue_key_of_a_guard(self) -> None:
        """
        A key whose window has closed, in a guard that nobody asks, is left.
        """
        clock = VirtualClock()
        before = census()
        guard = ReplayGuard(window=10, clock=clock)
        assert guard.first_seen("k")
        assert census().since(before) == []
        clock.jump(11)
        assert names(census().since(before)) == ["entry 'k' of ReplayGuard"]
        assert len(guard) == 0
        assert census().since(before) == []

    def test_containers_that_are_gone(self) -> None:
        """
        A container that is dropped leaves nothing, and one without deadlines never does.
        """
        clock = VirtualClock()
        before = census()
        tokens = ExpiringMap[str, int](ttl=10, clock=clock)
        tokens["t1"] = 1
        cache = LRUCache[str, int](maxsize=2)
        cache["a"] = 1
        clock.jump(11)
        del tokens
        assert census().since(before) == []

    def test_keys_that_cannot_be_shown(self) -> None:
        """
        A key whose repr raises, or is long, is left as any other, and is told in short.
        """

        class Key:
            def __repr__(self) -> str:
                raise RuntimeError("no repr")

        clock = VirtualClock()
        before = census()
        tokens = ExpiringMap[object, int](ttl=10, clock=clock)
        tokens[Key()] = 1
        tokens["x" * 1_000_000] = 1
        clock.jump(11)
        bad, long = names(census().since(before))
        assert bad.startswith("entry <")
        assert "Key" in bad
        assert len(long) < 300

    async def test_owner_has_its_time(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        With an owner an entry is left only if the owner has let its time pass.
        """
        tokens = ExpiringMap[str, int](ttl=10, supervisor=supervisor)
        before = census()
        tokens["t1"] = 1
        clock.jump(10.01)
        assert census().since(before) == []
        clock.jump(10)
        assert names(census().since(before)) == ["entry 't1' of ExpiringMap"]
        await clock.settle()
        assert census().since(before) == []

    async def test_owned_by_a_session(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        The same goes for a container that a session owns.
        """
        session = await supervisor.open("a")
        tokens = ExpiringMap[str, int](ttl=10, session=session)
        before = census()
        tokens["t1"] = 1
        clock.jump(20)
        assert names(census().since(before)) == ["entry 't1' of ExpiringMap"]
        await clock.settle()
        assert census().since(before) == []
        await session.aclose()

    async def test_activity(self, supervisor: Supervisor) -> None:
        """
        It shows whether a session, a supervisor or a container was made, even if it is gone.
        """
        seen = activity()
        assert activity() == seen
        async with supervisor.session():
            pass
        assert activity() != seen
        seen = activity()
        LRUCache[str, int](maxsize=1)
        assert activity() != seen
        seen = activity()
        async with Supervisor(default=False):
            pass
        assert activity() != seen
