"""
The leak check: what it weighs, how it drives a request, and what it refuses.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sysconfig
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from sessionstate.testing import (
    LeakError,
    RequestError,
    Verdict,
    VirtualClock,
    calibrate,
    leakcheck,
)
from tests.leak_checks import NEVER, check, nothing, row

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.virtual_time


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

    @pytest.mark.parametrize("start", [120, 200, 230, 260])
    def test_a_leak_that_begins_late(self, start: int) -> None:
        """
        A leak that begins late is a leak, or inconclusive, but never bounded.
        """
        kept: list[bytes] = []

        async def request(number: int) -> None:
            if number >= start:
                kept.append(bytes(20_000))

        report = check(request, rounds=30, requests=10)
        assert report.verdict is (Verdict.LEAK if start < 230 else Verdict.INCONCLUSIVE)

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
        assert (report.requests, report.rounds, report.dropped) == (10, 5, 2)

    def test_a_script_is_no_caller(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        The installed command that started it all is not named as who called.
        """
        script = os.path.join(sysconfig.get_path("scripts"), "sessionstate:8")  # noqa: PTH118
        monkeypatch.setattr(
            "sessionstate.testing._leakcheck.callers", lambda sites: dict.fromkeys(sites, script)
        )
        seen: list[bytes] = []

        async def request() -> None:
            seen.append(bytes(9000))

        report = check(request, rounds=5, requests=20)
        assert {each.where for each in report.rows if each.kind == "site"} == {""}

    def test_requests_are_those_of_the_rounds(self) -> None:
        """
        The round that finds who called is not counted, and it takes 29 rounds to tell of bytes.
        """
        seen: list[bytes] = []

        async def request() -> None:
            seen.append(bytes(9000))

        report = check(request, rounds=5, requests=150)
        assert (report.requests, len(seen)) == (750, 900)
        assert report.text().startswith(
            f"INCONCLUSIVE {request.__qualname__}: 750 requests do not tell; "
            "make at least 29 rounds: --rounds 29 / rounds=29\n"
        )

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
