from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import weakref
from typing import Any

import pytest

from sessionstate import Session, _process_groups
from tests.trees import (
    child,
    descriptors,
    living,
    needs_posix,
    no_thread,
    nobody_left,
    pids,
    until,
    zombies,
)

__all__ = ["nobody_left"]

pytestmark = [pytest.mark.real_loop, pytest.mark.usefixtures("nobody_left")]


class TestEndedByItself:
    async def test_its_row_is_removed(self, s: Session) -> None:
        """
        Of a process that ended by itself nothing is left: no row, no descriptor, no object.
        """
        before = descriptors()
        refs: list[weakref.ref[Any]] = []
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                process = await s.open_process([sys.executable, "-ISc", "pass"])
                assert "1 resource" in repr(s)
                life = process._life
                refs += [
                    weakref.ref(each) for each in (process, life, process._task, life.pipes.stdout)
                ]
                await process.wait()
                assert (descriptors(), zombies()) == (before, [])
                await until(lambda: not s._steps)
                await asyncio.sleep(0)
                del process, life
            assert [ref() for ref in refs] == [None] * len(refs)
        finally:
            gc.enable()
        assert not _process_groups.trees

    async def test_without_anybody_waiting(self, s: Session) -> None:
        """
        A process that nobody waits for is reaped and forgotten as well.
        """
        await s.open_process([sys.executable, "-ISc", "print('hi')"])
        await until(lambda: not s._steps)
        assert not zombies()

    async def test_what_it_left_running_is_the_sessions(self, s: Session) -> None:
        """
        What a process left in its group lives on until the session ends, though it has stdout open.
        """
        process = await s.open_process(child("leave"))
        tree = await pids(process, 2)
        assert await process.wait() == 0
        assert "1 resource" in repr(s)
        left = [pid for pid in tree if pid != process.pid]
        assert living(tree) == left
        await s.aclose()
        assert not living(tree)

    async def test_what_it_left_running_ends(self, s: Session) -> None:
        """
        When what a process left running has ended as well, its row is removed.
        """
        process = await s.open_process(child("leave_shortly"))
        assert await process.wait() == 0
        assert "1 resource" in repr(s)
        await until(lambda: not s._steps)

    async def test_cancelled_while_something_is_left(self, s: Session) -> None:
        """
        A sweep over all tasks ends what a process left running.
        """
        process = await s.open_process(child("leave"))
        tree = await pids(process, 2)
        await process.wait()
        [task] = [task for task in asyncio.all_tasks() if task.get_name().startswith("a: ")]
        task.cancel()
        await until(lambda: not s._steps)
        assert not living(tree)


class TestThoseWhoLeft:
    @needs_posix
    @pytest.mark.parametrize("stay", ["stay", "go"])
    async def test_a_daemon(self, s: Session, stay: str) -> None:
        """
        A daemon is ended with the session, whether or not the process that started it is gone.
        """
        process = await s.open_process(child("daemon", stay))
        tree = await pids(process, 2)
        if stay == "go":
            assert await process.wait() == 0
            assert "1 resource" in repr(s)
        assert len(living(tree)) == (2 if stay == "stay" else 1)
        await s.aclose()
        assert not living(tree)

    @needs_posix
    async def test_one_without_environment(self, s: Session) -> None:
        """
        One that left the group and cleared its environment is found by its ancestors.
        """
        process = await s.open_process(child("escape"))
        tree = await pids(process, 2)
        await s.aclose()
        assert not living(tree)

    @needs_posix
    async def test_a_daemon_without_environment_is_lost(self, s: Session) -> None:
        """
        A daemon that also cleared its environment is not found: nothing tells whose it is.
        """
        process = await s.open_process(child("daemon", "go", "clear"))
        tree = await pids(process, 3)
        await process.wait()
        await s.aclose()
        assert living(tree) == [tree[-1]]
        os.kill(tree[-1], signal.SIGKILL)

    @needs_posix
    @pytest.mark.parametrize("missing", ["list", "thread"])
    async def test_nothing_tells_who_left(
        self, s: Session, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        """
        Without a list of processes, or a thread to read it in, the group is still ended.
        """
        process = await s.open_process(child("tree", 3), grace=0.1)
        tree = await pids(process, 3)
        with monkeypatch.context() as patch:
            if missing == "list":
                patch.setattr("psutil.pids", lambda: 1 / 0)
            else:
                patch.setattr("threading.Thread.start", no_thread)
            await s.aclose()
        assert not living(tree)
