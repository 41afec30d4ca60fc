from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, cast

import pytest

from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionMap,
    SessionNotFound,
    SessionState,
    Supervisor,
    SupervisorClosed,
    SupervisorFull,
    current_session,
)

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock
    from tests.conftest import StartSupervisor


class TestAdopt:
    async def test_write_opens_a_session_that_nobody_holds(
        self, start_supervisor: StartSupervisor, clock: VirtualClock
    ) -> None:
        """
        An adopted session knows `idle` only, and its place is the line that wrote.
        """
        supervisor = await start_supervisor(idle_timeout=100, unused_timeout=10)
        agents = SessionMap[int]("agents", adopt=True)
        agents["a"] = 1
        s = supervisor["a"]
        assert s.state is SessionState.IDLE
        assert s.deadline == clock.now + 100
        assert s.opened_where.startswith(f"{__file__}:")
        await clock.advance(50)
        agents["a"] = 2  # of a live one: only touches
        assert supervisor["a"] is s
        await clock.advance(101)
        assert s.close_reason is CloseReason.IDLE

    async def test_every_writing_method_adopts(self, supervisor: Supervisor) -> None:
        """
        Every writing method adopts as an item assignment does, from the caller's place.
        """
        agents = SessionMap[int]("agents", adopt=True)
        assert agents.setdefault("a", 1) == 1
        agents.update(b=2)
        assert agents == {"a": 1, "b": 2}
        assert {s.opened_where.rpartition(":")[0] for s in supervisor.values()} == {__file__}

    async def test_hooks_run(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        Sync hooks of an adopting write run at once, async ones as owned tasks.
        """
        seen: list[object] = []
        agents = SessionMap[int]("agents", adopt=True)

        async def later(s: Session) -> None:
            await asyncio.sleep(0)
            seen.append(("later", current_session() is s))

        supervisor.on_open(lambda s: seen.append(("at once", current_session() is s)))
        supervisor.on_open(later)
        agents["a"] = 1
        assert seen == [("at once", True)]
        await clock.settle()
        assert seen == [("at once", True), ("later", True)]

    async def test_failing_hook(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A hook's error ends the adopted session as `failed` and is raised from the write.
        """
        agents = SessionMap[int]("agents", adopt=True)
        ended: list[CloseReason] = []

        async def later(s: Session) -> None:
            await asyncio.Event().wait()

        @supervisor.on_open
        def refuse(s: Session) -> None:
            raise ValueError(s.id)

        supervisor.on_open(later)
        supervisor.on_close(lambda s, reason: ended.append(reason))
        with pytest.raises(ValueError, match="b"):
            agents["b"] = 1
        await clock.settle()
        assert (list(supervisor), ended) == ([], [CloseReason.FAILED])

    async def test_hook_that_fails_after_an_async_one(
        self, supervisor: Supervisor, clock: VirtualClock
    ) -> None:
        """
        An async hook that was not begun when a later hook ended the session leaves no coroutine.
        """
        agents = SessionMap[int]("agents", adopt=True)

        async def later(s: Session) -> None:
            await asyncio.Event().wait()

        supervisor.on_open(later)
        supervisor.on_open(lambda s: s.close_soon())
        supervisor.on_open(later)
        with pytest.raises(SessionClosed):
            agents["b"] = 1
        await clock.settle()
        assert list(supervisor) == []

    async def test_closing_id_is_not_adopted(self, supervisor: Supervisor) -> None:
        """
        An adopting write to an id that is closing raises SessionClosed: never two lives at once.
        """
        agents = SessionMap[int]("agents", adopt=True)
        s = await supervisor.open("a")
        seen: list[BaseException] = []

        async def clean_up() -> None:
            try:
                agents["a"] = 1
            except SessionClosed as error:
                seen.append(error)

        s.push_async_callback(clean_up)
        await s.aclose()
        assert [cast("SessionClosed", each).session for each in seen] == [s]

    @pytest.mark.parametrize("when_full", ["refuse", "wait"])
    async def test_full(self, start_supervisor: StartSupervisor, when_full: str) -> None:
        """
        A write cannot wait for room: it is refused.
        """
        supervisor = await start_supervisor(max_sessions=1, when_full=when_full)
        await supervisor.open("a")
        with pytest.raises(SupervisorFull):
            SessionMap[int]("agents", adopt=True)["b"] = 1

    async def test_no_supervisor_runs(self) -> None:
        """
        A write adopts nothing before its supervisor was entered, or after it was left.
        """
        supervisor = Supervisor(default=False)
        agents = SessionMap[int]("agents", supervisor=supervisor, adopt=True)
        with pytest.raises(SupervisorClosed):
            agents["a"] = 1
        async with supervisor:
            agents["a"] = 1
        with pytest.raises(SupervisorClosed):
            agents["a"] = 1
        del supervisor
        gc.collect()
        with pytest.raises(SessionNotFound):
            agents["a"] = 1
