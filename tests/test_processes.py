from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import pytest

from sessionstate import (
    Session,
    Supervisor,
    _process_groups,
    _processes,
)
from tests.trees import (
    PATIENCE,
    can_ask,
    child,
    descriptors,
    join,
    lines,
    living,
    needs_posix,
    nobody_left,
    pids,
    until,
    zombies,
)

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]


class TestOpenProcess:
    async def test_it_is_a_process_as_anyio_has_them(self, s: Session) -> None:
        """
        What a session opens is an `anyio.abc.Process`: its streams, its end and its number.
        """
        process = await s.open_process(child("echo"))
        assert isinstance(process, anyio.abc.Process)
        assert (process.returncode, living([process.pid])) == (None, [process.pid])
        assert "running" in repr(process)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        await process.stdin.send(b"hello")
        await process.stdin.aclose()
        assert await process.stdout.receive(2) == b"he"
        assert await process.stdout.receive() == b"llo"
        assert b"".join([data async for data in process.stderr]) == b"HELLO"
        assert await process.wait() == process.returncode == 7
        with pytest.raises(anyio.EndOfStream):
            await process.stdout.receive()
        assert "ended with 7" in repr(process)

    async def test_one_str_is_for_the_shell(self, s: Session) -> None:
        """
        A str is a line for the shell, and streams that are no pipes are None.
        """
        process = await s.open_process(
            "echo $HOME" if sys.platform != "win32" else "echo %HOME%",
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={"HOME": "here"},
        )
        assert (process.stdin, process.stderr) == (None, None)
        assert await lines(process, 1) == ["here"]
        await process.wait()

    @needs_posix
    async def test_options(self, s: Session, tmp_path: Path) -> None:
        """
        A command may be a path, and has a directory, an environment and a mask of its own.
        """
        program = tmp_path / "program"
        program.write_text("#!/bin/sh\npwd; umask; echo $NAME\n")
        program.chmod(0o755)
        process = await s.open_process(program, cwd=tmp_path, env={"NAME": "x"}, umask=0o27)
        assert await lines(process, 3) == [str(tmp_path), "0027", "x"]
        await process.wait()

    async def test_output_is_there_after_the_end(self, s: Session) -> None:
        """
        After the end of a process, its small output may still be received.
        """
        process = await s.open_process([sys.executable, "-ISc", "print('hi')"])
        await process.wait()
        assert process.stdout is not None
        assert (await process.stdout.receive()).split() == [b"hi"]
        with pytest.raises(anyio.EndOfStream):
            await process.stdout.receive()

    async def test_the_dump_names_it(self, supervisor: Supervisor, s: Session) -> None:
        """
        What a session still owns is told by the command's name.
        """
        await s.open_process(child("tree", 1))
        assert f"owns process {sys.executable[:40]}" in supervisor.dump()


class TestEnd:
    async def test_a_tree_ends_with_its_session(self, supervisor: Supervisor) -> None:
        """
        When a session ends, so do a process, its children and theirs.
        """
        async with supervisor.session("a") as s:
            process = await s.open_process(child("tree", 3))
            tree = await pids(process, 3)
            assert len(living(tree)) == 3
        assert not living(tree)
        assert process.returncode is not None
        assert supervisor.statistics().clean_up_errors == 0

    async def test_many_trees_end_together(self, supervisor: Supervisor) -> None:
        """
        Of twenty sessions with a tree each, ended at once, nothing is left.
        """
        await end_trees(supervisor, 20)

    @pytest.mark.stress
    async def test_very_many_trees_end_together(self, supervisor: Supervisor) -> None:
        """
        Of two hundred sessions with a tree each, ended at once, nothing is left.
        """
        await end_trees(supervisor, 200)

    @needs_posix
    async def test_it_is_asked_first(self, s: Session) -> None:
        """
        A process is asked to end, and what it says to that is nobody's concern any more.
        """
        process = await s.open_process(child("polite"))
        await lines(process, 1)
        await s.aclose()
        assert process.returncode == 3
        assert process.stdout is not None
        with pytest.raises(anyio.ClosedResourceError):
            await process.stdout.receive()

    @needs_posix
    async def test_its_stdin_is_closed(self, s: Session) -> None:
        """
        The end closes the stdin of a process, and one that ends by that is not killed.
        """
        process = await s.open_process(child("reader"), grace=PATIENCE)
        await lines(process, 1)
        await s.aclose()
        assert process.returncode == 5

    @needs_posix
    async def test_one_that_ignores_it_is_killed(self, s: Session) -> None:
        """
        A process that ignores SIGTERM is killed after the grace.
        """
        process = await s.open_process(child("stubborn"), grace=0.1)
        await lines(process, 1)
        await s.aclose()
        assert process.returncode == -signal.SIGKILL

    @needs_posix
    async def test_no_time_for_the_grace(self, start_supervisor: StartSupervisor) -> None:
        """
        A grace that is longer than the clean-up's time is cut short, and that is no error.
        """
        supervisor = await start_supervisor(close_timeout=5, default=False)
        s = await supervisor.open("a")
        process = await s.open_process(child("stubborn"), grace=1000)
        await lines(process, 1)
        await s.aclose()
        assert process.returncode == -signal.SIGKILL
        assert supervisor.statistics().clean_up_errors == 0
        assert supervisor.statistics().abandoned == 0

    @needs_posix
    async def test_no_time_at_all(self) -> None:
        """
        When the shutdown's time is over, what is left is killed at once.
        """
        gate = asyncio.Event()

        async def hang() -> None:
            while not gate.is_set():
                try:
                    await gate.wait()
                except asyncio.CancelledError:
                    pass

        async with Supervisor(shutdown_timeout=0.1, default=False) as supervisor:
            s = await supervisor.open("a")
            process = await s.open_process(child("stubborn"), grace=1000)
            await lines(process, 1)
            for _ in range(5):
                s.push_async_callback(hang)
        gate.set()
        assert await process.wait() == -signal.SIGKILL
        await until(lambda: not _process_groups.trees)

    @needs_posix
    async def test_those_in_a_row_share_the_grace(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, log: list[str]
    ) -> None:
        """
        Processes that were opened one after the other are asked together, in the order of the end.
        """
        ask, kill = _process_groups.Group.ask, _process_groups.Group.kill
        names: dict[int, str] = {}
        for name in ("first", "second", "third"):
            process = await s.open_process(child("stubborn"), grace=0.2)
            await lines(process, 1)
            names[process.pid] = name
            if name == "first":
                s.callback(log.append, "callback")

        def note_ask(group: _process_groups.Group) -> None:
            log.append(f"ask {names[group.pid]}")
            ask(group)

        def note_kill(group: _process_groups.Group) -> None:
            log.append(f"kill {names[group.pid]}")
            kill(group)

        monkeypatch.setattr(_process_groups.Group, "ask", note_ask)
        monkeypatch.setattr(_process_groups.Group, "kill", note_kill)
        await s.aclose()
        assert sorted(log[:2]) == ["ask second", "ask third"]
        assert [entry for entry in log if not entry.startswith("kill")][2:] == [
            "callback",
            "ask first",
        ]

    async def test_what_cannot_be_ended(
        self, s: Session, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A process that survives being killed is an error of the clean-up, and nobody waits for it.
        """
        process = await s.open_process(child("tree", 1), grace=0)
        await lines(process, 1)
        tree = process._life.tree
        assert tree is not None
        monkeypatch.setattr(_processes, "PATIENCE", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(type(tree), "kill", lambda tree: None)
            patch.setattr(type(tree), "ask", lambda tree: None)
            with pytest.raises(ExceptionGroup) as caught:
                await s.aclose()
        assert isinstance(caught.value.exceptions[0], TimeoutError)
        with pytest.raises(RuntimeError, match="could not be ended"):
            await process.wait()
        tree.popen.kill()
        join(tree.popen)

    @needs_posix
    async def test_what_cannot_be_told(
        self, s: Session, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Where the dead cannot be told from the living, only what is known to live is an error.
        """
        process = await s.open_process(child("tree", 1), grace=0)
        await lines(process, 1)

        async def look(tree: object) -> bool:
            return True

        monkeypatch.setattr(_processes, "PATIENCE", 0.1)
        monkeypatch.setattr(_process_groups.Group, "look", look)
        await s.aclose()
        assert process.returncode in {-signal.SIGTERM, -signal.SIGKILL}


async def end_trees(supervisor: Supervisor, number: int) -> None:
    """
    Open as many sessions with a three-level tree each, end them at once, and look what is left.
    """
    before = descriptors()
    sessions = [await supervisor.open(f"s{each}") for each in range(number)]
    opened = [await s.open_process(child("tree", 3)) for s in sessions]
    numbers = [pid for process in opened for pid in await pids(process, 3)]
    assert len(living(numbers)) == 3 * number
    for s in sessions:
        s.close_soon()
    for s in sessions:
        await s.wait_closed()
    assert not living(numbers)
    assert not zombies()
    assert descriptors() <= before
    assert not _process_groups.trees
    assert supervisor.statistics().clean_up_errors == 0


class TestHandle:
    async def test_cancel(self, s: Session) -> None:
        """
        `cancel` begins the end of the whole tree, once, and does not end the session.
        """
        process = await s.open_process(child("tree", 2), grace=0.1)
        tree = await pids(process, 2)
        assert process.cancel()
        assert not process.cancel()
        await process.wait()
        assert not process.cancel()
        assert not living(tree)
        assert s.close_reason is None
        assert "resource" not in repr(s)

    async def test_aclose(self, s: Session) -> None:
        """
        `aclose` waits until nothing is left; so does a block of the process's own.
        """
        async with await s.open_process(child("tree", 2), grace=0.1) as process:
            tree = await pids(process, 2)
        assert not living(tree)
        assert "resource" not in repr(s)
        await process.aclose()

    @pytest.mark.parametrize("how", ["terminate", "kill"])
    async def test_terminate_and_kill_mean_all(self, s: Session, how: str) -> None:
        """
        `terminate` and `kill` mean the tree, and do nothing once it has ended.
        """
        if how == "terminate" and not can_ask():
            pytest.skip("Ctrl+Break needs a console, and Wine 8 sends none")
        process = await s.open_process(child("tree", 2))
        tree = await pids(process, 2)
        getattr(process, how)()
        await process.wait()
        assert not living(tree)
        getattr(process, how)()

    @needs_posix
    async def test_a_signal_is_for_the_process_alone(self, s: Session) -> None:
        """
        `send_signal` reaches the process and not its children.
        """
        process = await s.open_process(child("tree", 2))
        tree = await pids(process, 2)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        assert living(tree) == tree[1:]
        await process.aclose()
        process.send_signal(signal.SIGKILL)
        assert not living(tree)
