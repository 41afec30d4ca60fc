"""
The live page over the demo's traffic: the server with sessionstate, and clients that keep coming.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from sessionstate._cli.demo import webhooks
from sessionstate._cli.demo.channel import Child, Message
from sessionstate._cli.demo.measure import MODULES, SCOPED
from sessionstate._cli.demo.progress import Unseen
from sessionstate._cli.demo.stage import Run, first_of, workers
from sessionstate._cli.demo.traffic import plan


def show(*, sessions: int, seed: int, plant: str | None, announce: Callable[[str], None]) -> None:
    """
    Serve the page, and have conversations until interrupted.

    Args:
        sessions: Conversations in a round; the next round begins when all of them ended.
        seed: What the first mix of conversations grows from.
        plant: A leak to plant, to see it on the page.
        announce: Called once, with the address to open.

    Raises:
        RuntimeError: If a process of the demo failed.
        OSError: If a process cannot be started.
    """
    try:
        asyncio.run(_show(sessions, seed, plant, announce))
    except BaseExceptionGroup as group:
        raise first_of(group) from group


async def _show(
    sessions: int, seed: int, plant: str | None, announce: Callable[[str], None]
) -> None:
    leak = [] if plant is None else [plant]
    async with (
        Child("sessionstate._cli.demo.server", MODULES[SCOPED], *leak) as server,
        workers(sessions) as crowd,
    ):
        ports: Message = await server.expect("port")
        server.send(do="show")
        announce((await server.expect("shown_at"))["shown_at"])
        run = Run(server, f"ws://127.0.0.1:{ports['port']}", Unseen())
        async with asyncio.TaskGroup() as group:
            group.create_task(run.follow())
            for number in count(seed):
                conversations = plan(sessions, number)
                hooks = webhooks.plan(sessions, number)
                await run.send_all(crowd, conversations, ports["hook_port"], hooks)
