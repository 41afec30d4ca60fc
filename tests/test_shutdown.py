"""
How a supervisor is left.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    Supervisor,
    SupervisorClosed,
    current_supervisor,
    session,
)
from sessionstate.testing import VirtualClock
from tests.bodies import LONG, deaf, noted, nothing_stray, sweep, until_cancelled

pytestmark = pytest.mark.virtual_time


class TestLeaving:
    async def test_ends_every_session(self, clock: VirtualClock, log: list[str]) -> None:
        """
        Leaving ends held and idle sessions, with all their clean-up, side by side.
        """

        async def hold() -> None:
            async with session("held") as s:
                s.push_async_callback(noted, log, "held", 2)
                await asyncio.sleep(LONG)

        async with Supervisor() as supervisor:
            held = asyncio.create_task(hold())
            idle = await supervisor.open("idle")
            idle.push_async_callback(noted, log, "idle", 1)
            idle.start_soon(until_cancelled, log, "task")
            await asyncio.sleep(1)
        assert clock.now == 3
        assert sorted(log) == ["held", "held begins", "idle", "idle begins", "task"]
        assert idle.close_reason is CloseReason.SHUTDOWN
        with pytest.raises(SessionClosed) as caught:
            await held
        assert caught.value.reason is CloseReason.SHUTDOWN
        with pytest.raises(RuntimeError, match="no default supervisor"):
            current_supervisor()

    @pytest.mark.parametrize("how", ["session", "attach", "open"])
    async def test_opening_meanwhile(self, how: str) -> None:
        """
        While its sessions end and afterwards, a supervisor refuses to open more.
        """

        async def clean() -> None:
            with pytest.raises(SupervisorClosed, match="was left"):
                if how == "open":
                    await supervisor.open("b")
                else:
                    await getattr(supervisor, how)("b").__aenter__()

        async with Supervisor() as supervisor:
            s = await supervisor.open("a")
            s.push_async_callback(clean)
        assert supervisor.statistics().clean_up_errors == 0
        await clean()

    @pytest.mark.parametrize("times", [1, 3])
    async def test_cancelled_from_outside(
        self, clock: VirtualClock, log: list[str], times: int
    ) -> None:
        """
        A supervisor whose task is cancelled, again and again, ends every session first.
        """

        async def serve() -> None:
            async with Supervisor() as supervisor:
                s = await supervisor.open("a")
                s.push_async_callback(noted, log, "clean", 2)
                await asyncio.sleep(LONG)

        task = asyncio.create_task(serve())
        for _ in range(times):
            await asyncio.sleep(0.5)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (clock.now, log) == (2.5, ["clean begins", "clean"])
        assert task.cancelling() == times

    async def test_run_in_a_task_group(self, clock: VirtualClock, log: list[str]) -> None:
        """
        Supervisor.run lives in any task group, and cancelling it is the ordinary end.
        """
        async with anyio.create_task_group() as group:
            supervisor = await group.start(Supervisor().run)
            s = await supervisor.open("a")
            s.push_async_callback(noted, log, "clean", 2)
            group.cancel_scope.cancel()
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        assert s.close_reason is CloseReason.SHUTDOWN

    async def test_left_by_another_task(self) -> None:
        """
        A supervisor may be left by another task than entered it, and by several at once.
        """
        supervisor = Supervisor()
        await asyncio.create_task(supervisor.__aenter__())
        s = await supervisor.open("a")
        leaving = [asyncio.create_task(supervisor.__aexit__(None, None, None)) for _ in range(3)]
        await asyncio.gather(*leaving)
        assert s.state == "closed"
        await supervisor.__aexit__(None, None, None)

    async def test_not_entered(self) -> None:
        """
        A supervisor that was not entered cannot be left.
        """
        with pytest.raises(RuntimeError, match="was not entered"):
            await Supervisor().__aexit__(None, None, None)

    async def test_sweep_does_not_cut_it_short(self, clock: VirtualClock, log: list[str]) -> None:
        """
        Sweeps over all tasks, even of those that hide, neither lose a clean-up nor the shutdown.
        """

        async def serve() -> None:
            async with Supervisor() as supervisor:
                for id in "abc":
                    s = await supervisor.open(id)
                    s.push_async_callback(noted, log, id, 1)

        task = asyncio.create_task(serve(), name="serving")
        await asyncio.sleep(0.1)
        assert not any("shutdown" in each.get_name() for each in asyncio.all_tasks())
        assert sweep("sessionstate: shutdown")
        await asyncio.sleep(0.1)
        assert sweep("sessionstate: shutdown")
        current = asyncio.current_task()
        for each in asyncio.all_tasks():
            if each is not current and (each is task or "expiry" in each.get_name()):
                each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock.now == 1
        assert sorted(log) == ["a", "a begins", "b", "b begins", "c", "c begins"]

    async def test_expiry_survives_a_sweep(self, supervisor: Supervisor) -> None:
        """
        The supervisor's own task is begun again when it dies: sessions expire as before.
        """
        s = await supervisor.open("a", idle_timeout=5)
        for _ in range(3):
            assert sweep("sessionstate: expiry") == 1
            await asyncio.sleep(0.5)
        await asyncio.sleep(5)
        assert s.close_reason is CloseReason.IDLE
        assert supervisor.statistics().restarts == 3


class TestFromInside:
    @pytest.mark.parametrize("many", [0, 600])
    @pytest.mark.parametrize("shutdown_timeout", [15, None])
    async def test_from_a_block(
        self, clock: VirtualClock, many: int, shutdown_timeout: int | None
    ) -> None:
        """
        Leaving from within a block does not wait for that block's own session.
        """
        supervisor = Supervisor(
            max_closing=1, shutdown_timeout=shutdown_timeout, close_timeout=shutdown_timeout
        )
        await supervisor.__aenter__()
        others = [await supervisor.open(f"other {number}") for number in range(many)]
        with suppress(SessionClosed):
            async with asyncio.timeout(LONG), supervisor.session("a") as s:
                with suppress(asyncio.CancelledError):
                    await supervisor.__aexit__(None, None, None)
        await supervisor.__aexit__(None, None, None)
        assert clock.now == 0
        assert s.close_reason is CloseReason.SHUTDOWN
        assert {each.state for each in [s, *others]} == {"closed"}
        await nothing_stray()

    @pytest.mark.parametrize("where", ["task", "callback"])
    async def test_from_what_it_owns(self, clock: VirtualClock, log: list[str], where: str) -> None:
        """
        Leaving from a session's own task or clean-up waits for the others, not for that session.
        """
        supervisor = Supervisor()
        await supervisor.__aenter__()
        a, b = await supervisor.open("a"), await supervisor.open("b")
        b.push_async_callback(noted, log, "b", 1)

        async def leave() -> None:
            with suppress(asyncio.CancelledError):
                await supervisor.__aexit__(None, None, None)
            log.append("left")

        if where == "task":
            a.start_soon(leave)
            await asyncio.sleep(0)
        else:
            a.push_async_callback(leave)
            a.close_soon()
        await a.wait_closed()
        assert (clock.now, log) == (1, ["b begins", "b", "left"])
        assert (a.state, b.state) == ("closed", "closed")


class TestWithinItsTime:
    async def test_every_step_begins(self, clock: VirtualClock, log: list[str]) -> None:
        """
        When shutdown_timeout is over every step that is left begins, and none is waited for.
        """
        async with Supervisor(close_timeout=None, shutdown_timeout=4) as supervisor:
            for id in "ab":
                s = await supervisor.open(id)
                s.callback(log.append, f"{id} sync")
                s.push_async_callback(noted, log, f"{id} async", 0.2)
                s.push_async_callback(deaf, LONG)
                s.start_soon(deaf, LONG)
                await asyncio.sleep(0)
        assert clock.now <= 4
        await asyncio.sleep(1)
        assert sorted(log) == sorted(
            f"{id} {step}" for id in "ab" for step in ("sync", "async begins", "async")
        )
        assert s.state == "closed"
        await asyncio.sleep(2 * LONG)

    async def test_steps_share_it(self, clock: VirtualClock, log: list[str]) -> None:
        """
        Where less is left of shutdown_timeout than of close_timeout, the steps share that.
        """
        async with Supervisor(close_timeout=100, shutdown_timeout=10) as supervisor:
            s = await supervisor.open("a")
            s.push_async_callback(noted, log, "first", 1)
            s.push_async_callback(asyncio.sleep, LONG)
        assert (clock.now, log) == (5, ["first begins", "first"])

    async def test_sessions_that_had_not_begun_to_end(
        self, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        Sessions that waited for others' clean-ups are ended when the time is over, each step begun.
        """
        supervisor = Supervisor(max_closing=1, close_timeout=None, shutdown_timeout=4)
        async with supervisor:
            for number in range(510):
                s = await supervisor.open(f"{number}")
                if number > 500:
                    s.push_async_callback(deaf, LONG)
                else:
                    s.push_async_callback(noted, log, "x")
        assert clock.now == 4
        await asyncio.sleep(1)
        assert log.count("x begins") == 501
        assert len(supervisor) == supervisor.statistics().closing == 0
        await asyncio.sleep(LONG)

    @pytest.mark.parametrize("kind", ["callback", "task"])
    async def test_clean_up_that_began_before(
        self, clock: VirtualClock, log: list[str], kind: str
    ) -> None:
        """
        A clean-up that was under way when the supervisor was left gets no more time than the rest.
        """
        async with Supervisor(close_timeout=60, shutdown_timeout=4) as supervisor:
            s = await supervisor.open("a")
            s.callback(log.append, "rest")
            s.push_async_callback(noted, log, "late", 0.1)
            if kind == "callback":
                s.push_async_callback(deaf, LONG)
            else:
                s.start_soon(deaf, LONG)
                await asyncio.sleep(0)
            s.close_soon()
            await asyncio.sleep(1)
        assert (clock.now, s.state) == (5, "closed")
        assert supervisor.statistics().abandoned == 2
        await asyncio.sleep(0.2)
        assert log == ["rest", "late begins", "late"]
        await asyncio.sleep(LONG)

    async def test_stuck_body(self, clock: VirtualClock, log: list[str]) -> None:
        """
        A body that was told before the supervisor was left does not hold it up for longer.
        """

        async def hold() -> None:
            async with session("a") as s:
                s.callback(log.append, "clean")
                await deaf(LONG)

        async with Supervisor(close_timeout=60, shutdown_timeout=4) as supervisor:
            task = asyncio.create_task(hold())
            await asyncio.sleep(1)
            supervisor.close_soon("a")
        assert (clock.now, log) == (5, ["clean"])
        await task

    async def test_no_limit(self, clock: VirtualClock) -> None:
        """
        Without shutdown_timeout each clean-up has its own time.
        """
        async with Supervisor(shutdown_timeout=None, close_timeout=LONG) as supervisor:
            s = await supervisor.open("a")
            s.push_async_callback(asyncio.sleep, 500)
        assert clock.now == 500

    @pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
    def test_fatal_in_one_session(self, log: list[str], fatal: type[BaseException]) -> None:
        """
        A SystemExit from one session's clean-up comes out when every other session was ended too.
        """

        def stop() -> None:
            raise fatal

        async def main() -> None:
            async with Supervisor() as supervisor:
                for id in "abc":
                    s = await supervisor.open(id)
                    s.callback(log.append, f"sync {id}")
                    s.push_async_callback(noted, log, id, 1)
                    if id == "b":
                        s.callback(stop)
                s = await supervisor.open("d")
                s.callback(log.append, "sync d")
                s.callback(stop)

        with pytest.raises(fatal):
            VirtualClock().run(main())
        begun = [each for each in log if "begins" not in each]
        assert sorted(begun) == ["a", "b", "c", "sync a", "sync b", "sync c", "sync d"]

    async def test_from_a_clean_up_past_its_time(self, clock: VirtualClock, log: list[str]) -> None:
        """
        The session from whose clean-up the supervisor is left is not hurried with the others.
        """
        supervisor = Supervisor(close_timeout=60, shutdown_timeout=4)
        await supervisor.__aenter__()
        other = await supervisor.open("other")
        other.push_async_callback(deaf, LONG)
        other.close_soon()

        async def leave() -> None:
            await supervisor.__aexit__(None, None, None)
            await noted(log, "left", 0.25)

        s = await supervisor.open("a")
        s.push_async_callback(leave)
        s.close_soon()
        await s.wait_closed()
        assert (clock.now, log) == (4.25, ["left begins", "left"])
        assert supervisor.statistics().abandoned == 1
        await asyncio.sleep(LONG)

    async def test_fatal_when_it_is_over(self) -> None:
        """
        A SystemExit of a session that outlives its supervisor comes out of that session's block.
        """

        def stop() -> None:
            raise SystemExit

        supervisor = Supervisor()
        await supervisor.__aenter__()
        with pytest.raises(SystemExit):
            async with supervisor.session("a") as s:
                s.callback(stop)
                await supervisor.__aexit__(None, None, None)
        await nothing_stray()
