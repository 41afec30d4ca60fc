"""
A runner of commands for clients: what a client has started ends with its connection.

Killing a process leaves behind whatever that has started. A session ends the whole tree: it asks,
waits for a grace, kills what is left, and reaps. So nothing runs on when a client hangs up, is
killed, or falls silent.

    python examples/process_runner.py
"""

import asyncio
import sys
from asyncio.subprocess import STDOUT
from contextlib import closing, suppress

import psutil

import sessionstate
from sessionstate import Session, SessionClosed, Supervisor, session

# It starts another process, tells both pids, and goes on until it is ended.
WATCH = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""

COMMANDS = {  # what clients may run: never what they send
    "greet": [sys.executable, "-c", "print('hello')"],
    "fail": [sys.executable, "-c", "import sys; sys.exit('no such luck')"],
    "watch": [sys.executable, "-c", WATCH],
}


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, SessionClosed), closing(writer):
        name = (await reader.readline()).decode().strip()
        if name not in COMMANDS:
            writer.write(f"choose from {', '.join(COMMANDS)}\n".encode())
            return
        async with session(stall_timeout=300) as s:
            s.start_soon(end_with_client, s, reader)
            code = await (stream if name == "watch" else collect)(s, name, writer)
            writer.write(f"ended with {code}\n".encode())
            await writer.drain()


async def collect(s: Session, name: str, writer: asyncio.StreamWriter) -> int:
    """All that it writes, at its end; more than *max_output* bytes would be an error."""
    done = await s.run_process(COMMANDS[name], stderr=STDOUT, check=False, max_output=2**20)
    writer.write(done.stdout)
    return done.returncode


async def stream(s: Session, name: str, writer: asyncio.StreamWriter) -> int:
    """What it writes, as it comes."""
    process = await s.open_process(COMMANDS[name], stderr=STDOUT)
    assert process.stdout is not None
    async for chunk in process.stdout:
        s.touch()
        writer.write(chunk)
        await writer.drain()  # a slow client makes the process wait
    return await process.wait()


async def end_with_client(s: Session, reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()  # until it hangs up
    s.close_soon()


async def ask(port: int, command: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(f"{command}\n".encode())
        if command == "watch":
            return (await reader.readline()).decode()
        return (await reader.read()).decode()


def running(pids: list[int]) -> int:
    found = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found += psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return found


async def main() -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with Supervisor() as supervisor, server:
        port = server.sockets[0].getsockname()[1]
        for command in ("greet", "fail"):
            print(f"{command}: {(await ask(port, command)).splitlines()}")
        pids = [int(pid) for pid in (await ask(port, "watch")).split()]  # and hangs up
        for s in list(supervisor.values()):
            await s.wait_closed()
        print(f"watch: {len(pids)} processes, {running(pids)} left")


if __name__ == "__main__":
    sessionstate.run(main())
