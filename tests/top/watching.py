"""
The view on a server of made-up data, without a terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from sessionstate._cli.top._address import Address
from sessionstate._cli.top._app import Top
from sessionstate._cli.top._client import Client
from sessionstate._cli.top._detail import SessionScreen

if TYPE_CHECKING:
    from tests.top.made_up import MadeUp

SOON = 0.02


class Watching:
    """
    The view, and hands on its keys.
    """

    def __init__(self, top: Top, pilot: Pilot[None]) -> None:
        self.top = top
        self.pilot = pilot
        self.main = top._main
        self.sessions = top._main.sessions

    @property
    def text(self) -> str:
        """
        Return what is on the terminal.
        """
        strips = self.top.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    @property
    def ids(self) -> list[str]:
        """
        Return the first column of the table.
        """
        return [line.cells[0] for line in self.sessions.table.lines]

    @property
    def opened(self) -> SessionScreen:
        """
        Return the screen of a session that is on top.
        """
        screen = self.top.screen
        assert isinstance(screen, SessionScreen)
        return screen

    async def press(self, *keys: str) -> None:
        """
        Press keys, one after the other, each once what the one before did was drawn.

        The pilot's own `press` waits until the process is idle, and so for whatever else it does.
        """
        for key in keys:
            character = key if len(key) == 1 else None
            name = _character_to_key(key) if character else key
            self.top.post_message(Key(name, character))
            await self.pilot.pause(0)
            await self.pilot.pause(0)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """
        Wait for what the server, or the view, is about to do.
        """
        for _ in range(500):
            if condition():
                return
            await self.pilot.pause(0.01)
        pytest.fail(f"it never came to be: {what}\n{self.text}")

    async def sees(self, *words: str) -> None:
        """
        Wait until all of *words* are on the terminal, however its lines part them.
        """

        def seen() -> bool:
            text = " ".join(self.text.split())
            return all(word in text for word in words)

        await self.until(seen, f"{words}")

    async def open(self, *words: str) -> None:
        """
        Show the session under the cursor, and wait for *words*.
        """
        await self.press("enter")
        await self.until(lambda: isinstance(self.top.screen, SessionScreen))
        await self.until(lambda: self.opened.detail is not None)
        await self.sees(*words)


@asynccontextmanager
async def watching(
    server: MadeUp, size: tuple[int, int] = (100, 30), delays: Sequence[float] = (SOON,)
) -> AsyncIterator[Watching]:
    """
    Show *server*, until the block is left.
    """
    async with Client(Address(server.url, server.token)) as client:
        top = Top(client, await client.overview(), delays=delays)
        async with top.run_test(size=size) as pilot:
            seen = Watching(top, pilot)
            await seen.until(
                lambda: top.is_connected and seen.sessions.page and not seen.sessions._is_loading
            )
            yield seen


async def gone(server: MadeUp) -> None:
    """
    Wait until the server has noticed that nobody follows any more.
    """
    for _ in range(500):
        if not server.streams:
            return
        await asyncio.sleep(0.01)
    pytest.fail("a stream was left open")
