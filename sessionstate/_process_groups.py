"""
How a tree of processes is started, asked to end, and killed: the one seam between the platforms.

On POSIX a tree is a process group, and what left it; on Windows, a Job object. Starting is one
synchronous step, so that nothing can come between a process and its owner: asyncio's own
`loop.subprocess_exec` awaits between the two, and what is cancelled there loses grandchildren.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil

from ._commands import Command
from ._jobs import CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, Job
from ._strays import left_of

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

WINDOWS = sys.platform == "win32"
PAUSE = 0.05  # seconds at most between two looks at what was told to end


class Tree(ABC):
    """
    A process and all that it started.
    """

    __slots__ = ("_made_in", "_session", "pid", "popen")

    def __init__(self, session: Session, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.pid = popen.pid
        self._made_in = os.getpid()
        self._session = weakref.ref(session)
        trees[self] = None

    def of(self, session: Session | None, supervisor: Supervisor | None) -> bool:
        """Tell whether it belongs to this session, or to one of this supervisor; None is any."""
        owner = self._session()
        return (session is None or owner is session) and (
            supervisor is None or (owner is not None and owner._supervisor is supervisor)
        )

    def ours(self) -> bool:
        """Tell whether this process started it, and not one that this was forked from."""
        return self._made_in == os.getpid()

    @abstractmethod
    def ask(self) -> None:
        """Ask all of it to end."""

    @abstractmethod
    def kill(self) -> None:
        """End all of it, without waiting for that."""

    @abstractmethod
    def alive(self) -> bool:
        """Tell whether anything is left of it that is known."""

    @abstractmethod
    def known(self) -> bool:
        """Tell whether any that is known by its number lives; else only a look tells more."""

    @abstractmethod
    async def look(self) -> bool:
        """Look for what left it; tell whether anything is left."""

    async def gone(self, seconds: float, unless: asyncio.Future[None] | None = None) -> bool:
        """Wait until nothing is left, but not longer than that, nor than until *unless* is done."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        pause = PAUSE / 64
        while self.alive():
            rest = until - loop.time()
            if rest <= 0 or (unless is not None and unless.done()):
                return False
            # Nothing tells when a group is empty: ask again and again, but not for long.
            if unless is None:
                await asyncio.sleep(min(pause, rest))
            else:
                await asyncio.wait([unless], timeout=min(pause, rest))
            pause = min(2 * pause, PAUSE)
            if not self.known():
                await self.look()
        return True

    def bury(self) -> None:
        """Wait for the process in a thread, where no loop does any more."""
        self.popen.wait()
        self.forget()

    def forget(self) -> None:
        """Let go of it."""
        trees.pop(self, None)


class Group(Tree):
    """
    A process group, and the processes that left it.

    A group is there until its dead are reaped, which takes who inherits them a while. Its number is
    that of its first process, and the system gives it to nobody else meanwhile: once the group was
    seen empty, nothing is sent to that number any more.
    """

    __slots__ = ("_empty", "_left", "_mark")

    def __init__(self, session: Session, popen: subprocess.Popen[bytes], mark: str) -> None:
        super().__init__(session, popen)
        self._mark = mark
        self._empty = False
        self._left: list[psutil.Process] = []

    def ask(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)  # type: ignore[attr-defined, unused-ignore]

    def _signal(self, number: signal.Signals) -> None:
        if not self._empty:
            try:
                os.killpg(self.pid, number)  # type: ignore[attr-defined, unused-ignore]
            except ProcessLookupError:
                self._empty = True
            except PermissionError:  # all that is left of it took another user's rights
                pass
        for process in self._left:
            try:
                process.send_signal(number)  # which sees whether its number is another's now
            except psutil.Error:
                pass

    def known(self) -> bool:
        return self.popen.poll() is None or any(_lives(process) for process in self._left)

    def alive(self) -> bool:
        if self.known():
            return True
        if not self._empty:
            try:
                # Those that came back to us.
                while os.waitpid(-self.pid, os.WNOHANG)[0]:  # type: ignore[attr-defined, unused-ignore]
                    pass
            except OSError:
                pass
            try:
                os.killpg(self.pid, 0)  # type: ignore[attr-defined, unused-ignore]
            except ProcessLookupError:
                self._empty = True
            except PermissionError:
                pass
        return not self._empty

    async def look(self) -> bool:
        alive = self.alive()
        try:
            left = await left_of(self._mark, None if self._empty else self.pid)
        except Exception:
            return alive
        self._left = left
        if not left and self.popen.returncode is not None:
            self._empty = True  # but for the dead whom nobody reaps
        return bool(left) or self.popen.returncode is None


def _lives(process: psutil.Process) -> bool:
    try:
        # It may have come back to us.
        os.waitpid(process.pid, os.WNOHANG)  # type: ignore[attr-defined, unused-ignore]
    except OSError:
        pass
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


class JobTree(Tree):
    """
    The processes in a Job object, which nobody leaves.
    """

    __slots__ = ("_job",)

    def __init__(self, session: Session, popen: subprocess.Popen[bytes], job: Job) -> None:
        super().__init__(session, popen)
        self._job = job

    def ask(self) -> None:
        self._job.ask(self.pid)

    def kill(self) -> None:
        self._job.kill()

    def known(self) -> bool:
        return self.popen.poll() is None or self._job.active() > 0

    def alive(self) -> bool:
        return self.known()

    async def look(self) -> bool:
        return self.alive()

    def forget(self) -> None:
        super().forget()
        self._job.close()


def start(session: Session, command: Command) -> Tree:
    """
    Start a process that can be ended with all that it starts.

    Raises:
        OSError: If it could not be started; nothing is left then.
    """
    if WINDOWS:  # pragma: no cover - needs Windows
        return start_in_job(session, command, _windows_popen, Job())
    popen = subprocess.Popen[bytes](**command.arguments(), start_new_session=True, bufsize=0)
    return Group(session, popen, command.mark)


def start_in_job(
    session: Session, command: Command, start: Callable[..., subprocess.Popen[bytes]], job: Job
) -> Tree:
    """Start a process that is in *job* before its first instruction."""
    given = command.arguments()
    flags = CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | given.pop("creationflags")
    popen = None
    try:
        popen = start(**given, creationflags=flags)
        job.take(popen._handle)  # type: ignore[attr-defined]
    except BaseException:
        if popen is not None:
            popen.kill()
            popen.wait()
            for pipe in (popen.stdin, popen.stdout, popen.stderr):
                if pipe is not None:
                    pipe.close()
        job.close()
        raise
    return JobTree(session, popen, job)


def _windows_popen(**given: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 # pragma: no cover - needs Windows
    """Start a process with pipes that the Proactor loop can read and write."""
    loop: Any = asyncio.get_running_loop()
    if not hasattr(loop, "_proactor"):
        raise RuntimeError(
            f"on Windows, child processes need asyncio's Proactor loop, its default, not "
            f"{type(loop).__name__}"
        )
    windows: Any = importlib.import_module("asyncio.windows_utils")
    popen: subprocess.Popen[bytes] = windows.Popen(**given)
    return popen


def watch(popen: subprocess.Popen[bytes], ended: Callable[[], None]) -> Callable[[], None]:
    """
    Have *ended* called in the running loop when a process has ended; return how to give that up.
    """
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(popen.pid)  # type: ignore[attr-defined, unused-ignore]
    except (AttributeError, OSError):  # another system than Linux, or too many open files
        _watch_in_thread(loop, popen, ended)
        return lambda: None

    def stop() -> None:
        nonlocal fd
        if fd >= 0:
            loop.remove_reader(fd)
            os.close(fd)
            fd = -1

    loop.add_reader(fd, ended)
    return stop


def _watch_in_thread(
    loop: asyncio.AbstractEventLoop, popen: subprocess.Popen[bytes], ended: Callable[[], None]
) -> None:
    def wait() -> None:
        popen.wait()
        try:
            loop.call_soon_threadsafe(ended)
        except RuntimeError:  # the loop was closed
            pass

    name = f"sessionstate: waiting for process {popen.pid}"
    threading.Thread(target=wait, name=name, daemon=True).start()


# The last layer

trees: dict[Tree, None] = {}
"""All that was started in this process, or in one that it was forked from, and did not end yet."""


def kill_groups(session: Session) -> None:
    """
    Kill all that a session has started, at once, without waiting and without any error.

    It is for the last layers, where no loop runs. In a forked child it does nothing.
    """
    _kill(session, None)


def kill_all(supervisor: Supervisor | None = None) -> None:
    """Same as `kill_groups`, but for all sessions, or for those of one supervisor."""
    _kill(None, supervisor)


def _kill(session: Session | None, supervisor: Supervisor | None) -> None:
    for tree in list(trees):
        try:
            if tree.ours() and tree.of(session, supervisor):
                tree.kill()
                threading.Thread(target=tree.bury, daemon=True).start()
        except Exception:
            pass
