"""
The explorer of cancellations finds what it is there to find.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.injection import Mode, explore
from tests.world import FOR_EVER, World, live

pytestmark = pytest.mark.virtual_time


class TestExplorer:
    def test_finds_a_clean_up_that_is_cut_short(self) -> None:
        """
        An async clean-up in the cancelled task itself is found out by the second cancellation.
        """

        async def naive(world: World) -> None:
            world.take("it")
            try:
                await live()
            finally:
                await world.release_slowly("it")

        with pytest.raises(AssertionError, match="it: release begun 1 times, done 0 times"):
            explore(naive, "again")

    def test_finds_a_clean_up_that_never_begins(self) -> None:
        """
        Waiting between acquiring and registering is found out by one cancellation.
        """

        async def naive(world: World) -> None:
            async with world.supervisor.session("a") as session:
                world.take("it")
                await asyncio.sleep(0)
                session.callback(world.release, "it")

        with pytest.raises(AssertionError, match="it: taken 1 times, release begun 0 times"):
            explore(naive, "main")

    @pytest.mark.parametrize("mode", ["main", "scope"])
    def test_finds_a_swallowed_cancellation(self, mode: Mode) -> None:
        """
        A scenario that goes on after a cancellation is found out.
        """

        async def deaf(world: World) -> None:
            world.take("it")
            with suppress(asyncio.CancelledError):
                await live()
            world.release("it")

        with pytest.raises(AssertionError, match=r"swallowed|went on to its end"):
            explore(deaf, mode)

    def test_finds_what_is_left(self) -> None:
        """
        A task and a timer that outlive everything are found out.
        """

        async def leaky(world: World) -> None:
            world.take("it")
            world.release("it")
            task = asyncio.create_task(asyncio.sleep(10 * FOR_EVER))
            await asyncio.sleep(0)
            assert not task.done()

        with pytest.raises(AssertionError, match=r"(?s)tasks left.*timers left"):
            explore(leaky, "main")

    def test_finds_a_session_that_lives_for_ever(self) -> None:
        """
        A session that nobody ends and no deadline limits is found out.
        """

        async def eternal(world: World) -> None:
            world.take("it")
            session = await world.supervisor.open("a")
            session.extend(10 * FOR_EVER)
            session.callback(world.release, "it")

        with pytest.raises(AssertionError, match="sessions live for ever"):
            explore(eternal, "main")
