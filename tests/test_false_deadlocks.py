"""
Waits that look as if they would never end, and do.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sessionstate import Session, SessionClosed, Supervisor
from tests.test_admission import slowly_closing

if TYPE_CHECKING:
    from typing import Any

    from sessionstate.testing import VirtualClock

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def log() -> list[object]:
    """
    Give a list for what happens, in order.
    """
    return []


class TestHolderOfTheEnded:
    @pytest.mark.parametrize("how", ["close", "open", "wait_closed"])
    async def test_its_wait_is_no_obstacle(
        self, supervisor: Supervisor, clock: VirtualClock, how: str
    ) -> None:
        """
        A body that waits for the caller's session is interrupted by its own session's end.
        """

        async def other(mine: Session) -> None:
            with suppress(SessionClosed):
                async with supervisor.attach("theirs"):
                    await mine.wait_closed()

        theirs = await slowly_closing(supervisor, "theirs", 1)
        async with supervisor.attach("mine") as mine:
            task = asyncio.create_task(other(mine))
            await clock.advance(1)
            if how == "close":
                assert await supervisor.close("theirs")
            else:
                theirs.close_soon()
                await (supervisor.open("theirs") if how == "open" else theirs.wait_closed())
            assert (theirs.state, clock.now) == ("closed", 2)
        await task


class TestOpening:
    async def test_a_task_of_the_hook_waits_for_it(
        self, supervisor: Supervisor, log: list[object]
    ) -> None:
        """
        A task that an on_open hook starts can attach: it waits until the session is open.
        """

        async def worker(session: Session) -> None:
            async with supervisor.attach(session.id):
                log.append("worker")

        async def hook(session: Session) -> None:
            session.start_soon(worker, session)
            await asyncio.sleep(1)
            log.append("hook")

        supervisor.on_open(hook)
        async with supervisor.session("a"):
            await asyncio.sleep(1)
        assert log == ["hook", "worker"]


class Server:
    """
    A resource of one session that asks for the end of another in the background.
    """

    def __init__(self, asked: Session, log: list[object]) -> None:
        self.asked = asked
        self.log = log

    async def serve(self) -> None:
        """
        End the session, wait for that, and open it again.
        """
        await asyncio.sleep(1)
        self.asked.close_soon()
        try:
            await self.asked.wait_closed()
            again = await self.asked.supervisor.open(self.asked.id)
        except RuntimeError as error:
            self.log.append(error)
        else:
            self.log.append(again.id)

    async def start(self, *, task_status: Any) -> None:
        """
        Be a started task.
        """
        task_status.started()
        await self.serve()

    async def __aenter__(self) -> None:
        self.task = asyncio.create_task(self.serve())

    async def __aexit__(self, *_: object) -> None:
        await self.task


class TestServing:
    @pytest.mark.parametrize("kind", ["started task", "context"])
    async def test_ends_with_the_call(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[object], kind: str
    ) -> None:
        """
        What a task of one session starts in another is not taken for the first one's afterwards.
        """
        a, b = await slowly_closing(supervisor, "a", 1), await supervisor.open("b")
        server = Server(a, log)

        async def job() -> None:
            await (
                b.start(server.start) if kind == "started task" else b.enter_async_context(server)
            )

        a.start_soon(job)
        await clock.advance(3)
        assert log == ["a"]

    async def test_a_clean_up_asks_for_the_value_of_the_load_that_began_it(
        self, supervisor: Supervisor, clock: VirtualClock, log: list[object]
    ) -> None:
        """
        A clean-up that a load began, and does not wait for, may wait for that load.
        """
        a, b = await supervisor.open("a"), await supervisor.open("b")

        async def load() -> int:
            b.close_soon()
            await asyncio.sleep(1)
            return 1

        async def ask() -> None:
            log.append(await a.get_or_create("key", load))

        b.push_async_callback(ask)
        assert await a.get_or_create("key", load) == 1
        await b.wait_closed()
        assert (log, supervisor.statistics().clean_up_errors) == ([1], 0)
