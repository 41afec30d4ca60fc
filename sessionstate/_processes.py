"""
Child processes that end with their session.

Each lives in a hosted context (see `_hosting`): entering it starts the process, leaving it ends the
whole tree, in a task that nobody else can cancel. How a tree ends: its stdin is closed, all of it
is asked to end, and after the grace it is killed, also when the process itself is long gone. A
cancellation of that, when the step's time is used up, only shortens the grace.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final

import anyio.abc

from ._clock import Seconds, seconds
from ._commands import Command
from ._hosting import HostedContext
from ._output import Input, Output, Pipes
from ._process_groups import Tree, start, watch
from ._resources import hide
from ._strays import census

if TYPE_CHECKING:
    from ._session import Session
    from ._teardown import Ending

GRACE: Final = 1.0
PATIENCE: Final = 2.0  # seconds for what was killed to be gone
LAST_WORDS: Final = 0.5  # seconds for the output of what has ended
LONGEST_PAUSE: Final = 5.0  # seconds between looks at what a process left running


class Life:
    """
    One process from its start until nothing is left of it, as a context.
    """

    def __init__(self, command: Command, grace: float) -> None:
        self.name: str = command.name
        self.__qualname__ = command.name  # for describe()
        self.grace = grace
        self.pipes: Pipes = Pipes()
        self.returncode: int | None = None
        self.tree: Tree | None = None
        self.settled: asyncio.Event = asyncio.Event()
        """Set when the process has ended, and what it wrote until then was read."""
        self.asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the end was asked for."""
        self.hurried: bool = False
        self.keeps: bool = True
        """Whether what it wrote may be received after its end."""
        self.terminated: bool = False
        self.row: ProcessRow | None = None
        self._command: Command | None = command
        self._unwatch: Callable[[], None] = _nothing

    async def __aenter__(self) -> OwnedProcess:
        row, command = self.row, self._command
        assert row is not None
        assert row._session is not None
        assert command is not None
        self._command = None
        tree = self.tree = start(row._session, command)
        self.pipes.own(tree.popen)
        try:
            self._unwatch = watch(tree.popen, self._exited)
            await self.pipes.connect()
        except BaseException:
            self.hurried = True
            await self._end()
            raise
        return OwnedProcess(self)

    async def __aexit__(
        self, cls: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        over = not (self.asked.done() or self.terminated or self.returncode is None)
        if over and not await self._leaves_something():
            await self._over()
        else:
            await self._end()

    def ask(self, *, keep: bool = False) -> bool:
        """Begin to end it; tell whether this call did."""
        self.keeps = self.keeps and keep
        if self.asked.done():
            return False
        self.asked.set_result(None)
        self._leave()
        return True

    def hurry(self) -> None:
        """Kill it at once, instead of waiting for anything."""
        self.hurried = True
        if self.tree is not None:  # pragma: no branch - else it was not begun
            self.tree.kill()

    def _exited(self) -> None:
        if self.tree is not None:
            self.returncode = self.tree.poll()
            self._unwatch()
            self._leave()

    def _leave(self) -> None:
        if self.row is not None and not self.row._stop.done():
            self.row._stop.set_result(None)

    async def _leaves_something(self) -> bool:
        """Wait until nothing is left of what ended by itself, or it is to be ended (True)."""
        tree = self.tree
        assert tree is not None
        for output in self.pipes.outputs:
            output.keep_last()
        try:
            gone = await tree.gone(LAST_WORDS / 10, unless=self.asked)
            await self.pipes.read_out(LAST_WORDS / 10)
            if gone and self.pipes.ended():
                # Nobody needs to wait for the look at those who may have left the tree.
                await self.pipes.aclose(keep=True)
                self.settle()
                await self._pause(census().rest(asyncio.get_running_loop().time()))
            pause = LAST_WORDS / 10
            # What a look has found is watched; when that is gone, there may be others.
            while not self.asked.done() and (tree.known() or await tree.look()):
                for output in self.pipes.outputs:
                    output.keep_some()
                self.settle()
                await self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            if not self.asked.done():
                await self.pipes.read_out(LAST_WORDS)
        except asyncio.CancelledError:
            self.hurried = True
            return True
        return self.asked.done()

    async def _pause(self, seconds: float) -> None:
        """Wait for so long, or until the end is asked for."""
        await asyncio.wait([self.asked], timeout=seconds)

    def settle(self, _: object = None) -> None:
        """Let go on who waits for the process."""
        self.settled.set()

    def terminate(self) -> None:
        """Ask all of it to end; when the process itself has ended, the rest is ended."""
        self.terminated = True
        if self.tree is not None:
            self.tree.ask()
            if self.returncode is not None:
                self.ask(keep=True)

    def kill(self) -> None:
        """Kill all of it that is known at once, and what is found of the rest."""
        if self.tree is not None:
            self.hurry()
            self.ask(keep=True)

    def wait_without_reading(self) -> None:
        """Do not let the process wait for a reader, unless there is one."""
        if self.returncode is None:
            for output in self.pipes.outputs:
                output.drop_rest(unless_read=True)

    def outcome(self) -> int:
        """Return what the process ended with."""
        if self.returncode is None:
            raise RuntimeError(f"{self.name!r} could not be ended: see the errors of its clean-up")
        return self.returncode

    async def _end(self) -> None:
        tree = self.tree
        assert tree is not None
        left = True
        try:
            if self.pipes.stdin is not None:
                self.pipes.stdin.close()
            for output in self.pipes.outputs:
                if self.keeps:
                    output.keep_last()
                else:
                    output.drop_rest()
            left = self.hurried or await tree.look()
            if left and not self.hurried:
                tree.ask()
                await tree.gone(self.grace)
        except asyncio.CancelledError:
            self.hurried = left = True
        finally:
            try:
                if left:
                    await self._kill(tree)
                if self.keeps:
                    with suppress(asyncio.CancelledError):
                        await self.pipes.read_out(LAST_WORDS)
            finally:
                await self._over()

    async def _kill(self, tree: Tree) -> None:
        """Kill what is left until nothing is, whoever cancels this."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        left = True
        while left:
            if self.hurried or tree.alive():
                tree.kill()
            try:
                await tree.gone(LAST_WORDS / 10)
                left = await tree.look()
            except asyncio.CancelledError:
                self.hurried = True
            if left and loop.time() > until:
                if not tree.known():  # the dead cannot be told from the living here
                    return
                raise TimeoutError(
                    f"{self.name!r} (process {tree.pid}) still runs {PATIENCE:g} s after "
                    f"it was killed: it hangs in the system, or took another user's rights"
                )

    async def _over(self) -> None:
        """Let go of everything but the outcome, and the output that may be received."""
        tree, self.tree = self.tree, None
        assert tree is not None
        self.returncode = tree.poll()
        self._unwatch()
        self._unwatch = _nothing
        tree.forget()
        self.row = None
        await self.pipes.aclose(keep=self.keeps)


def _nothing() -> None:
    """Do nothing."""


class ProcessRow(HostedContext):
    """What a session keeps of a process until nothing is left of it."""

    __slots__ = ("_life",)

    kind = "process"

    _cm: Life

    def run(self, thrown: BaseException | None) -> asyncio.Task[object] | None:
        session = self._session
        assert session is not None
        # Those next to it end with it, so that their times of grace are one.
        for row in [self, *reversed(list(session._steps or ()))]:
            if type(row) is not ProcessRow:
                break
            if row._entered and row._task is not None:
                hide(row._task)
                row._cm.ask()
        ending: Ending | None = session._ending
        if ending is not None and ending._hurried:
            self._cm.hurry()
        return super().run(thrown)


class OwnedProcess(anyio.abc.Process):
    """
    A process that ends with its session, with all that it started.

    It is an `anyio.abc.Process`. `terminate`, `kill`, `cancel` and `aclose` mean the whole tree.
    Output that nobody reads makes the process wait, as everywhere; but while somebody waits for its
    end and nobody has begun to read, what goes beyond some 128 KiB is dropped, and `receive` says
    so in its place. What it wrote last is read when it has ended, up to a MiB.

    .. versionadded:: 0.1
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        assert life.tree is not None
        assert life.row is not None
        self._pid = life.tree.pid
        self._task = life.row._task

    def __repr__(self) -> str:
        code = self.returncode
        state = "running" if code is None else f"ended with {code}"
        return f"<{type(self).__name__} {self._life.name!r} {self._pid} {state}>"

    @property
    def pid(self) -> int:
        """
        The number of the process.
        """
        return self._pid

    @property
    def returncode(self) -> int | None:
        """
        What the process ended with; None while it runs. Negative: the signal that ended it.
        """
        return self._life.returncode

    @property
    def stdin(self) -> Input | None:
        """
        The stream to its input, if it is a pipe.
        """
        return self._life.pipes.stdin

    @property
    def stdout(self) -> Output | None:
        """
        The stream of its output, if it is a pipe.
        """
        return self._life.pipes.stdout

    @property
    def stderr(self) -> Output | None:
        """
        The stream of its errors, if it is a pipe.
        """
        return self._life.pipes.stderr

    async def wait(self) -> int:
        """
        Wait until the process has ended, and return what it ended with.

        Nothing of it is left then, unless it left others running: they are the session's, and end
        with it, as does who left the tree, which is looked for afterwards. Nobody needs to read its
        output for that. Cancelling the wait changes nothing.
        """
        life = self._life
        life.wait_without_reading()
        await life.settled.wait()
        return life.outcome()

    def terminate(self) -> None:
        """
        Ask the process and all that it started to end. On Windows this is Ctrl+Break.

        What is left of it when the process itself has ended is ended as by the session's end.
        """
        self._life.terminate()

    def kill(self) -> None:
        """
        End the process and all that it started, at once; what left its group, a moment later.
        """
        self._life.kill()

    def send_signal(self, signal: signal.Signals) -> None:
        """
        Send a signal to the process alone; if it has ended, do nothing.
        """
        tree = self._life.tree
        if tree is not None and tree.poll() is None:
            tree.popen.send_signal(signal)

    def cancel(self) -> bool:
        """
        Begin to end the process and all that it started, as the session's end would; do not wait.

        Returns:
            True if this call decided the end; False if it was decided, or came, before.
        """
        return self._life.tree is not None and self._life.ask()

    async def aclose(self) -> None:
        """
        Same as `cancel`, but wait until nothing is left. Cancelling stops the waiting, not the end.
        """
        self.cancel()
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task])


def begin(session: Session, command: Command, grace: Seconds) -> ProcessRow:
    """Begin to start a process that ends with *session*."""
    row = ProcessRow(session, Life(command, seconds("grace", grace, zero=True)))
    row._cm.row = row
    row.where = f"process {command.name}"
    assert row._task is not None
    row._task.add_done_callback(row._cm.settle)  # after the row is gone
    return row
