"""
`explore`: arguments that make no sense, whoever else explores, and what tells two steps apart.
"""

from __future__ import annotations

import _thread
import asyncio
import re
import threading

import pytest

from sessionstate.testing import ExplorationError, ScenarioError, explore

# Each run has a virtual loop of its own: uvloop would see the same again.
pytestmark = pytest.mark.virtual_time


class TestArguments:
    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            ("raises", [ValueError], "raises is a class of errors or a tuple of them, such as"),
            ("raises", "ValueError", "not 'ValueError'"),
            ("raises", ValueError("x"), "not ValueError('x')"),
            ("raises", (ValueError, int), "not (<class 'ValueError'>, <class 'int'>)"),
            ("modes", None, "modes is a list of modes, not None: choose from cancel, twice"),
            ("setup", 3, "setup is a function, to be called in each run, not 3"),
            ("check", [], "check is a function, to be called in each run, not []"),
            ("ignore", None, "ignore is a list of patterns, not None"),
            ("ignore", [3], "ignore is a list of patterns, as texts, and 3 is none"),
            ("ignore", ["("], "'(' in ignore is no regular expression: missing )"),
        ],
    )
    def test_refused_before_anything_runs(self, name: str, value: object, told: str) -> None:
        """
        What makes no sense is refused by its name and value, and nothing runs.
        """
        ran: list[str] = []

        async def scenario() -> None:
            ran.append("yes")

        kind = ValueError if value == ["("] else TypeError
        with pytest.raises(kind, match=re.escape(told)):
            explore(scenario, **{name: value})  # type: ignore[arg-type]
        assert not ran

    def test_two_at_once(self) -> None:
        """
        A second exploration in another thread is refused: each would see what the other has open.
        """
        refused: list[str] = []

        def second() -> None:
            try:
                explore(asyncio.sleep, setup=int)
            except RuntimeError as exc:
                refused.append(str(exc))

        async def scenario() -> None:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

        assert explore(scenario, modes=["cancel"], most=1, repeatable=False).runs
        assert refused
        assert "explore() runs in another thread already" in refused[0]
        explore(asyncio.sleep, setup=lambda: 1, modes=["cancel"])  # and it can be called again

    def test_bare_threads(self) -> None:
        """
        A thread that is started by hand is refused as well; one of another thread's is let be.
        """
        over, asked, begun = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

        def start() -> None:
            done = threading.Lock()
            done.acquire()
            _thread.start_new_thread(done.release, ())
            done.acquire()

        def beside() -> None:
            while asked.acquire() and not over.is_set():
                start()
                begun.release()

        async def starts() -> None:
            start()

        async def asks() -> None:
            asked.release()
            begun.acquire()

        with pytest.raises(ScenarioError, match=r"starts threads \(a thread without a name\)"):
            explore(starts)
        other = threading.Thread(target=beside)
        other.start()
        try:
            assert explore(asks, modes=["cancel"], most=1).runs
        finally:
            over.set()
            asked.release()
            other.join()


class TestDifference:
    def test_of_two_tasks(self) -> None:
        """
        Steps that look the same are told apart by the task's number, and as_completed is named.
        """
        runs: list[int] = []

        async def scenario() -> None:
            runs.append(1)
            lengths = (1, 2) if len(runs) % 2 else (2, 1)
            await asyncio.wait([asyncio.create_task(asyncio.sleep(each)) for each in lengths])

        with pytest.raises(ScenarioError, match="does not go the same way twice: ") as caught:
            explore(scenario)
        told = r"first (.*) at 1.0 s \(task (\d+), sleep\), and then (.*)"
        found = re.search(told, str(caught.value))
        assert found is not None
        assert found[3].startswith(f"{found[1]} at 1.0 s (task ")
        assert f"(task {found[2]}, " not in found[3]
        assert "asyncio.as_completed makes one: give it tasks" in found[3]

    def test_of_a_clean_up(self) -> None:
        """
        A disturbed run that goes another way the next time comes with the same advice.
        """
        runs: list[int] = []

        async def scenario() -> None:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                runs.append(1)
                for _ in runs:
                    await asyncio.sleep(0)
                raise

        with pytest.raises(ExplorationError) as caught:
            explore(scenario, only="cancel@2")
        told = str(caught.value)
        assert "the same injection goes another way the next time: step " in told
        assert "asyncio.as_completed makes one: give it tasks" in told
