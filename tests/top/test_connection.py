from __future__ import annotations

import asyncio

import pytest

from sessionstate._cli.top import _app
from tests.top.made_up import MadeUp
from tests.top.watching import SOON, watching

pytestmark = pytest.mark.real_loop
HOUR = 3600.0


class TestConnection:
    async def test_lost_and_found(self, server: MadeUp) -> None:
        """
        A lost connection is said, with what was shown last, and found again by itself.
        """
        async with watching(server, delays=(SOON, SOON, 0.2)) as view:
            await asyncio.to_thread(server.stop)
            await view.sees("LOST", "chat-0001", "trying again")
            server.push(tiles={"live": 4321})
            server.rows = server.rows[10:]
            server.begin()
            await view.sees("connected", "4,321", "chat-0011")
            assert "LOST" not in view.text
            assert view.top.is_connected

    async def test_while_a_session_is_shown(self, server: MadeUp) -> None:
        """
        The banner is on every screen, what was seen last stays, and Ctrl+R connects at once.
        """
        async with watching(server, delays=(HOUR,)) as view:
            await view.open("chat-0001")
            await asyncio.to_thread(server.stop)
            await view.sees("LOST", "life 1,", "trying again in 3")
            server.begin()
            await view.press("ctrl+r")
            await view.until(lambda: "LOST" not in view.text)
            await view.press("escape", "s")
            await view.sees("by idle", "connected")

    async def test_another_token(self, server: MadeUp) -> None:
        """
        A server that was started again with another token is told from one that is gone.
        """
        async with watching(server, delays=(HOUR,)) as view:
            await asyncio.to_thread(server.stop)
            server.token += "another"
            await view.press("s")
            await view.sees("LOST", "not up to date: no answer", "chat-0001")
            server.begin()
            await view.press("ctrl+r")
            await view.sees("does not accept the token", "was it started again?")


class TestTrouble:
    async def test_blocked(self, server: MadeUp) -> None:
        """
        A blocked loop is said with its stack, and taken back once it answers.
        """
        async with watching(server) as view:
            server.blocked = {"seconds": 4.2, "stack": []}
            server.push(blocked={"seconds": 4.2, "stack": ["app/db.py:17 in query", "app/a.py:3"]})
            await view.sees(
                "BLOCKED: the event loop has not answered for 4.2 s",
                "at app/db.py:17 in query",
                "at app/a.py:3",
                "not up to date:",
                "chat-0001",
            )
            server.blocked = None
            server.push(blocked=None)
            await view.until(lambda: "BLOCKED" not in view.text and "up to date" not in view.text)

    async def test_silence(self, server: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        An open connection on which nothing comes for long is said to be silent, until it is not.
        """
        async with watching(server) as view:
            monkeypatch.setattr(_app, "SILENT", -HOUR)
            view.top._tell()
            await view.sees("SILENT: no update for")
            monkeypatch.undo()
            server.push()
            await view.until(lambda: "SILENT" not in view.text)

    async def test_what_happened_is_said_for_a_while(
        self, server: MadeUp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A notice goes away by itself; that the supervisor was left does not.
        """
        async with watching(server) as view:
            monkeypatch.setattr(_app, "NOTICE", 0.0)
            view.top.say("[red]something[/red]\x1b happened")
            view.top._tell()
            assert view.main.banner.told == ""
            monkeypatch.undo()
            view.top.say("[red]something[/red]\x1b happened")
            server.push(running=False)
            await view.sees("STOPPED: the supervisor was left")
            await view.sees("[red]something[/red]\\x1b happened")
