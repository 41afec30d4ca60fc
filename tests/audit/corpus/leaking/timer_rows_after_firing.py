"""A fired reminder leaves its handle with its arguments, because the callback sends the reminder and does not take out its row."""

import asyncio
from contextlib import ExitStack

reminders: dict[str, asyncio.TimerHandle] = {}  # leaks SS001: neither firing nor leaving removes the handle
present: dict[str, object] = {}  # clean: the exit stack pops it


def remind(user_id: str, seconds: float, text: str) -> None:
    loop = asyncio.get_running_loop()

    def fire() -> None:
        socket = present.get(user_id)
        if socket is not None:
            socket.send_soon(text)

    reminders[f"{user_id}/{loop.time()}"] = loop.call_later(seconds, fire)


async def serve(socket, user_id: str) -> None:
    with ExitStack() as stack:
        stack.callback(present.pop, user_id, None)
        present[user_id] = socket
        async for line in socket:
            seconds, _, text = line.partition(" ")
            remind(user_id, float(seconds), text)
