"""
What the leak check leaves alone: caches that fill, entries that expire, sessions that time out.
"""

from __future__ import annotations

import asyncio
import gc
from functools import lru_cache, partial
from time import time
from typing import Any

import pytest

from sessionstate import (
    ExpiringMap,
    LRUCache,
    ReplayGuard,
    Supervisor,
    current_supervisor,
)
from sessionstate.testing import (
    Verdict,
    VirtualClock,
    leakcheck,
)
from tests.leak_checks import check, nothing, row

pytestmark = pytest.mark.virtual_time


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


class TestLeftAlone:
    def test_what_is_made_once_and_cached(self) -> None:
        """
        A cache that does not go on growing is not emptied: what is made once stays one.
        """
        made: list[asyncio.Task[Any]] = []

        @lru_cache
        def client(number: int) -> asyncio.Task[Any]:
            made.append(asyncio.create_task(asyncio.Event().wait(), name=f"client {number}"))
            return made[-1]

        async def request(number: int) -> None:
            client(0)
            client(int(number > 9))

        report = check(request, rounds=10, requests=3)
        assert row(report, "asyncio tasks").verdict is Verdict.BOUNDED
        assert len(made) == 2

    def test_what_is_made_now_and_then(self) -> None:
        """
        Nor is one emptied that grows by one thing now and then: each is made once.
        """
        made: list[int] = []
        client = lru_cache(made.append)

        async def request(number: int) -> None:
            client(number // 9)

        check(request, rounds=10, requests=3)
        assert made == [0, 1, 2, 3]

    @pytest.mark.parametrize("kind", ["LRUCache", "ExpiringMap", "ReplayGuard"])
    def test_what_the_setup_filled(self, kind: str) -> None:
        """
        So is what was filled before, and requests only read.
        """
        users = LRUCache[str, int](maxsize=1000)
        tokens = ExpiringMap[str, int](maxsize=1000)
        guard = ReplayGuard(window=10**6)
        users["ann"] = tokens["ann"] = 1
        assert guard.first_seen("ann")

        async def request() -> None:
            match kind:
                case "LRUCache":
                    assert users["ann"]
                case "ExpiringMap":
                    assert tokens["ann"]
                case _:
                    assert "ann" in guard

        assert check(request, rounds=6, advance=0).notes == ()

    @pytest.mark.parametrize("kind", ["LRUCache", "function", "method"])
    def test_what_is_to_be_kept(self, kind: str) -> None:
        """
        What is named is never emptied, though it grows.
        """
        users = LRUCache[object, int](maxsize=1000)
        users["ann"] = 1
        calls: list[int] = []

        class Server:
            @lru_cache(maxsize=1000)  # noqa: B019 - it is the subject
            def answer(self, number: int) -> None:
                calls.append(number)

        server = Server()
        answer = lru_cache(maxsize=1000)(calls.append)
        kept: dict[str, Any] = {"LRUCache": users, "function": answer, "method": server.answer}

        async def request(number: int) -> None:
            match kind:
                case "LRUCache":
                    users[number] = users["ann"]
                case "function":
                    answer(number)
                    answer(0)
                case _:
                    server.answer(number)
                    server.answer(0)

        report = check(request, keep=[kept[kind]])
        assert report.notes == ()
        assert calls in ([], list(range(18)))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"keep": LRUCache[int, int](maxsize=3)},
                r"keep= takes a list, not <LRU.*: write keep=\[\.\.\.\]",
            ),
            ({"keep": 3}, r"keep= takes a list, not 3"),
            ({"keep": "app:cache"}, r"keep= takes a list, not 'app:cache'"),
            (
                {"keep": [set[int]()]},
                r"keep= takes caches of functools and containers .* set\(\) is neither",
            ),
            ({"reset": {}}, r"reset= takes a list, not \{\}"),
        ],
    )
    def test_what_makes_no_sense(self, options: dict[str, Any], message: str) -> None:
        """
        One cache instead of a list, or what is never emptied, is refused with what to write.
        """
        with pytest.raises(TypeError, match=message):
            check(nothing, **options)

    @pytest.mark.parametrize("limits", [{"max_age": 7200}, {}, {"idle_timeout": 7200}])
    def test_sessions_from_before(self, limits: dict[str, Any]) -> None:
        """
        A session that was there before lives on, whatever its limits: it does not age by the jumps.
        """

        async def main() -> float:
            async with Supervisor(**limits) as supervisor:
                hub = await supervisor.open("hub")
                lasts = hub.expires_in
                await leakcheck(nothing, rounds=6, requests=1)
                assert (hub.state, hub.expires_in) == ("idle", pytest.approx(lasts, abs=1))
                await asyncio.sleep(2 * 7200)
                assert hub.state == "closed", "afterwards, it ages"
            return asyncio.get_running_loop().time()

        assert VirtualClock().run(main()) > 6 * 3600
