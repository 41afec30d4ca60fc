"""
The end of a whole group.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import (
    CloseReason,
    SessionClosed,
    Supervisor,
    SupervisorClosed,
)
from tests.bodies import LONG, fail, noted
from tests.test_admission import ended, slowly_closing, soon
from tests.test_children import child_of
from tests.test_groups import member

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


class TestCloseGroup:
    async def test_newest_first(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        All members end, newest first, and the call waits for their clean-up.
        """
        for id in "abc":
            (await member(supervisor, id)).push_async_callback(noted, log, id, 1)
        stranger = await member(supervisor, "x", "other")
        supervisor.on_close(lambda session, reason: log.append(f"{session.id} {reason}"))
        assert await supervisor.close_group("user", reason=CloseReason.SHED) == 3
        assert [line for line in log if "shed" in line] == ["c shed", "b shed", "a shed"]
        assert {"a", "b", "c"} < set(log)
        assert list(supervisor.values()) == [stranger]
        assert list(supervisor._bounds.groups) == ["other"]
        assert await supervisor.close_group("user") == await supervisor.close_group("what") == 0

    async def test_without_waiting(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        `close_group_soon` answers how many ends it decided, at once.
        """
        a, b = await member(supervisor, "a"), await slowly_closing(supervisor, "b")
        child = await supervisor.open("child", parent=a, group="user")
        b = await supervisor.open("c", group="user")
        b.push_async_callback(asyncio.sleep, 1)
        assert supervisor.close_group_soon("user") == 3
        assert (a.state, b.state, child.close_reason) == ("closed", "closing", "deleted")
        assert supervisor.close_group_soon("user") == 0
        await b.wait_closed()
        assert clock.now == 1

    async def test_ended_by_another(self, supervisor: Supervisor) -> None:
        """
        A member that the clean-up of another has ended by then is not counted.
        """
        a, b = await member(supervisor, "a"), await member(supervisor, "b")
        b.callback(a.close_soon)
        assert await supervisor.close_group("user") == 1
        assert (a.close_reason, b.close_reason) == (CloseReason.COMPLETED, CloseReason.DELETED)

    async def test_children_outside_of_the_group(self, supervisor: Supervisor) -> None:
        """
        A member's children end with it, whatever their group; children have none of themselves.
        """
        root = await member(supervisor, "root")
        child = await child_of(root)
        assert child.group is None
        assert await supervisor.close_group("user") == 1
        assert child.close_reason is CloseReason.PARENT

    async def test_errors(self, supervisor: Supervisor) -> None:
        """
        The errors of all their clean-ups are raised in one group, when all are closed.
        """
        for id in "abc":
            session = await member(supervisor, id)
            session.push_async_callback(asyncio.sleep, 1)
            if id != "b":
                session.callback(fail)
        with pytest.raises(ExceptionGroup, match="clean-up of group 'user'") as caught:
            await supervisor.close_group("user")
        assert [str(error).split("'")[1] for error in caught.value.exceptions] == ["c", "a"]
        assert len(supervisor) == supervisor.statistics().closing == 0

    async def test_cancelling_the_wait(
        self, supervisor: Supervisor, clock: VirtualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Cancelling the wait stops no clean-up, and no error is lost: all of them are logged.
        """
        for number, id in enumerate("cba"):
            session = await member(supervisor, id)
            session.callback(fail)
            session.push_async_callback(asyncio.sleep, 3 - number)
        closing = soon(supervisor.close_group("user"))
        await clock.advance(1.5)
        await ended(closing)
        await clock.advance(5)
        for id in "abc":
            assert f"clean-up of session '{id}' (deleted)" in caplog.text
        assert supervisor.statistics().closing == 0

    async def test_fatal_errors(self, supervisor: Supervisor, log: list[str]) -> None:
        """
        A KeyboardInterrupt in one clean-up keeps no other member from ending.
        """

        def interrupt() -> None:
            raise KeyboardInterrupt

        for close in supervisor.close_group_soon, supervisor.close_group:
            for id in "abc":
                session = await member(supervisor, id)
                session.callback(interrupt if id == "b" else log.append, *"x"[: id != "b"])
            with pytest.raises(KeyboardInterrupt):
                result = close("user")
                assert not isinstance(result, int)
                await result
            assert len(supervisor) == 0
        assert log == ["x"] * 4

    async def test_from_inside(self, supervisor: Supervisor, clock: VirtualClock) -> None:
        """
        A holder that ends its own group is told nothing, others are; nobody waits for ever.
        """
        told: list[CloseReason] = []

        async def hold() -> None:
            try:
                async with supervisor.session("b", group="user"):
                    await asyncio.sleep(LONG)
            except SessionClosed as closed:
                told.append(closed.reason)

        holder = soon(hold())
        await asyncio.sleep(0)
        async with supervisor.session("a", group="user"):
            assert await supervisor.close_group("user") == 2
            await asyncio.sleep(LONG)
        await holder
        assert (told, clock.now) == ([CloseReason.DELETED], 0)

    async def test_bad_input(self, supervisor: Supervisor) -> None:
        """
        A group is a non-empty str, a reason a `CloseReason`, and the thread the loop's.
        """
        for bad in ("", 7, None, b"user"):
            with pytest.raises(TypeError, match="group must be a non-empty str"):
                supervisor.close_group_soon(bad)  # type: ignore[arg-type]
            if bad is not None:
                with pytest.raises(TypeError, match="group must be a non-empty str"):
                    supervisor.session("a", group=bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="reason must be a CloseReason"):
            await supervisor.close_group("user", reason="deleted")  # type: ignore[arg-type]
        with suppress(SupervisorClosed):
            Supervisor(default=False).close_group_soon("user")
        errors: list[str] = []

        def elsewhere() -> None:
            try:
                supervisor.close_group_soon("user")
            except RuntimeError as error:
                errors.append(str(error))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(errors) == 1
