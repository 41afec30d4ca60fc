"""
Scenarios without end: programs that are drawn, each by its number.

Some tasks do this and that, at the same time, with sessions of few ids in a supervisor that has
little room. Nobody thought of what comes together then.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionstate import Session, SessionError, Supervisor
from tests.world import Grouped, beside

from ._catalogue import Scenario

if TYPE_CHECKING:
    from tests.world import World

IDS = "abc"
DEEPEST = 2


@dataclass(frozen=True)
class Act:
    """
    Something that is done with the session of an id, and what is done inside of that.
    """

    what: str
    id: str
    name: str
    """What it calls its resources."""
    seconds: float
    inside: list[Act] = field(default_factory=list)


Deed = Callable[["World", Supervisor, Act], Awaitable[None]]


async def own(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be an owner.
    """
    async with supervisor.session(act.id) as session:
        await dwell(world, supervisor, act, session)


async def linger(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be an owner who may come back.
    """
    async with supervisor.session(act.id, linger=act.seconds + 0.1) as session:
        await dwell(world, supervisor, act, session)


async def visit(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be a visitor.
    """
    async with supervisor.attach(act.id, idle_timeout=act.seconds + 0.1) as session:
        await dwell(world, supervisor, act, session)


async def bear(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be an owner of a child.
    """
    async with supervisor.session(act.id) as session, session.child(act.name) as child:
        await dwell(world, supervisor, act, child)


async def fail(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be an owner whose body raises.
    """
    async with supervisor.session(act.id) as session:
        await dwell(world, supervisor, act, session)
        raise LookupError("on purpose")


async def hurry(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Be an owner with a time-out around.
    """
    async with asyncio.timeout(act.seconds / 2 + 0.01), supervisor.session(act.id) as session:
        await dwell(world, supervisor, act, session)


async def open_(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Open a session that nobody holds, and have it own a task.
    """
    session = await supervisor.open(act.id, idle_timeout=act.seconds + 0.1)
    world.keep_slowly(session, act.name)
    session.start_soon(world.work, f"{act.name}'s task", act.seconds)


async def host(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Have a session own a context, a timer and a load.
    """
    session = await supervisor.open(act.id)

    async def load() -> None:
        await world.work(f"{act.name}'s load", act.seconds)

    session.call_later(act.seconds, world.keep, session, f"{act.name}'s timer")
    await session.enter_async_context(Grouped(world, act.name))
    await session.get_or_create(act.id, load)


async def close(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Close a session and wait for that.
    """
    await world.live(act.seconds)
    await supervisor.close(act.id)


async def hint(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Have a session closed, and open it again at once.
    """
    await world.live(act.seconds)
    supervisor.close_soon(act.id)
    await supervisor.open(act.id, idle_timeout=act.seconds + 0.1)


async def wait(world: World, supervisor: Supervisor, act: Act) -> None:
    """
    Do nothing for a while.
    """
    await world.live(act.seconds)


BLOCKS: dict[str, Deed] = {
    "own": own,
    "linger": linger,
    "visit": visit,
    "bear": bear,
    "fail": fail,
    "hurry": hurry,
}
DEEDS: dict[str, Deed] = BLOCKS | {
    "open": open_,
    "host": host,
    "close": close,
    "hint": hint,
    "wait": wait,
}


async def dwell(world: World, supervisor: Supervisor, act: Act, session: Session) -> None:
    """
    Be a body.
    """
    world.keep_slowly(session, act.name)
    world.keep(session, act.name)
    await follow(world, supervisor, act.inside)
    await world.live(act.seconds)


async def follow(world: World, supervisor: Supervisor, acts: list[Act]) -> None:
    """
    Do one after the other, whatever comes of it.
    """
    for act in acts:
        # Some wait for each other, which is told as RuntimeError; some fail on purpose.
        with suppress(SessionError, RuntimeError, ExceptionGroup, LookupError, TimeoutError):
            await DEEDS[act.what](world, supervisor, act)


class _Draw:
    """
    What chooses the acts of a program.
    """

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.acts = 0

    def act(self, depth: int = 0) -> Act:
        self.acts += 1
        name = f"{self.acts}"
        what = self.random.choice(list(DEEDS))
        id = self.random.choice(IDS)
        seconds = self.random.choice((0.0, 0.0, 0.1, 0.3, 2.0))
        inside: list[Act] = []
        if what in BLOCKS and depth < DEEPEST and self.random.random() < 0.4:
            inside = [self.act(depth + 1)]
        return Act(what, id, name, seconds, inside)

    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"idle_timeout": 3.0, "max_sessions": self.random.choice((2, 9))}
        options["when_full"] = self.random.choice(("evict", "refuse", "wait"))
        if options["when_full"] == "wait":
            options["open_timeout"] = 1.0
        if self.random.random() < 0.3:
            options["stall_timeout"] = 1.0
        return options


def mixed(number: int) -> Scenario:
    """
    Return the scenario of this number: always the same one.
    """
    draw = _Draw(number)
    options = draw.options()
    first, *others = [
        [draw.act() for _ in range(draw.random.randint(1, 3))]
        for _ in range(draw.random.randint(2, 3))
    ]

    async def program(world: World) -> None:
        async with Supervisor(default=False, **options) as supervisor:
            with beside(*(follow(world, supervisor, acts) for acts in others)) as tasks:
                await follow(world, supervisor, first)
                await asyncio.wait(tasks)

    program.__qualname__ = program.__name__ = name = f"mixed-{number}"
    program.__doc__ = f"The program that number {number} draws."
    return Scenario(name, program)
