"""
What the tests of processes have in common: children, what is left of them, and who ends that.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sessionstate import _process_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sessionstate import OwnedProcess

POSIX = sys.platform != "win32"
PATIENCE = 20.0  # seconds until a test gives up: no result depends on it

needs_posix = pytest.mark.skipif(not POSIX, reason="needs process groups, sh, fork or SIGTERM")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs what only Linux has")


def can_ask() -> bool:
    """
    Tell whether a process can be asked to end: on Windows through a console, if there is one.
    """
    if POSIX:
        return True
    windows: Any = ctypes
    wine = hasattr(windows.windll.ntdll, "wine_get_version")  # whose consoles pass no Ctrl+Break on
    return bool(windows.windll.kernel32.GetConsoleCP()) and not wine


def child(*what: object) -> list[str]:
    """
    Return the command that runs `children.py`.
    """
    program = Path(__file__).with_name("children.py")
    return [sys.executable, "-IS", str(program), *map(str, what)]


async def lines(process: OwnedProcess, number: int) -> list[str]:
    """
    Return the first lines that a process writes.
    """
    assert process.stdout is not None
    text = b""
    async with asyncio.timeout(PATIENCE):
        while text.count(b"\n") < number:
            text += await process.stdout.receive()
    return text.decode().splitlines()[:number]


async def pids(process: OwnedProcess, number: int) -> list[int]:
    """
    Return the numbers that a process and its descendants write.
    """
    return [int(line) for line in await lines(process, number)]


def living(numbers: Iterable[int]) -> list[int]:
    """
    Return those of these processes that live; the dead whom nobody has reaped yet do not.
    """
    left: list[int] = []
    for pid in dict.fromkeys(numbers):
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                left.append(pid)
        except psutil.Error:
            pass
    return left


def zombies() -> list[int]:
    """
    Return the dead children of this process that it did not reap.
    """
    children = psutil.Process().children() if POSIX else []
    return [each.pid for each in children if each.status() == psutil.STATUS_ZOMBIE]


def descriptors() -> int:
    """
    Return how many file descriptors are open, where that can be told.
    """
    if sys.platform != "linux":
        return psutil.Process().num_fds() if POSIX else 0
    # uvloop keeps one of /dev/null once it has seen a pipe.
    places = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    return len([place for place in places if place != os.devnull])


def wait_until_dead(numbers: Iterable[int]) -> None:
    """
    Wait for processes that were killed without anybody waiting.
    """
    until = time.monotonic() + PATIENCE
    numbers = list(numbers)
    while living(numbers):
        assert time.monotonic() < until, f"still alive: {living(numbers)}"
        time.sleep(0.01)


def join(popen: subprocess.Popen[bytes]) -> None:
    """
    Wait for a process, and let the loop do nothing meanwhile.
    """
    popen.wait(PATIENCE)


async def until(condition: Callable[[], object]) -> None:
    """
    Wait for something that nothing tells of.
    """
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - real processes, in real time
            await asyncio.sleep(0.01)


def no_thread(thread: object) -> None:
    """
    Refuse to start a thread, as Python does when there are too many.
    """
    raise RuntimeError("can't start new thread")


@pytest.fixture
def nobody_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    Fail a test that leaves a process, a dead one or a file descriptor, and end what it left.
    """
    mark = secrets.token_hex(8)
    monkeypatch.setenv("SESSIONSTATE_TEST", mark)
    before = descriptors()
    yield
    left: list[psutil.Process] = []
    for process in psutil.process_iter() if POSIX else ():
        try:
            if process.pid != os.getpid() and process.environ().get("SESSIONSTATE_TEST") == mark:
                left.append(process)
        except psutil.Error:
            pass
    until = time.monotonic() + PATIENCE
    while descriptors() > before and time.monotonic() < until:
        time.sleep(0.01)  # a look over all processes, in its thread, has files of theirs open
    dead, trees, after = zombies(), list(_process_groups.trees), descriptors()
    names = [f"{process.pid}: {process.cmdline()}" for process in left if living([process.pid])]
    for tree in trees:
        tree.kill()
        tree.forget()
    for process in left:
        try:
            process.kill()
        except psutil.Error:
            pass
    assert not names, "processes left"
    assert not dead, "dead processes left"
    assert not trees, "trees left"
    assert after <= before, "file descriptors left"
