"""
What is recorded of a sampled session: the places that opened it, used it and gave it something.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    ExpiringMap,
    Leak,
    LRUCache,
    Session,
    SessionMap,
    SessionVar,
    Supervisor,
    current_supervisor,
)
from sessionstate._last import abandon
from sessionstate._sites import site
from sessionstate._traces import FRAMES, Trace, opened_by, owned_from, trace_of, used_at
from sessionstate.testing import VirtualClock
from tests.bodies import LONG
from tests.traces import PARANOID, agents, nothing, sampled

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartSupervisor

pytestmark = pytest.mark.virtual_time
HERE = Path(__file__).name


def places(texts: tuple[str, ...]) -> list[str]:
    """
    Take the folders and the numbers of lines out of *texts*.
    """
    found: list[str] = []
    for text in texts:
        before, _, after = text.rpartition(".py:")
        name = Path(before).name + ".py" if before else ""
        found.append(name + after.lstrip("0123456789"))
    return found


async def nothing_async() -> None:
    """
    Do nothing, as an async callback.
    """


async def load() -> str:
    """
    Load something, for a second.
    """
    await asyncio.sleep(1)
    return "loaded"


async def outer(supervisor: Supervisor) -> Session:
    """
    Open a session by way of another function.
    """
    return await inner(supervisor)


async def inner(supervisor: Supervisor) -> Session:
    """
    Open a session.
    """
    return await supervisor.open("a")


async def deep(supervisor: Supervisor, depth: int) -> Session:
    """
    Open a session, so many calls further down.
    """
    return await (deep(supervisor, depth - 1) if depth else supervisor.open("a"))


class TestOpening:
    async def test_the_stack(self, start_supervisor: StartSupervisor) -> None:
        """
        The places that led to the opening are recorded, the innermost first, ours left out.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await outer(supervisor)
        stack = places(opened_by(s))
        here = f"{HERE} in {self.test_the_stack.__qualname__}"
        assert stack[:3] == [f"{HERE} in inner", f"{HERE} in outer", here]
        assert "events.py in Handle._run" not in stack

    async def test_a_block(self, start_supervisor: StartSupervisor) -> None:
        """
        A session that a block opens is recorded where the block is entered.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        async with supervisor.session("a") as s:
            assert places(opened_by(s))[0] == f"{HERE} in {self.test_a_block.__qualname__}"

    async def test_a_write(self, start_supervisor: StartSupervisor) -> None:
        """
        A session that a write adopts is recorded where it is written, through whatever method.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        adopting = SessionMap[str]("adopting", adopt=True)
        adopting.update(a="agent")
        here = f"{HERE} in {self.test_a_write.__qualname__}"
        assert places(opened_by(supervisor["a"]))[0] == here

    async def test_through_ourselves(self, start_supervisor: StartSupervisor) -> None:
        """
        Of a stack that leads through us twice only the places of the program are told.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        adopting = SessionMap[str]("adopting", adopt=True)

        def hook(session: Session) -> None:
            if session.id == "a":
                adopting["b"] = "agent"

        supervisor.on_open(hook)
        await supervisor.open("a")
        test = self.test_through_ourselves.__qualname__
        assert places(opened_by(supervisor["b"]))[:2] == [
            f"{HERE} in {test}.<locals>.hook",
            f"{HERE} in {test}",
        ]

    async def test_the_stack_is_bounded(self, start_supervisor: StartSupervisor) -> None:
        """
        Of a deep stack the innermost eight places are kept.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await deep(supervisor, 20)
        assert places(opened_by(s)) == [f"{HERE} in deep"] * FRAMES

    async def test_the_dump(self, start_supervisor: StartSupervisor) -> None:
        """
        The dump shows what opened a sampled session, and what used it.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        await outer(supervisor)
        await asyncio.sleep(2)
        supervisor["a"].touch()
        await asyncio.sleep(3)
        lines = supervisor.dump().splitlines()
        assert lines[3].startswith("      by ")
        assert places((lines[3], lines[4])) == [f"{HERE} in inner", f"{HERE} in outer"]
        used = [line for line in lines if line.startswith("    used at ")]
        assert [line.rpartition(", ")[2] for line in used] == ["3 s ago", "5 s ago"]


class TestAccesses:
    async def test_four_places(self, start_supervisor: StartSupervisor) -> None:
        """
        The last four places that used the session are recorded, the newest first, none twice.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await supervisor.open("a")

        def by_map() -> None:
            agents["a"] = "agent"

        def by_reading() -> None:
            assert agents["a"] == "agent"

        async def by_block() -> None:
            async with supervisor.attach("a"):
                pass

        by_map()
        await by_block()
        for _ in range(3):
            s.touch()
            by_reading()
        assert [each.rpartition(".")[2] for each in used_at(s)] == [
            "by_reading, 0 s ago",
            "test_four_places, 0 s ago",
            "by_block, 0 s ago",
            "by_map, 0 s ago",
        ]

    async def test_looking_is_no_use(self, start_supervisor: StartSupervisor) -> None:
        """
        Who leaves a block, asks for the deadline or peeks uses nothing, and nothing is recorded.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID, stall_timeout=10)
        async with supervisor.session("a", linger=5) as s, s.child("b"):
            await asyncio.sleep(1)
            before = used_at(s)
            assert len(before) == 1  # its own block, and that of the child, in one line
            assert s.deadline is not None
            assert agents.peek("a") is None
        assert [each.rpartition(",")[0] for each in used_at(s)] == [
            each.rpartition(",")[0] for each in before
        ]

    async def test_a_callback_of_the_loop(self, start_supervisor: StartSupervisor) -> None:
        """
        A use that no code of the program makes moves the deadline as any other, and has no place.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await supervisor.open("a")
        before = trace_of(s)
        assert before is not None
        accesses = before.accesses
        asyncio.get_running_loop().call_later(5, s.touch)
        await asyncio.sleep(10)
        assert s.last_used == s.opened_at + 5
        assert before.accesses == accesses

    async def test_after_the_end(self, start_supervisor: StartSupervisor) -> None:
        """
        A closed session has no record, and a late write of its last use harms nothing.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await supervisor.open("a")
        await s.aclose()
        s.last_used = 7.0
        assert s.last_used == 7.0
        assert used_at(s) == ()

    async def test_not_at_the_simple_level(self, start_supervisor: StartSupervisor) -> None:
        """
        At the simple level uses are not recorded, and a sampled session is as any other.
        """
        supervisor = await start_supervisor(leak_detection="simple")
        supervisor._sample_at = 1
        s = await supervisor.open("a")
        s.touch()
        assert opened_by(s)
        assert used_at(s) == ()
        assert type(s) is Session


class TestResources:
    async def test_where_they_come_from(self, start_supervisor: StartSupervisor) -> None:
        """
        At the highest level each thing that a session owns is told with the place that gave it.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await supervisor.open("a")
        cache: dict[str, Any] = {}
        transcript = SessionVar[str]("transcript")
        ways: list[Callable[[], object]] = [
            lambda: s.start_soon(asyncio.sleep, LONG),
            lambda: s.callback(nothing),
            lambda: s.push_async_callback(nothing_async),
            lambda: s.call_later(LONG, nothing),
            lambda: cache.update(lru=LRUCache[str, int](maxsize=3, session=s)),
            lambda: agents.__setitem__("a", "agent"),
            lambda: transcript.set("hello", s),
        ]
        for way in ways:
            way()
        found = owned_from(s)
        assert [each.partition(",")[0] for each in found] == [
            "task sleep",
            "callback nothing",
            "async callback nothing_async",
            "timer nothing",
            "container LRUCache",
            "slot agents",
            "slot transcript",
        ]
        here = f"{HERE} in {self.test_where_they_come_from.__qualname__}.<locals>.<lambda>"
        assert [places((each,))[0] for each in found] == [here] * len(ways)
        assert all(", from " in each for each in found)

    async def test_from_nowhere(self, start_supervisor: StartSupervisor) -> None:
        """
        What the program has no part in has no place.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        s = await supervisor.open("a")
        asyncio.get_running_loop().call_soon(s.callback, nothing)
        await asyncio.sleep(0)
        assert owned_from(s) == ("callback nothing",)

    async def test_below_the_highest_level(self, start_supervisor: StartSupervisor) -> None:
        """
        Below that what a session owns is told without its place.
        """
        supervisor = await start_supervisor(leak_detection="advanced")
        supervisor._sample_at = 1
        s = await supervisor.open("a")
        s.callback(nothing)
        agents["a"] = "agent"
        assert owned_from(s) == ("callback nothing", "slot agents")

    async def test_clean_up_is_the_same(
        self, start_supervisor: StartSupervisor, log: list[str]
    ) -> None:
        """
        A session that is traced keeps, ends and forgets what it owns as any other does.
        """
        supervisor = await start_supervisor(leak_detection=PARANOID)
        async with supervisor.session("a") as s:
            s.callback(log.append, "first")
            s.push_async_callback(asyncio.sleep, 0)
            s.callback(log.append, "never").cancel()
            s.start_soon(asyncio.sleep, 1)
            assert await s.get_or_create("profile", load) == "loaded"
            entries = ExpiringMap[str, int](ttl=5, session=s)
            entries["x"] = 1
            s.callback(log.append, "last")
            await asyncio.sleep(10)
            assert len(s.resources()) == 4
            assert len(entries) == 0
        assert log == ["last", "first"]
        assert (s._steps, s._tasks) == (None, None)
        current_supervisor()._check()


class TestDropped:
    @pytest.mark.parametrize("level", ["disabled", "paranoid"])
    def test_the_stack_is_named(self, level: str) -> None:
        """
        A supervisor and a session that are dropped unclosed say what opened them, if it is known.
        """

        async def main() -> Supervisor:
            supervisor = await Supervisor(leak_detection=level).__aenter__()
            await outer(supervisor)
            return supervisor

        loop = VirtualClock().new_event_loop()
        supervisor = loop.run_until_complete(main())
        with pytest.warns(ResourceWarning) as caught:
            abandon(supervisor)
        assert supervisor._tracer._handle is None
        assert sampled(supervisor) == 0
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        owner, session = [str(each.message).splitlines()[1:] for each in caught]
        known = level != "disabled"
        expected = [f"{HERE} in inner", f"{HERE} in outer"]
        assert places(tuple(session))[:2] == (expected if known else [])
        assert all(line.startswith("  by ") for line in session + owner)
        main_place = [f"{HERE} in {main.__qualname__}"]
        assert places(tuple(owner))[:1] == (main_place if known else [])


def test_a_leak_tells_all() -> None:
    """
    A leak as text is one line of what is wrong, and one for each place.
    """
    leak = Leak(
        kind="overdue",
        why="its deadline passed 1 min 5 s ago, and it is still live",
        id="a",
        incarnation=7,
        age=1865.0,
        opened=("app.py:12 in handler", "server.py:40 in serve"),
        accesses=("app.py:30 in on_message, 12 s ago",),
        resources=("callback close, from app.py:14 in handler",),
    )
    assert str(leak) == (
        "session 'a' (life 7) is overdue: its deadline passed 1 min 5 s ago, and it is still live; "
        "opened 31 min 5 s ago\n"
        "  by app.py:12 in handler\n"
        "  by server.py:40 in serve\n"
        "  used at app.py:30 in on_message, 12 s ago\n"
        "  owns callback close, from app.py:14 in handler"
    )


def test_a_record_without_a_session() -> None:
    """
    A record that was never taken tells nothing.
    """
    assert Trace([], {}).stack() == Trace([], {}).uses(0.0) == ()


def test_no_place() -> None:
    """
    Where no code leads, as in a thread that C code began, there is no place.
    """
    assert site(None) is None
