"""
The clock the other tests stand on: how its time moves, and what it refuses.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.testing import DeadlockError, LivelockError, VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

eager_only = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)
EAGER = [False, pytest.param(True, marks=eager_only)]


@pytest.fixture
def clock() -> VirtualClock:
    """
    Give a clock whose loop loses its patience soon.
    """
    return VirtualClock(patience=0.2)


@pytest.fixture
def loop(clock: VirtualClock) -> Iterator[VirtualLoop]:
    """
    Give the loop that runs by `clock`.
    """
    loop = clock.new_event_loop()
    yield loop
    loop.close()


class TestTime:
    @pytest.mark.parametrize("eager", EAGER)
    def test_sleeping_takes_no_time(self, *, eager: bool) -> None:
        """
        A thousand years of sleep are over at once, and the clock says that they went by.
        """

        async def main() -> float:
            await asyncio.sleep(1000 * 365 * 86400.0)
            return asyncio.get_running_loop().time()

        before = time.monotonic()
        assert VirtualClock().run(main(), eager=eager) == 1000 * 365 * 86400.0
        assert time.monotonic() - before < 10

    @pytest.mark.parametrize("start", [0.0, 1e3, 1e9, 3e10])
    def test_timer_is_never_early(self, loop: VirtualLoop, start: float) -> None:
        """
        A timer sees exactly its own time, however late in virtual time it is.
        """
        seen: list[tuple[float, float]] = []

        def note(when: float) -> None:
            seen.append((when, loop.time()))

        async def main() -> None:
            await asyncio.sleep(start)
            for step in (0.1, 0.3, 1 / 3, 7.7):
                when = loop.time() + step
                loop.call_at(when, note, when)
            await asyncio.sleep(10)

        loop.run_until_complete(main())
        assert len(seen) == 4
        assert all(when <= now <= when + 1e-9 for when, now in seen)

    def test_time_outs_fire_in_order(self, loop: VirtualLoop) -> None:
        """
        The earlier of two time-outs fires first, whatever their order of arming.
        """
        seen: list[int] = []

        async def main() -> None:
            async def wait(seconds: int) -> None:
                try:
                    async with asyncio.timeout(seconds):
                        await asyncio.Event().wait()
                except TimeoutError:
                    seen.append(seconds)

            await asyncio.gather(*(wait(seconds) for seconds in (50, 3, 700, 20)))

        loop.run_until_complete(main())
        assert seen == [3, 20, 50, 700]

    def test_advance_does_everything_that_is_due(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        After `advance` all that was due has been run, including what it made ready in turn.
        """
        seen: list[float] = []

        async def main() -> None:
            async def chain() -> None:
                await asyncio.sleep(5)
                for _ in range(20):
                    await asyncio.sleep(0)
                seen.append(clock.now)

            task = asyncio.create_task(chain())
            await clock.advance(4.999)
            assert seen == []
            await clock.advance(0.001)
            assert seen == [5.0]
            await task

        loop.run_until_complete(main())

    def test_advance_rings_each_timer_at_its_time(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        Going far at once, every timer on the way rings at its own time.
        """
        seen: list[float] = []

        async def main() -> None:
            for when in (1.0, 2.5, 4.0, 11.0):
                loop.call_at(when, lambda: seen.append(clock.now))
            await clock.advance(10)
            assert clock.now == 10
            await clock.advance_to(3)
            assert clock.now == 10

        loop.run_until_complete(main())
        assert seen == [1.0, 2.5, 4.0]

    def test_jump_makes_late(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        After a jump what was due by then is done at the new time.
        """
        seen: list[float] = []

        async def main() -> None:
            loop.call_at(1, lambda: seen.append(clock()))
            clock.jump(5)
            assert seen == []
            await clock.settle()

        loop.run_until_complete(main())
        assert seen == [5.0]

    def test_clock_without_a_loop(self) -> None:
        """
        It is a clock by itself: whoever takes a callable reads it, and `jump` moves it.
        """
        clock = VirtualClock(start=100)
        clock.jump(0.5)
        assert (clock(), clock.now) == (100.5, 100.5)
        assert repr(clock) == "<VirtualClock at 100.5 s>"
        assert repr(VirtualClock(autojump=False)) == "<VirtualClock at 0 s, moved by hand>"

    def test_cancelled_advance_stays(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        Where an `advance` is cancelled time stays, and the timer for its end is disarmed.
        """

        async def main() -> None:
            mover = asyncio.create_task(clock.advance(10))
            loop.call_at(4, mover.cancel)
            with pytest.raises(asyncio.CancelledError):
                await mover
            assert (clock.now, loop.timers) == (4, 0)

        loop.run_until_complete(main())

    def test_cancelled_at_its_end(self, clock: VirtualClock, loop: VirtualLoop) -> None:
        """
        An `advance` that is cancelled at the very time that it goes to ends as cancelled.
        """

        async def main() -> None:
            def cancel() -> None:
                mover.cancel()

            loop.call_at(10, cancel)
            mover = asyncio.create_task(clock.advance(10))
            with pytest.raises(asyncio.CancelledError):
                await mover
            assert clock.now == 10

        loop.run_until_complete(main())

    def test_settle_gives_up_on_a_spinning_task(
        self, clock: VirtualClock, loop: VirtualLoop
    ) -> None:
        """
        `settle` says so when something is always ready.
        """

        async def main() -> None:
            task = asyncio.create_task(forever())
            with pytest.raises(LivelockError, match="still ready"):
                await clock.settle(rounds=50)
            task.cancel()

        loop.run_until_complete(main())


class TestByHand:
    def test_time_moves_when_told(self) -> None:
        """
        Without autojump a timer does not ring before somebody moves the clock that far.
        """
        clock = VirtualClock(autojump=False)

        async def main() -> list[float]:
            seen: list[float] = []
            loop = asyncio.get_running_loop()
            loop.call_later(5, lambda: seen.append(clock.now))
            await clock.advance(4)
            assert seen == []
            await clock.advance(4)
            return [*seen, clock.now]

        assert clock.run(main()) == [5.0, 8.0]

    def test_waiting_for_a_timer_is_a_deadlock(self) -> None:
        """
        Who waits for a timer that nobody moves the clock to is told so, with advice.
        """
        clock = VirtualClock(autojump=False)
        with pytest.raises(DeadlockError, match=r"due at 3 s and nobody moves.*clock\.advance"):
            clock.run(asyncio.sleep(3))

    def test_real_time_does_not_move_it(self) -> None:
        """
        Waiting for a thread in earnest moves nothing.
        """
        clock = VirtualClock(autojump=False)

        async def main() -> float:
            await asyncio.to_thread(time.sleep, 0.03)
            return clock.now

        assert clock.run(main()) == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"start": float("nan")}, "start must be a finite number of seconds, not nan"),
            ({"start": float("inf")}, "start must be a finite number"),
            ({"patience": 0}, "patience must be a positive number of seconds, not 0"),
            ({"patience": float("nan")}, "patience must be a positive number"),
            ({"most_steps": 0}, "most_steps must be at least 1, not 0"),
        ],
    )
    def test_limits(self, options: dict[str, Any], says: str) -> None:
        """
        A limit that means nothing is refused with its value.
        """
        with pytest.raises(ValueError, match=says):
            VirtualClock(**options)

    @pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
    def test_time_never_goes_back(
        self, clock: VirtualClock, loop: VirtualLoop, seconds: float
    ) -> None:
        """
        Neither `jump` nor `advance` goes back, nor for ever.
        """
        with pytest.raises(ValueError, match=f"time cannot move by {seconds!r} s"):
            clock.jump(seconds)
        with pytest.raises(ValueError, match="it never goes back"):
            loop.run_until_complete(clock.advance(seconds))

    @pytest.mark.parametrize("call", ["advance", "settle"])
    async def test_loop_of_another(self, call: str) -> None:
        """
        A clock moves the loop that runs by it and no other: `advance` elsewhere says what to do.
        """
        clock = VirtualClock()
        moving = clock.advance(1) if call == "advance" else clock.settle()
        with pytest.raises(RuntimeError, match=r"does not move the running loop.*clock\.jump"):
            await moving
        assert clock.now == 0

    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 has eager tasks")
    def test_eager_before_its_time(self) -> None:
        """
        Eager tasks are refused on an interpreter that has none.
        """
        with pytest.raises(RuntimeError, match=r"3\.12 or later: leave out eager=True"):
            VirtualClock().new_eager_event_loop()


async def forever() -> None:
    """
    Yield for ever.
    """
    while True:  # noqa: ASYNC110 - spinning is the point
        await asyncio.sleep(0)


ANYIO_TEST = """
import asyncio
import pytest
from sessionstate.testing import VirtualClock

clock = VirtualClock()

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": clock.new_event_loop}

@pytest.mark.anyio
async def test_years():
    await asyncio.sleep(1e9)
    assert clock.now >= 1e9
"""


class TestPlugins:
    def test_anyio_takes_the_factory(self, pytester: pytest.Pytester) -> None:
        """
        Anyio's pytest plugin runs its tests by the clock.
        """
        pytester.makepyfile(ANYIO_TEST)
        result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:cacheprovider")
        result.assert_outcomes(passed=1)
