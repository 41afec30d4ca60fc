"""
What the leak check counts, exactly.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    ExpiringMap,
    LRUCache,
    Session,
    Supervisor,
    current_supervisor,
    session,
)
from sessionstate.testing import (
    LeakReport,
    LeakRow,
    Verdict,
    VirtualClock,
    leakcheck,
)
from tests.leak_checks import NEVER, check, row

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.virtual_time

registry = ExpiringMap[int, int]()


class TestCounted:
    def found(self, request: Callable[..., Any], name: str, **options: Any) -> LeakRow:
        """
        Check *request*, which leaves one *name* each time, and nothing else that is counted.
        """
        report = check(request, **options)
        counted = [each for each in report.leaks if each.kind in ("invariant", "container")]
        assert [each.name.startswith(name) for each in counted] == [True]
        assert report.verdict is Verdict.LEAK
        assert counted[0].slope == pytest.approx(1000)
        return counted[0]

    def test_asyncio_tasks(self) -> None:
        """
        A task that waits for ever is a leak, and it is said which, and where it waits.
        """
        kept: list[asyncio.Task[Any]] = []

        async def request(number: int) -> None:
            kept.append(asyncio.create_task(asyncio.Event().wait(), name=f"pump {number}"))

        leak = self.found(request, "asyncio tasks")
        assert leak.example == "pump 0, Event.wait"
        assert "locks.py:" in leak.where

    def test_types_that_compare(self) -> None:
        """
        A type may compare as it likes, and not be hashable.
        """

        class Alike(type):
            __hash__ = None  # type: ignore[assignment]

            def __eq__(cls, other: object) -> bool:
                return True

        class Thing(metaclass=Alike):
            def __init__(self) -> None:
                self.me = self

        things: list[Thing] = []
        kept: list[asyncio.Task[Any]] = []

        async def request(number: int) -> None:
            things[:] = [Thing()]
            kept.append(asyncio.create_task(asyncio.Event().wait()))

        self.found(request, "asyncio tasks")

    @pytest.mark.real_loop
    def test_tasks_that_never_rest(self) -> None:
        """
        Where tasks come all the time, it does not wait for their end.
        """
        kept: list[asyncio.Task[Any]] = []

        async def multiply() -> None:
            while True:
                kept.append(asyncio.create_task(asyncio.Event().wait()))
                await asyncio.sleep(0.0002)

        async def request() -> None:
            if not kept:
                kept.append(asyncio.create_task(multiply()))

        report = asyncio.run(leakcheck(request, rounds=5, requests=1))
        assert row(report, "asyncio tasks").verdict is Verdict.LEAK

    def test_timers(self) -> None:
        """
        Timers of the loop that are armed again and again are a leak.
        """

        async def request() -> None:
            loop = asyncio.get_running_loop()

            def again() -> None:
                loop.call_later(NEVER, again)

            again()

        assert "again" in self.found(request, "timers of the loop").example

    def test_sessions_without_a_deadline(self) -> None:
        """
        A session that nobody holds and nothing would end is a leak, named by its first opening.
        """

        async def request(number: int) -> None:
            await current_supervisor().open(f"chat-{number}", idle_timeout=None)

        leak = self.found(request, "sessions without a deadline")
        assert leak.example == "session 'chat-0'"
        assert leak.where.startswith(f"{__file__}:")

    def test_handles_of_closed_sessions(self) -> None:
        """
        A closed session that somebody still holds is a leak: whatever hangs on it stays.
        """
        kept: list[Session] = []

        async def request(number: int) -> None:
            async with session(f"chat-{number}") as s:
                kept.append(s)

        leak = self.found(request, "closed sessions still referenced")
        assert leak.example == "session 'chat-0'"
        assert leak.where.startswith(f"{__file__}:")

    def test_clean_up_that_does_not_end(self) -> None:
        """
        A session whose clean-up never ends is a leak.
        """

        async def request(number: int) -> None:
            s = await current_supervisor().open(f"chat-{number}")
            s.push_async_callback(asyncio.sleep, NEVER)
            s.close_soon()

        async def main() -> LeakReport:
            async with Supervisor(close_timeout=None, shutdown_timeout=1):
                return await leakcheck(request, rounds=6, requests=3, advance=1.0)

        report = VirtualClock().run(main())
        leak = row(report, "sessions that do not finish closing")
        assert (leak.verdict, leak.example) == (Verdict.LEAK, "session 'chat-0'")

    def test_supervisors(self) -> None:
        """
        A supervisor that is entered and not left is a leak.
        """
        kept: list[Supervisor] = []

        async def request() -> None:
            kept.append(await Supervisor(default=False, name="inner").__aenter__())

        async def main() -> LeakReport:
            report = await leakcheck(request, rounds=6, requests=1)
            for each in kept:
                await each.__aexit__(None, None, None)
            return report

        leak = row(VirtualClock().run(main()), "supervisors")
        assert leak.verdict is Verdict.LEAK
        assert "'inner'" in leak.example

    def test_what_a_lasting_session_owns(self) -> None:
        """
        A session that was there before must not grow by each request.
        """

        async def main() -> LeakReport:
            async with Supervisor() as supervisor, supervisor.session("bus", stall_timeout=60) as s:

                async def request() -> None:
                    s.callback(print)
                    s.call_later(NEVER, print)

                report = await leakcheck(request, rounds=6, requests=3)
                assert s.state == "open", "it must not notice that time went by"
            return report

        report = VirtualClock().run(main())
        leak = row(report, "callbacks of lasting sessions")
        assert leak.verdict is Verdict.LEAK
        assert leak.example == "print of session 'bus'"
        assert row(report, "timers of lasting sessions").verdict is Verdict.LEAK
        assert row(report, "deadlines").verdict is Verdict.LEAK

    @pytest.mark.parametrize("container", ["ExpiringMap", "LRUCache"])
    def test_containers_without_a_bound(self, container: str) -> None:
        """
        Entries that neither time nor number removes are a leak, of the container by its name.
        """
        state: dict[str, Any] = {"by_number": ExpiringMap[int, int]()}
        if container == "LRUCache":
            state["by_number"] = LRUCache[int, int](maxsize=None)

        async def request(number: int) -> None:
            state["by_number"][number] = number

        leak = self.found(request, f"{container} by_number")
        assert leak.example == "oldest key 0"

    def test_a_container_of_a_module_is_named_by_it(self) -> None:
        """
        A container that is a global is called as a program would call it.
        """

        async def request(number: int) -> None:
            registry[number] = number

        self.found(request, f"ExpiringMap {__name__}.registry")
        registry.clear()

    def test_containers_that_nobody_names(self) -> None:
        """
        Where no name holds it, a container is told by its type.
        """
        kept = {0: ExpiringMap[int, int]()}

        async def request(number: int) -> None:
            kept[0][number] = number

        assert self.found(request, "ExpiringMap").name == "ExpiringMap"

    def test_containers_that_each_request_makes(self) -> None:
        """
        Containers that were made at one place have one row, which tells how many, and the place.
        """
        kept: list[ExpiringMap[int, int]] = []

        async def request(number: int) -> None:
            made = ExpiringMap[int, int]()
            made[number] = number
            kept.append(made)

        leak = self.found(request, "18 ExpiringMaps")
        assert leak.example.startswith("such as key ")
        assert leak.where.startswith(f"{__file__}:")

    def test_many_containers_have_few_rows(self) -> None:
        """
        Of containers from before, those that grow most have a row, and the others one together.
        """
        kept = [ExpiringMap[int, int]() for _ in range(11)]

        async def request(number: int) -> None:
            for each in kept[: 10 if number < 9 else 11]:
                each[number] = number

        report = check(request)
        rows = [each for each in report.rows if each.kind == "container"]
        assert [each.name for each in rows[8:]] == ["3 more containers"]
        assert sum(each.values[-1] for each in rows) == 18 * 10 + 9

    @pytest.mark.parametrize("long", [True, False])
    def test_keys_that_cannot_be_shown(self, long: bool) -> None:
        """
        A key is shown on one line, and cut, whatever it is.
        """

        class Key:
            def __repr__(self) -> str:
                if long:
                    return "key\n" * 10**6
                raise RuntimeError

        kept = ExpiringMap[Key, int]()

        async def request(number: int) -> None:
            kept[Key()] = number

        report = check(request)
        leak = row(report, "ExpiringMap")
        assert leak.verdict is Verdict.LEAK
        assert len(leak.example) < 500
        assert "key" in leak.example if long else "<Key instance" in leak.example
        assert len(report.text()) < 10_000

    def test_names_are_cut(self) -> None:
        """
        What holds a container, or a task, may have a name of any length, of which a part is shown.
        """
        long = "n" * 10**5
        state: dict[str, Any] = {long: ExpiringMap[int, int]()}
        kept: list[asyncio.Task[Any]] = []

        async def request(number: int) -> None:
            state[long][number] = number
            kept.append(asyncio.create_task(asyncio.Event().wait(), name=long))

        report = check(request)
        assert row(report, "ExpiringMap nnn").verdict is Verdict.LEAK
        assert len(report.text()) < 10_000

    def test_file_descriptors(self) -> None:
        """
        A descriptor that is not closed is a leak, and it is said of what.
        """
        if sys.platform == "win32":
            pytest.skip("Windows does not list the descriptors of a process")
        kept: list[int] = []

        async def request() -> None:
            kept.append(os.open(os.devnull, os.O_RDONLY))

        try:
            assert os.devnull in self.found(request, "file descriptors").example
        finally:
            for each in kept:
                os.close(each)

    def test_threads(self) -> None:
        """
        A thread that does not end is a leak.
        """
        stop = threading.Event()

        async def request(number: int) -> None:
            threading.Thread(target=stop.wait, name=f"pump {number}").start()

        try:
            assert self.found(request, "threads", requests=1).example == "pump 0"
        finally:
            stop.set()

    @pytest.mark.real_loop
    def test_child_processes(self) -> None:
        """
        A process that nobody ends is a leak, and it is said which.
        """
        kept: list[asyncio.subprocess.Process] = []

        async def request() -> None:
            code = "import time; time.sleep(600)"
            kept.append(await asyncio.create_subprocess_exec(sys.executable, "-c", code))

        async def main() -> LeakReport:
            try:
                return await leakcheck(request, rounds=5, requests=1)
            finally:
                for each in kept:
                    each.kill()
                    await each.wait()

        leak = row(asyncio.run(main()), "child processes")
        assert leak.verdict is Verdict.LEAK
        assert "pid" in leak.example
