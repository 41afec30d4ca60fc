"""
How the leak check makes requests: in tasks of their own, and for so long.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from sessionstate import Supervisor, attach, current_supervisor, session
from sessionstate.testing import (
    DeadlockError,
    LeakReport,
    RequestError,
    Verdict,
    VirtualClock,
    leakcheck,
)
from tests.leak_checks import check, nothing, row

pytestmark = pytest.mark.virtual_time

name: ContextVar[str] = ContextVar("name", default="nobody")


class TestTasks:
    def test_each_has_its_own(self) -> None:
        """
        A request has a task and a context of its own, as in a server.
        """
        tasks: set[Any] = set()
        seen: set[str] = set()

        async def request(number: int) -> None:
            tasks.add(asyncio.current_task())
            seen.add(name.get())
            name.set(f"user {number}")

        check(request, rounds=5, requests=2)
        assert (len(tasks), seen) == (10, {"nobody"})

    def test_blocks_that_were_not_left(self) -> None:
        """
        A block that was entered by hand and never left is a leak, told with its place.
        """

        async def request(number: int) -> None:
            await session(f"chat-{number}").__aenter__()

        report = check(request)
        assert [each.name for each in report.leaks] == ["blocks that were not left"]
        leak = report.leaks[0]
        assert leak.slope == pytest.approx(1000)
        assert leak.example.endswith("of session 'chat-0'")
        assert leak.where.startswith(f"{__file__}:")

    def test_blocks_of_a_lasting_session(self) -> None:
        """
        So is one of a session that was there before, which stays.
        """

        async def request() -> None:
            await attach("hub").__aenter__()

        async def main() -> LeakReport:
            async with Supervisor() as supervisor:
                await supervisor.open("hub")
                return await leakcheck(request, rounds=6, requests=3)

        leak = row(VirtualClock().run(main()), "blocks that were not left")
        assert (leak.verdict, leak.values[-1]) == (Verdict.LEAK, 18)
        assert leak.example.endswith("of session 'hub'")

    def test_a_clean_up_that_does_not_end_hangs_nothing(self) -> None:
        """
        It does not wait for ever for a session to close, and counts it.
        """

        async def request(number: int) -> None:
            s = await current_supervisor().open(f"chat-{number}")
            s.push_async_callback(asyncio.Event().wait)

        async def main() -> LeakReport:
            async with Supervisor(close_timeout=None, shutdown_timeout=1):
                return await leakcheck(request, rounds=6, requests=1)

        leak = row(VirtualClock().run(main()), "sessions that do not finish closing")
        assert leak.verdict is Verdict.LEAK


class TestEnds:
    def test_one_that_does_not_end(self) -> None:
        """
        A request that waits for ever is told with the line at which it waits, and what to do.
        """

        async def request(number: int) -> None:
            if number == 4:
                await asyncio.Event().wait()

        with pytest.raises(RequestError) as caught:
            check(request)
        said = str(caught.value)
        assert said.startswith(f"request 4 of {request.__qualname__} did not end within 86400 s: ")
        assert "it waits at tests" in said
        assert said.endswith("Let it end, or give it longer: time_limit= / --time-limit")

    @pytest.mark.real_loop
    def test_by_a_real_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        On a real loop, too; one that ignores its cancellation is not waited for.
        """
        monkeypatch.setattr("sessionstate.testing._drive.GRACE", 0.01)
        over = asyncio.Event()
        ended: list[int] = []

        async def request(number: int) -> None:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    ended.append(number)

        async def main() -> None:
            try:
                await leakcheck(request, time_limit=0.01)
            finally:
                over.set()

        with pytest.raises(RequestError, match=r"request 0 of .* did not end within 0\.01 s: it"):
            asyncio.run(main())
        assert ended == [0]

    def test_nobody_knows_where(self) -> None:
        """
        Where the task of a request has no line to show, none is told.
        """

        class Forever:
            def __await__(self) -> Any:
                return asyncio.get_running_loop().create_future().__await__()

        with pytest.raises(RequestError, match="nobody knows what it waits for"):
            check(lambda: Forever())  # type: ignore[arg-type, return-value]  # noqa: PLW0108

    def test_without_a_limit(self) -> None:
        """
        Without a limit, the loop says that nothing will come.
        """

        async def request() -> None:
            await asyncio.Event().wait()

        with pytest.raises(DeadlockError):
            check(request, time_limit=float("inf"))

    @pytest.mark.parametrize("limit", [0, -1, float("nan")])
    def test_a_limit_that_makes_no_sense(self, limit: float) -> None:
        """
        A limit that is not positive is refused.
        """
        with pytest.raises(ValueError, match=r"time_limit \(.*\) must be a positive number of sec"):
            check(nothing, time_limit=limit)

    def test_one_that_is_cancelled_has_failed(self) -> None:
        """
        A request that ends with a cancellation is as good as one that raises.
        """

        async def request(number: int) -> None:
            if number == 3:
                raise asyncio.CancelledError

        assert check(request).notes == ("a request raised CancelledError()",)

    def test_errors_that_cannot_be_shown(self) -> None:
        """
        What a request raises is shown on one line, and cut, whatever it is.
        """

        class Silent(Exception):
            def __repr__(self) -> str:
                raise RuntimeError

        errors = iter([Silent(), ValueError("x" * 10**6)])

        async def request(number: int) -> None:
            if number < 2:
                raise next(errors)

        notes = check(request).notes
        assert notes[0].startswith("a request raised <Silent instance")
        assert len(notes[1]) < 500
