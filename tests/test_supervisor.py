"""
The supervisor as others see it: a mapping, figures, texts, a default, and ways to end a session.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sessionstate import (
    CloseReason,
    SessionMap,
    SessionNotFound,
    SessionState,
    SessionVar,
    Supervisor,
    SupervisorClosed,
    attach,
    current_supervisor,
    session,
)
from sessionstate.testing import VirtualClock
from tests.test_admission import slowly_closing, soon
from tests.test_lifecycle import inside

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor


class TestMapping:
    async def test_holds_the_live_ones(self, supervisor: Supervisor) -> None:
        """
        It maps the ids of live sessions to them; closing ones are not found.
        """
        one = await supervisor.open("one")
        two = await slowly_closing(supervisor, "two")
        assert isinstance(supervisor, Mapping)
        assert dict(supervisor) == {"one": one, "two": two}
        assert list(supervisor.keys()) == ["one", "two"]
        assert list(supervisor.values()) == [one, two]
        assert list(supervisor.items()) == [("one", one), ("two", two)]
        assert (len(supervisor), "one" in supervisor, "x" in supervisor) == (2, True, False)
        assert supervisor["one"] is one
        two.close_soon()
        assert list(supervisor) == ["one"]
        with pytest.raises(SessionNotFound, match="no live session 'two'"):
            supervisor["two"]

    async def test_iterates_over_a_snapshot(self, supervisor: Supervisor) -> None:
        """
        Sessions may be ended while iterating over it, its keys, values or items.
        """
        for view in (iter, Supervisor.keys, Supervisor.values, Supervisor.items):
            for id in "abc":
                await supervisor.open(id)
            for _ in view(supervisor):  # type: ignore[operator]
                supervisor.close_soon(next(iter(supervisor)))
            assert len(supervisor) == 0

    async def test_is_true_and_itself(self) -> None:
        """
        It is true though empty, equal to itself only, and can be a key.
        """
        one, two = Supervisor(), Supervisor()
        assert one
        assert one == one  # noqa: PLR0124
        assert one != two
        assert one != {}
        assert {one: 1, two: 2}[one] == 1

    async def test_get_never_creates_and_never_touches(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        `get` gives the live session or the default, and changes nothing.
        """
        opened = await supervisor.open("a")
        await clock.advance(5)
        assert supervisor.get("a") is opened
        assert opened.last_used == 0
        assert supervisor.get("b") is None
        assert supervisor.get("b", 3) == 3
        assert len(supervisor) == 1


class TestClosing:
    async def test_by_id(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        `close` waits for the clean-up; of an id that is closing it waits and answers False.
        """
        await slowly_closing(supervisor, "a", 3)
        first, second = soon(supervisor.close("a")), soon(supervisor.close("a"))
        assert (await first, await second, clock.now) == (True, False, 3)
        assert await supervisor.close("a") is False

    async def test_soon(self, supervisor: Supervisor) -> None:
        """
        `close_soon` decides at once and tells whether it did; the first reason wins.
        """
        opened = await slowly_closing(supervisor, "a")
        assert supervisor.close_soon("a", reason=CloseReason.EVICTED) is True
        assert supervisor.close_soon("a") is False
        assert opened.close_soon() is False
        assert opened.close_reason is CloseReason.EVICTED

    async def test_from_another_thread(self, supervisor: Supervisor) -> None:
        """
        `close_threadsafe` ends a session from any thread, of an unknown id quietly nothing.
        """
        opened = await supervisor.open("a")
        for id in ("unknown", "a"):
            thread = threading.Thread(target=supervisor.close_threadsafe, args=(id,))
            thread.start()
            thread.join()
        assert await opened.wait_closed() is CloseReason.DELETED

    async def test_from_another_thread_in_time_only(self) -> None:
        """
        Before the supervisor runs, `close_threadsafe` is an error; after it was left, nothing.
        """
        supervisor = Supervisor()
        with pytest.raises(SupervisorClosed, match="is not running"):
            supervisor.close_threadsafe("a")
        async with supervisor:
            pass
        supervisor.close_threadsafe("a")


class TestDefault:
    async def test_is_the_loops(self, supervisor: Supervisor) -> None:
        """
        The module functions and maps use the running loop's default supervisor.
        """
        assert current_supervisor() is supervisor
        async with session("a") as one, attach("b") as two, session() as three:
            assert one.supervisor is two.supervisor is three.supervisor is supervisor
            assert all(each.opened_where.startswith(__file__) for each in (one, two, three))

    async def test_second_one_is_refused(self, supervisor: Supervisor) -> None:
        """
        Starting a second default supervisor in one loop raises, and then it may still be another's.
        """
        other = Supervisor()
        with pytest.raises(RuntimeError, match="has a default supervisor already"):
            await other.__aenter__()
        async with Supervisor(default=False) as aside:
            assert current_supervisor() is supervisor
            async with aside.session("a"):
                assert len(supervisor) == 0

    async def test_goes_when_it_is_left(self) -> None:
        """
        After a default supervisor was left there is none, and another may start.
        """
        for _ in range(2):
            async with Supervisor() as supervisor:
                assert current_supervisor() is supervisor
            with pytest.raises(RuntimeError, match="no default supervisor runs"):
                current_supervisor()

    def test_needs_a_loop(self) -> None:
        """
        Outside of an event loop there is no default supervisor, and the error says why.
        """
        with pytest.raises(RuntimeError, match="no event loop runs here"):
            current_supervisor()

    async def test_two_loops_have_two(self, supervisor: Supervisor) -> None:
        """
        Two loops in two threads each have their own default supervisor, sessions and map entries.
        """
        values = SessionMap[str]("values")
        await supervisor.open("a")
        values["a"] = "here"

        async def elsewhere() -> tuple[str | None, str, int]:
            async with Supervisor() as other:
                assert current_supervisor() is other
                before = values.peek("a")
                await other.open("a")
                values["a"] = "there"
                return before, values["a"], len(values)

        assert await asyncio.to_thread(asyncio.run, elsewhere()) == (None, "there", 1)
        assert (values["a"], len(values)) == ("here", 1)


class TestRunning:
    async def test_in_a_task_group(self) -> None:
        """
        `run` starts in a task group, gives the supervisor, and ends every session when cancelled.
        """
        async with anyio.create_task_group() as group:
            supervisor = await group.start(Supervisor().run)
            opened = await supervisor.open("a")
            group.cancel_scope.cancel()
        assert opened.close_reason is CloseReason.SHUTDOWN
        assert repr(supervisor) == "<Supervisor 'sessionstate' left, 0 sessions>"

    async def test_left_by_another_task(self) -> None:
        """
        A supervisor may be left by another task than entered it.
        """
        supervisor = await soon(Supervisor().__aenter__())
        opened = await supervisor.open("a")
        await soon(supervisor.__aexit__(None, None, None))
        assert opened.state is SessionState.CLOSED

    async def test_left_by_two_at_once(self, clock: VirtualClock) -> None:
        """
        Who leaves a supervisor that is being left waits for the same end.
        """
        supervisor = await Supervisor().__aenter__()
        await slowly_closing(supervisor, "a", 3)
        leaving = [soon(supervisor.__aexit__(None, None, None)) for _ in range(2)]
        await clock.advance(2)
        assert not any(each.done() for each in leaving)
        await asyncio.gather(*leaving)
        assert clock.now == 3


class TestStatistics:
    async def test_add_up(self, start_supervisor: StartSupervisor, clock: VirtualClock) -> None:
        """
        Every figure is that of the moment, or has counted since the start.
        """
        supervisor = await start_supervisor(max_sessions=3, when_full="wait")
        (await slowly_closing(supervisor, "closing")).close_soon()
        await supervisor.open("idle")
        async with supervisor.session("held"), supervisor.session("limited", max_age=50):
            waiting = soon(supervisor.open("waiting"))
            await clock.settle()
            figures = dataclasses.asdict(
                dataclasses.replace(supervisor.statistics(), closed_by_reason={})
            )
        expected = {"live": 3, "held": 2, "idle": 1, "closing": 1, "unbounded": 1, "queued": 2}
        expected |= {"waiting": 1, "opened": 4, "closed": 1}
        assert {name: value for name, value in figures.items() if value} == expected
        await waiting

    async def test_are_frozen(self, supervisor: Supervisor) -> None:
        """
        Statistics are a snapshot that cannot be changed, with every reason as a key.
        """
        statistics = supervisor.statistics()
        with pytest.raises(dataclasses.FrozenInstanceError):
            statistics.live = 3  # type: ignore[misc]
        with pytest.raises(TypeError):
            statistics.closed_by_reason[CloseReason.IDLE] = 1  # type: ignore[index]
        assert set(statistics.closed_by_reason) == set(CloseReason)
        await supervisor.open("a")
        supervisor.close_soon("a")
        assert statistics.closed_by_reason[CloseReason.DELETED] == 0
        assert supervisor.statistics().closed_by_reason[CloseReason.DELETED] == 1


class TestTexts:
    async def test_one_line_for_a_supervisor(self) -> None:
        """
        Its repr is one line: name, state and what it has.
        """
        supervisor = Supervisor(name="chat")
        assert repr(supervisor) == "<Supervisor 'chat' not entered, 0 sessions>"
        async with supervisor:
            (await slowly_closing(supervisor, "b")).close_soon()
            await supervisor.open("a")
            assert repr(supervisor) == "<Supervisor 'chat' running, 1 session, 1 closing>"

    async def test_one_line_for_a_session(self, supervisor: Supervisor) -> None:
        """
        Its repr is one line: id, state, what it owns, and what will end it when.
        """
        assert repr(await supervisor.open("a")) == "<Session 'a' idle, idle in 1800 s>"
        assert repr(await supervisor.open("b", idle_timeout=None)) == "<Session 'b' idle>"
        assert repr(await supervisor.open("c", max_age=60)) == "<Session 'c' idle, expires in 60 s>"
        async with supervisor.session("d", stall_timeout=30, linger=5) as it:
            it.callback(print, end="")
            assert repr(it) == "<Session 'd' open, 1 resource, stalled in 30 s>"
            it.start_soon(asyncio.sleep, 99)
            assert repr(it) == "<Session 'd' open, 2 resources, stalled in 30 s>"
        assert repr(it) == "<Session 'd' idle, 2 resources, lingers for 5 s>"
        await it.aclose()
        assert repr(it) == "<Session 'd' closed (completed)>"

    async def test_one_line_for_an_unused_one(self, start_supervisor: StartSupervisor) -> None:
        """
        A session that nobody entered yet says so.
        """
        supervisor = await start_supervisor(unused_timeout=10)
        assert repr(await supervisor.open("a")) == "<Session 'a' idle, unused in 10 s>"

    async def test_a_dump_tells_why_each_is_still_there(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        A dump tells of each its age, holders with task and line, deadline and belongings.
        """
        agents, ids = SessionMap[int]("agents"), SessionVar[int]("ids")
        leave = asyncio.Event()
        body = asyncio.create_task(inside(supervisor.session("chat"), leave), name="reader")
        await clock.settle()
        chat = supervisor["chat"]
        agents["chat"] = 1
        ids.set(2, chat)
        chat.vars["x"] = 1
        chat.callback(print, end="")
        chat.start_soon(asyncio.sleep, 100)
        await supervisor.open("never", idle_timeout=None)
        await supervisor.open("idle")
        (await slowly_closing(supervisor, "gone", 4)).close_soon()
        await clock.advance(3)
        text = supervisor.dump()
        here = __file__
        for part in (
            "<Supervisor 'sessionstate' running, 3 sessions, 1 closing>",
            "<Session 'chat' open, 2 resources>",
            f"opened 3 s ago at {here}:",
            f"held by owner in reader at {here}:",
            "owns task sleep",
            "owns callback print",
            "keeps agents, ids",
            "<Session 'never' idle>",
            "has no deadline: every limit is None",
            "<Session 'idle' idle, idle in 1797 s>",
            "<Session 'gone' closing (completed)",
            "ended 3 s ago (completed), and cleans up",
        ):
            assert part in text, part
        leave.set()
        await body

    async def test_a_dump_names_a_visitor(self, supervisor: Supervisor) -> None:
        """
        A visitor is told from an owner.
        """
        async with supervisor.attach("a"):
            assert "held by visitor in " in supervisor.dump()
            assert "    has no deadline\n" in supervisor.dump() + "\n"


class TestDropped:
    def test_says_so(self) -> None:
        """
        A supervisor and its sessions, dropped unclosed, warn with where they were opened.
        """

        async def main() -> None:
            supervisor = await Supervisor(name="lost", idle_timeout=None).__aenter__()
            await supervisor.open("a")

        with pytest.warns(ResourceWarning) as caught:  # noqa: PT031
            VirtualClock().run(main())
            for _ in range(3):
                gc.collect()
        texts = [str(each.message) for each in caught]
        assert any("'lost'" in text and f"entered at {__file__}:" in text for text in texts)
        assert any("Session 'a'" in text and f"opened at {__file__}:" in text for text in texts)

    def test_is_quiet_when_all_is_well(self) -> None:
        """
        A supervisor that was left, or never entered, is dropped without a word.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                await supervisor.open("a")

        VirtualClock().run(main())
        Supervisor()
        gc.collect()

    async def test_makes_room_for_another_default(self, loop_errors: list[Any]) -> None:
        """
        A default supervisor that was dropped is in nobody's way.
        """
        with pytest.warns(ResourceWarning):  # noqa: PT031
            supervisor: Supervisor | None = await Supervisor().__aenter__()
            await asyncio.sleep(0)
            supervisor = None
            gc.collect()
        assert supervisor is None
        loop_errors.clear()  # asyncio complains of the task that watched its deadlines
        async with Supervisor() as other:
            assert current_supervisor() is other
