"""
What `on_open` hooks may do to an opening, and writes that adopt.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionMap,
    SessionState,
    Supervisor,
    current_session,
)
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_admission import ended, slowly_closing, soon

WAYS = ["session", "attach", "open"]


async def enter(supervisor: Supervisor, way: str) -> Session:
    """
    Come into session "a" that *way*.
    """
    if way == "open":
        return await supervisor.open("a")
    async with getattr(supervisor, way)("a") as session:
        return session


class TestHooks:
    @pytest.mark.parametrize("way", WAYS)
    async def test_run_before_the_body(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        Hooks, sync and async, run in their order before the body, once, with the session current.
        """
        order: list[str] = []

        @supervisor.on_open
        def first(session: Session) -> None:
            assert current_session() is session is supervisor.get("a")
            assert session.state is SessionState.OPEN
            assert len(supervisor) == 1
            order.append("sync")

        @supervisor.on_open
        async def second(session: Session) -> None:
            await asyncio.sleep(2)
            order.append("async")

        session = await enter(supervisor, way)
        order.append("body")
        assert order == ["sync", "async", "body"]
        assert clock.now == 2
        if way != "session":
            assert session.state is SessionState.IDLE
            await enter(supervisor, way)
            assert len(order) == 3
        supervisor._check()

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("is_async", [True, False])
    async def test_may_refuse(self, supervisor: Supervisor, way: str, is_async: bool) -> None:
        """
        A hook's error fails the session, is raised from the opening, and stops later hooks.
        """
        seen: list[Session] = []

        async def late(session: Session) -> None:
            await asyncio.sleep(1)
            raise ValueError("no")

        @supervisor.on_open
        def refuse(session: Session) -> Any:
            seen.append(session)
            if is_async:
                return late(session)
            raise ValueError("no")

        supervisor.on_open(lambda _: pytest.fail("a later hook ran"))
        with pytest.raises(ValueError, match="no"):
            await enter(supervisor, way)
        assert seen[0].close_reason is CloseReason.FAILED
        assert len(supervisor) == 0
        with pytest.raises(RuntimeError):
            current_session()

    @pytest.mark.parametrize("way", WAYS)
    async def test_make_others_wait(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        While hooks run, other blocks of the id wait, then join the same session.
        """
        ran = 0

        @supervisor.on_open
        async def slow(session: Session) -> None:
            nonlocal ran
            ran += 1
            await asyncio.sleep(2)

        async with asyncio.TaskGroup() as group:
            opening = group.create_task(supervisor.open("a"))
            await clock.advance(1)
            joining = group.create_task(enter(supervisor, way))
            await clock.advance(0.5)
            assert not joining.done()
        assert opening.result() is joining.result()
        assert ran == 1

    async def test_make_nobody_else_wait(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        While one session's hooks run, blocks of others are entered at once, without hooks.
        """
        ran: list[str] = []

        @supervisor.on_open
        async def slow(session: Session) -> None:
            ran.append(session.id)
            await asyncio.sleep(2 if session.id == "a" else 0)

        await supervisor.open("b")
        opening = soon(supervisor.open("a"))
        await clock.advance(1)
        async with supervisor.attach("b"), supervisor.session("b", linger=5):
            assert clock.now == 1
        assert ran == ["b", "a"]
        await opening

    @pytest.mark.parametrize("way", WAYS)
    async def test_run_for_who_opens_after_a_refusal(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        Who waited for an opening that then failed opens anew, with the hooks of that life.
        """
        lives: list[int] = []

        @supervisor.on_open
        async def first_fails(session: Session) -> None:
            lives.append(session.incarnation)
            await asyncio.sleep(1)
            if len(lives) == 1:
                raise ValueError

        one, two = soon(supervisor.open("a")), soon(enter(supervisor, way))
        await clock.advance(5)
        assert isinstance(one.exception(), ValueError)
        session = await two
        assert lives == [session.incarnation - 1, session.incarnation]
        async with asyncio.timeout(5):
            await enter(supervisor, way)

    @pytest.mark.parametrize("way", WAYS)
    async def test_run_for_who_ends_an_overdue_one(
        self, start_supervisor: StartSupervisor, way: str
    ) -> None:
        """
        The new life of an id that was overdue has its hooks run, too.
        """
        now = 0.0
        supervisor = await start_supervisor(idle_timeout=10, clock=lambda: now)
        lives: list[int] = []
        supervisor.on_open(lambda session: lives.append(session.incarnation))
        await supervisor.open("a")
        now = 10.0
        async with asyncio.timeout(5):
            session = await enter(supervisor, way)
            assert lives == [session.incarnation - 1, session.incarnation]
            await enter(supervisor, way)

    async def test_do_not_make_a_used_session_unused(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An `open` that waited and then joined another's session takes nothing back of its use.
        """
        supervisor = await start_supervisor(idle_timeout=300, unused_timeout=10)
        supervisor.on_open(lambda session: None)
        (await slowly_closing(supervisor, "a")).close_soon()

        async def visit() -> None:
            async with supervisor.attach("a"):
                await asyncio.sleep(5)

        await asyncio.gather(visit(), supervisor.open("a"))
        assert supervisor["a"].expires_in == 300

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("deaf", [True, False])
    async def test_an_end_meanwhile_is_raised(
        self, supervisor: Supervisor, clock: VirtualClock, way: str, deaf: bool
    ) -> None:
        """
        An end while hooks run gives the opener `SessionClosed`, even if a hook is deaf.
        """

        @supervisor.on_open
        async def slow(session: Session) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if not deaf:
                    raise

        opening = soon(enter(supervisor, way))
        await clock.advance(1)
        assert supervisor.close_soon("a")
        with pytest.raises(SessionClosed) as caught:
            await opening
        assert caught.value.reason is CloseReason.DELETED
        assert opening.cancelling() == 0
        assert clock.now < 2

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("waits", [True, False])
    async def test_may_end_their_session(
        self, supervisor: Supervisor, way: str, waits: bool
    ) -> None:
        """
        A hook that ends its session itself makes the opening raise `SessionClosed`.
        """

        @supervisor.on_open
        async def end(session: Session) -> None:
            session.close_soon()
            if waits:
                await asyncio.sleep(60)

        with pytest.raises(SessionClosed):
            await enter(supervisor, way)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    @pytest.mark.parametrize("way", WAYS)
    async def test_may_be_cancelled_when_they_hang(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        A hook that hangs ends with its opener: the session ends as cancelled.
        """

        @supervisor.on_open
        async def hang(session: Session) -> None:
            await asyncio.sleep(10_000)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await enter(supervisor, way)
        await clock.settle()
        assert supervisor.statistics().closed_by_reason[CloseReason.CANCELLED] == 1
        assert len(supervisor) == supervisor.statistics().closing == 0

    @pytest.mark.parametrize("way", ["session", "attach", "open", "lookup"])
    async def test_cannot_enter_what_they_open(self, supervisor: Supervisor, way: str) -> None:
        """
        A hook that enters a block of its own session is a `RuntimeError`; looking it up finds it.
        """

        @supervisor.on_open
        async def again(session: Session) -> None:
            if way == "lookup":
                assert await supervisor.lookup("a") is session
            else:
                await enter(supervisor, way)

        if way == "lookup":
            await supervisor.open("a")
        else:
            with pytest.raises(RuntimeError, match="is being opened by this task"):
                await supervisor.open("a")

    async def test_clean_up_errors_are_notes(self, supervisor: Supervisor) -> None:
        """
        When a hook fails and the clean-up too, the hook's error is raised with the other as a note.
        """

        @supervisor.on_open
        def fail(session: Session) -> None:
            session.callback(lambda: 1 / 0)
            raise ValueError("first")

        with pytest.raises(ValueError, match="first") as caught:
            async with supervisor.session("a"):
                pass
        assert "ZeroDivisionError" in caught.value.__notes__[0]

    async def test_interrupt_who_waits_only_as_asked(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        Who is cancelled while waiting for another's hooks leaves that opening alone.
        """

        @supervisor.on_open
        async def slow(session: Session) -> None:
            await asyncio.sleep(2)

        one, two = soon(supervisor.open("a")), soon(supervisor.open("a"))
        await clock.advance(1)
        await ended(two)
        assert (await one).state is SessionState.IDLE


class TestAdopting:
    async def test_opens_what_nobody_holds(self, supervisor: Supervisor) -> None:
        """
        A write to an adopting map opens an idle session, current in the sync hooks.
        """
        supervisor.on_open(lambda session: session.vars.update(seen=current_session() is session))
        SessionMap[int]("m", adopt=True)["a"] = 1
        assert supervisor["a"].state is SessionState.IDLE
        assert supervisor["a"].vars == {"seen": True}
        assert supervisor["a"].opened_where.startswith(__file__)

    async def test_runs_async_hooks_as_owned_tasks(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        For an adopting write async hooks run as tasks of the session, which end with it.
        """
        done = []

        @supervisor.on_open
        async def slow(session: Session) -> None:
            await asyncio.sleep(5)
            done.append(session.id)

        futures = [asyncio.get_running_loop().create_future()]
        supervisor.on_open(lambda session: futures[0])
        adopting = SessionMap[int]("m", adopt=True)
        adopting["a"] = 1
        await clock.settle()
        futures[0].set_result(None)
        adopting["b"] = 1
        await clock.advance(1)
        assert await supervisor.close("a")
        await clock.advance(5)
        assert done == ["b"]

    async def test_raises_a_hooks_error(self, supervisor: Supervisor) -> None:
        """
        A sync hook's error ends the adopted session as failed and is raised from the write.
        """

        @supervisor.on_open
        def refuse(session: Session) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            SessionMap[int]("m", adopt=True)["a"] = 1
        assert supervisor.statistics().closed_by_reason[CloseReason.FAILED] == 1

    async def test_raises_when_a_hook_ends_it(self, supervisor: Supervisor) -> None:
        """
        A write whose session a hook ends raises `SessionClosed`.
        """
        supervisor.on_open(lambda session: session.close_soon())
        with pytest.raises(SessionClosed):
            SessionMap[int]("m", adopt=True)["a"] = 1
        assert len(supervisor) == 0

    async def test_makes_room_as_others_do(self, start_supervisor: StartSupervisor) -> None:
        """
        An adopting write evicts when the supervisor is full.
        """
        supervisor = await start_supervisor(max_sessions=1)
        adopting = SessionMap[int]("m", adopt=True)
        adopting["a"] = 1
        adopting["b"] = 2
        assert dict(adopting) == {"b": 2}
        with suppress(KeyError):
            del adopting["b"]
        assert list(supervisor) == ["b"]
