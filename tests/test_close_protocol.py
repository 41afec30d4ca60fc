"""
How a session ends: the decision, the one exit, and what can be seen meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    SessionMap,
    SessionNotFound,
    SessionVar,
    Supervisor,
    attach,
    current_session,
    session,
)
from tests.bodies import LONG, fail, noted, nothing_stray, soon

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class TestDecision:
    async def test_is_synchronous(self, supervisor: Supervisor) -> None:
        """
        When the call that ends a session returns, no look-up finds it, and the reason is fixed.
        """
        agents = SessionMap[str]("agents", supervisor=supervisor)
        s = await supervisor.open("a")
        agents["a"] = "agent"
        s.push_async_callback(asyncio.sleep, 1)
        assert supervisor.close_soon("a")
        assert "a" not in supervisor
        assert supervisor.get("a") is None
        assert "a" not in agents
        with pytest.raises(SessionNotFound):
            agents["a"]
        assert (s.state, s.close_reason, s.deadline) == ("closing", CloseReason.DELETED, None)
        assert not s.close_soon(CloseReason.EXPIRED)
        assert not supervisor.close_soon("a")
        await s.wait_closed()
        assert (s.state, s.close_reason) == ("closed", CloseReason.DELETED)

    async def test_handle_keeps_its_values_until_closed(self, supervisor: Supervisor) -> None:
        """
        In bodies that unwind, hooks and clean-up the handle still reaches every value.
        """
        agents = SessionMap[str]("agents", supervisor=supervisor)
        var = SessionVar[str]("var")
        seen: list[tuple[str, ...]] = []

        def look(*_: object) -> None:
            assert current_session() is s
            seen.append((agents[s], var.get(), s.vars["key"], str(s.state)))

        async def look_later() -> None:
            look()

        supervisor.on_close(look)
        soon(1, supervisor.close_soon, "a")
        with pytest.raises(SessionClosed):
            async with session("a") as s:
                agents[s] = "agent"
                var.set("value")
                s.vars["key"] = "var"
                s.callback(look)
                s.push_async_callback(look_later)
                try:
                    await asyncio.sleep(LONG)
                finally:
                    look()
        assert seen == [("agent", "value", "var", "closing")] * 4
        for use in (lambda: agents[s], lambda: var.get(s), lambda: s.vars, lambda: s.lock):
            with pytest.raises(SessionClosed):
                use()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_exception_until_closed(self, supervisor: Supervisor, kind: str) -> None:
        """
        Clean-up sees what the body raised; a closed session refers to it no longer.
        """
        seen: list[BaseException | None] = []

        async def look() -> None:
            seen.append(s.exception)

        error = ValueError("body")
        with pytest.raises(ValueError, match="body"):
            async with session("a") as s:
                if kind == "sync":
                    s.callback(lambda: seen.append(s.exception))
                else:
                    s.push_async_callback(look)
                raise error
        assert seen == [error]
        assert s.exception is None

    async def test_removal_compares_identity(self, supervisor: Supervisor) -> None:
        """
        An old handle never ends, and its end never removes, a new life of the same id.
        """
        old = await supervisor.open("a")
        await supervisor.close("a")
        new = await supervisor.open("a")
        assert not old.close_soon()
        assert not await old.aclose()
        assert supervisor["a"] is new
        assert new.incarnation > old.incarnation

    async def test_one_life_at_once(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[str]
    ) -> None:
        """
        The id of a session that is closing is opened again when its clean-up is over, not before.
        """
        async with session("a") as old:
            old.push_async_callback(noted, log, "clean", 2)
            old.close_soon()
            opening = asyncio.create_task(supervisor.open("a"))
            await asyncio.sleep(1)
        new = await opening
        assert (clock.now, log) == (2, ["clean begins", "clean"])
        assert new.state == "idle"

    async def test_hooks_run_once_for_each_cause(
        self, start_supervisor: Any, clock: VirtualClock
    ) -> None:
        """
        Every cause ends in the same function: one hook call each, with its reason, and one count.
        """
        supervisor: Supervisor = await start_supervisor(idle_timeout=10, unused_timeout=5)
        reasons: list[str] = []
        supervisor.on_close(lambda s, reason: reasons.append(f"{s.id} {reason}"))

        async def crash() -> None:
            raise ZeroDivisionError

        async with session("completed"):
            pass
        with suppress(ZeroDivisionError):
            async with session("failed"):
                raise ZeroDivisionError
        with suppress(TimeoutError):
            async with asyncio.timeout(1), session("cancelled"):
                await asyncio.sleep(LONG)
        await supervisor.open("deleted")
        await supervisor.close("deleted")
        async with attach("idle"):
            pass
        await supervisor.open("unused")
        await supervisor.open("expired", max_age=2)
        with suppress(SessionClosed):
            async with session("stalled", stall_timeout=3):
                await asyncio.sleep(LONG)
        with suppress(SessionClosed):
            async with session("resource_failed") as s:
                s.start_soon(crash)
                await asyncio.sleep(LONG)
        await asyncio.sleep(LONG)
        assert sorted(reasons) == sorted(f"{each.split()[0]} {each.split()[0]}" for each in reasons)
        assert len(reasons) == 9
        by_reason = supervisor.statistics().closed_by_reason
        assert {str(reason) for reason, count in by_reason.items() if count == 1} == {
            each.split()[0] for each in reasons
        }


class TestWhoSeesWhat:
    async def test_notes(self, supervisor: Supervisor) -> None:
        """
        The body's own error is never masked: the errors of the clean-up become notes on it.
        """
        with pytest.raises(ValueError, match="body") as caught:
            async with session("a") as s:
                s.callback(fail)
                s.push_async_callback(asyncio.sleep, 1)
                raise ValueError("body")
        assert caught.value.__notes__ == [
            "error in the clean-up of session 'a': ZeroDivisionError('step')"
        ]

    @pytest.mark.parametrize("slow", [True, False])
    async def test_group_is_raised_once(
        self, supervisor: Supervisor, slow: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Only the close() call that ended the session raises its errors; nothing is logged then.
        """
        s = await supervisor.open("a")
        s.callback(fail)
        if slow:
            s.push_async_callback(asyncio.sleep, 1)
        first = asyncio.create_task(supervisor.close("a"))
        await asyncio.sleep(0)
        assert not await supervisor.close("a")
        await s.wait_closed()
        with pytest.raises(ExceptionGroup, match="errors in the clean-up of session 'a'") as caught:
            await first
        assert caught.group_contains(ZeroDivisionError)
        assert caplog.records == []

    async def test_holder_that_did_not_end_it(
        self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        A holder that was interrupted gets SessionClosed, not the errors of the clean-up.
        """
        closing: list[asyncio.Task[bool]] = []
        soon(1, lambda: closing.append(asyncio.ensure_future(supervisor.close("a"))))
        with pytest.raises(SessionClosed):
            async with session("a") as s:
                s.callback(fail)
                await asyncio.sleep(LONG)
        with pytest.raises(ExceptionGroup):
            await closing[0]
        assert caplog.records == []

    @pytest.mark.parametrize("how", ["close_soon", "aclose"])
    async def test_owner_that_asked(self, supervisor: Supervisor, how: str) -> None:
        """
        An owner that asks for the end itself raises the errors of the clean-up from its block.
        """
        with pytest.raises(ExceptionGroup) as caught:
            async with session("a") as s:
                s.callback(fail)
                if how == "aclose":
                    await s.aclose()
                else:
                    s.close_soon()
                await asyncio.sleep(LONG)
        assert caught.group_contains(ZeroDivisionError)
        await nothing_stray()

    @pytest.mark.parametrize("how", ["close_soon", "deadline"])
    async def test_nobody_waits(
        self, supervisor: Supervisor, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Errors that nobody raises are logged once, unless a hook is told of them.
        """
        told: list[str] = []
        for hooked in False, True:
            if hooked:
                caplog.clear()
                supervisor.on_error(lambda s, error, where: told.append(where))
            s = await supervisor.open("a", idle_timeout=5)
            s.callback(fail)
            if how == "close_soon":
                s.close_soon()
            await asyncio.sleep(10)
            assert s.state == "closed"
            assert len(caplog.records) == (0 if hooked else 1)
        assert told == ["callback fail"]

    async def test_two_owners(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        The last of two owners ends the session; a visitor inside is interrupted, and waits not.
        """

        async def visit() -> float:
            with pytest.raises(SessionClosed) as caught:
                async with attach("a"):
                    await asyncio.sleep(LONG)
            assert caught.value.reason is CloseReason.COMPLETED
            return clock.now

        async with session("a") as s:
            async with session("a"):
                visiting = asyncio.create_task(visit())
                await asyncio.sleep(1)
                s.push_async_callback(asyncio.sleep, 1)
            assert s.state == "open"
        assert await visiting == 1
        assert (clock.now, s.state) == (2, "closed")


class TestFaces:
    async def test_block(self, supervisor: Supervisor) -> None:
        """
        The repr of a block tells its kind, its id and where it was written.
        """
        assert repr(session("a")).startswith("<Owner 'a', ")
        assert repr(attach("a")).startswith("<Visitor 'a', ")
        assert repr(attach("a", create=False)).startswith("<StrictVisitor 'a', ")
        assert f"{__file__}:" in repr(session("a"))
