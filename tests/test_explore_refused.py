"""
`explore`: scenarios that cannot be explored, and arguments that make no sense.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from sessionstate.testing import ScenarioError, explore
from tests.planted import FOR_EVER

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


def note(*what: str) -> None:
    """
    Do nothing.
    """


class TestBadScenario:
    def test_never_ends(self) -> None:
        """
        A scenario that never ends is refused, with the line at which it waits.
        """

        async def endless() -> None:
            await asyncio.sleep(FOR_EVER)

        with pytest.raises(ScenarioError, match=r"has not ended after 7200 virtual seconds.*py:\d"):
            explore(endless)

    def test_waits_for_nobody(self) -> None:
        """
        A scenario that waits for what nobody will do is refused as well.
        """

        async def waits() -> None:
            await asyncio.Event().wait()

        with pytest.raises(ScenarioError, match="has not ended after 7200 virtual seconds"):
            explore(waits)

    def test_not_deterministic(self) -> None:
        """
        A scenario that goes another way the next time is refused, with the first difference.
        """
        times: list[int] = []

        async def another_way() -> None:
            times.append(1)
            asyncio.get_running_loop().call_later(len(times), partial(partial(note, "it"), "rang"))
            await asyncio.sleep(5)

        with pytest.raises(ScenarioError, match="the same way twice: step 2 was note at 1 s, then"):
            explore(another_way)

    def test_leaves_threads(self) -> None:
        """
        A scenario that leaves a thread running is refused by the thread's name.
        """
        stop = threading.Event()

        async def threads() -> None:
            threading.Thread(target=stop.wait, name="stray").start()

        try:
            with pytest.raises(ScenarioError, match=r"leaves threads running \(stray\)"):
                explore(threads, settle=0.01)
        finally:
            stop.set()

    def test_leaks_by_itself(self) -> None:
        """
        A scenario that leaks undisturbed is refused, with what it leaks.
        """

        async def leaks() -> None:
            asyncio.get_running_loop().call_later(FOR_EVER, print)

        with pytest.raises(ScenarioError, match=r"(?s)mend that first.*timers are left"):
            explore(leaks)

    def test_fails_by_itself(self) -> None:
        """
        A scenario, or a setup, that raises undisturbed is refused, or raises.
        """

        async def fails() -> None:
            raise LookupError("on purpose")

        with pytest.raises(ScenarioError, match="it raised LookupError"):
            explore(fails)
        with pytest.raises(LookupError):
            explore(asyncio.sleep, setup=fails)

    async def test_in_a_running_loop(self) -> None:
        """
        In a running loop it says from where to call it.
        """
        with pytest.raises(RuntimeError, match="call it from a plain function"):
            explore(asyncio.sleep)

    @pytest.mark.parametrize("text", ["", "cancel", "cancel@", "nothing@1", "each@1#", "cancel@-1"])
    def test_text_of_a_point(self, text: str) -> None:
        """
        A text that stands for no point is refused, with examples.
        """

        async def body() -> None:
            await asyncio.sleep(1)

        with pytest.raises(ValueError, match=r"is no point of injection: .*'each@17#2'"):
            explore(body, only=text)

    def test_mode_that_is_none(self) -> None:
        """
        A mode that does not exist is refused, with those that do; one alone needs no list.
        """

        async def body() -> None:
            await asyncio.sleep(1)

        with pytest.raises(ValueError, match="'nothing' is no mode: choose from cancel, twice, "):
            explore(body, modes=["nothing"])
        assert list(explore(body, modes="cancel").runs) == ["cancel"]

    def test_function_that_is_not_async(self) -> None:
        """
        A plain function is refused in a sentence, and an error of a scenario's own by its line.
        """

        def plain() -> int:
            return 5

        async def fails() -> None:
            raise ValueError("x")

        with pytest.raises(ScenarioError, match="is an async function; this one returned 5"):
            explore(plain)
        with pytest.raises(ScenarioError, match=r"raised ValueError\('x'\) at .*refused.py:\d+"):
            explore(fails)

    @pytest.mark.parametrize("scenario", [None, 3])
    def test_no_function(self, scenario: Any) -> None:
        """
        What cannot be called anew for each run is refused.
        """
        with pytest.raises(TypeError, match="a scenario is an async function, to be called anew"):
            explore(scenario)

    def test_coroutine(self) -> None:
        """
        A coroutine instead of its function is refused, as it can be run once only.
        """
        coro = asyncio.sleep(0)
        with pytest.raises(TypeError, match="a scenario is an async function"):
            explore(coro)  # type: ignore[arg-type]
        coro.close()
