"""
A program with requests of every kind, for the command to be tried on.
"""

PROGRAM = """
import asyncio
import shutil
from contextlib import asynccontextmanager

from sessionstate import LRUCache, Supervisor, session

seen, cache, tasks = set(), {}, []


class Server:
    async def answer(self):
        async with session("a", stall_timeout=60):
            await asyncio.sleep(1)


server = Server()


@asynccontextmanager
async def serving():
    async with Supervisor():
        yield


users = LRUCache(maxsize=10_000)


@asynccontextmanager
async def filled():
    users["ann"] = 1
    yield


async def reads(number):
    users[number] = users["ann"]


async def leaky(number):
    seen.add(f"signature-{number:060}")


async def tidy(number):
    await asyncio.sleep(0)


async def cached(number):
    cache[number] = bytes(500)


async def waits(number):
    if number == 25:
        await asyncio.gather(asyncio.Event().wait())


async def spins():
    while True:
        await asyncio.sleep(0)


@asynccontextmanager
async def never_up():
    raise OSError("the port is taken")
    yield


@asynccontextmanager
async def never_down():
    yield
    {}["server"]


@asynccontextmanager
async def never_there():
    await asyncio.Event().wait()
    yield


@asynccontextmanager
async def silent():
    try:
        yield
    except Exception:
        pass


@asynccontextmanager
async def group():
    async with asyncio.TaskGroup():
        yield


def breaks():
    raise KeyError("cache")


async def removes():
    shutil.rmtree("out", ignore_errors=True)


async def raises():
    raise ValueError("no such tool")


async def interrupted():
    raise KeyboardInterrupt


def sync():
    return 3


value = 3
"""
