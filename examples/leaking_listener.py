"""
A leak on purpose: each request listens to the news of the program, and some never stop.

Nothing tells: the handler works, and news go to listeners whose clients left long ago. The mended
twin lets the session own the listening, so it ends with it, however that comes.

    python examples/leaking_listener.py
    sessionstate leakcheck examples.leaking_listener:leaky
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sessionstate import Supervisor, session
from sessionstate.testing import LeakReport, VirtualClock, leakcheck

listeners: list[Callable[[str], None]] = []


async def converse(number: int) -> None:
    await asyncio.sleep(0.1)
    if number % 3 == 0:
        raise ConnectionResetError(f"client-{number}")


async def leaky(number: int) -> None:
    news = [f"hello, client-{number}"]
    hear = news.append
    listeners.append(hear)
    with suppress(ConnectionResetError):
        await converse(number)
        listeners.remove(hear)  # not reached when the connection is reset


async def mended(number: int) -> None:
    news = [f"hello, client-{number}"]
    with suppress(ConnectionResetError):
        async with session(f"client-{number}", stall_timeout=300) as s:
            s.listen(subscribe=listeners.append, unsubscribe=listeners.remove, handler=news.append)
            await converse(number)


@asynccontextmanager
async def serving() -> AsyncIterator[None]:
    async with Supervisor():
        yield


async def main() -> list[LeakReport]:
    async with serving():
        return [await leakcheck(request, requests=100) for request in (leaky, mended)]


if __name__ == "__main__":
    for report in VirtualClock().run(main()):
        print(f"{report.subject}: {report.verdict}")
