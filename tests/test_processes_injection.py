"""
Real processes on a real loop, with a cancellation before one step of the loop after the other.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

import pytest

from sessionstate import SessionClosed, Supervisor
from sessionstate._process_groups import trees
from tests.trees import PATIENCE, child, descriptors, living, nobody_left, until, zombies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionstate import Session

__all__ = ["nobody_left"]

pytestmark = pytest.mark.usefixtures("nobody_left")

Mode = Literal["main", "twice", "all", "hidden"]
FEW = 12

Loop: Any = asyncio.ProactorEventLoop if sys.platform == "win32" else asyncio.SelectorEventLoop


class SteppingLoop(Loop):  # type: ignore[misc]
    """
    A loop that calls `before_step` before each of its rounds.
    """

    steps = 0

    def before_step(self) -> None:
        """
        Do nothing.
        """

    def _run_once(self) -> None:
        self.steps += 1
        self.before_step()
        super()._run_once()


async def opening(s: Session) -> None:
    """
    Open a tree, read from it, and leave.
    """
    process = await s.open_process(child("tree", 2), grace=0.01)
    assert process.stdout is not None
    await process.stdout.receive()


async def running(s: Session) -> None:
    """
    Run a command to its end.
    """
    await s.run_process(child("echo"), input=b"hello", check=False, grace=0.01)


async def two(s: Session) -> None:
    """
    Run a command beside a process.
    """
    process = await s.open_process(child("leave"), grace=0.01)
    await s.run_process(child("echo"), input=b"hello", check=False, grace=0.01)
    await process.wait()


class Run:
    """
    One run of a scenario with a cancellation before one step.
    """

    def __init__(self, scenario: Callable[[Session], Awaitable[None]], mode: Mode, at: int) -> None:
        self.scenario, self.mode, self.at = scenario, mode, at
        self.loop = SteppingLoop()
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.hidden: list[weakref.ref[asyncio.Task[Any]]] = []
        self.took = 0

    def hide(self, task: asyncio.Task[Any]) -> None:
        """
        Note what is taken out of `asyncio.all_tasks`.
        """
        self.hidden.append(weakref.ref(task))
        self.unregister(task)

    def run(self) -> int:
        """
        Run it, verify that nothing is left, and return how many steps the scenario took.
        """
        asyncio.set_event_loop(self.loop)
        self.unregister = asyncio._unregister_task
        try:
            with patch.object(asyncio, "_unregister_task", self.hide):
                self.loop.run_until_complete(self._host())
            assert not trees, "trees left"
            assert not zombies(), "dead processes left"
            assert not self.errors, self.errors
            return self.took
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    async def _host(self) -> None:
        async with Supervisor() as supervisor:
            before = descriptors()
            seen: dict[int, None] = {}
            self.main = asyncio.ensure_future(self._main(supervisor))
            start = self.loop.steps
            host = asyncio.current_task()

            def before_step() -> None:
                seen.update((tree.pid, None) for tree in trees)
                step = self.loop.steps - start
                if step == self.at:
                    self._inject(host)
                elif step == self.at + 3 and self.mode == "twice":
                    self.main.cancel()

            self.loop.before_step = before_step
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait([self.main])
                self.took = self.loop.steps - start
                await until(lambda: not (supervisor._live or supervisor._closing))
            if not self.main.cancelled() and self.main.exception() is not None:
                assert isinstance(self.main.exception(), RuntimeError | SessionClosed)
            for _ in range(5):
                await asyncio.sleep(0)
            assert not living(seen), "processes left"
            assert descriptors() <= before, "file descriptors left"

    async def _main(self, supervisor: Supervisor) -> None:
        async with supervisor.session("a") as s:
            await self.scenario(s)

    def _inject(self, host: asyncio.Task[Any] | None) -> None:
        if self.mode in ("main", "twice"):
            self.main.cancel()
            return
        tasks = list(asyncio.all_tasks(self.loop))
        if self.mode == "hidden":
            tasks = [task for ref in self.hidden if (task := ref()) is not None]
        for task in tasks:
            if task is not host and "supervisor" not in task.get_name():
                task.cancel()


def explore(
    scenario: Callable[[Session], Awaitable[None]], mode: Mode, most: int | None = None
) -> None:
    """
    Run *scenario* with a cancellation before each of its steps, or before *most* of them.
    """
    steps = max(Run(scenario, mode, -1).run() for _ in range(2))
    stride = 1 if most is None else max(1, steps // most)
    for at in range(1, steps + 1, stride):
        try:
            Run(scenario, mode, at).run()
        except BaseException as error:
            error.add_note(f"{mode}, before step {at} of {steps}")
            raise


SCENARIOS = [opening, running, two]
MODES: list[Mode] = ["main", "twice", "all", "hidden"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_some_steps(scenario: Any, mode: Mode) -> None:
    """
    Wherever a cancellation strikes, no process, dead process or descriptor is left.
    """
    explore(scenario, mode, FEW)


@pytest.mark.stress
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_step(scenario: Any, mode: Mode) -> None:
    """
    Wherever a cancellation strikes, no process, dead process or descriptor is left: every step.
    """
    explore(scenario, mode)
