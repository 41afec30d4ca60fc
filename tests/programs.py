"""
Real programs in real processes, which write down what of their clean-up ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0  # seconds until a test gives up: no result depends on it

PROLOGUE = """
import asyncio, os, signal, sys, time
import sessionstate
from sessionstate import Supervisor

def log(text):
    with open(os.environ["LOG"], "a") as file:
        print(text, file=file)

async def log_later(text):
    await asyncio.sleep(0.01)
    log(text)

class Context:
    def __init__(self, id):
        self.id = id
    def __enter__(self):
        return self
    def __exit__(self, cls, error, traceback):
        log(f"{self.id}: context, {cls and cls.__name__}")

def own(s):
    s.callback(log, f"{s.id}: sync")
    s.push_async_callback(log_later, f"{s.id}: async")
    s.enter_context(Context(s.id))

def ready():
    print("ready", flush=True)

async def hold(supervisor, inside):
    async with supervisor.session("held") as s:
        own(s)
        await supervisor.open("idle")
        own(supervisor["idle"])
        await inside()

async def wait():
    ready()
    await asyncio.Event().wait()
"""

MAIN = """
async def main(inside=wait):
    async with Supervisor() as supervisor:
        if "install" in os.environ:
            supervisor.install_signal_handlers()
        await hold(supervisor, inside)
"""

LEFT_RUNNING = """
async def begin():
    global supervisor, task, held
    supervisor = await Supervisor().__aenter__()
    held = asyncio.Event()
    async def inside():
        held.set()
        await asyncio.Event().wait()
    task = asyncio.create_task(hold(supervisor, inside))
    await held.wait()

loop = asyncio.new_event_loop()
"""

SYNC = ["idle: context, None", "idle: sync", "held: context, SessionClosed", "held: sync"]
"""What runs without a loop for the sessions of `MAIN` and `LEFT_RUNNING`."""


class Program:
    """
    A Python program in a process of its own; leaving the block leaves no process behind.
    """

    def __init__(
        self, tmp_path: Path, source: str = "", *, arguments: tuple[str, ...] = (), **env: str
    ) -> None:
        self._log = tmp_path / "log"
        command = arguments or ("-c", PROLOGUE + source)
        paths = [str(ROOT), env.pop("PYTHONPATH", ""), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "LOG": str(self._log),
                "PYTHONUNBUFFERED": "",  # what is printed and not flushed would be lost
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=os.name == "posix",
        )
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            for child in self.children(""):
                child.kill()
            self.process.kill()
        self.process.communicate()

    def wait_for(self, text: str) -> str:
        """
        Return the line of the output that contains *text*, once it is there.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return line
        raise AssertionError(f"{text!r} is not in the output:\n{self.output}")

    def send(self, number: int) -> None:
        """
        Send a signal to the process, and to no other.
        """
        self.process.send_signal(number)

    def children(self, text: str) -> list[psutil.Process]:
        """
        Return the child processes whose command line contains *text*.
        """
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if text in " ".join(child.cmdline())]

    def status(self) -> int:
        """
        Wait for the end, and return the exit status.
        """
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.output += rest
        return self.process.returncode

    def log(self) -> list[str]:
        """
        Return what the program has written down.
        """
        return self._log.read_text().splitlines() if self._log.exists() else []
