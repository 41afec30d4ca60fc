"""
The leak check: what it finds, what it leaves alone, and what it refuses.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import tracemalloc
from functools import lru_cache, partial
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate import (
    ExpiringMap,
    LRUCache,
    ReplayGuard,
    Session,
    Supervisor,
    current_supervisor,
    session,
)
from sessionstate.testing import (
    LeakError,
    LeakReport,
    LeakRow,
    RequestError,
    Verdict,
    VirtualClock,
    calibrate,
    leakcheck,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    Request = Callable[..., Coroutine[Any, Any, object]]

pytestmark = pytest.mark.virtual_time

NEVER = 1e9


def check(request: Request, *, rounds: int = 6, requests: int = 3, **options: Any) -> LeakReport:
    """
    Check *request* in virtual time, in few rounds: enough for what is counted.
    """

    async def main() -> LeakReport:
        async with Supervisor():
            return await leakcheck(request, rounds=rounds, requests=requests, **options)

    return VirtualClock().run(main())


def row(report: LeakReport, name: str) -> LeakRow:
    """
    Return the row whose name begins so.
    """
    return next(each for each in report.rows if each.name.startswith(name))


async def nothing() -> None:
    """
    Be a request that leaves nothing.
    """
    async with session("a", stall_timeout=60):
        await asyncio.sleep(0.01)


class TestCounted:
    def found(self, request: Request, name: str, **options: Any) -> LeakRow:
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


registry = ExpiringMap[int, int]()


class TestWeighed:
    def test_a_growing_set(self) -> None:
        """
        What no count shows, bytes do: the line that allocates, and who called it.
        """
        seen: set[str] = set()

        def remember(number: int) -> None:
            seen.add(f"signature-{number:060}")

        async def request(number: int) -> None:
            remember(number)

        report = check(request, rounds=30, requests=40)
        assert report.verdict is Verdict.LEAK
        site = next(each for each in report.leaks if each.kind == "site")
        assert site.name.startswith(f"{__file__}:")
        assert site.example == 'seen.add(f"signature-{number:060}")'
        assert site.where.startswith(f"{__file__}:")
        assert 100e3 < site.low <= site.slope <= site.high < 130e3
        assert row(report, "memory allocated").verdict is Verdict.LEAK

    def test_nothing(self) -> None:
        """
        A request that leaves nothing is bounded, and so is everything about it.
        """
        report = check(nothing, rounds=30, requests=20)
        assert report.verdict is Verdict.BOUNDED
        assert report.leaks == ()
        assert {each.verdict for each in report.rows} == {Verdict.BOUNDED, None}
        assert [each.kind for each in report.rows if each.verdict is None] == ["rss"]

    def test_a_leak_of_the_request_before_counts_not(self) -> None:
        """
        What is made once, by the first requests, is no leak.
        """
        pool: list[bytes] = []

        async def request() -> None:
            if len(pool) < 50:
                pool.append(bytes(10_000))

        assert check(request, rounds=30, requests=10).verdict is Verdict.BOUNDED

    def test_too_few_rounds_are_inconclusive(self) -> None:
        """
        Bytes need twenty samples; with fewer it is said how many requests are missing.
        """
        report = check(nothing, rounds=10, requests=4)
        assert report.verdict is Verdict.INCONCLUSIVE
        assert report.needs == 4 * 19

    @pytest.mark.real_loop
    def test_on_a_real_loop(self) -> None:
        """
        Without virtual time it finds the same.
        """
        seen: list[bytes] = []

        async def request() -> None:
            seen.append(bytes(900))
            task = asyncio.create_task(asyncio.sleep(0.001))
            await asyncio.sleep(0)
            assert not task.done()

        report = asyncio.run(leakcheck(request, rounds=30, requests=4))
        assert report.verdict is Verdict.LEAK
        assert row(report, "asyncio tasks").verdict is Verdict.BOUNDED

    def test_traces_that_somebody_else_takes(self) -> None:
        """
        Where allocations are traced already, they still are afterwards.
        """
        tracemalloc.start()
        try:
            seen: list[bytes] = []

            async def request() -> None:
                seen.append(bytes(900))

            assert check(request, rounds=30, requests=4).verdict is Verdict.LEAK
            assert tracemalloc.is_tracing()
        finally:
            tracemalloc.stop()

    def test_nothing_is_traced_afterwards(self) -> None:
        """
        It ends what it began, also when the request fails.
        """

        async def fails() -> None:
            raise ValueError

        frozen = gc.get_freeze_count()
        for request in (nothing, fails):
            try:
                check(request)
            except RequestError:
                pass
            assert not tracemalloc.is_tracing()
            assert gc.get_freeze_count() <= frozen


class Caches:
    """
    What is bounded, in one way or another.
    """

    def __init__(self) -> None:
        self.lru = LRUCache[int, bytes](maxsize=10_000)
        self.ttl = ExpiringMap[int, bytes](ttl=3 * 86400)
        self.idle = ExpiringMap[int, bytes](idle=60)
        self.sized = ExpiringMap[int, bytes](maxsize=10_000)
        self.weighed = ExpiringMap[int, bytes](
            max_weight=10**9, weigher=lambda _, value: len(value)
        )
        self.guard = ReplayGuard(window=300)
        self.mine: dict[int, bytes] = {}
        self.memo: Any = lru_cache(maxsize=10_000)(bytes)

    async def put(self, name: str, number: int) -> None:
        """
        Put something into one of them.
        """
        match name:
            case "memo":
                self.memo(number + 900)
            case "guard":
                assert self.guard.first_seen(f"signature-{number:0900}")
            case "signed":
                assert self.guard.first_seen(f"signature-{number:0900}", signed_at=time())
            case _:
                getattr(self, name)[number] = bytes(900)


class TestBounded:
    NAMES = ("lru", "ttl", "idle", "sized", "weighed", "guard", "signed", "memo")

    @pytest.mark.parametrize("name", NAMES)
    def test_a_cache_that_fills_is_no_leak(self, name: str) -> None:
        """
        What has a bound, in number or in time, is emptied between rounds.
        """
        report = check(partial(Caches().put, name), rounds=30, requests=4)
        assert report.verdict is Verdict.BOUNDED

    @pytest.mark.real_loop
    @pytest.mark.parametrize("name", NAMES)
    def test_nor_on_a_real_loop(self, name: str) -> None:
        """
        Where time cannot be moved, entries that have a time to go are let go of.
        """
        report = asyncio.run(leakcheck(partial(Caches().put, name), rounds=30, requests=4))
        assert report.verdict is Verdict.BOUNDED

    @pytest.mark.parametrize("how", ["object", "function", "async function"])
    def test_what_is_named_is_reset(self, how: str) -> None:
        """
        A cache of one's own is named, or a function that empties it.
        """
        caches = Caches()

        async def clear() -> None:
            caches.mine.clear()

        ways: dict[str, object] = {
            "object": caches.mine,
            "function": lambda: caches.mine.clear(),  # noqa: PLW0108 - it has no clear()
            "async function": clear,
        }
        request = partial(caches.put, "mine")
        assert check(request, rounds=30, requests=4).verdict is Verdict.LEAK
        assert check(request, rounds=30, requests=4, reset=[ways[how]]).verdict is Verdict.BOUNDED

    def test_a_cache_without_a_bound_is_not_emptied(self) -> None:
        """
        `functools.cache` keeps everything: that is a leak.
        """
        memo: Any = lru_cache(maxsize=None)(bytes)

        async def request(number: int) -> None:
            memo(number + 900)

        assert check(request, rounds=30, requests=4).verdict is Verdict.LEAK

    def test_sessions_that_wait_for_their_timeouts(self) -> None:
        """
        A session that is left to its idle timeout is no leak.
        """

        async def request(number: int) -> None:
            await current_supervisor().open(f"chat-{number}")

        report = check(request)
        assert row(report, "sessions without a deadline").verdict is Verdict.BOUNDED
        assert row(report, "deadlines").values[-1] == 0

    def test_containers_of_a_supervisor_that_was_left(self) -> None:
        """
        A container whose owner has ended is left alone.
        """
        gc.collect()  # containers of other tests
        kept: list[LRUCache[int, int]] = []

        async def request() -> None:
            async with Supervisor(default=False) as supervisor:
                kept.append(LRUCache[int, int](maxsize=None, supervisor=supervisor))

        assert not [each for each in check(request).rows if each.kind == "container"]


class TestTime:
    @pytest.mark.parametrize("way", ["seconds", "clock", "function", "not at all"])
    def test_how_it_passes(self, way: str) -> None:
        """
        Time passes by the loop's clock, by another one, by a function, or not.
        """
        gc.collect()  # containers of other tests, which may keep their entries for longer
        clock, loops = VirtualClock(), VirtualClock()
        calls: list[int] = []
        advance: Any = {
            "seconds": 50.0,
            "clock": clock,
            "function": lambda: calls.append(1),
            "not at all": 0,
        }[way]
        loops.run(leakcheck(nowhere, rounds=5, requests=1, advance=advance))
        passed = {
            "seconds": (0, 250, 0),
            "clock": (pytest.approx(5 * 3637), 0, 0),
            "function": (0, 0, 5),
            "not at all": (0, 0, 0),
        }
        assert (clock.now, loops.now, len(calls)) == passed[way]


async def nowhere() -> None:
    """
    Be a request that takes no time.
    """


class TestRequest:
    def test_it_may_take_its_number(self) -> None:
        """
        A request is called with its number, over all rounds, if it takes one.
        """
        numbers: list[int] = []

        async def request(number: int, *, more: int = 0) -> None:
            numbers.append(number + more)

        report = check(request, rounds=5, requests=2)
        assert numbers[:10] == list(range(10))
        assert (report.requests, report.rounds, report.dropped) == (len(numbers), 5, 2)

    def test_progress_is_told(self) -> None:
        """
        After each round it is told how many are done.
        """
        told: list[tuple[int, int]] = []
        check(nothing, rounds=5, requests=1, progress=lambda *each: told.append(each))
        assert told == [(number, 5) for number in range(1, 6)]

    def test_one_that_raises_is_told_after_a_few(self) -> None:
        """
        Three requests that raise are enough: the first error is the cause.
        """
        made: list[int] = []

        async def request(number: int) -> None:
            made.append(number)
            if number % 2:
                raise ValueError(f"number {number}")

        with pytest.raises(
            RequestError, match=r"3 of the first 6 .* ValueError\('number 1'\)"
        ) as e:
            check(request)
        assert isinstance(e.value.__cause__, ValueError)
        assert made == [0, 1, 2, 3, 4, 5]

    def test_fewer_are_noted(self) -> None:
        """
        One request that raises among many is noted, and nothing else.
        """

        async def request(number: int) -> None:
            if number == 4:
                raise ValueError(number)

        assert check(request).notes == ("a request raised ValueError(4)",)

    def test_a_cancellation_stops_it(self) -> None:
        """
        Cancelling the check stops it, and nothing is traced any more.
        """

        async def request() -> None:
            await asyncio.sleep(NEVER)

        async def main() -> None:
            await asyncio.wait_for(leakcheck(request), 1)

        with pytest.raises(TimeoutError):
            VirtualClock().run(main())
        assert not tracemalloc.is_tracing()


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"rounds": 4}, r"rounds \(4\) must be at least 5: .* bytes need 20"),
            ({"requests": 0}, r"requests \(0\) must be at least 1"),
            ({"warm_up": 0.2}, r"warm_up \(0.2\) must be a share .* from 0.3 to 0.9"),
            ({"warm_up": 1}, r"warm_up \(1\)"),
            ({"floor": 0}, r"floor \(0\) must be a positive number of bytes .* calibrate\(\)"),
            ({"floor": float("nan")}, r"floor \(nan\)"),
        ],
    )
    def test_numbers(self, options: dict[str, float], message: str) -> None:
        """
        A number that makes no sense is refused with the range that does.
        """
        with pytest.raises(ValueError, match=message):
            VirtualClock().run(leakcheck(nothing, **options))  # type: ignore[arg-type]

    def test_what_is_no_async_function(self) -> None:
        """
        Each thing that one might pass by mistake is refused with what to pass.
        """

        async def generate() -> Iterator[int]:
            yield 1

        async def two(one: int, other: int) -> None:
            del one, other

        cases: list[tuple[Any, str]] = [
            (3, "to be called each time, not 3"),
            (lambda: 3, "returned 3, which cannot be awaited"),
            (generate, "async generator function, which is iterated, not awaited"),
            (two, r"two\(one: .* must take the number of the request, or nothing"),
        ]
        for request, message in cases:
            with pytest.raises(TypeError, match=message):
                check(request)

    def test_what_cannot_be_reset(self) -> None:
        """
        Something that is neither a function nor a cache is refused by its name.
        """
        with pytest.raises(TypeError, match=r"reset= takes functions .*; 'cache' is neither"):
            check(nothing, reset=["cache"])

    def test_a_function_that_does_not_tell_its_arguments(self) -> None:
        """
        What is written in C may not tell: it is called without a number.
        """

        class Silent:
            __signature__ = "none"

            async def __call__(self) -> None:
                await asyncio.sleep(0)

        assert check(Silent()).requests == 18


class TestCalibrate:
    def test_floor(self) -> None:
        """
        The floor is some kilobytes: the interpreter grows by next to nothing.
        """
        told: list[tuple[int, int]] = []
        floor = VirtualClock().run(
            calibrate(rounds=10, requests=50, progress=lambda *each: told.append(each))
        )
        assert 4096 <= floor < 64 * 1024
        assert len(told) == 10


class TestRaising:
    def test_a_leak_is_an_assertion_error(self) -> None:
        """
        A leak is raised with the whole report, beginning with what leaks.
        """
        kept: list[asyncio.Task[Any]] = []

        async def request() -> None:
            kept.append(asyncio.create_task(asyncio.Event().wait()))

        report = check(request)
        with pytest.raises(LeakError, match=r"^LEAK .*request: asyncio tasks \+1,000 tasks/") as e:
            report.raise_for_leak()
        assert isinstance(e.value, AssertionError)
        assert e.value.report is report

    def test_nothing_else_is(self) -> None:
        """
        What is inconclusive raises nothing.
        """
        report = check(nothing)
        assert report.verdict is Verdict.INCONCLUSIVE
        report.raise_for_leak()
