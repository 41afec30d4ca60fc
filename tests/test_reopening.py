"""
Entering an id that is closing, or whose deadline has passed.
"""

from __future__ import annotations

import asyncio

import pytest

from sessionstate import CloseReason, SessionClosed, SessionMap, SessionNotFound, Supervisor
from sessionstate.testing import VirtualClock
from tests.conftest import StartSupervisor
from tests.test_admission import slowly_closing


class TestReopening:
    @pytest.mark.parametrize("way", ["session", "attach", "open", "lookup"])
    async def test_waits_for_the_old_life(
        self, supervisor: Supervisor, clock: VirtualClock, way: str
    ) -> None:
        """
        An id that is closing is opened, or looked up, only when its old life is over.
        """
        old = await slowly_closing(supervisor, "a", 3)
        old.close_soon()
        supervisor._check()
        if way in {"open", "lookup"}:
            new = await getattr(supervisor, way)("a")
        else:
            async with getattr(supervisor, way)("a") as new:
                pass
        assert clock.now == 3
        assert (new is None) == (way == "lookup")
        assert new is not old

    @pytest.mark.parametrize("way", ["session", "attach", "open", "lookup"])
    @pytest.mark.parametrize("place", ["clean-up", "task", "block"])
    async def test_from_inside_is_an_error(
        self, supervisor: Supervisor, way: str, place: str
    ) -> None:
        """
        Waiting for an id from its own clean-up, task or block is a `RuntimeError`, not a deadlock.
        """
        errors: list[RuntimeError] = []

        async def again() -> None:
            try:
                use = getattr(supervisor, way)("a")
                await (use if way in {"open", "lookup"} else use.__aenter__())
            except RuntimeError as error:
                errors.append(error)

        async def as_it_ends() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await again()

        async with supervisor.session("a") as session:
            if place == "clean-up":
                session.push_async_callback(again)
            elif place == "task":
                session.start_soon(as_it_ends)
                await asyncio.sleep(0)
            else:
                session.close_soon()
                await again()
        assert "is closing and cannot end before the code that runs here" in str(errors[0])
        assert len(errors) == 1

    async def test_a_strict_visitor_does_not_wait(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        `attach(create=False)` is `SessionNotFound` at once, of a closing id too.
        """
        (await slowly_closing(supervisor, "a")).close_soon()
        for id in ("a", "unknown"):
            with pytest.raises(SessionNotFound, match=f"no live session '{id}'"):
                await supervisor.attach(id, create=False).__aenter__()
        assert clock.now == 0
        live = await supervisor.open("b")
        async with supervisor.attach("b", create=False) as found:
            assert found is live

    async def test_an_adopting_write_does_not_wait(self, supervisor: Supervisor) -> None:
        """
        An adopting write to a closing id raises `SessionClosed`.
        """
        (await slowly_closing(supervisor, "a")).close_soon(CloseReason.DELETED)
        with pytest.raises(SessionClosed) as caught:
            SessionMap[int]("m", adopt=True)["a"] = 1
        assert caught.value.reason is CloseReason.DELETED


class TestOverdue:
    @pytest.mark.parametrize("way", ["session", "attach", "open"])
    async def test_is_ended_by_who_enters(
        self, start_supervisor: StartSupervisor, way: str
    ) -> None:
        """
        Entering an overdue session ends it and begins a new life; reads find it still.
        """
        now = 0.0
        supervisor = await start_supervisor(idle_timeout=10, clock=lambda: now)
        agents = SessionMap[int]("agents")
        old = await supervisor.open("a")
        agents["a"] = 1
        now = 10.0
        assert agents.peek("a") == 1
        assert old.expires_in == 0
        if way == "open":
            new = await supervisor.open("a")
        else:
            async with getattr(supervisor, way)("a") as new:
                pass
        assert new is not old
        assert old.close_reason is CloseReason.IDLE

    async def test_is_not_found_by_who_does_not_create(
        self, start_supervisor: StartSupervisor
    ) -> None:
        """
        Attaching to an overdue session without creating one is `SessionNotFound`.
        """
        now = 0.0
        supervisor = await start_supervisor(idle_timeout=10, clock=lambda: now)
        await supervisor.open("a")
        now = 10.0
        with pytest.raises(KeyError):
            await supervisor.attach("a", create=False).__aenter__()
