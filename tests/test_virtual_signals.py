"""
Signals that can still wake the loop that runs by a virtual clock, and those that cannot.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sessionstate.testing import DeadlockError
from tests.test_virtual_loop import cancel_all, clock, loop

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock, VirtualLoop

__all__ = ["clock", "loop"]  # fixtures

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its loops handle no signals")


async def forever() -> None:
    """
    Wait for nobody.
    """
    await asyncio.Event().wait()


class TestSignals:
    def test_alarm_that_was_set(self, loop: VirtualLoop) -> None:
        """
        An alarm that the loop handles is waited for, and virtual time does not run away.
        """

        async def main() -> None:
            rung = asyncio.Event()
            loop.add_signal_handler(signal.SIGALRM, rung.set)
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            await rung.wait()
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            rung.clear()
            async with asyncio.timeout(3600):
                await rung.wait()

        loop.run_until_complete(main())
        assert loop.time() < 10

    def test_alarm_that_is_not_the_loop_s(
        self, loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        An alarm that somebody else handles, as a limit on the test's time, changes nothing.
        """
        monkeypatch.setattr("sessionstate.testing._outsiders._has_children", lambda: False)
        loop.add_signal_handler(signal.SIGTERM, int)
        before = signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 60)
        try:
            with pytest.raises(DeadlockError, match="no timer is armed"):
                loop.run_until_complete(forever())
            loop.run_until_complete(asyncio.sleep(3600))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        cancel_all(loop)

    def test_child_that_may_signal(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        A child process is waited for where the loop handles signals; without any it is a deadlock.
        """
        clock.patience = 20

        async def main() -> int:
            ended = asyncio.Event()
            loop.add_signal_handler(signal.SIGCHLD, ended.set)
            child = subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220 - nobody's
            await ended.wait()
            return child.wait()

        async def alone() -> None:
            loop.add_signal_handler(signal.SIGTERM, int)
            await forever()

        assert loop.run_until_complete(main()) == 0
        clock.patience = 0.2
        with pytest.raises(DeadlockError):
            loop.run_until_complete(alone())
        cancel_all(loop)
