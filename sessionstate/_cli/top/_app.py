"""
The application: follows the server's stream, and tells its screens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sessionstate._cli.top._client import Client, ServerError, WrongTokenError
from sessionstate._cli.top._dialogs import Confirm, Help
from sessionstate._cli.top._figures import blocked_sentence
from sessionstate._cli.top._main import Main
from sessionstate._cli.top._screens import Told
from sessionstate._cli.top._widths import begin
from sessionstate._cli.top._words import cut, duration

if TYPE_CHECKING:
    from sessionstate.dashboard._source import Overview

DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each attempt to connect again."""
NOTICE: Final = 8.0
"""Seconds that what just happened is told."""
SILENT: Final = 5.0
"""Seconds that an update may be late, beside three times the usual."""
FIRST_GAP: Final = 10.0
"""What is taken for usual until two updates were seen."""
NOT_ALLOWED: Final = (
    "The server does not allow closing: it would have to be started with allow_close=True."
)


class Top(App[None]):
    """
    The live page in a terminal.

    Args:
        client: Open, and closed by whoever opened it.
        first: The update to begin with.
        delays: Seconds before each attempt to connect again; the last one goes on.
    """

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True),
        Binding("ctrl+r", "connect", "Connect now", show=False),
    ]

    def __init__(
        self, client: Client, first: Overview, *, delays: Sequence[float] = DELAYS
    ) -> None:
        super().__init__()
        self.title = "sessionstate top"
        self.animation_level = "none"  # each step would be drawn over the network
        self.overview = first
        self.trouble = ""
        self.notice = ""
        self.is_connected = False
        self._client = client
        self._delays = delays
        self._main = Main(client)
        self._now = asyncio.Event()
        self._heard_at = monotonic()
        self._gap = FIRST_GAP
        self._lost = ""
        self._again_at = 0.0
        self._notice_until = 0.0

    def get_default_screen(self) -> Screen[Any]:
        """
        Begin with all sessions.
        """
        return self._main

    def on_mount(self) -> None:
        """
        Show the first update and follow the stream.
        """
        self._main.call_after_refresh(self._updated, self.overview)
        self.set_interval(1.0, self._tell)
        begin(self, self._follow, "stream")

    async def _follow(self) -> None:
        """
        Follow the stream, and connect again whenever it ends.
        """
        failures = 0
        while True:
            try:
                async with aclosing(cast("Any", self._client.updates())) as updates:
                    async for overview in updates:
                        failures = 0
                        self._lost = ""
                        self.is_connected = True
                        self._updated(overview)
                lost = "the server ended the connection"
            except WrongTokenError as error:
                lost = f"{error}; was it started again? It printed another URL then"
            except ServerError as error:
                lost = str(error)
            delay = self._delays[min(failures, len(self._delays) - 1)]
            failures += 1
            self._lost = lost
            self.is_connected = False
            self._again_at = monotonic() + delay
            self._now.clear()
            self._tell()
            try:
                async with asyncio.timeout(delay):
                    await self._now.wait()
            except TimeoutError:
                pass

    def _updated(self, overview: Overview) -> None:
        if overview["number"] != self.overview["number"]:
            self._gap = max(0.0, overview["at"] - self.overview["at"])
        self.overview = overview
        self._heard_at = monotonic()
        self._tell()
        for screen in self.screen_stack:
            if isinstance(screen, Told) and screen.is_mounted:
                screen.updated(overview)

    def _tell(self) -> None:
        """
        Say in words what is wrong.
        """
        overview, width = self.overview, self.size.width
        now = monotonic()
        silent = now - self._heard_at
        told: list[str] = []
        state = "connected" if self.is_connected else "connecting"
        if self._lost:
            state = "LOST"
            wait = max(0.0, self._again_at - now)
            again = f"trying again in {wait:.0f} s" if wait >= 1 else "trying again"
            told.append(f"LOST: {cut(self._lost, 300)}; {again} (Ctrl+R: now)")
        elif overview["blocked"]:
            state = "BLOCKED"
            told.append(blocked_sentence(overview["blocked"], width))
        elif silent > SILENT + 3 * self._gap:
            state = "SILENT"
            told.append(f"SILENT: no update for {duration(silent)}; the server may be blocked")
        if not overview["running"]:
            state = "STOPPED" if state.islower() else state
            told.append("STOPPED: the supervisor was left; nothing will change any more")
        if now > self._notice_until:
            self.notice = ""
        self.trouble = "\n".join(told)
        for screen in self.screen_stack:
            if isinstance(screen, Told):
                screen.banner.tell(self.trouble, self.notice)
        self._main.head.show(overview, state)

    def say(self, notice: str) -> None:
        """
        Tell what just happened, for a while.
        """
        self.notice = cut(notice, 300)
        self._notice_until = monotonic() + NOTICE
        self._tell()

    def ask_to_close(self, incarnation: int, name: str) -> None:
        """
        Close a session, once it was confirmed.
        """
        if not self.overview["allow_close"]:
            self.say(NOT_ALLOWED)
            return

        def answered(yes: bool | None) -> None:  # noqa: FBT001
            if yes:
                begin(self, partial(self._close, incarnation, name), "close")

        self.push_screen(Confirm(incarnation, name), answered)

    async def _close(self, incarnation: int, name: str) -> None:
        who = cut(name, 60)
        try:
            decided = await self._client.close(incarnation)
        except ServerError as error:
            self.say(f"{who} was not closed: {error}")
            return
        if decided:
            self.say(f"{who} is being closed, as deleted")
        else:
            self.say(f"{who} was not closed: it had ended already")
        self._main.sessions.refresh_rows()

    def action_keys(self) -> None:
        """
        List the keys.
        """
        self.push_screen(Help())

    def action_connect(self) -> None:
        """
        Wait no longer to connect again.
        """
        self._now.set()
