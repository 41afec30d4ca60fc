"""
A leak on purpose: what a failed request was about is noted by session, and never looked at again.

The dict of dicts is emptied when a session says goodbye, and one whose request failed does not. The
mended twin keeps it in a `SessionMap`: it goes with the session, whichever way that ends.

    python examples/leaking_error_path.py
    sessionstate leakcheck examples.leaking_error_path:leaky
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sessionstate import SessionMap, Supervisor, session
from sessionstate.testing import LeakReport, VirtualClock, leakcheck

Failure = dict[str, dict[str, str]]

noted: dict[str, Failure] = {}
notes = SessionMap[Failure]("notes")


async def work(number: int) -> None:
    await asyncio.sleep(0.1)
    if number % 10 == 0:
        raise ValueError(f"no tool for step {number}")


def describe(error: Exception, name: str) -> Failure:
    return {
        "error": {"text": str(error), "kind": type(error).__name__},
        "request": {"session": name, "path": f"/sessions/{name}/messages"},
    }


async def leaky(number: int) -> None:
    name = f"chat-{number}"
    try:
        await work(number)
        noted.pop(name, None)
    except ValueError as error:
        noted[name] = describe(error, name)


async def mended(number: int) -> None:
    with suppress(ValueError):
        async with session(f"chat-{number}", stall_timeout=300) as s:
            try:
                await work(number)
            except ValueError as error:
                notes[s] = describe(error, s.id)
                raise


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
