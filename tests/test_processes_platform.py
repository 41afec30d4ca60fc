from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sessionstate import Session, Supervisor, _commands, _process_groups, _strays
from sessionstate._process_groups import kill_all, kill_groups
from tests.trees import (
    PATIENCE,
    child,
    join,
    lines,
    living,
    needs_linux,
    needs_posix,
    nobody_left,
    pids,
    until,
    wait_until_dead,
)

if TYPE_CHECKING:
    from tests.conftest import StartSupervisor

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]

ROOT = Path(__file__).parent.parent


class TestLastLayer:
    async def test_one_session_is_killed(self, supervisor: Supervisor, s: Session) -> None:
        """
        `kill_groups` kills what one session has started, and nothing of others.
        """
        mine = await pids(await s.open_process(child("tree", 2)), 2)
        other = await supervisor.open("b")
        others = await pids(await other.open_process(child("tree", 1)), 1)
        kill_groups(s)
        wait_until_dead(mine)
        assert living(others) == others

    async def test_one_supervisor_is_killed(
        self, start_supervisor: StartSupervisor, s: Session
    ) -> None:
        """
        `kill_all` kills what all sessions have started, or those of one supervisor.
        """
        mine = await pids(await s.open_process(child("tree", 2)), 2)
        other = await (await start_supervisor(default=False)).open("b")
        others = await pids(await other.open_process(child("tree", 1)), 1)
        kill_all(s.supervisor)
        wait_until_dead(mine)
        assert living(others) == others
        kill_all()
        wait_until_dead(others)

    async def test_it_never_raises(self, s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What goes wrong in the last layer stops nothing.
        """
        process = await s.open_process(child("tree", 1))
        with monkeypatch.context() as patch:
            patch.setattr(type(process._life.tree), "kill", lambda tree: 1 / 0)
            kill_all()
        assert living([process.pid])

    async def test_a_supervisor_that_was_not_left(self) -> None:
        """
        At the interpreter's exit, what a session has started is killed, though no loop runs.
        """
        program = f"""
            import asyncio, sys
            sys.path.insert(0, {str(ROOT)!r})
            from sessionstate import Supervisor
            async def main():
                supervisor = Supervisor()
                await supervisor.__aenter__()
                s = await supervisor.open("a")
                process = await s.open_process({child("tree", 2)!r})
                text = b""
                while text.count(b"\\n") < 2:
                    text += await process.stdout.receive()
                print(text.decode())
                return supervisor, process
            loop = asyncio.new_event_loop()
            kept = loop.run_until_complete(main())
        """
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        assert len(done.stdout.split()) == 2
        wait_until_dead(map(int, done.stdout.split()))

    @needs_posix
    async def test_a_forked_child_kills_nothing(self, s: Session) -> None:
        """
        In a process that was forked from the owner, the last layer does nothing.
        """
        process = await s.open_process(child("tree", 2))
        tree = await pids(process, 2)
        pid = os.fork()
        if pid == 0:  # pragma: no cover - in the child
            kill_all()
            os._exit(0)
        await asyncio.to_thread(os.waitpid, pid, 0)
        assert living(tree) == tree

    async def test_children_of_a_process_that_dies(self, tmp_path: Path) -> None:
        """
        When the owner dies without any clean-up, its children do so where the system can tell them.

        That is: on Windows all of them, on Linux those with `parent_death_signal`.
        """
        extra = "parent_death_signal=signal.SIGKILL" if sys.platform == "linux" else ""
        if not (extra or sys.platform == "win32"):
            pytest.skip("nothing tells a child of its parent's end here")
        program = f"""
            import asyncio, os, signal, sys
            sys.path.insert(0, {str(ROOT)!r})
            from sessionstate import Supervisor
            async def main():
                async with Supervisor() as supervisor:
                    async with supervisor.session("a") as s:
                        process = await s.open_process({child("tree", 1)!r}, {extra})
                        await process.stdout.receive()
                        print(process.pid, flush=True)
                        os._exit(1)
            asyncio.run(main())
        """
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            check=False,
        )
        wait_until_dead([int(done.stdout)])


@needs_linux
class TestLinux:
    async def test_parent_death_signal(self, s: Session) -> None:
        """
        A process with a parent-death signal is the command itself, with its arguments and streams.
        """
        process = await s.open_process(child("tree", 2), parent_death_signal=signal.SIGTERM)
        assert (await pids(process, 2))[0] == process.pid
        line = await s.open_process("echo $0 $NAME", env={"NAME": "x"}, parent_death_signal=9)  # type: ignore[arg-type]
        assert await lines(line, 1) == ["/bin/sh x"]
        await line.wait()

    async def test_what_does_not_exist(self, s: Session, tmp_path: Path) -> None:
        """
        A command that does not exist is a FileNotFoundError with a parent-death signal, too.
        """
        for name in ("does-not-exist", "./does-not-exist"):
            with pytest.raises(FileNotFoundError):
                await s.open_process([name], parent_death_signal=signal.SIGTERM, cwd=tmp_path)
        done = await s.run_process(["/bin/pwd"], parent_death_signal=signal.SIGTERM, cwd=tmp_path)
        assert done.stdout.strip() == os.fsencode(tmp_path)
        await s.run_process(["true"], parent_death_signal=signal.SIGTERM)

    async def test_subreaper(self, supervisor: Supervisor) -> None:
        """
        With `subreaper`, orphans come back to this process, and the end reaps them.
        """
        program = f"""
            import asyncio, sys, psutil
            sys.path.insert(0, {str(ROOT)!r})
            from sessionstate import Supervisor
            async def main():
                me = psutil.Process()
                async with Supervisor() as supervisor:
                    async with supervisor.session("a") as s:
                        process = await s.open_process({child("daemon", "go")!r}, subreaper=True)
                        text = b""
                        while text.count(b"\\n") < 2:
                            text += await process.stdout.receive()
                        await process.wait()
                        daemon = int(text.split()[1])
                        assert psutil.Process(daemon).ppid() == me.pid
                        other = await s.open_process({child("leave")!r})
                        await other.wait()
                    assert me.children() == [], me.children()
            asyncio.run(main())
        """
        async with supervisor.session("a") as s:
            await s.run_process([sys.executable, "-c", textwrap.dedent(program)])
            try:
                await s.run_process(["true"], subreaper=True)
            finally:
                ctypes.CDLL(None).prctl(_commands.SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    async def test_the_mark_grows_inwards(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What a process starts in sessions of its own is found by the outer session as well.
        """
        monkeypatch.setenv(_strays.MARK, "outer")
        command = _commands.Command(["true"], stdin=None, stdout=None, stderr=None)
        assert command.arguments()["env"][_strays.MARK] == f"outer:{command.mark}"

    async def test_one_that_is_gone_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What ended while it was looked at, or whose number is another's now, is not taken for ours.
        """
        facts = _strays.Facts(1, 1, frozenset({"mark"}), dead=False, born=0)
        seen = _strays.Seen({2**22 + 1: facts, os.getpid(): facts})
        assert seen.find("mark", None) == ([], False)

    def test_both_ways_to_look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        What psutil tells of a process is what Linux does.
        """
        environ = {**os.environ, _strays.MARK: "a:b"}
        with subprocess.Popen(child("tree", 1), env=environ, stdout=subprocess.PIPE) as popen:
            assert popen.stdout is not None
            popen.stdout.readline()
            facts = _strays._facts_from_proc(popen.pid)
            assert facts._replace(born=0) == _strays._facts_from_psutil(popen.pid)._replace(born=0)
            assert facts[:4] == (os.getpid(), os.getpgid(0), frozenset({"a", "b"}), False)
            assert facts.born == _strays._facts_from_proc(popen.pid).born > 0

            def refuse(*args: object) -> dict[str, str]:
                raise psutil.AccessDenied(popen.pid)

            with monkeypatch.context() as patch:
                patch.setattr(psutil.Process, "environ", refuse)
                assert _strays._facts_from_psutil(popen.pid).marks == set()
                patch.setattr("builtins.open", denied(open))
                assert _strays._facts_from_proc(popen.pid).marks == set()
            popen.kill()


def denied(real: Any) -> Any:
    """
    Return an `open` that may not read any environment.
    """

    def refuse(path: Any, *args: Any) -> Any:
        if str(path).endswith("/environ"):
            raise PermissionError
        return real(path, *args)

    return refuse


class TestElsewhere:
    @pytest.mark.parametrize(
        "option", [{"subreaper": True}, {"parent_death_signal": signal.SIGTERM}]
    )
    async def test_what_only_linux_has(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, option: Any
    ) -> None:
        """
        What only Linux has is refused elsewhere, with advice.
        """
        monkeypatch.setattr(_commands, "LINUX", False)
        with pytest.raises(ValueError, match="only Linux has"):
            await s.open_process(child("tree", 1), **option)

    @pytest.mark.skipif(sys.platform != "win32", reason="needs Windows, whose loops differ in this")
    def test_the_selector_loop_of_windows(self) -> None:
        """
        A loop that has no processes on Windows is refused, with the one that has.
        """

        async def main() -> None:
            async with Supervisor() as supervisor:
                s = await supervisor.open("a")
                with pytest.raises(RuntimeError, match="Proactor"):
                    await s.open_process(child("tree", 1))

        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(main())


@needs_posix
class TestGroup:
    async def test_what_may_not_be_signalled(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A group that took another user's rights is asked without an error, and is there still.
        """
        process = await s.open_process(child("tree", 1))
        await lines(process, 1)
        tree = process._life.tree
        assert isinstance(tree, _process_groups.Group)

        def refuse(pid: int, number: int) -> None:
            raise PermissionError

        tree.popen.kill()
        join(tree.popen)
        with monkeypatch.context() as patch:
            patch.setattr("os.killpg", refuse)
            tree.kill()
            assert tree.alive()
        await process.wait()

    async def test_nothing_is_sent_to_an_empty_group(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, log: list[str]
    ) -> None:
        """
        Once a group was seen empty, nothing is sent to its number: it may be another's.
        """
        process = await s.open_process(child("daemon", "go"))
        tree = await pids(process, 2)
        await process.wait()
        with monkeypatch.context() as patch:
            patch.setattr("os.killpg", lambda *args: log.append("killed"))
            await s.aclose()
        assert not living(tree)
        assert not log

    async def test_those_it_knows_may_be_gone(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A process that ends while it is looked at, or sent a signal, is no error.
        """
        process = await s.open_process(child("daemon", "go"))
        tree = await pids(process, 2)
        group = process._life.tree
        assert isinstance(group, _process_groups.Group)
        await process.wait()
        assert group.known()

        def gone(*args: object) -> Any:
            raise psutil.NoSuchProcess(tree[1])

        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "status", gone)
            patch.setattr(psutil.Process, "send_signal", gone)
            group.ask()
            assert not group.known()
        assert living(tree) == [tree[1]]

    async def test_those_that_come_back_are_reaped(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The dead of a group that came back to this process are reaped before it is looked at.
        """
        process = await s.open_process(child("leave"))
        tree = await pids(process, 2)
        await process.wait()
        group = process._life.tree
        assert isinstance(group, _process_groups.Group)
        group._left = []
        found = [tree[1], 0]
        with monkeypatch.context() as patch:
            patch.setattr("os.waitpid", lambda *args: (found.pop(0), 0))
            assert group.alive()
        assert not found

    async def test_a_loop_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Who looks for processes, or waits for one, and finds the loop closed or gone, gives up.
        """
        loop = asyncio.new_event_loop()
        loop.close()
        popen = subprocess.Popen(child("echo"), stdin=subprocess.DEVNULL)  # noqa: ASYNC220 - a test
        _process_groups._watch_in_thread(loop, popen, loop.stop)
        await until(lambda: popen.poll() is not None)
        census = _strays.Census(loop)
        census._look([], frozenset())
        del loop
        assert census._loop() is None or PATIENCE
        census._look([], frozenset())
