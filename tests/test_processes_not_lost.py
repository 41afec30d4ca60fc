"""
Child processes that leave, change or hide, and looks that fail: none of them is lost.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from typing import Any

import psutil
import pytest

from sessionstate import Session, _process_groups, _strays
from sessionstate._process_groups import kill_groups
from tests.trees import (
    PATIENCE,
    child,
    lines,
    living,
    needs_linux,
    needs_posix,
    nobody_left,
    pids,
    until,
    wait_until_dead,
)

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left"), needs_posix]


class TestNobodyIsLost:
    async def test_one_that_changes_its_environment(self, s: Session) -> None:
        """
        A grandchild in the group is ended though it executes other programs all the time.
        """
        process = await s.open_process(child("changing"), stderr=subprocess.DEVNULL)
        tree = await pids(process, 2)
        assert await process.wait() == 0
        await s.aclose()
        assert not living(tree)

    def test_another_program_is_the_same_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A process that was seen with a mark and has none a moment later is still the same.
        """
        with subprocess.Popen(["sleep", "1000"]) as popen:
            facts = _strays.facts_of(popen.pid)
            # As if it was no child of ours: those are passed over.
            marked = facts._replace(parent=1, marks=frozenset({"mark"}))
            left = _strays.Seen({popen.pid: marked}).find("mark", None)
            assert [each.pid for each in left.living] == [popen.pid]
            earlier = marked._replace(born=facts.born - 1)
            assert not _strays.Seen({popen.pid: earlier}).find("mark", None).living
            monkeypatch.setattr(_strays, "adopts", lambda: True)  # orphans become our children
            adopted = _strays.Seen({popen.pid: marked._replace(parent=os.getpid())})
            assert adopted.find("mark", None).living == left.living
            popen.kill()

    async def test_a_group_of_which_nobody_was_seen(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A look that sees nobody of a group does not end it while the system says that it is there.
        """
        process = await s.open_process(child("leave"))
        tree = await pids(process, 2)
        group = process._life.tree
        assert isinstance(group, _process_groups.Group)
        await process.wait()
        group._left = []
        with monkeypatch.context() as patch:
            patch.setattr(_strays, "all_facts", lambda *args: {})
            assert await group.look()
        await s.aclose()
        assert not living(tree)

    @needs_linux
    async def test_only_what_is_not_there_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A process that cannot be read for want of descriptors is not taken for gone.
        """

        def refuse(pid: int) -> Any:
            raise OSError(errno.EMFILE, "too many open files")

        monkeypatch.setattr(_strays, "facts_of", refuse)
        with pytest.raises(OSError, match="too many"):
            _strays.all_facts(set())

    async def test_a_look_that_fails_for_now(
        self, s: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        When descriptors are short, those who left are looked for again.
        """
        process = await s.open_process(child("daemon", "go"), stdout=subprocess.PIPE)
        tree = await pids(process, 2)

        def refuse(*args: object) -> Any:
            raise OSError(errno.EMFILE, "too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(_strays, "all_facts", refuse)
            assert await process.wait() == 0
            assert "1 resource" in repr(s)
        await s.aclose()
        assert not living(tree)

    async def test_what_was_seen_once(self, s: Session) -> None:
        """
        Who was found once is ended, though nothing tells any more whose it is.
        """
        process = await s.open_process(child("stray", 0.5))
        tree = await pids(process, 2)
        assert process._life.tree is not None
        await process._life.tree.look()
        await lines(process, 1)  # it is another program now
        process.send_signal(signal.SIGKILL)
        await process.wait()
        await s.aclose()
        assert not living(tree)

    @pytest.mark.parametrize("how", ["terminate", "kill"])
    async def test_terminate_and_kill_reach_those_who_left(self, s: Session, how: str) -> None:
        """
        `terminate` and `kill` end those who left the group, and keep what was written.
        """
        process = await s.open_process(child("stray"))
        tree = await pids(process, 2)
        getattr(process, how)()
        await process.wait()
        wait_until_dead(tree)
        assert process.stdout is not None
        assert b"".join([data async for data in process.stdout]) == b""
        await until(lambda: not s._steps)

    @pytest.mark.parametrize("how", ["terminate", "kill"])
    async def test_they_mean_what_was_left(self, s: Session, how: str) -> None:
        """
        When the process itself has ended, `terminate` and `kill` end what it left.
        """
        process = await s.open_process(child("daemon", "go"))
        tree = await pids(process, 2)
        await process.wait()
        assert living(tree)
        getattr(process, how)()
        await until(lambda: not s._steps)
        assert not living(tree)
        getattr(process, how)()

    async def test_the_last_layer(self, s: Session) -> None:
        """
        Where no loop runs, those who left the group are killed as well.
        """
        tree = await pids(await s.open_process(child("stray")), 2)
        kill_groups(await s.supervisor.open("b"))  # it has none
        assert living(tree) == tree
        kill_groups(s)
        wait_until_dead(tree)

    async def test_an_owner_outside(self, s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        A process with an environment of its own has the mark of an owner outside, too.
        """
        monkeypatch.setenv(_strays.MARK, "outer")
        done = await s.run_process(f"echo ${_strays.MARK}", env={})
        assert done.stdout.startswith(b"outer:")

    async def test_a_stopped_process(self, s: Session) -> None:
        """
        A process that was stopped hears that it is asked to end.
        """
        process = await s.open_process(child("polite"), grace=PATIENCE)
        await lines(process, 1)
        process.send_signal(signal.SIGSTOP)
        await until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        await process.aclose()
        assert process.returncode == 3
