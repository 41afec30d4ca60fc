"""The three pipes of a process, as anyio streams that bound what they keep."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Final, cast

import anyio
import anyio.abc
from anyio.lowlevel import checkpoint

from ._resources import hide

LIMIT: Final = 2**17  # bytes kept of what nobody reads: what asyncio's own streams keep
STEPS: Final = 3  # of the loop, within which it closes what is to be closed
LAST: Final = 2**20  # bytes read of what a process wrote last: what its pipe holds at most
ENDLESS: Final = sys.maxsize


class Output(anyio.abc.ByteReceiveStream, asyncio.Protocol):
    """
    What a process writes, read by `receive`.

    It keeps at most some 128 KiB: a process whose output nobody reads is made to wait, and when
    there is no point in that (somebody waits for its end, and nobody has begun to read), what comes
    after is dropped and counted. When it has ended, up to `LAST` bytes more are read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dropped: int = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when everything was read, or will never be."""
        self.arrived: Callable[[int], None] | None = None
        """Told how many bytes came, by each read."""
        self._begun = self._closed = False
        self._buffer = bytearray()
        self._room = LIMIT
        self._pauses = True
        self._transport: asyncio.ReadTransport | None = None
        self._reader: asyncio.Future[None] | None = None

    # What is done with what comes

    def keep_all(self) -> None:
        """Keep everything: somebody else bounds it."""
        self._set(ENDLESS, pauses=False)

    def keep_some(self) -> None:
        """Let the process wait for a reader."""
        self._set(LIMIT, pauses=True)

    def keep_last(self) -> None:
        """Keep what the process wrote last, and let wait what it left."""
        self._set(max(LIMIT, len(self._buffer)) + LAST, pauses=True)

    def let_wait(self) -> None:
        """Read no more, and let who writes wait."""
        self._set(0, pauses=True)

    def drop_rest(self, *, unless_read: bool = False) -> None:
        """Keep what is kept, and drop what does not fit."""
        if not (unless_read and self._begun):
            self._set(LIMIT, pauses=False)

    def _set(self, room: int, *, pauses: bool) -> None:
        self._room, self._pauses = room, pauses
        self._flow()

    def _flow(self) -> None:
        """Read on, or do not, as there is room."""
        if self._transport is not None and not self._transport.is_closing():
            if self._pauses and len(self._buffer) >= self._room:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def __len__(self) -> int:
        return len(self._buffer)

    # What the reader calls

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        if not self._begun:
            self._begun = True
            if not self.ended.done() and self._room == LIMIT:
                self.keep_some()
        await checkpoint()
        while not self._buffer:
            if self._closed:
                raise anyio.ClosedResourceError
            if self.dropped:
                raise anyio.BrokenResourceError(
                    f"{self.dropped} bytes of {self.name} were dropped, as nobody read them while "
                    f"the end of the process was waited for: begin to read before wait()"
                )
            if self.ended.done():
                raise anyio.EndOfStream
            if self._reader is not None:
                raise anyio.BusyResourceError("reading from")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        self._flow()
        return data

    async def aclose(self) -> None:
        self.close(keep=False)
        await checkpoint()

    def take(self) -> bytes:
        """Return all that was kept."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def close(self, *, keep: bool) -> None:
        """Read no more; without *keep*, forget what was read as well."""
        if not keep:
            self._closed = True
            self._buffer.clear()
        if self._transport is not None:
            self._transport.close()
        self._end()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        came = len(data)
        if self.dropped or not self._pauses:
            room = 0 if self.dropped else max(0, self._room - len(self._buffer))
            self.dropped += max(0, len(data) - room)
            data = data[:room]
        self._buffer += data
        self._flow()
        self._wake()
        if self.arrived is not None:
            self.arrived(came)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._transport = None
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def check_bytes(what: str, data: object) -> None:
    """Refuse what is no bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        advice = ": write .encode() behind it" if isinstance(data, str) else ""
        raise TypeError(f"{what} must be bytes, not {data!r:.60}{advice}")


class Input(anyio.abc.ByteSendStream, asyncio.BaseProtocol):
    """
    What a process reads, written by `send`.
    """

    def __init__(self) -> None:
        self._closed = self._lost = False
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def send(self, item: bytes) -> None:
        await checkpoint()
        self._write(item)
        await self._writable.wait()
        if self._lost:
            self._raise()

    async def aclose(self) -> None:
        self.close()
        await checkpoint()

    def feed(self, data: bytes) -> None:
        """Write all of *data*, whatever comes of it, and then close."""
        try:
            self._write(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):  # it does not want any
            pass
        self.close()

    def close(self) -> None:
        """Let what was written be read, and then the end."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever was not read yet."""
        self._closed = True
        transport = self._transport
        # What is closing already and has nothing to write would be closed twice.
        if transport is not None and (
            not transport.is_closing() or transport.get_write_buffer_size()
        ):
            transport.abort()

    def _write(self, data: bytes) -> None:
        check_bytes("what is sent", data)
        if self._closed or self._lost or self._transport is None:
            self._raise()
        assert self._transport is not None
        self._transport.write(data)

    def _raise(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        raise anyio.BrokenResourceError("the process has closed its stdin, or has ended")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def pause_writing(self) -> None:
        """Be told that much is waiting to be read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Be told that little is waiting to be read."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._lost = True
        self._transport = None
        self._writable.set()


class Pipes:
    """
    The pipes of one process that are ours.
    """

    __slots__ = ("_closed", "_ends", "stderr", "stdin", "stdout")

    def __init__(self) -> None:
        self.stdin: Input | None = None
        self.stdout: Output | None = None
        self.stderr: Output | None = None
        self._ends: list[IO[bytes] | None] = []
        self._closed = False

    def own(self, popen: subprocess.Popen[bytes]) -> None:
        """Take what it has of the pipes, to be closed whatever comes of them."""
        self._ends = [popen.stdin, popen.stdout, popen.stderr]
        popen.stdin = popen.stdout = popen.stderr = None

    async def connect(self) -> None:
        """Make streams of them; what cancels this is raised when that is done."""
        # uvloop leaves a pipe half open if it is cancelled there.
        task = asyncio.Task(self._connect(), name="sessionstate: connecting pipes")
        hide(task)
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        task.result()
        if cancelled is not None:
            raise cancelled

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        stdin, stdout, stderr = self._ends
        if stdin is not None:
            given = Input()
            await loop.connect_write_pipe(lambda: given, stdin)
            self.stdin = given
        if stdout is not None:
            output = Output("stdout")
            await loop.connect_read_pipe(lambda: output, stdout)
            self.stdout = output
        if stderr is not None:
            errors = Output("stderr")
            await loop.connect_read_pipe(lambda: errors, stderr)
            self.stderr = errors
        self._ends = []

    @property
    def outputs(self) -> list[Output]:
        """
        Those that are read from.
        """
        return [output for output in (self.stdout, self.stderr) if output is not None]

    def ended(self) -> bool:
        """Tell whether all output was read."""
        return all(output.ended.done() for output in self.outputs)

    async def read_out(self, seconds: float) -> None:
        """Wait until all output was read, but not longer than that."""
        pending = [output.ended for output in self.outputs if not output.ended.done()]
        if pending:
            await asyncio.wait(pending, timeout=seconds)

    async def aclose(self, *, keep: bool) -> None:
        """Close all, once, whoever cancels this; with *keep*, what was read may be received."""
        if self._closed:
            return
        self._closed = True
        if self.stdin is not None:
            self.stdin.abort()
        for output in self.outputs:
            output.close(keep=keep)
        for end in [end for end in self._ends if end is not None]:
            end.close()
        for _ in range(STEPS):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                pass
