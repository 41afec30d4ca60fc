from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from sessionstate import OwnedProcess, Session
from sessionstate._output import LIMIT, Input, Output, Pipes
from tests.trees import child, lines, living, nobody_left, pids, until

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]

MUCH = 32 * 2**20
READ_AT_ONCE = 2**18  # what the loop reads in one piece


def kept(process: OwnedProcess) -> int:
    """
    Return how many bytes of its output a process's handle keeps.
    """
    assert process.stdout is not None
    return len(process.stdout)


class TestUnread:
    async def test_waiting_drops_what_nobody_reads(self, s: Session) -> None:
        """
        The end of a process may be waited for though nobody reads 32 MiB: memory stays bounded.

        What was kept is received, and then an error says how much is missing.
        """
        process = await s.open_process(child("flood", MUCH))
        before = psutil.Process().memory_info().rss
        assert await process.wait() == 0
        assert psutil.Process().memory_info().rss - before < MUCH // 2
        assert kept(process) == LIMIT
        stdout = process.stdout
        assert stdout is not None
        got = 0
        with pytest.raises(anyio.BrokenResourceError, match=f"{MUCH - LIMIT} bytes of stdout"):
            while True:
                got += len(await stdout.receive())
        assert got == LIMIT

    async def test_a_process_waits_for_its_reader(self, s: Session) -> None:
        """
        Without anybody waiting, a process whose output nobody reads waits; the end does not.
        """
        process = await s.open_process(child("flood", MUCH))
        await until(lambda: kept(process) >= LIMIT)
        await asyncio.sleep(0.05)
        assert kept(process) <= LIMIT + READ_AT_ONCE
        assert process.returncode is None
        await s.aclose()
        assert not living([process.pid])

    async def test_who_reads_gets_all(self, s: Session) -> None:
        """
        Who has begun to read gets all of it, though others wait for the end.
        """
        process = await s.open_process(child("flood", MUCH))
        stdout = process.stdout
        assert stdout is not None
        got = len(await stdout.receive())
        waiting = asyncio.ensure_future(process.wait())
        async for data in stdout:
            got += len(data)
        assert got == MUCH
        assert await waiting == 0

    async def test_who_begins_before_anything_is_lost(self, s: Session) -> None:
        """
        Who begins to read after somebody has begun to wait gets all, if nothing was dropped yet.
        """
        process = await s.open_process(child("echo"))
        waiting = asyncio.ensure_future(process.wait())
        await asyncio.sleep(0)
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        reading = asyncio.ensure_future(stdout.receive())
        await asyncio.sleep(0)
        await stdin.send(b"x" * 2 * LIMIT)
        await stdin.aclose()
        got = len(await reading)
        async for data in stdout:
            got += len(data)
        assert got == 2 * LIMIT
        assert await waiting == 7

    async def test_a_reader_is_woken_by_the_end(self, s: Session) -> None:
        """
        Who waits for output when the session ends is told that there will be none.
        """
        process = await s.open_process(child("tree", 1))
        await lines(process, 1)
        assert process.stdout is not None
        reading = asyncio.ensure_future(process.stdout.receive())
        await asyncio.sleep(0)
        await s.aclose()
        with pytest.raises((anyio.EndOfStream, anyio.ClosedResourceError)):
            await reading

    async def test_what_a_process_left_writes_on(self, s: Session) -> None:
        """
        What a process left running, with its stdout, neither hangs the wait nor fills the memory.
        """
        process = await s.open_process(child("leave"))
        first = asyncio.ensure_future(process.wait())
        assert await first == 0
        tree = await pids(process, 2)
        await s.aclose()
        assert not living(tree)


class TestInput:
    async def test_closed_by_the_process(self, s: Session) -> None:
        """
        Writing to a process that has closed its stdin is an error with a name, and no noise.
        """
        process = await s.open_process(child("deaf"))
        await lines(process, 1)
        stdin = process.stdin
        assert stdin is not None
        with pytest.raises(anyio.BrokenResourceError, match="closed its stdin"):
            for _ in range(100):
                await stdin.send(b"x" * 65536)
        with pytest.raises(anyio.BrokenResourceError, match="closed its stdin"):
            await stdin.send(b"x")

    async def test_closed_here(self, s: Session) -> None:
        """
        Writing after closing is an error; closing twice is none.
        """
        process = await s.open_process(child("tree", 1))
        stdin = process.stdin
        assert stdin is not None
        await stdin.aclose()
        await stdin.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await stdin.send(b"x")

    async def test_closed_twice_in_one_step(self, s: Session) -> None:
        """
        Closing and giving up at once closes once: asyncio's transport does not see to that.
        """
        process = await s.open_process(child("tree", 1))
        stdin = process.stdin
        assert stdin is not None
        stdin.close()
        stdin.abort()
        await process.aclose()

    async def test_a_writer_waits(self, s: Session) -> None:
        """
        Who writes more than the process reads waits, until the end of the session.
        """
        process = await s.open_process(child("tree", 1), grace=0)
        stdin = process.stdin
        assert stdin is not None
        writing = asyncio.ensure_future(stdin.send(b"x" * 2**22))
        await asyncio.wait([writing], timeout=0.05)
        assert not writing.done()
        await s.aclose()
        with pytest.raises((anyio.ClosedResourceError, anyio.BrokenResourceError)):
            await writing

    async def test_much_input_is_read_in_the_end(self, s: Session) -> None:
        """
        Who writes more than fits waits until the process has read it.
        """
        process = await s.open_process(child("echo"), stdout=-3, stderr=-3)
        stdin = process.stdin
        assert stdin is not None
        for _ in range(8):
            await stdin.send(b"x" * 2**18)
        await stdin.aclose()
        assert await process.wait() == 7


class FakeTransport:
    """
    A transport that notes what is asked of it.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append(name)

    def is_closing(self) -> bool:
        """
        Tell that it is open.
        """
        return False


class TestStreams:
    async def test_receive(self) -> None:
        """
        One reads at a time, at least a byte, and not after closing.
        """
        output = Output("stdout")
        output.connection_made(FakeTransport())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="at least 1, not 0"):
            await output.receive(0)
        reading = asyncio.ensure_future(output.receive())
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        with pytest.raises(anyio.BusyResourceError):
            await output.receive()
        output.data_received(b"abc")
        output.data_received(b"d")
        assert await reading == b"abcd"
        await output.aclose()
        output.data_received(b"e")
        with pytest.raises(anyio.ClosedResourceError):
            await output.receive()

    async def test_a_cancelled_reader_takes_nothing(self) -> None:
        """
        What comes together with the cancellation of its reader is there for the next.
        """
        output = Output("stdout")
        reading: asyncio.Future[bytes] = asyncio.ensure_future(output.receive())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        output.data_received(b"abc")
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert await output.receive() == b"abc"

    async def test_a_full_one_pauses(self) -> None:
        """
        Reading pauses when enough is kept, and goes on when some was received.
        """
        output = Output("stdout")
        transport = FakeTransport()
        output.connection_made(transport)  # type: ignore[arg-type]
        output.data_received(b"x" * LIMIT)
        assert transport.calls[-1] == "pause_reading"
        await output.receive()
        assert transport.calls[-1] == "resume_reading"

    async def test_closed_whoever_cancels_it(self) -> None:
        """
        Pipes are closed to the end, whoever cancels that.
        """
        closing = asyncio.ensure_future(Pipes().aclose(keep=True))
        await asyncio.sleep(0)
        closing.cancel()
        await closing

    async def test_not_connected(self) -> None:
        """
        What is not connected can be closed, and not written to.
        """
        stdin = Input()
        stdin.close()
        stdin.abort()
        fed = Input()
        fed.feed(b"x")
        sending: list[Awaitable[None]] = [stdin.send(b"x"), fed.send(b"x")]
        for each in sending:
            with pytest.raises(anyio.ClosedResourceError):
                await each
