"""
Sessions of every ending, in waves of a thousand; in virtual time, so that deadlines come.

The proportions are those of a server: most sessions complete, are deleted by an event or time out,
half of them own nothing, and the rest own one thing of each kind there is. The rarer endings are
more frequent than on any server, so that each comes in tens of thousands.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Final

from sessionstate import (
    MemoryGuard,
    Session,
    SessionClosed,
    SessionMap,
    SessionVar,
    Supervisor,
)
from tests.soak.belongings import LONG, OWNING, Belongings, Bus, nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from sessionstate.testing import VirtualClock

WAVE: Final = 1_000
PAUSE: Final = 5.0  # seconds between two waves

PER_WAVE: Final = {
    "completed": 400,
    "failed": 70,
    "cancelled": 20,
    "deleted": 150,
    "lingered": 20,
    "idle": 110,
    "unused": 50,
    "expired": 50,
    "stalled": 10,
    "evicted": 50,
    "shed": 20,
    "parent": 10,  # each with two children, and a group
    "resource_failed": 10,
    "shutdown": 10,
}
"""How many of each ending; 'parent' and 'lingered' are those that `CloseReason` does not tell."""

CHILD: Final = [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read()"]


class Crash(Exception):
    """
    What fails in here.
    """


class Traffic(Belongings):
    """
    What comes and goes in three supervisors, and in some that come and go themselves.
    """

    def __init__(self, clock: VirtualClock, seed: int = 1) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.number = 0
        self.shut_down = 0
        """Sessions that ended with their supervisor."""
        self.resident = 1
        self.tasks: dict[asyncio.Task[None], None] = {}
        self.bus = Bus()
        self.main = Supervisor(
            idle_timeout=30, unused_timeout=10, max_sessions=None, default=False, name="main"
        )
        self.small = Supervisor(idle_timeout=30, max_sessions=40, default=False, name="small")
        self.guard = MemoryGuard(high=1_000, low=500, resident=lambda: self.resident)
        self.guarded = Supervisor(
            idle_timeout=30, default=False, memory_guard=self.guard, name="guarded"
        )
        self.agents = SessionMap[list[str]]("agents", supervisor=self.main)
        self.notes = SessionVar[dict[str, str]]("notes", factory=dict)
        self._endings = [
            call for name, count in PER_WAVE.items() for call in [getattr(self, name)] * count
        ]
        kinds = [
            getattr(self, f"own_{name}") for name, count in OWNING.items() for _ in [0] * count
        ]
        self._kinds: list[Callable[[Session], Awaitable[None]]] = kinds

    @property
    def supervisors(self) -> tuple[Supervisor, ...]:
        """
        Those that last.
        """
        return self.main, self.small, self.guarded

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """
        Run the three supervisors.
        """
        async with self.main, self.small, self.guarded:
            yield

    def ended(self) -> int:
        """
        Return how many sessions have ended.
        """
        return self.shut_down + sum(each.statistics().closed for each in self.supervisors)

    def by_reason(self) -> dict[str, int]:
        """
        Return how many sessions have ended for each reason.
        """
        total: dict[str, int] = {}
        for each in self.supervisors:
            for reason, count in each.statistics().closed_by_reason.items():
                total[str(reason)] = total.get(str(reason), 0) + count
        total["shutdown"] = total.get("shutdown", 0) + self.shut_down
        return total

    async def wave(self) -> None:
        """
        Let a thousand come, and some of them go.
        """
        self.random.shuffle(self._endings)
        for ending in self._endings:
            await ending()
        for _ in range(3):
            await asyncio.sleep(0)
        for task in self.tasks:
            if task.get_name() == "cancelled":
                task.cancel()
        await self.clock.advance(PAUSE)

    async def settle(self) -> None:
        """
        Let every deadline come.
        """
        await self.clock.advance(LONG)
        while self.tasks:
            await asyncio.wait(list(self.tasks))

    async def processes(self, number: int) -> None:
        """
        Start child processes in sessions of their own: half of them end before their session does.
        """
        for each in range(number):
            async with self.main.session(self.id()) as session:
                process = await session.open_process(CHILD, stdout=None, stderr=None)
                if each % 2:
                    assert process.stdin is not None
                    await process.stdin.aclose()
                    await process.wait()

    def id(self) -> str:
        """
        Return a new id.
        """
        self.number += 1
        return f"s{self.number}"

    def begin(self, body: Awaitable[None], name: str) -> None:
        """
        Run *body* in a task of its own.
        """
        task = asyncio.create_task(_await(body), name=name)
        self.tasks[task] = None
        task.add_done_callback(self.tasks.pop)

    async def furnish(self, session: Session) -> None:
        """
        Give *session* something to own, or nothing.
        """
        await self._kinds[int(self.random.random() * len(self._kinds))](session)

    # How they end

    async def completed(self) -> None:
        """
        The last owner left.
        """
        async with self.main.session(self.id()) as session:
            await self.furnish(session)

    async def failed(self) -> None:
        """
        The last owner raised.
        """
        with suppress(Crash):
            async with self.main.session(self.id()) as session:
                await self.furnish(session)
                raise Crash

    async def cancelled(self) -> None:
        """
        The last owner was cancelled.
        """
        self.begin(self._hold(self.main.session(self.id())), "cancelled")

    async def deleted(self) -> None:
        """
        Somebody asked for the end, by id: one in ten while a task is inside, one in ten waiting.
        """
        id = self.id()
        chance = self.random.random()
        if chance < 0.1:
            self.begin(self._hold(self.main.attach(id)), "held")
            await asyncio.sleep(0)
            self.main.close_soon(id)
            return
        await self.furnish(await self.main.open(id))
        if chance < 0.2:
            await self.main.close(id)
        else:
            self.main.close_soon(id)

    async def lingered(self) -> None:
        """
        The last owner left a while ago.
        """
        async with self.main.session(self.id(), linger=3) as session:
            await self.furnish(session)

    async def idle(self) -> None:
        """
        The last visitor left long ago; some were touched since.
        """
        async with self.main.attach(self.id()) as session:
            await self.furnish(session)

    async def unused(self) -> None:
        """
        It was opened, and nobody came.
        """
        await self.furnish(await self.main.open(self.id()))

    async def expired(self) -> None:
        """
        It grew too old.
        """
        async with self.main.attach(self.id(), max_age=8) as session:
            await self.furnish(session)

    async def stalled(self) -> None:
        """
        Its holder fell silent.
        """
        self.begin(self._hold(self.main.session(self.id(), stall_timeout=4)), "held")

    async def evicted(self) -> None:
        """
        There was no room.
        """
        await self.small.open(self.id(), weight=1.5, group=f"g{self.number % 7}")

    async def shed(self) -> None:
        """
        Memory was short.
        """
        await self.guarded.open(self.id(), weight=2)
        if len(self.guarded) >= 20:
            self.resident = 2_000
            await self.clock.advance(1.5)
            self.resident = 1

    async def parent(self) -> None:
        """
        Its parent ended.
        """
        parent = await self.main.open(self.id(), group=f"g{self.number % 7}")
        child = await self.main.open(self.id(), parent=parent, weight=1)
        await self.furnish(child)
        async with parent.child(self.id(), linger=10) as other:
            await self.furnish(other)
        parent.close_soon()

    async def resource_failed(self) -> None:
        """
        Something that it owned crashed.
        """
        session = await self.main.open(self.id())
        session.start_soon(_crash)

    async def shutdown(self) -> None:
        """
        Its supervisor was left, every tenth time.
        """
        if self.random.random() < 0.1:
            async with Supervisor(default=False, name="short") as supervisor:
                for _ in range(10):
                    session = await supervisor.open(self.id())
                    session.callback(nothing)
            self.shut_down += 10

    async def _hold(self, block: AbstractAsyncContextManager[Session]) -> None:
        with suppress(SessionClosed, asyncio.CancelledError):
            async with block as session:
                await self.furnish(session)
                await asyncio.sleep(LONG)


async def _await(body: Awaitable[None]) -> None:
    await body


async def _crash() -> None:
    raise Crash
