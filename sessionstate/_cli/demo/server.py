"""
The program that runs one of the two chat servers on a real socket, and measures itself.

`python -m sessionstate._cli.demo.server plain|scoped [leak to plant]`
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections import Counter
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib import import_module
from traceback import format_exc
from typing import Protocol, cast

import psutil
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sessionstate import SessionClosed, current_supervisor, run
from sessionstate._cli.demo import tools, webhooks
from sessionstate._cli.demo.channel import Line
from sessionstate._cli.demo.holdings import (
    MODEL_CHANGED,
    PoisonedPromptError,
    bus,
    listeners,
    living_agents,
    living_sub_agents,
    open_contexts,
    tally,
)
from sessionstate._cli.demo.settings import (
    GOODBYE_LIMIT,
    REQUEST_LIMIT,
    SAMPLE_EVERY,
    allow_sockets,
)


class ChatServer(Protocol):
    """
    What `plain` and `scoped` have in common: both are modules, as such servers are.
    """

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """
        Run whatever the server needs while it serves.
        """
        ...

    async def handle(self, id: str, socket: ServerConnection, /) -> None:
        """
        Serve one connection.
        """
        ...

    def session_deleted(self, id: str, /) -> None:
        """
        Take the event of the bus.
        """
        ...

    def first_time(self, signature: str, signed_at: float, /) -> bool:
        """
        Tell whether to act upon a webhook.
        """
        ...

    def signatures(self) -> int:
        """
        Count the signatures remembered.
        """
        ...

    def sessions(self) -> int:
        """
        Count the conversations held.
        """
        ...

    def map_entries(self) -> int:
        """
        Count the entries of all maps.
        """
        ...

    def endings(self) -> dict[str, int]:
        """
        Count ends by their reason.
        """
        ...

    def ended_by_deadline(self) -> int:
        """
        Count the ends that a deadline brought.
        """
        ...


class Front:
    """
    Accepts connections, hands them to the chat server, and measures what is there.
    """

    def __init__(self, chat: ChatServer, line: Line) -> None:
        self._chat = chat
        self._line = line
        self._outcomes: Counter[str] = Counter()
        self._process = psutil.Process()
        self._began = 0.0
        self._tasks_before = 0
        self.shown = AsyncExitStack()
        """What shows the live page, if somebody wants it."""

    async def serve(self, socket: ServerConnection) -> None:
        """
        Serve one connection; in /limited/<id> the server limits the handler's time.
        """
        _, how, id = (socket.request.path if socket.request else "//").split("/")
        limit = REQUEST_LIMIT if how == "limited" else None
        try:
            async with asyncio.timeout(limit):
                await self._chat.handle(id, socket)
        except PoisonedPromptError:
            outcome = "handler raised"
        except TimeoutError:
            outcome = "timed out"
        except SessionClosed:
            outcome = "ended by its session"
        except ConnectionClosed:
            outcome = "connection lost"
        except Exception:
            outcome = "unexpected"
            self._line.send(unexpected=format_exc())
        else:
            outcome = "finished"
        self._outcomes[outcome] += 1
        await socket.close(1000 if outcome == "finished" else 1011)

    async def take_webhook(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Serve one webhook, and tell everybody what it says.
        """
        try:
            body, signed_at, signature = await webhooks.read(reader)
            if webhooks.sign(signed_at, body) != signature:
                status = webhooks.FORGED
            elif not self._chat.first_time(signature, float(signed_at)):
                status = webhooks.SEEN_BEFORE
            else:
                status = webhooks.TAKEN
                bus.emit(MODEL_CHANGED, body.decode())
            await webhooks.answer(writer, status)
        except Exception:
            self._line.send(unexpected=format_exc())

    def begin(self) -> None:
        """
        Start the clock, and take what is there now as the ground level.
        """
        gc.collect()
        tally.agents = tally.requests = 0
        self._began = time.monotonic()
        self._tasks_before = len(asyncio.all_tasks())

    def sample(self) -> dict[str, float]:
        """
        Take one look: cheap enough to be repeated.
        """
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "rss": self._process.memory_info().rss,
            "sessions": self._chat.sessions(),
            "requests": tally.requests,
            "processes": sum(tools.running()),
        }

    def census(self) -> dict[str, object]:
        """
        Count everything that is still there, after a full garbage collection.
        """
        gc.collect()
        return {
            **self.sample(),
            "conversations": tally.agents,
            "map_entries": self._chat.map_entries(),
            "tasks": len(asyncio.all_tasks()) - self._tasks_before,
            "contexts": len(open_contexts),
            "agents": len(living_agents),
            "sub_agents": len(living_sub_agents),
            "listeners": listeners(),
            "tools": tools.running()[0],
            "grandchildren": tools.running()[1],
            "signatures": self._chat.signatures(),
            "endings": self._chat.endings(),
            "outcomes": dict(sorted(self._outcomes.items())),
            "ended_by_deadline": self._chat.ended_by_deadline(),
        }

    async def keep_sampling(self) -> None:
        """
        Report a sample again and again, until cancelled.
        """
        while True:
            await asyncio.sleep(SAMPLE_EVERY)
            self._line.send(sample=self.sample())

    async def _show(self) -> None:
        """
        Serve the live page as long as the program runs, and tell where.
        """
        from sessionstate.dashboard import serve_dashboard  # noqa: PLC0415 - takes memory

        shown = serve_dashboard(current_supervisor(), allow_close=True, redact="none")
        page = await self.shown.enter_async_context(shown)
        self._line.send(shown_at=page.login_url)

    async def obey(self) -> None:
        """
        Do what the demo says, until it says stop or is gone.
        """
        line = self._line
        sampling = asyncio.create_task(self.keep_sampling())
        await asyncio.sleep(0)
        while (command := await line.receive()) is not None and command["do"] != "stop":
            if command["do"] == "delete":
                self._chat.session_deleted(command["id"])
            elif command["do"] == "begin":
                self.begin()
                line.send(begun=self.sample())
            elif command["do"] == "show":
                await self._show()
            elif command["do"] == "settle":
                await asyncio.sleep(command["seconds"])
                line.send(census=self.census())
        sampling.cancel()


async def main(name: str, leak: str | None) -> None:
    """
    Serve on a free port of the loopback interface until told to stop.
    """
    line = Line()
    logging.getLogger("websockets").addHandler(logging.NullHandler())
    logging.getLogger("websockets").propagate = False  # clients vanish here on purpose
    if leak is not None:
        import_module("sessionstate._cli.demo.plants").install(leak)
    chat = cast("ChatServer", import_module(f"sessionstate._cli.demo.{name}"))
    front = Front(chat, line)
    async with (
        chat.lifespan(),
        front.shown,
        serve(
            front.serve,
            "127.0.0.1",
            0,
            backlog=1024,
            compression=None,
            # A keepalive would save the plain server from silent clients, though only from those.
            ping_interval=None,
            open_timeout=30,
            close_timeout=GOODBYE_LIMIT,
        ) as listening,
        await asyncio.start_server(front.take_webhook, "127.0.0.1", 0) as hooks,
    ):
        port, hook_port = (next(iter(one.sockets)).getsockname()[1] for one in (listening, hooks))
        line.send(port=port, hook_port=hook_port)
        try:
            await front.obey()
        finally:
            # At once, before anything that may take its time; also those that just start.
            tools.end_all(*psutil.Process().children(recursive=True))


if __name__ == "__main__":
    allow_sockets(16_384)
    run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))  # noqa: PLR2004
