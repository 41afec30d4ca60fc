"""Commands that run to their end, and all that they write."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING, Final

import anyio

from ._clock import Seconds
from ._commands import Command, CommandLine
from ._errors import SessionError
from ._output import ENDLESS, check_bytes
from ._processes import Life, begin

if TYPE_CHECKING:
    from ._session import Session

MAX_OUTPUT: Final = 2**24


class OutputExceeded(SessionError, subprocess.SubprocessError):
    """
    A command wrote more than `max_output` bytes, and was ended.

    .. versionadded:: 0.1
    """

    cmd: CommandLine
    """The command."""
    max_output: int
    """The bound, in bytes."""
    stdout: bytes | None
    """What was read of its stdout until then."""
    stderr: bytes | None
    """What was read of its stderr until then."""

    def __init__(
        self, cmd: CommandLine, max_output: int, stdout: bytes | None, stderr: bytes | None
    ) -> None:
        super().__init__(cmd, max_output, stdout, stderr)
        self.cmd = cmd
        self.max_output = max_output
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        return (
            f"{self.cmd!r} wrote more than max_output ({self.max_output} bytes), and was ended: "
            f"give a larger one, or read as it comes with open_process()"
        )


class Gathering:
    """
    All that a command writes, within a bound.
    """

    def __init__(self, life: Life, most: int | None) -> None:
        self._life = life
        self._most = ENDLESS if most is None else most
        self._total = 0
        self.exceeded: list[bytes | None] | None = None
        """What was read when it became too much."""
        for output in life.pipes.outputs:
            output.keep_all()
            output.arrived = self._arrived
            self._arrived(len(output))

    def _arrived(self, number: int) -> None:
        self._total += number
        if self._total > self._most and self.exceeded is None:
            self.exceeded = self.end()
            self._life.ask()

    def end(self) -> list[bytes | None]:
        """Return what was read of stdout and stderr; let wait who writes on."""
        pipes = self._life.pipes
        read = [None if each is None else each.take() for each in (pipes.stdout, pipes.stderr)]
        for output in pipes.outputs:
            output.let_wait()
            output.arrived = None
        return read


async def run_process(
    session: Session,
    given: CommandLine,
    command: Command,
    grace: Seconds,
    *,
    feed: bytes | None,
    check: bool,
    most: int | None,
) -> subprocess.CompletedProcess[bytes]:
    """Run *command*, made from *given*, to its end."""
    number: object = most
    if number is not None and (type(number) is not int or number <= 0):
        raise ValueError(
            f"max_output must be a number of bytes, more than 0, not {most!r}: write "
            f"max_output=None for no bound"
        )
    if feed is not None:
        check_bytes("input", feed)
    row = begin(session, command, grace)
    life, task = row._cm, row._task
    try:
        await row.value()
        gathering = Gathering(life, most)
        if life.pipes.stdin is not None:
            life.pipes.stdin.feed(feed or b"")
        await life.settled.wait()
    except BaseException:
        life.ask()
        await _wait_through(task, life)
        raise
    if gathering.exceeded is not None:
        assert most is not None
        raise OutputExceeded(given, most, *gathering.exceeded)
    if session._end is not None and life.asked.done():
        raise session._closed_error()
    stdout, stderr = gathering.end()
    code = life.outcome()
    if check and code:
        raise subprocess.CalledProcessError(code, given, stdout, stderr)
    return subprocess.CompletedProcess(given, code, stdout, stderr)


async def _wait_through(task: asyncio.Task[object] | None, life: Life) -> None:
    """Wait for a task through all cancellations, each of which takes the patience away."""
    with anyio.CancelScope(shield=True):
        while task is not None and not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                life.hurry()
