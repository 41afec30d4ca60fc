"""
How a tree of processes is started, asked to end, and killed: the one seam between the platforms.

On POSIX a tree is a process group, and what left it; on Windows, a Job object. Starting is one
synchronous step, so that nothing can come between a process and its owner: asyncio's own
`loop.subprocess_exec` awaits between the two, and what is cancelled there loses grandchildren.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psutil

from ._commands import Command
from ._events import logger
from ._jobs import CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, Job
from ._strays import Left, Question, Seen, all_facts, census

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

WINDOWS = sys.platform == "win32"
PAUSE = 0.05  # seconds at most between two looks at what was told to end
NOT_NOW: Final = (errno.EMFILE, errno.ENFILE)  # another look may well succeed
UNKNOWN: Final = 255  # what a process ended with whose status somebody else has taken: as asyncio


class Tree(ABC):
    """
    A process and all that it started.
    """

    __slots__ = ("_made_in", "_session", "pid", "popen")

    def __init__(self, session: Session, popen: subprocess.Popen[bytes]) -> None:
        self.popen: subprocess.Popen[bytes] = popen
        self.pid: int = popen.pid
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

    def poll(self) -> int | None:
        """Return what the process ended with; None while it runs."""
        return self.popen.poll()

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
    that of its first process, and the system gives it to nobody else meanwhile: once the system has
    no such group, nothing is sent to that number any more.
    """

    __slots__ = ("_empty", "_left", "_mark", "_only_dead", "_over")

    def __init__(self, session: Session, popen: subprocess.Popen[bytes], mark: str) -> None:
        super().__init__(session, popen)
        self._mark = mark
        self._empty = self._only_dead = self._over = False
        self._left: list[psutil.Process] = []

    def poll(self) -> int | None:
        popen = self.popen
        if popen.returncode is None and hasattr(os, "waitid"):
            # Popen takes a status that somebody else has taken for 0.
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                logger.warning(
                    "what process %d ended with is not known: somebody else has reaped it, such "
                    "as a handler of SIGCHLD",
                    self.pid,
                )
                popen.returncode = UNKNOWN
            else:
                if ended is not None:
                    code = ended.si_status
                    popen.returncode = code if ended.si_code == os.CLD_EXITED else -code
            return popen.returncode
        return popen.poll()

    def ask(self) -> None:
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # type: ignore[attr-defined, unused-ignore]

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
        lives = [_lives(process) for process in self._left]  # all: it reaps
        return self.poll() is None or any(lives)

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
        return not (self._empty or self._only_dead)

    async def look(self) -> bool:
        if self._over:  # of nobody, nobody comes
            return False
        alive = self.alive()
        try:
            self.take(await census().ask(Question(self._mark, self._number())))
        except Exception as error:
            later = isinstance(error, TimeoutError) or getattr(error, "errno", 0) in NOT_NOW
            return alive or later
        self._over = not self.alive()
        return not self._over

    def look_now(self, seen: Seen) -> None:
        """Same as `look`, where no loop runs."""
        self.take(seen.find(self._mark, self._number()))

    def _number(self) -> int | None:
        return None if self._empty else self.pid

    def take(self, left: Left) -> None:
        """Take note of what was seen of it; what was seen before is remembered until it is gone."""
        known = [each for each in self._left if each not in left.living and _lives(each)]
        self._left = [*left.living, *known]
        self._only_dead = left.only_dead  # whom nobody reaps


def _lives(process: psutil.Process) -> bool:
    try:
        if not process.is_running():  # its number may be that of another child of ours
            return False
        if process.status() != psutil.STATUS_ZOMBIE:
            return True
    except psutil.Error:
        return False
    # Only now: it is not looked at again, and may have come back to us.
    try:
        os.waitpid(process.pid, os.WNOHANG)  # type: ignore[attr-defined, unused-ignore]
    except OSError:
        pass
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
        return self.poll() is None or self._job.active() > 0

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
        if hasattr(os, "waitid"):
            # Not reaped here: until the loop knows of it, its number must be nobody else's.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        else:  # pragma: no cover - Windows, and macOS before Python 3.13
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

    The groups come first, then who left them, as one look here finds them. It is for the last
    layers, where no loop runs. In a forked child it does nothing.
    """
    _kill(session, None)


def kill_all(supervisor: Supervisor | None = None) -> None:
    """Same as `kill_groups`, but for all sessions, or for those of one supervisor."""
    _kill(None, supervisor)


def _kill(session: Session | None, supervisor: Supervisor | None) -> None:
    mine = [tree for tree in list(trees) if tree.ours() and tree.of(session, supervisor)]
    for tree in mine:
        with suppress(Exception):
            tree.kill()
    groups = [tree for tree in mine if isinstance(tree, Group)]
    if groups:
        with suppress(Exception):
            seen = Seen(all_facts(set()))
            for group in groups:
                group.look_now(seen)
                group.kill()
    for tree in mine:
        with suppress(Exception):
            threading.Thread(target=tree.bury, daemon=True).start()
