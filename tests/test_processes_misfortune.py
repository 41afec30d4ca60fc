"""
What a hostile world does to child processes: none hangs us, no stranger is hurt.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from sessionstate import Session, _process_groups, _strays
from tests.trees import (
    PATIENCE,
    child,
    living,
    needs_linux,
    needs_posix,
    nobody_left,
    pids,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left"), needs_posix]

ROOT = Path(__file__).parent.parent


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """
    Give what ends a wait in another thread, after the test at the latest.
    """
    event = threading.Event()
    yield event
    event.set()


class TestNobodyHangs:
    async def test_one_process_that_blocks_the_look(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, stuck: threading.Event
    ) -> None:
        """
        A stranger who cannot be looked at keeps nobody waiting, and hides nobody else.
        """
        facts_of = _strays.facts_of
        process = await s.open_process(child("daemon", "go"), grace=0.1)
        tree = await pids(process, 2)

        def facts(pid: int) -> _strays.Facts:
            if pid == os.getpid():
                stuck.wait()
            return facts_of(pid)

        monkeypatch.setattr(_strays, "STUCK", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(_strays, "facts_of", facts)
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0
                done = await s.run_process(child("echo"), input=b"x", check=False)
                assert done.stdout == b"x"
                await s.aclose()
        assert not living(tree)
        census = _strays.census()
        assert census._reading == {os.getpid()}
        stuck.set()
        await until(lambda: not census._reading)

    async def test_a_list_that_blocks(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, stuck: threading.Event
    ) -> None:
        """
        When the list of processes blocks, a look fails after a while.
        """
        monkeypatch.setattr(_strays, "STUCK", 0.1)
        with monkeypatch.context() as patch:
            patch.setattr(psutil, "pids", lambda: stuck.wait() and [])
            with pytest.raises(TimeoutError, match="cannot be read"):
                await _strays.census().ask(_strays.Question("mark", None))
        stuck.set()

    async def test_who_waits_does_not_wait_for_the_look(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, stuck: threading.Event
    ) -> None:
        """
        A process that left nothing behind is over at once: who left its tree is looked for later.
        """
        all_facts = _strays.all_facts

        def wait(*args: Any) -> Any:
            stuck.wait()
            return all_facts(*args)

        monkeypatch.setattr(_strays, "all_facts", wait)
        async with asyncio.timeout(PATIENCE):
            done = await s.run_process(["true"])
            process = await s.open_process(["true"])
            await process.wait()
        assert done.returncode == 0
        assert "2 resources" in repr(s)
        stuck.set()
        await until(lambda: not s._steps)

    async def test_what_was_found_is_watched(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, log: list[str]
    ) -> None:
        """
        Once it is known what a process left, no pass over all processes is made while that lives.
        """
        monkeypatch.setattr("sessionstate._processes.LONGEST_PAUSE", 0.01)
        process = await s.open_process(child("daemon", "go"))
        tree = await pids(process, 2)
        await process.wait()
        assert process._life.tree is not None
        await until(process._life.tree.known)
        look = _process_groups.Group.look

        async def note(group: _process_groups.Group) -> bool:
            log.append("look")
            return await look(group)

        monkeypatch.setattr(_process_groups.Group, "look", note)
        await asyncio.sleep(0.2)
        assert log == []
        os.kill(tree[1], signal.SIGKILL)
        await until(lambda: not s._steps)
        assert log == ["look"]

    @pytest.mark.parametrize("how", ["wait", "kill"])
    async def test_what_a_process_left_fills_no_memory(self, s: Session, how: str) -> None:
        """
        After the end of a process, what it left adds a bounded number of bytes.
        """
        process = await s.open_process(child("leave_flood"))
        if how == "kill":
            await until(lambda: process.returncode is not None)
            process.kill()
        await process.wait()
        assert process.stdout is not None
        assert len(process.stdout) <= 4 * 2**20
        await s.aclose()


class TestNobodyIsHurt:
    async def test_a_child_that_has_the_mark_by_accident(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A child of this process that got the mark from this process's environment is not ended.
        """
        process = await s.open_process(child("tree", 1))
        [pid] = await pids(process, 1)
        monkeypatch.setenv(_strays.MARK, ":".join(_strays.facts_of(pid).marks))
        with subprocess.Popen(child("tree", 2), stdout=subprocess.PIPE) as innocent:  # noqa: ASYNC220 - a test
            assert innocent.stdout is not None
            numbers = [int(innocent.stdout.readline()) for _ in range(2)]
            assert numbers[0] == innocent.pid
            await process.aclose()
            assert living(numbers) == numbers
            for number in numbers:
                os.kill(number, signal.SIGKILL)

    async def test_a_number_that_was_given_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The status of another child that has the number of one we knew is not taken.
        """
        with subprocess.Popen(["sh", "-c", "exit 7"]) as popen:  # noqa: ASYNC220 - a test
            other = psutil.Process(popen.pid)
            monkeypatch.setattr(psutil.Process, "is_running", lambda process: False)
            await until(lambda: other.status() == psutil.STATUS_ZOMBIE)
            assert not _process_groups._lives(other)
        assert popen.returncode == 7

    @pytest.mark.skipif(not hasattr(os, "waitid"), reason="needs waitid")
    async def test_a_status_that_was_taken(
        self, s: Session, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Where somebody else reaps all children, a failure is no success: it is 255, as in asyncio.
        """
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            with pytest.raises(subprocess.CalledProcessError) as caught:
                await s.run_process("exit 3")
        finally:
            signal.signal(signal.SIGCHLD, before)
        assert caught.value.returncode == 255
        assert "is not known" in caplog.text

    @needs_linux
    async def test_the_wrapper_changes_nothing(self, s: Session) -> None:
        """
        With a parent-death signal, a command has the signals and the locale that it was given.
        """
        command = ["sh", "-c", "grep SigIgn /proc/self/status; echo [$LC_CTYPE]"]
        path = {"PATH": os.environ["PATH"]}
        for env in (path, {**path, "LC_CTYPE": "C"}):
            plain = await s.run_process(command, env=env)
            done = await s.run_process(command, env=env, parent_death_signal=signal.SIGTERM)
            assert done.stdout == plain.stdout

    @needs_linux
    def test_one_that_dies_while_it_is_looked_at(self) -> None:
        """
        An orphan that came back to us is reaped, in whatever moment it dies.
        """

        class Dying(psutil.Process):
            def status(self) -> str:
                self.kill()
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                return str(super().status())

        with subprocess.Popen(["sleep", "100"]) as orphan:
            dying = Dying(orphan.pid)
            assert not _process_groups._lives(dying)
            with pytest.raises(ChildProcessError):
                os.waitid(os.P_PID, orphan.pid, os.WEXITED | os.WNOHANG)

    async def test_a_subreaper_reaps(self, s: Session) -> None:
        """
        With `subreaper`, orphans that end before the session are reaped.
        """
        program = f"""
            import asyncio, sys, psutil
            sys.path.insert(0, {str(ROOT)!r})
            from sessionstate import Supervisor
            async def main():
                async with Supervisor() as supervisor:
                    s = await supervisor.open("a")
                    for _ in range(5):
                        await s.run_process(
                            "setsid sleep 1.5 & setsid sleep 100 &",
                            subreaper=True, stdout=-3, stderr=-3,
                        )
                    async with asyncio.timeout(30):
                        while len(psutil.Process().children()) > 5:
                            await asyncio.sleep(0.1)
                    await s.aclose()
                assert psutil.Process().children() == [], psutil.Process().children()
            asyncio.run(main())
        """
        await s.run_process([sys.executable, "-c", textwrap.dedent(program)])
