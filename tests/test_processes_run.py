from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import Any

import pytest

from sessionstate import OutputExceeded, Session, SessionClosed, SessionError
from sessionstate._process_groups import trees
from sessionstate._processes import ProcessRow
from tests.trees import PATIENCE, child, living, needs_posix, nobody_left, until

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]


class TestRunProcess:
    async def test_what_it_returns(self, s: Session) -> None:
        """
        It returns what `subprocess.run` would, and nothing of the command is left.
        """
        done = await s.run_process(child("echo"), input=b"hello", check=False)
        assert (done.args, done.returncode) == (child("echo"), 7)
        assert (done.stdout, done.stderr) == (b"hello", b"HELLO")
        await until(lambda: not trees)
        await asyncio.sleep(0)
        assert "resource" not in repr(s)

    async def test_failing(self, s: Session) -> None:
        """
        A command that fails is an error that carries what it wrote.
        """
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await s.run_process(child("echo"), input=b"hello")
        assert (caught.value.returncode, caught.value.output) == (7, b"hello")
        assert caught.value.stderr == b"HELLO"

    async def test_a_command_that_does_not_exist(self, s: Session) -> None:
        """
        A command that does not exist is a FileNotFoundError.
        """
        with pytest.raises(FileNotFoundError):
            await s.run_process(["/does/not/exist"])

    async def test_streams_that_are_no_pipes(self, s: Session) -> None:
        """
        What is no pipe is None in the result; a stdin that is a pipe is empty.
        """
        nowhere = subprocess.DEVNULL
        done = await s.run_process(
            child("echo"), stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, check=False
        )
        assert (done.stdout, done.stderr) == (None, None)

    async def test_much_output_within_the_bound(self, s: Session) -> None:
        """
        Nothing within the bound is lost, however much it is.
        """
        size = 8 * 2**20
        done = await s.run_process(child("flood", size), max_output=size)
        assert len(done.stdout) == size
        done = await s.run_process(child("flood", size), max_output=None)
        assert len(done.stdout) == size

    async def test_too_much_output(self, s: Session) -> None:
        """
        A command that writes more than the bound is ended, and the error carries what was read.
        """
        with pytest.raises(OutputExceeded, match="more than max_output \\(1000 bytes\\)") as caught:
            await s.run_process(child("flood", 32 * 2**20), max_output=1000)
        error = caught.value
        assert isinstance(error, SessionError)
        assert isinstance(error, subprocess.SubprocessError)
        assert (error.cmd, error.max_output) == (child("flood", 32 * 2**20), 1000)
        assert error.stdout is not None
        assert 1000 < len(error.stdout) <= 2**20
        assert error.stderr == b""
        assert "resource" not in repr(s)

    async def test_what_it_leaves_running(self, s: Session) -> None:
        """
        It returns when the command has ended, though a grandchild has its stdout open.
        """
        async with asyncio.timeout(PATIENCE):
            done = await s.run_process(child("leave"))
        tree = [int(line) for line in done.stdout.split()]
        assert "1 resource" in repr(s)
        await s.aclose()
        assert not living(tree)

    @pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 50])
    async def test_cancelled(self, s: Session, steps: int) -> None:
        """
        When it is cancelled, the command is ended before that is raised.
        """
        running = asyncio.ensure_future(s.run_process(child("tree", 2), grace=0.01))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert not trees
        assert "resource" not in repr(s)

    @needs_posix
    async def test_cancelled_again(self, s: Session) -> None:
        """
        Cancelled a second time, it does not wait for the grace.
        """
        running = asyncio.ensure_future(s.run_process(child("stubborn"), grace=1000))
        await until(lambda: trees)
        [tree] = trees
        [life] = [step._cm for step in s._steps or () if isinstance(step, ProcessRow)]
        await until(lambda: any(len(output) for output in life.pipes.outputs))  # it ignores it now
        running.cancel()
        await asyncio.wait([running], timeout=0.1)
        assert not running.done()
        running.cancel()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([running])
        assert tree.popen.returncode == -signal.SIGKILL

    async def test_the_session_ends_meanwhile(self, s: Session) -> None:
        """
        When the session ends meanwhile, the caller is told, and not given half of the output.
        """
        running = asyncio.ensure_future(s.run_process(child("tree", 1), grace=0))
        await until(lambda: any(getattr(step, "_entered", False) for step in s._steps or ()))
        await asyncio.sleep(0.01)
        await s.aclose()
        with pytest.raises(SessionClosed):
            await running

    async def test_a_session_that_has_ended(self, s: Session) -> None:
        """
        A session that has ended runs nothing.
        """
        s.close_soon()
        with pytest.raises(SessionClosed):
            await s.run_process(child("tree", 1))

    @pytest.mark.parametrize("most", [0, -1, True, 1.5, "1"])
    async def test_a_bound_that_is_none(self, s: Session, most: Any) -> None:
        """
        A bound is a number of bytes, or None.
        """
        with pytest.raises(ValueError, match="max_output must be a number of bytes"):
            await s.run_process(child("tree", 1), max_output=most)

    async def test_input_that_is_text(self, s: Session) -> None:
        """
        Text is refused as input, with advice, and nothing is started.
        """
        with pytest.raises(TypeError, match="input must be bytes, not 'text': write"):
            await s.run_process(child("echo"), input="text")  # type: ignore[arg-type]
        assert not trees

    async def test_any_error_ends_it(self, s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Whatever error comes out of it, the command is ended before that is raised.
        """
        monkeypatch.setattr("sessionstate._output.Input.feed", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await s.run_process(child("tree", 2), input=b"", grace=0)
        assert not trees

    @needs_posix
    async def test_what_it_leaves_waits(self, s: Session) -> None:
        """
        What a command left writing waits for a reader that never comes: the loop reads no more.
        """
        done = await s.run_process(child("leave_flood"))
        assert len(done.stdout) < 4 * 2**20
        [tree] = trees
        [life] = [step._cm for step in s._steps or () if isinstance(step, ProcessRow)]
        stdout = life.pipes.stdout
        assert stdout is not None
        arrived: list[int] = []
        stdout.arrived = arrived.append
        await asyncio.sleep(0.2)
        assert sum(arrived) <= 2**20
        assert tree.known()
        await s.aclose()

    async def test_input_and_stdin(self, s: Session) -> None:
        """
        A command has one stdin.
        """
        with pytest.raises(ValueError, match="not both"):
            await s.run_process(child("echo"), input=b"", stdin=subprocess.PIPE)

    async def test_many_in_a_row(self, s: Session) -> None:
        """
        A long session does not grow by the commands that it has run.
        """
        for _ in range(20):
            await s.run_process([sys.executable, "-ISc", "pass"])
        await until(lambda: not s._steps)
        assert not trees
