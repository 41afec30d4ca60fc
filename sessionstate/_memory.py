"""
The guard that sheds idle sessions when the process uses too much memory.

Nothing tells of memory, so it is looked at every *interval* seconds, which costs some 10 us. How
many sessions go at a look follows from the excess: if a tenth of the memory is too much, a tenth of
the sessions, those idle longest. That is too few rather than too many, as some memory is not the
sessions', and the next look sees what it brought.

What is freed need not show. An allocator keeps freed blocks for later, and memory may be short
because of something else altogether; a guard that went on until the figure falls would empty the
server for nothing. So when sessions went and memory did not fall, the heap is trimmed, and if that
does not help either, nothing more is shed until memory grows: new sessions use again what the old
ones freed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ._clock import Seconds, seconds
from ._default import current_supervisor
from ._events import logger
from ._expiry import SLICE
from ._limits import heap_trimmer, memory_limit, resident_memory
from ._reasons import CloseReason
from ._teardown import end

if TYPE_CHECKING:
    from ._session import Session
    from ._supervisor import Supervisor

HELPED: Final = 16  # memory fell if by a 16th of what was too much,
GREW: Final = 8  # and grew if by an 8th of what is between the marks


@dataclass(frozen=True)
class MemoryReport:
    """
    What a `MemoryGuard` did when memory was short the last time, or does now.

    .. versionadded:: 0.1
    """

    begun_at: float
    """When resident memory reached the high mark, in seconds of the supervisor's clock."""
    before: int
    """Resident memory then, in bytes."""
    after: int
    """Resident memory at the last look, in bytes."""
    shed: int
    """Sessions ended with reason `shed`."""
    over: bool
    """Whether resident memory has fallen below the low mark."""


class Shortage:
    """One time that memory is short: from the high mark until it falls below the low one."""

    def __init__(self, begun_at: float, before: int) -> None:
        self.begun_at = begun_at
        self.before = self.after = before
        self.shed = 0
        self.over = False
        self.share = 0
        """How many were to go at the last look, those included that were closing already."""
        self.quota = 0
        """How many of them are still to go."""
        self.tried_at: int | None = None
        """Resident memory before the last ones went."""
        self.trimmed = False
        """Whether the heap was trimmed since."""
        self.closing: list[Session] = []
        """Those that went and hold on to their memory still."""
        self.told: set[str] = set()


class MemoryGuard:
    """
    Sheds idle sessions while the process uses too much memory.

    Give it to `Supervisor(memory_guard=...)`, or enter it inside the supervisor's block. When
    resident memory reaches *high*, the sessions idle longest end with reason `shed`, until it is
    below *low*. Held ones are never shed. If it does not fall although sessions went, because it is
    not theirs or the allocator keeps it, no more are shed unless it grows. What was done is in
    `last_report` and in the log ``sessionstate``, as warnings.

    Args:
        high: Where shedding begins: bytes as an int, or as a float up to 1.0 a share of the
            machine's memory, or of the cgroup's limit where that is less.
        low: Where it stops, the same way; below *high*, so that it does not begin again at once.
        interval: Seconds from look to look.
        resident: What returns the resident memory in bytes. Default: this process's own, as psutil
            reads it.
        supervisor: Whose sessions are shed, for ``async with``. Default: the running loop's default
            supervisor.

    Raises:
        ValueError: If *low* is not below *high*, or one of them is no share and no number of bytes.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        *,
        high: float,
        low: float,
        interval: Seconds = 1.0,
        resident: Callable[[], int] | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self.high: int = _bytes("high", high)
        """Where shedding begins, in bytes."""
        self.low: int = _bytes("low", low)
        """Where it stops, in bytes."""
        if self.low >= self.high:
            raise ValueError(
                f"low ({self.low}) must be below high ({self.high}): shedding stops at low"
            )
        if resident is not None and not callable(resident):
            raise TypeError(f"resident must be a function that returns bytes, not {resident!r}")
        self._interval = seconds("interval", interval)
        self._given_resident = resident
        self._given_supervisor = supervisor
        self._supervisor: Supervisor | None = None
        self._handle: asyncio.Handle | None = None
        self._short: Shortage | None = None
        self._failing = False

    def __repr__(self) -> str:
        watches = "stopped" if self._supervisor is None else f"for {self._supervisor.name!r}"
        return f"<MemoryGuard {watches}, high {_mib(self.high)}, low {_mib(self.low)}>"

    @property
    def last_report(self) -> MemoryReport | None:
        """
        What was done when memory was short the last time; None if it never was.
        """
        short = self._short
        if short is None:
            return None
        return MemoryReport(short.begun_at, short.before, short.after, short.shed, short.over)

    async def __aenter__(self) -> Self:
        supervisor = self._given_supervisor or current_supervisor()
        supervisor._check_loop()
        supervisor._check_running()
        self._start(supervisor)
        return self

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _belong_to(self, supervisor: Supervisor) -> None:
        """Be the guard of *supervisor* and of no other, which starts and stops it."""
        if self._given_supervisor is not None:
            raise RuntimeError(
                f"this memory guard is for {self._given_supervisor!r}: make one for each supervisor"
            )
        self._given_supervisor = supervisor

    def _start(self, supervisor: Supervisor) -> None:
        """Begin to look."""
        if self._supervisor is not None or self._given_supervisor not in (None, supervisor):
            other = self._supervisor or self._given_supervisor
            raise RuntimeError(
                f"this memory guard is for {other!r}: make one for each supervisor, and start it "
                f"once"
            )
        self._resident = self._given_resident or resident_memory()
        self._trim = heap_trimmer()
        self._supervisor = supervisor
        self._go_on(supervisor, at_once=False)

    def _stop(self) -> None:
        """Look no more."""
        self._supervisor = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _go_on(self, supervisor: Supervisor, *, at_once: bool) -> None:
        loop, context = supervisor._loop, supervisor._context
        if at_once:
            self._handle = loop.call_soon(self._run, self._shed, context=context)
        else:
            self._handle = loop.call_later(self._interval, self._run, self._look, context=context)

    def _run(self, work: Callable[[Supervisor], bool]) -> None:
        """Do some work, and go on whatever comes of it."""
        supervisor = self._supervisor
        assert supervisor is not None
        if not supervisor._running:  # it was left before this guard was
            self._stop()
            return
        more = False
        try:
            more = work(supervisor)
            self._failing = False
        except Exception:
            supervisor._counts.expiry_errors += 1
            if not self._failing:
                logger.exception("the memory guard failed, and tries again until it does not")
            self._failing = True
        finally:
            if self._supervisor is supervisor:  # else a clean-up stopped it
                self._go_on(supervisor, at_once=more)

    def _look(self, supervisor: Supervisor) -> bool:
        """Decide how many sessions have to go now; tell whether any."""
        now = self._resident()
        short = self._short
        if short is None or short.over:
            if now < self.high:
                return False
            short = self._short = Shortage(supervisor._clock(), now)
        short.after = now
        if self._is_over(short):
            return False
        short.closing = [session for session in short.closing if not session._closed()]
        going = len(short.closing)
        live = len(supervisor._live)
        if not going:
            worth = self._is_worth_it(short)
            if supervisor._expiry.idle_longest() is None:
                self._tell(short, f"nothing is left to shed: the {live} live sessions are all held")
                return False
            if not worth:
                self._tell(
                    short,
                    f"it does not fall although {short.shed} sessions were shed: it is not theirs, "
                    f"or kept for new ones; shedding goes on if it grows",
                )
                return False
        excess = (short.after - self.low + 1) / short.after
        short.share = ceil((live + going) * excess)
        short.quota = short.share - going
        if short.quota <= 0:
            return False
        short.tried_at = short.after
        short.trimmed = False
        return True

    def _is_over(self, short: Shortage) -> bool:
        """Tell, and report, whether enough was freed."""
        if short.after >= self.low:
            return False
        short.over = True
        logger.warning(
            "resident memory fell from %s to %s: %d sessions were shed",
            _mib(short.before),
            _mib(short.after),
            short.shed,
        )
        return True

    def _is_worth_it(self, short: Shortage) -> bool:
        """Tell whether none went yet, or it helped that some went, or memory grows."""
        if short.tried_at is None or self._moved(short, short.tried_at):
            return True
        if short.trimmed:
            return False
        short.trimmed = True
        self._trim()
        short.after = self._resident()
        return self._moved(short, short.tried_at)

    def _moved(self, short: Shortage, tried_at: int) -> bool:
        fell = tried_at - short.after
        grew = -fell * GREW >= self.high - self.low
        went = short.share - short.quota  # the rest had to wait for max_closing
        helped = max(fell, 0) * HELPED * short.share >= (tried_at - self.low) * went
        return helped or (grew and short.after >= self.high)

    def _shed(self, supervisor: Supervisor) -> bool:
        """End sessions for a slice of time; tell whether more have to go."""
        short = self._short
        assert short is not None
        expiry, clock = supervisor._expiry, supervisor._expiry.work_clock
        until = clock() + SLICE
        overdue = True  # there may be some that end anyway, for a reason of their own
        while short.quota > 0 and self._supervisor is supervisor:
            if len(supervisor._closing) >= supervisor._admission.max_closing:
                return False
            short.quota -= 1
            overdue = overdue and expiry.end_one_due()
            if not overdue:
                session = expiry.idle_longest()
                if session is None:
                    return False
                end(session, CloseReason.SHED)
                short.shed += 1
                if not session._closed():
                    short.closing.append(session)
            short.after = self._resident()
            if self._is_over(short):
                return False
            if clock() >= until:
                return True
        return False

    def _tell(self, short: Shortage, what: str) -> None:
        """Warn, once for each shortage and message."""
        kind = what.partition(":")[0]
        if kind not in short.told:
            short.told.add(kind)
            logger.warning(
                "resident memory is %s, which should be below %s, and %s",
                _mib(short.after),
                _mib(self.low),
                what,
            )


def _bytes(name: str, value: float) -> int:
    """Validate a mark and return it in bytes."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"{name} must be bytes as an int, or a share of the memory as a float, not {value!r}"
        )
    if isinstance(value, int):
        if value <= 1:
            raise ValueError(f"{name} must be more than {value} bytes: write 1.0 for all memory")
        return value
    if not 0 < value <= 1:
        raise ValueError(
            f"{name} must be a share above 0.0 and up to 1.0, not {value}: write bytes as an int"
        )
    return int(value * memory_limit())


def _mib(number: int) -> str:
    return f"{number / 2**20:.0f} MiB"
