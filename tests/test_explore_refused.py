"""
`explore`: scenarios that cannot be explored, and arguments that make no sense.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest

from sessionstate.testing import ScenarioError, explore
from tests.planted import FOR_EVER

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


async def waits() -> None:
    """
    Wait once.
    """
    await asyncio.sleep(1)


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

        told = "step 2 was first a timer, note, at 1 s, and then a timer, note, at 2 s"
        with pytest.raises(ScenarioError, match=f"does not go the same way twice: {told}"):
            explore(another_way)

    def test_not_deterministic_in_a_task(self) -> None:
        """
        The difference is told in words of the scenario's own code: which task, by name, and where.
        """
        times: list[int] = []

        async def child() -> None:
            times.append(1)
            for _ in times:
                await asyncio.sleep(0)

        async def parent() -> None:
            await asyncio.create_task(child(), name="kid")

        with pytest.raises(ScenarioError) as caught:
            explore(parent)
        told = str(caught.value)
        line = child.__code__.co_firstlineno + 3
        qualname = re.escape(child.__qualname__)
        assert re.search(
            rf"step 4 was first \S*parent \(it waited at \S+:\d+\) at 0 s, and then {qualname}, "
            rf"task 'kid', \(it waited at \S+_refused.py:{line}\) at 0 s",
            told,
        )
        assert "Run." not in told

    def test_not_deterministic_at_its_end(self) -> None:
        """
        A scenario that is over earlier than before is told so in a word.
        """
        times: list[int] = []

        async def shorter() -> None:
            times.append(1)
            for _ in range(3 - len(times)):
                await asyncio.sleep(0)

        told = (
            r"step 3 was first \S*shorter \(it waited at .*\) at 0 s, and then the end of the sce"
        )
        with pytest.raises(ScenarioError, match=told):
            explore(shorter)

    def test_leaves_threads(self) -> None:
        """
        A scenario that leaves a thread running is refused by the thread's name, at once.
        """
        stop = threading.Event()

        async def threads() -> None:
            threading.Thread(target=stop.wait, name="stray").start()
            await asyncio.sleep(1)

        try:
            with pytest.raises(ScenarioError, match=r"threads starts threads \(stray\)"):
                explore(threads)
        finally:
            stop.set()

    @pytest.mark.parametrize("way", ["thread", "to_thread", "executor", "anyio", "pool", "setup"])
    def test_starts_threads(self, way: str) -> None:
        """
        A scenario that starts threads is refused by their names, though it waits for their end.
        """
        with ThreadPoolExecutor(1, "there") as pool:
            pool.submit(int).result()

            def join() -> None:
                thread = threading.Thread(target=int)
                thread.start()
                thread.join()

            async def scenario() -> None:
                match way:
                    case "thread":
                        join()
                    case "to_thread":
                        await asyncio.to_thread(int)
                    case "executor":
                        await asyncio.get_running_loop().run_in_executor(None, int)
                    case "anyio":
                        await anyio.to_thread.run_sync(int)
                    case "pool":
                        await asyncio.get_running_loop().run_in_executor(pool, int)
                    case _:
                        pass

            setup = join if way == "setup" else None
            name = {"anyio": "AnyIO worker thread", "pool": "there_0"}.get(way, "Thread|asyncio_")
            with pytest.raises(ScenarioError, match=rf"scenario starts threads \(.*({name})"):
                explore(scenario, setup=setup)
            assert explore(scenario, setup=setup, repeatable=False, most=1).runs

    def test_threads_of_others(self) -> None:
        """
        Threads that another one starts meanwhile are none of a scenario's.
        """
        asked, begun, over = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

        async def scenario() -> None:
            asked.release()
            begun.acquire()

        def beside() -> None:
            while asked.acquire() and not over.is_set():
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(int)
                begun.release()

        other = threading.Thread(target=beside)
        other.start()
        try:
            assert explore(scenario, modes=["cancel"], most=1).runs
        finally:
            over.set()
            asked.release()
            other.join()

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

    @pytest.mark.parametrize("name", ["most", "seed", "budget", "settle", "time_limit"])
    @pytest.mark.parametrize("value", ["10", True, 1j, [5]])
    def test_no_number(self, name: str, value: Any) -> None:
        """
        What is no number where one is needed is refused by its name and value.
        """
        kind = "whole number" if name in ("most", "seed") else "number of seconds"
        with pytest.raises(TypeError, match=re.escape(f"{name} is a {kind}, not {value!r}")):
            explore(waits, **{name: value})

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, -0.5])
    @pytest.mark.parametrize("name", ["budget", "settle", "time_limit"])
    def test_no_length_of_time(self, name: str, value: float) -> None:
        """
        A time that is not finite, or negative, is refused; so is none at all, unless to settle.
        """
        with pytest.raises(ValueError, match=f"{name} is {value!r}: it is a finite number of sec"):
            explore(waits, **{name: value})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="seconds, more than 0, or None for no limit"):
            explore(waits, budget=0)
        with pytest.raises(ValueError, match=r"time_limit is 0: .* more than 0$"):
            explore(waits, time_limit=0)
        explore(waits, settle=0)

    @pytest.mark.parametrize("value", [0, -1])
    def test_no_runs_at_all(self, value: int) -> None:
        """
        To make no runs at all is refused: that would find nothing, and look well.
        """
        with pytest.raises(ValueError, match=f"most is {value}, so nothing would be tried: at le"):
            explore(waits, most=value)
        with pytest.raises(ValueError, match="modes is empty, so nothing would be tried: choose"):
            explore(waits, modes=[])
        with pytest.raises(TypeError, match=r"seed is a whole number, not 0\.5"):
            explore(waits, seed=0.5)  # type: ignore[arg-type]
        assert explore(waits, seed=value).runs

    def test_no_points(self) -> None:
        """
        A scenario without any point of the modes is refused; without those of one mode it is not.
        """

        async def never_waits() -> None:
            pass

        with pytest.raises(ScenarioError, match="waits has no point for abandon, so nothing wou"):
            explore(waits, modes=["abandon"])
        with pytest.raises(ScenarioError, match="has no point for throw, abandon, so nothing wou"):
            explore(never_waits, modes=["abandon", "throw"])
        assert list(explore(waits, modes=["abandon", "cancel"]).runs) == ["cancel"]

    def test_one_pattern(self) -> None:
        """
        A single pattern is refused: its every letter would be one, and nearly nothing a problem.
        """
        with pytest.raises(TypeError, match=r"not one: ignore=\['a task is left'\]"):
            explore(waits, ignore="a task is left")

    def test_point_that_is_none(self) -> None:
        """
        What is no point is refused, with an example.
        """
        with pytest.raises(TypeError, match=r"only is a point from a report, .* not 17"):
            explore(waits, only=17)  # type: ignore[arg-type]
