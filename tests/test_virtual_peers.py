"""
Peers of open sockets: how long they may be silent in virtual time, and how long they may talk.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sessionstate.testing import DeadlockError, LivelockError, VirtualClock, VirtualLoop
from tests.test_virtual_loop import cancel_all, clock, loop

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clock", "loop"]


@contextmanager
def talking(loop: VirtualLoop) -> Iterator[None]:
    """
    Have two sockets of *loop* answer each other for ever.
    """
    left, right = socket.socketpair()
    with left, right:
        for each in (left, right):
            loop.add_reader(each, lambda mine: mine.send(mine.recv(1)), each)
        right.send(b"x")
        yield
        for each in (left, right):
            loop.remove_reader(each)


class TestSilence:
    def test_time_that_is_told_passes_over_silent_peers(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        `advance` does not wait for the peer of an open socket, and timers ring in their order.
        """
        rung: list[float] = []
        left, right = socket.socketpair()
        with left, right:
            loop.add_reader(left, lambda: None)
            for delay in (300, 100, 200):
                loop.call_later(delay, lambda: rung.append(round(loop.time())))
            loop.run_until_complete(clock.advance(310))
            loop.remove_reader(left)
        assert rung == [100, 200, 300]
        assert clock.now == pytest.approx(310, abs=1)

    def test_what_a_peer_says_comes_first(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        What was sent to a socket is received before time moves on.
        """
        left, right = socket.socketpair()
        with left, right:
            for each in (left, right):
                each.setblocking(False)
            right.send(b"x")

            async def main() -> float:
                receiving = asyncio.create_task(loop.sock_recv(left, 1))
                advancing = asyncio.create_task(clock.advance(310))
                await receiving
                received = loop.time()
                await advancing
                return received

            assert loop.run_until_complete(main()) < 310

    def test_a_job_is_waited_for(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        A job in a thread ends at about the time that it takes, though time is told to move.
        """
        left, right = socket.socketpair()
        with left, right:
            loop.add_reader(left, lambda: None)
            ended: list[float] = []
            job = loop.run_in_executor(None, time.sleep, 0.05)
            job.add_done_callback(lambda _: ended.append(loop.time()))
            loop.run_until_complete(clock.advance(3600))
            loop.remove_reader(left)
            loop.run_until_complete(loop.shutdown_default_executor())
        assert ended[0] < 3600

    def test_the_deadlock_advises_to_tell(self, loop: VirtualLoop) -> None:
        """
        Who sleeps beside a silent peer hears how time can be moved all the same.
        """
        left, right = socket.socketpair()
        with left, right:
            loop.add_reader(left, lambda: None)
            with pytest.raises(DeadlockError, match=r"until you await clock\.advance"):
                loop.run_until_complete(asyncio.sleep(3600))
            loop.remove_reader(left)
        cancel_all(loop)

    def test_what_is_told_no_more_does_not_move(self) -> None:
        """
        After an `advance` that was cancelled nobody moves the clock any further.
        """
        clock = VirtualClock(autojump=False)
        loop = clock.new_event_loop()

        async def main() -> None:
            advancing = asyncio.create_task(clock.advance(100))
            await asyncio.sleep(0)
            advancing.cancel()
            await asyncio.wait([advancing])
            await asyncio.sleep(50)

        with pytest.raises(DeadlockError, match="nobody moves the clock"):
            loop.run_until_complete(main())
        cancel_all(loop)
        loop.close()


class TestTalk:
    def test_time_goes_on_beside_peers_that_talk(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        Peers that never stop talking are no livelock: timers ring as in real time.
        """
        clock.most_steps = 500

        async def main() -> None:
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()

        with talking(loop), pytest.raises(TimeoutError):
            loop.run_until_complete(main())

    def test_talk_has_an_end_where_one_is_set(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        Who must not wait for hours may say how long peers may talk, and hears of their sockets.
        """
        clock.most_steps = 500
        loop.longest_talk = 0.05
        silent = r"file descriptors \[.*\] were never silent"
        with talking(loop), pytest.raises(LivelockError, match=silent):
            loop.run_until_complete(asyncio.sleep(3600))
        cancel_all(loop)

    def test_talk_is_a_livelock_where_time_is_moved_by_hand(self) -> None:
        """
        Where nobody moves the clock, it does not move for those who talk either.
        """
        clock = VirtualClock(autojump=False, most_steps=500)
        loop = clock.new_event_loop()
        with talking(loop), pytest.raises(LivelockError, match="time stands still"):
            loop.run_until_complete(asyncio.sleep(3600))
        cancel_all(loop)
        loop.close()
