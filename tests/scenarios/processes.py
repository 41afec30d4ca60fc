"""
Real child processes, in real time: a run takes some hundredths of a second.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import ClosedResourceError, EndOfStream

from sessionstate import SessionError
from tests.trees import child

from ._catalogue import scenario

if TYPE_CHECKING:
    from tests.world import World


@scenario(repeatable=False, raises=(EndOfStream, ClosedResourceError))
async def process_tree(world: World) -> None:
    """
    A process with a child of its own is opened and read from, and ends with its session.

    If it is ended as it is read from, that is heard first.
    """
    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep_slowly(session, "a")
            process = await session.open_process(child("tree", 2), grace=0.01)
            assert process.stdout is not None
            await process.stdout.receive()


@scenario(repeatable=False)
async def command(world: World) -> None:
    """
    A command is given its input and runs to its end.
    """
    with suppress(SessionError):
        async with world.supervisor.session("a") as session:
            world.keep(session, "a")
            await session.run_process(child("echo"), input=b"hello", check=False, grace=0.01)
