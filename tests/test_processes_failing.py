from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessionstate import (
    Session,
    SessionClosed,
    _process_groups,
)
from tests.trees import (
    child,
    living,
    needs_linux,
    no_thread,
    nobody_left,
    pids,
    until,
)

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]


class TestFailing:
    async def test_a_command_that_does_not_exist(self, s: Session) -> None:
        """
        A command that does not exist is a FileNotFoundError, and nothing is left of the attempt.
        """
        with pytest.raises(FileNotFoundError):
            await s.open_process(["/does/not/exist"])
        assert "resource" not in repr(s)

    async def test_pipes_that_cannot_be_read(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        If a pipe cannot be connected, the process that was started is ended.
        """

        async def refuse(*args: object) -> None:
            raise OSError("no more descriptors")

        monkeypatch.setattr(asyncio.get_running_loop(), "connect_read_pipe", refuse)
        with pytest.raises(OSError, match="no more"):
            await s.open_process(child("tree", 1))
        assert "resource" not in repr(s)

    async def test_a_session_that_has_ended(self, s: Session) -> None:
        """
        A session that has ended opens no process.
        """
        s.close_soon()
        with pytest.raises(SessionClosed):
            await s.open_process(child("tree", 1))

    async def test_a_session_that_ends_meanwhile(self, s: Session) -> None:
        """
        If the session ends while a process is started, that is ended, and the caller told.
        """
        for steps in range(8):
            s = await s.supervisor.open(f"s{steps}")
            opening = asyncio.ensure_future(s.open_process(child("tree", 1), grace=0))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert not opening.done()
            s.close_soon()
            await asyncio.wait([opening])
            assert isinstance(opening.exception(), SessionClosed | None)
            await s.wait_closed()
            assert not _process_groups.trees

    @pytest.mark.parametrize("mode", ["once", "twice"])
    async def test_a_caller_that_is_cancelled(self, s: Session, mode: str) -> None:
        """
        However the caller is cancelled while it opens a process, the process is ended.
        """
        for steps in range(8):
            opening = asyncio.ensure_future(s.open_process(child("tree", 1), grace=0))
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            if mode == "twice":
                await asyncio.sleep(0)
                opening.cancel()
            await asyncio.wait([opening])
            await until(lambda: not s._steps)
            assert not _process_groups.trees

    @pytest.mark.parametrize("command", [5, None, ["echo", 5], {"echo"}])
    async def test_what_is_no_command(self, s: Session, command: Any) -> None:
        """
        What is no command is refused with advice.
        """
        with pytest.raises(TypeError, match="command"):
            await s.open_process(command)

    @pytest.mark.parametrize("command", ["", " ", b"", []])
    async def test_an_empty_command(self, s: Session, command: Any) -> None:
        """
        An empty command is refused.
        """
        with pytest.raises(ValueError, match="empty"):
            await s.open_process(command)

    async def test_options_that_there_are_not(self, s: Session) -> None:
        """
        Options that there are not are refused, and the one that always holds with a reason.
        """
        with pytest.raises(TypeError, match="no option 'text'"):
            await s.open_process("true", text=True)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="session of its own"):
            await s.open_process("true", start_new_session=True)  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="grace must be"):
            await s.open_process("true", grace=-1)

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ({"stdout": "x"}, "stdout must be PIPE, .* not 'x'"),
            ({"env": "x"}, "env must be a mapping of str to str, not 'x'"),
            ({"env": {"NAME": 1}}, "env\\['NAME'\\] is 1, but must be a str"),
        ],
    )
    async def test_values_that_are_none(self, s: Session, option: Any, message: str) -> None:
        """
        A stream or an environment that is none is refused by its name, with advice.
        """
        with pytest.raises(TypeError, match=message):
            await s.open_process("true", **option)


class TestWatching:
    @needs_linux
    async def test_without_pidfd(self, s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Where a process has no descriptor, a thread waits for its end.
        """
        monkeypatch.delattr("os.pidfd_open")
        process = await s.open_process(child("echo"))
        assert process.stdin is not None
        await process.stdin.aclose()
        assert await process.wait() == 7
        other = await s.open_process(child("tree", 2))
        tree = await pids(other, 2)
        await s.aclose()
        assert not living(tree)
        code = other.returncode
        other._life._exited()  # the thread comes late
        assert other.returncode == code

    @needs_linux
    async def test_without_a_thread(self, s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        If nothing can tell of its end, a process is not opened.
        """
        monkeypatch.delattr("os.pidfd_open")
        monkeypatch.setattr("threading.Thread.start", no_thread)
        with pytest.raises(RuntimeError, match="thread"):
            await s.open_process(child("tree", 1))
        assert "resource" not in repr(s)
