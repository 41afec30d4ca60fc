"""A memory of what must not come twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from datetime import datetime
from math import inf, nextafter
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from sessionstate._clock import LARGEST, Seconds, seconds
from sessionstate._deadlines import CHUNK
from sessionstate._errors import GuardFull, StaleRequest

from ._container import clock_of, house, limit_of
from ._ticks import BATCH, SLICE, Ticks, grain

if TYPE_CHECKING:
    from sessionstate._alarms import Tenancy
    from sessionstate._session import Session
    from sessionstate._supervisor import Supervisor


class Book:
    """
    The keys that are to be remembered, by one clock.

    Its time never runs back behind what it has forgotten: whatever the clock does, a window that
    was closed once is closed for good.
    """

    __slots__ = ("__weakref__", "both", "clock", "fine", "forgotten", "over", "rows", "ticks")

    clock: Callable[[], float]
    ticks: Ticks[Hashable, float]

    def __init__(self, span: float, both: dict[Hashable, None]) -> None:
        self.both = both
        """The keys that are in the guard's other book as well."""
        self.fine = grain(span)
        self.forgotten = -inf
        """The latest moment at which something was due that is forgotten."""
        self.rows: dict[Hashable, dict[Hashable, float]] = {}
        """Each key with the bucket that knows until when it is remembered."""
        self.over: Callable[[], Exception] | None = None

    def begin(self, clock: Callable[[], float], tenancy: Tenancy | None) -> None:
        """Begin to remember, on behalf of the owner if there is one."""
        self.clock = clock
        self.ticks = Ticks(clock, self.fine)
        if tenancy is not None:
            self.ticks.house(tenancy)

    def now(self) -> float:
        """Return the time."""
        return max(self.clock(), self.forgotten)

    def holds(self, key: Hashable, now: float) -> bool:
        """Tell whether the window of *key* is open."""
        bucket = self.rows.get(key)
        return bucket is not None and now < bucket[key]

    def write(self, key: Hashable, due: float) -> None:
        """Remember *key* until *due*, or longer if it already is."""
        old = self.rows.get(key)
        if old is not None:
            due = max(due, old.pop(key))
        bucket = self.rows[key] = self.ticks.bucket(due, self.fine)
        bucket[key] = due

    def forget(self, key: Hashable) -> None:
        """Forget *key* although its window is open."""
        bucket = self.rows.pop(key, None)
        if bucket is not None:
            del bucket[key]
            self.both.pop(key, None)

    def drop(self, now: float, most: float) -> bool:
        """Forget *most* keys whose windows have closed; tell whether there may be more."""
        if self.over is not None:
            return False
        ticks, rows = self.ticks, self.rows
        while most > 0 and (bucket := ticks.passed(now)):
            while bucket and most > 0:
                most -= 1
                key, due = bucket.popitem()
                if due > now:  # within the tick
                    finer = rows[key] = ticks.bucket(due, grain(due - now))
                    finer[key] = due
                else:
                    del rows[key]
                    self.both.pop(key, None)
                    self.forgotten = max(self.forgotten, due)
        return now >= ticks.next

    def _overdue(self) -> None:
        now, until = self.now(), perf_counter() + SLICE
        while self.drop(now, BATCH) and perf_counter() < until:
            pass
        self.ticks.rearm(now=now >= self.ticks.next)

    def _vacate(self, ended: Callable[[], Exception]) -> list[asyncio.Task[None]]:
        self.over = ended
        self.rows.clear()
        self.both.clear()
        self.ticks.clear()
        self.ticks.next = -inf  # so that whoever comes looks here first
        return []

    def _check(self) -> None:
        """Raise AssertionError unless every invariant holds."""
        waiting = 0
        for tick, bucket in self.ticks._check().values():
            waiting += len(bucket)
            for key, due in bucket.items():
                assert self.rows[key] is bucket
                assert tick <= due, f"{key!r} would be forgotten late"
        assert waiting == len(self.rows), "a key is remembered for ever"


class ReplayGuard:
    """
    Knows what it has seen, so that nothing is accepted twice: webhooks, tokens, signatures.

    A key is remembered for *window* seconds, exactly. A request that tells when it was signed is
    checked for its freshness as well, and its key is remembered for as long as that check would
    let it pass: until the wall clock has passed ``signed_at + window``. A key that was seen both
    ways, or several times, is remembered until the last of its windows closes.

    Unlike a cache, a guard never forgets a key early: when it is full, it refuses. Whatever the
    clocks do, a key that was forgotten is refused from then on by the freshness check: when the
    wall clock is set back, fresh requests may be refused, but none is accepted twice.

    Keys should be what was verified: check the signature first, then ask the guard. On behalf of a
    supervisor or a session, keys are forgotten promptly, all of them when the owner ends; alone,
    when the guard is asked. It is for one thread, and for one process.

    Runtime complexity: O(1), amortised; one call forgets at most 64 keys.

    Args:
        window: Seconds for which a key is remembered, and for which a signed request is fresh.
        skew: Seconds that a sender's clock may be ahead.
        maxsize: How many keys may be remembered at once; None for any number.
        clock: A monotonic clock, in seconds. Default: the owner's, or `time.monotonic`.
        wall_clock: Seconds since the epoch, for *signed_at*. Default: `time.time`.
        supervisor: The supervisor on whose behalf the guard remembers.
        session: The session on whose behalf the guard remembers, instead.

    .. versionadded:: 0.1
    """

    __slots__ = (
        "__weakref__",
        "_both",
        "_claims",
        "_maxsize",
        "_plain",
        "_signed",
        "_skew",
        "_window",
    )

    def __init__(
        self,
        *,
        window: Seconds,
        skew: Seconds = 0.0,
        maxsize: int | None = 1_000_000,
        clock: Callable[[], float] | None = None,
        wall_clock: Callable[[], float] = time.time,
        supervisor: Supervisor | None = None,
        session: Session | None = None,
    ) -> None:
        self._window = seconds("window", window)
        self._skew = seconds("skew", skew, zero=True)
        self._maxsize = limit_of("maxsize", maxsize)
        self._claims: dict[Hashable, Claim] = {}
        self._both: dict[Hashable, None] = {}
        self._plain = Book(self._window, self._both)
        self._signed = Book(self._window + self._skew, self._both)
        tenancy = house(self._plain, supervisor, session)
        self._plain.begin(clock_of(tenancy, clock), tenancy)
        self._signed.begin(
            clock_of(None, wall_clock, "wall_clock"), house(self._signed, supervisor, session)
        )

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a ReplayGuard cannot be copied or pickled: two guards would accept a key twice"
        )

    def __repr__(self) -> str:
        return f"<ReplayGuard of {len(self)}>"

    def __len__(self) -> int:
        self._plain.drop(self._plain.now(), inf)
        self._signed.drop(self._signed.now(), inf)
        return self._size()

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: Hashable) -> bool:
        plain, signed = self._plain, self._signed
        return plain.holds(key, plain.now()) or signed.holds(key, signed.now())

    def first_seen(self, key: Hashable, *, signed_at: float | datetime | None = None) -> bool:
        """
        Remember *key*, and tell whether this is its first time within the window.

        Without *signed_at*, the key is remembered for *window* seconds from its first time on: at
        their end, to the moment, it would be new again. Whether the request is fresh is then the
        caller's business, or an attacker waits for that long.

        Args:
            key: What must not come twice, such as a webhook's signature.
            signed_at: When the request was signed: seconds since the epoch, or an aware datetime.

        Returns:
            True for the first caller, False for every later one.

        Raises:
            GuardFull: If *maxsize* keys are still within their windows.
            StaleRequest: Unless ``now - window <= signed_at <= now + skew``.
            SessionClosed: If the owning session has ended.
            SupervisorClosed: If the owning supervisor was left.
        """
        # In one piece, as it is what a request costs.
        book = self._plain
        if signed_at is not None or self._signed.rows or self._claims:
            return self._see(key, signed_at, None)
        rows, ticks, now = book.rows, book.ticks, book.clock()
        number = len(rows)
        if not book.forgotten <= now < ticks.next or number >= self._maxsize:
            return self._see(key, None, None)
        due = now + self._window
        bucket = ticks.latest
        if not ticks.start <= due < ticks.end or len(bucket) >= CHUNK:
            bucket = ticks.bucket(due, book.fine)
        rows.setdefault(key, bucket)  # one look for both
        if len(rows) == number:  # and its window is open, as no tick has come
            return False
        bucket[key] = due
        return True

    def claim(self, key: Hashable, *, signed_at: float | datetime | None = None) -> Claim:
        """
        Return a block that claims *key*: ``with guard.claim(key) as first:``, or ``async with``.

        It gives what `first_seen` returns, and raises what that raises. Whoever comes while the
        block runs is a later one, as long as the window is open. If the block that was first is
        left with an error, the key is forgotten, so that the sender's next attempt is not taken for
        a replay; whoever was first in a later window keeps it.

        Args:
            key: What must not come twice, such as a webhook's signature.
            signed_at: When the request was signed: seconds since the epoch, or an aware datetime.
        """
        return Claim(self, key, signed_at)

    def _see(self, key: Hashable, signed_at: float | datetime | None, claim: Claim | None) -> bool:
        plain, signed = self._plain, self._signed
        if plain.over is not None:
            raise plain.over()
        now = plain.now()
        plain.drop(now, BATCH)
        known = plain.holds(key, now)
        due, wall, known_as_signed = 0.0, -inf, False
        if signed_at is not None or signed.rows:
            wall = signed.now()
            signed.drop(wall, BATCH)
            if signed_at is not None:
                due = self._due(_epoch(signed_at), wall)
            known_as_signed = signed.holds(key, wall)
        first = not (known or known_as_signed)
        if first:
            self._make_room(now, wall)
            self._claims.pop(key, None)
            if claim is not None:
                self._claims[key] = claim
        if signed_at is not None:
            signed.write(key, due)
        elif not known:
            plain.write(key, now + self._window)
        if key in plain.rows and key in signed.rows:
            self._both[key] = None
        return first

    def _due(self, signed_at: float, wall: float) -> float:
        """Return when a request is stale, if it is fresh now."""
        if signed_at > wall + self._skew:
            raise StaleRequest(signed_at, wall, self._skew)
        due = nextafter(signed_at + self._window, inf)  # at the end itself it is fresh
        if wall >= due:
            raise StaleRequest(signed_at, wall, self._window)
        return due

    def _make_room(self, now: float, wall: float) -> None:
        """Forget keys whose windows have closed until there is room; if there are none, refuse."""
        while self._size() >= self._maxsize:
            more = self._plain.drop(now, BATCH)
            more = self._signed.drop(wall, BATCH) or more
            if not more and self._size() >= self._maxsize:
                raise GuardFull(int(self._maxsize))

    def _size(self) -> int:
        return len(self._plain.rows) + len(self._signed.rows) - len(self._both)

    def _settle(self, key: Hashable, claim: Claim, *, keep: bool) -> None:
        """End a claim; forget its key unless it is to be kept, or is somebody else's by now."""
        if self._claims.get(key) is claim:
            del self._claims[key]
            if not keep:
                self._plain.forget(key)
                self._signed.forget(key)

    def _check(self) -> None:
        """Raise AssertionError unless every invariant holds."""
        self._plain._check()
        self._signed._check()
        assert self._size() <= self._maxsize
        assert self._both.keys() == self._plain.rows.keys() & self._signed.rows.keys()


class Claim:
    """
    A key that is claimed while a block runs; see `ReplayGuard.claim`.
    """

    __slots__ = ("_first", "_guard", "_key", "_signed_at")

    def __init__(
        self, guard: ReplayGuard, key: Hashable, signed_at: float | datetime | None
    ) -> None:
        self._guard = guard
        self._key = key
        self._signed_at = signed_at
        self._first: bool | None = None

    def __enter__(self) -> bool:
        if self._first is not None:
            raise RuntimeError("a claim is for one block: call guard.claim(...) for each")
        self._first = self._guard._see(self._key, self._signed_at, self)
        return self._first

    def __exit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._guard._settle(self._key, self, keep=cls is None)

    async def __aenter__(self) -> bool:
        return self.__enter__()

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(cls, error, traceback)


def _epoch(signed_at: float | datetime) -> float:
    """Return seconds since the epoch."""
    if isinstance(signed_at, datetime):
        if signed_at.utcoffset() is None:
            raise ValueError(
                f"signed_at ({signed_at}) must say its time zone: write "
                f"signed_at.replace(tzinfo=timezone.utc), or whatever zone is meant"
            )
        return signed_at.timestamp()
    if type(signed_at) is bool or not isinstance(signed_at, int | float):
        raise TypeError(
            f"signed_at must be seconds since the epoch or an aware datetime, not {signed_at!r} "
            f"({type(signed_at).__name__})"
        )
    if not -LARGEST < signed_at < LARGEST:
        raise ValueError(f"signed_at must be a finite number of seconds, not {signed_at!r}")
    return float(signed_at)
