"""
What the leak check tells of a timer: what it is about.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from sessionstate.testing import VirtualClock
from sessionstate.testing._reprs import short_repr
from tests.leak_checks import check, row

pytestmark = pytest.mark.virtual_time


def ring(text: str) -> None:
    """
    Be called by a timer.
    """
    del text


class Bell:
    def ring(self) -> None:
        """
        Be called by a timer.
        """

    def __call__(self) -> None:
        """
        Be called without a name.
        """


async def wait(future: asyncio.Future[None]) -> None:
    """
    Wait for what a timer sets.
    """
    await future


class TestTimers:
    async def said(self, callback: Any, *args: Any) -> str:
        """
        Return what is said of a timer.
        """
        timer = asyncio.get_running_loop().call_later(3600, callback, *args)
        try:
            return short_repr(timer)
        finally:
            timer.cancel()

    @pytest.mark.parametrize(
        ("callback", "says"),
        [
            (partial(partial(ring), "a"), "calls ring at test_leakcheck_timers.py:"),
            (Bell().ring, "calls Bell.ring at test_leakcheck_timers.py:"),
            (Bell(), "calls Bell in 3,600 s"),
            (print, "calls print in 3,600 s"),
        ],
    )
    def test_what_it_calls(self, callback: Any, says: str) -> None:
        """
        A timer is told by the function that it calls, where that is, and in how many seconds.
        """
        said = VirtualClock().run(self.said(callback))
        assert said.startswith(says)
        assert said.endswith(" in 3,600 s")

    def test_whom_it_wakes(self) -> None:
        """
        One that wakes a task is told by the task; what asyncio calls for that is of no use.
        """

        async def main() -> str:
            future = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(wait(future))
            await asyncio.sleep(0)
            said = await self.said(future.set_result, future)
            task.cancel()
            return said

        assert VirtualClock().run(main()).startswith("wakes wait at test_leakcheck_timers.py:")

    def test_nobody_waits(self) -> None:
        """
        Where no task waits for the future, it is told by what it calls.
        """

        async def main() -> str:
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(print)
            return await self.said(ring, future)

        assert VirtualClock().run(main()).startswith("calls ring at ")

    def test_cancelled(self) -> None:
        """
        One that was cancelled calls nothing.
        """

        async def main() -> str:
            timer = asyncio.get_running_loop().call_later(1, print)
            timer.cancel()
            return short_repr(timer)

        assert VirtualClock().run(main()) == "a timer that was cancelled"

    def test_a_leak_of_them(self) -> None:
        """
        The row of timers shows what one of them does.
        """

        async def request() -> None:
            loop = asyncio.get_running_loop()

            def again() -> None:
                loop.call_later(5000, again)

            again()

        example = row(check(request), "timers of the loop").example
        assert "again at test_leakcheck_timers.py:" in example
        assert "TimerHandle" not in example
