"""
Lines of JSON between the demo and its processes, over their standard input and output.

Pipes, because they end with the process at either end: a child that reads the end of its input
stops, so nothing outlives a demo that was killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

Message = dict[str, Any]

LONGEST_LINE = 2**24
CHUNK = 2**16

PATIENCE = 5.0
"""Seconds for a process to end what it started itself, before it is killed."""


class Line:
    """
    The child's end: `receive` commands, `send` what came of them.
    """

    def __init__(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the demo itself is interrupted, and ends us
        self._loop = asyncio.get_running_loop()
        self._received: asyncio.Queue[Message | None] = asyncio.Queue()
        # A thread, because Windows cannot wait for a pipe on standard input in its event loop.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        pending = b""
        # os.read, because a daemon thread inside sys.stdin holds its lock when Python exits.
        while chunk := os.read(0, CHUNK):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._hand_over(json.loads(line))
        self._hand_over(None)

    def _hand_over(self, message: Message | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._received.put_nowait, message)
        except RuntimeError:
            return  # the loop is closed: this process is about to end

    async def receive(self) -> Message | None:
        """
        Wait for the next command; None when the demo is gone.
        """
        return await self._received.get()

    def send(self, **message: object) -> None:
        """
        Tell the demo something.
        """
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


class ChildError(RuntimeError):
    """
    A process of the demo ended, or said something, that it should not have.
    """


class Child:
    """
    The demo's end: one process, its messages and its complaints.

    Used as an async context manager, which leaves no process behind.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = module.rpartition(".")[2]
        self._command = (sys.executable, "-m", module, *arguments)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __aexit__)
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False

    async def __aenter__(self) -> Self:
        home = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stderr,
            limit=LONGEST_LINE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._running
        if process.stdin is not None:
            process.stdin.close()  # which ends it, and what it started
        try:
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
        except TimeoutError:
            if process.returncode is None and not self._killed:
                self.kill()
            await process.communicate()
        self._stderr.close()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"the {self.name} process was not started: use 'async with'")
        return self._process

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        return self._running.pid

    def send(self, **message: object) -> None:
        """
        Give the process a command.
        """
        stdin = self._running.stdin
        if stdin is not None:
            stdin.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Message | None:
        """
        Wait for what the process says next; None when it has ended.
        """
        stdout = self._running.stdout
        line = await stdout.readline() if stdout is not None else b""
        if not line.endswith(b"\n"):
            return None
        message: Message = json.loads(line)
        return message

    async def expect(self, key: str) -> Message:
        """
        Wait for the message that has *key*.
        """
        while (message := await self.receive()) is not None:
            if key in message:
                return message
        raise await self.complaint()

    def kill(self) -> None:
        """
        End the process at once: SIGKILL, on Windows TerminateProcess.
        """
        self._killed = True  # once: a second one would reap it before asyncio does
        self._running.kill()

    async def wait(self) -> int:
        """
        Wait for the process to end, however it does, and give its exit code.
        """
        while await self.receive() is not None:
            pass
        return await self._running.wait()

    async def stop(self) -> None:
        """
        Ask the process to end, and wait for it.
        """
        self.send(do="stop")
        await self.join()

    async def join(self) -> None:
        """
        Wait for the process to end, and well.
        """
        if await self.wait() != 0:
            raise await self.complaint()

    async def complaint(self) -> ChildError:
        """
        Make the error that says how the process ended, with the last that it wrote.
        """
        code = await self._running.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = "\n".join(lines[-12:]) or "it wrote no reason"
        return ChildError(f"the {self.name} process ended with exit code {code}:\n{last}")
