"""
The program that plays many clients, each on a real connection.

`python -m sessionstate._cli.demo.clients`; the demo gives it its conversations, and kills it or
tells it to stop.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sessionstate._cli.demo.channel import Line
from sessionstate._cli.demo.settings import GOODBYE_LIMIT, allow_sockets
from sessionstate._cli.demo.traffic import Conversation, Ending

# struct linger, on and zero seconds: close() sends RST. Two ints on POSIX, shorts in Winsock.
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Clients:
    """
    The conversations of this process.
    """

    def __init__(self, line: Line, address: str) -> None:
        self._line = line
        self._address = address
        # Silent clients keep their sockets: nobody may collect them.
        self._silent: list[ClientConnection] = []

    async def hold(self, one: Conversation, begun: float) -> None:
        """
        Have one conversation and report how it went.
        """
        await asyncio.sleep(begun + one.start - time.monotonic())
        found: bool | None = None
        cut = False
        try:
            match one.ending:
                case Ending.RECONNECTS:
                    found = await self._come_back(one)
                case Ending.RAISES | Ending.TIMEOUT:
                    await self._be_refused(one)
                case _:
                    connection = await self._begin(one)
                    await self._finish(one, connection)
        except ConnectionClosed:
            cut = True
        except Exception as error:
            self._line.send(broken=f"{one.id}: {type(error).__name__}: {error}")
            return
        self._line.send(ended=one.id, found=found, cut=cut)

    async def _connect(self, one: Conversation) -> ClientConnection:
        how = "limited" if one.ending is Ending.TIMEOUT else "chat"
        return await connect(
            f"{self._address}/{how}/{one.id}",
            compression=None,
            ping_interval=None,
            open_timeout=30,
            close_timeout=GOODBYE_LIMIT,
            proxy=None,
        )

    async def _begin(self, one: Conversation) -> ClientConnection:
        connection = await self._connect(one)
        for turn in range(one.turns):
            await self._ask(connection, one.prompt(turn))
            await asyncio.sleep(one.gap)
        return connection

    async def _ask(self, connection: ClientConnection, prompt: str) -> int:
        await connection.send(prompt)
        turn: int = json.loads(await connection.recv())["turn"]
        return turn

    async def _be_refused(self, one: Conversation) -> None:
        connection = await self._begin(one)
        try:
            await self._ask(connection, "poison" if one.ending is Ending.RAISES else "slow")
        except ConnectionClosed:
            return
        raise AssertionError("the server answered a prompt that it cannot answer")

    async def _finish(self, one: Conversation, connection: ClientConnection) -> None:
        if one.ending is Ending.POLITE:
            await connection.close()
        elif one.ending is Ending.RESET:
            reset(connection)
        else:  # silent, or about to be killed: keep the socket open, and say and read nothing more
            connection.transport.pause_reading()
            # sessionstate: bounded-by the conversations held, after which the process ends
            self._silent.append(connection)

    async def _come_back(self, one: Conversation) -> bool:
        reset(await self._begin(one))
        await asyncio.sleep(one.away)
        connection = await self._connect(one)
        turn = await self._ask(connection, "where were we?")
        await connection.close()
        return turn == one.turns + 1


def reset(connection: ClientConnection) -> None:
    """
    End the TCP connection with a reset: no close frame, no FIN.
    """
    transport = connection.transport
    shared = transport.get_extra_info("socket")
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()
    if sys.platform == "win32":
        # The Proactor loop shuts a socket down before it closes it, which sends FIN: be faster.
        socket.close(shared._sock.detach())


async def main() -> None:
    """
    Hold the conversations that the demo gives, then keep the silent ones open until told to stop.
    """
    line = Line()
    line.send(ready=True)
    running: list[asyncio.Task[None]] = []
    while (command := await line.receive()) is not None and command["do"] != "stop":
        clients = Clients(line, command["address"])
        begun = time.monotonic()
        running += [
            asyncio.create_task(clients.hold(Conversation.from_json(one), begun))
            for one in command["conversations"]
        ]
    for task in running:
        task.cancel()


if __name__ == "__main__":
    allow_sockets(16_384)
    asyncio.run(main())
