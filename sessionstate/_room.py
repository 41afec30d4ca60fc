"""
Room for one more: among the live sessions, and in what several of them share a limit on.

Deciding and creating happen in one go, without an await between, so concurrent openings cannot
overshoot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Literal, Self

from ._bounds import Bound
from ._errors import SupervisorFull
from ._expiry import SLICE
from ._holds import ChildHold
from ._reasons import CloseReason
from ._teardown import end
from ._ties import belongs_to

if TYPE_CHECKING:
    from ._holders import Block
    from ._session import Session
    from ._supervisor import Supervisor

WhenFull = Literal["evict", "refuse", "wait"]


class Room:
    """The half of `Admission` that knows whether there is room, makes it, and waits for it."""

    def __init__(
        self,
        supervisor: Supervisor,
        room: float,
        when_full: WhenFull,
        patience: float,
        max_closing: float,
    ) -> None:
        self.slow = True
        """Whether somebody who comes in has more to do than to look whether there is room."""
        self.room = room
        """
        How many may be live, less those promised to waiters that were let in and did not run yet.
        """
        self.waiting: dict[asyncio.Future[bool], None] = {}
        self._supervisor = supervisor
        self._when_full = when_full
        self._patience = patience
        self.max_closing = max_closing
        self._breathers: dict[asyncio.Future[bool], None] = {}
        self.in_line: dict[asyncio.Future[bool], None] = {}
        """Those who wait for room in what several sessions share."""
        self._same: dict[str | None, dict[asyncio.Future[bool], None]] = {}  # waiters by id
        self.opening: dict[Session, asyncio.Future[None]] = {}
        """Sessions whose on_open hooks run."""
        self._lightening = False

    def changed(self) -> None:
        """Take note that a session ended, that one is closed, or that a hook was added."""
        supervisor = self._supervisor
        while self.waiting and len(supervisor._live) < self.room:
            waiter = next(iter(self.waiting))
            del self.waiting[waiter]
            if not waiter.done():
                self.room -= 1
                waiter.set_result(True)
        crowded = self._crowded()
        if not crowded:
            self._tell(self._breathers)
            self._breathers.clear()
        self.slow = bool(
            crowded
            or self.waiting
            or self.opening
            or supervisor._observers.on_open
            or not supervisor._running
        )

    def _crowded(self) -> bool:
        return len(self._supervisor._closing) >= self.max_closing

    async def breathe(self) -> None:
        """Wait while too many clean-ups run."""
        while self._crowded():
            await self._wait_in(self._breathers, inf)

    async def wait_in_breathers(self, patience: float, hold: ChildHold | None) -> None:
        """Wait until fewer clean-ups run, and an opening may go on."""
        await self._wait_in(self._breathers, patience, None, hold)

    def session_ended(self) -> None:
        """Take note that a session ended, if anybody waits for that or too many are closing."""
        if self.slow or self._crowded():
            self.changed()

    # Room

    def has_room(self) -> bool:
        return not self.waiting and len(self._supervisor._live) < self.room

    def make_room(self) -> bool:
        """Free a place; tell whether one was freed. Raise if none will be."""
        expiry = self._supervisor._expiry
        if expiry.end_one_due():
            return True
        if self._when_full == "wait":
            return False
        if self._when_full == "refuse":
            raise self._full("and it refuses (when_full='refuse')")
        longest = expiry.idle_longest()
        if longest is None:
            raise self._full("each of them is held, and a held session is never evicted")
        end(longest, CloseReason.EVICTED)
        return True

    def _full(self, why: str) -> SupervisorFull:
        supervisor = self._supervisor
        supervisor._counts.refused += 1
        return SupervisorFull(
            f"supervisor {supervisor.name!r} has {len(supervisor._live)} live sessions of at most "
            f"{supervisor._max_sessions:g}, {why}; raise max_sessions, or give sessions an "
            f"idle_timeout, a stall_timeout or a max_age"
        )

    async def wait_for_room(self, id: str, patience: float, hold: ChildHold | None) -> bool:
        """
        Wait until one more is promised room, first come, first served; tell whether it was.

        It was not if *id* is live by now, or the supervisor was left.
        """
        try:
            return await self._wait_in(self.waiting, patience, id, hold)
        finally:
            self.changed()

    async def _wait_in(
        self,
        queue: dict[asyncio.Future[bool], None],
        patience: float,
        id: str | None = None,
        hold: ChildHold | None = None,
    ) -> bool:
        """Wait in *queue* for one's turn, at most so many seconds, and until the parent ends."""
        supervisor = self._supervisor
        waiter: asyncio.Future[bool] = supervisor._loop.create_future()
        queue[waiter] = None
        same = self._same.setdefault(id, {})
        same[waiter] = None
        self.slow = True
        try:
            return await self._wait(waiter, patience, hold)
        except TimeoutError:
            raise self._full(f"and had no room within open_timeout={self._patience:g}") from None
        except BaseException:
            told = waiter.done() and not waiter.cancelled() and waiter.exception() is None
            if told and waiter.result():
                self.room += 1  # promised, and cancelled before it ran: the next one may
            raise
        finally:
            queue.pop(waiter, None)
            same.pop(waiter, None)
            if not same and self._same.get(id) is same:
                del self._same[id]

    async def _wait(
        self, waiter: asyncio.Future[bool], patience: float, hold: ChildHold | None
    ) -> bool:
        supervisor = self._supervisor
        timer = None
        if patience < inf:
            timer = supervisor._loop.call_later(
                patience, _give_up, waiter, context=supervisor._context
            )
        if hold is not None:
            hold.waiter = waiter
        try:
            return await waiter
        finally:
            if timer is not None:
                timer.cancel()
            if hold is not None:
                hold.waiter = None

    # Room in what several share

    def make_room_in(self, tight: Sequence[tuple[Bound, float]]) -> bool:
        """Free room there; tell whether any was freed. Raise if none will be."""
        now = self._supervisor._clock()
        for bound, _ in tight:
            overdue = bound.overdue(now)
            if overdue is not None:
                end(overdue, *overdue._due_reason())
                return True
        if self._when_full == "wait":
            return False
        for bound, amount in tight:  # all of them, so that nobody is evicted in vain
            if self._when_full == "refuse":
                raise self._too_much(bound, amount, "and it refuses (when_full='refuse')")
            if bound.exceeded_by(amount - bound.idle_total):
                raise self._too_much(bound, amount, "and a held session is never evicted")
        longest = tight[0][0].idle_longest()
        assert longest is not None, "without anybody idle it would be exceeded"
        end(longest, CloseReason.EVICTED)
        return True

    def _too_much(self, bound: Bound, amount: float, why: str) -> SupervisorFull:
        self._supervisor._counts.refused += 1
        return SupervisorFull(
            f"{bound.what} of supervisor {self._supervisor.name!r} is at {bound.total:g} of at "
            f"most {bound.limit:g}, {amount:g} more do not fit, {why}; raise {bound.option}, or "
            f"let sessions end sooner"
        )

    async def wait_in_line(
        self,
        bound: Bound,
        amount: float,
        block: Block,
        patience: float,
        hold: ChildHold | None,
    ) -> None:
        """Wait until *bound* may have room for *block*, first come, first served."""
        waiter = bound.queue(block)
        self.in_line[waiter] = None
        try:
            await self._wait(waiter, patience, hold)
        except TimeoutError:
            why = f"and had no room within open_timeout={self._patience:g}"
            raise self._too_much(bound, amount, why) from None
        finally:
            del self.in_line[waiter]

    def lighten(self, spared: Session | None = None) -> None:
        """
        Evict idle sessions while all together are too heavy, if that is the way here.

        What takes longer than a slice goes on in the next turn of the loop.
        """
        supervisor = self._supervisor
        weight, clock = supervisor._bounds.weight, supervisor._expiry.work_clock
        until = clock() + SLICE
        more = self._when_full == "evict"
        while more and weight.exceeded_by(0):
            more = False
            for session in weight.idle_first(spared):
                if not weight.exceeded_by(0):
                    break
                if weight.is_idle(session):
                    more = True
                    end(session, CloseReason.EVICTED)
                    if clock() >= until:
                        self._lighten_soon()
                        return

    def _lighten_soon(self) -> None:
        if not self._lightening:
            self._lightening = True
            supervisor = self._supervisor
            supervisor._loop.call_soon(self._lighten_more, context=supervisor._context)

    def _lighten_more(self) -> None:
        self._lightening = False
        self.lighten()

    def patience(self, since: float) -> float:
        """Return how many seconds an opening may still wait that began to wait at *since*."""
        return since + self._patience - self._supervisor._loop.time()

    def _tell(self, waiters: Iterable[asyncio.Future[bool]]) -> None:
        """Let *waiters* look again, without a promise."""
        for waiter in list(waiters):
            self.waiting.pop(waiter, None)
            if not waiter.done():
                waiter.set_result(False)

    def close(self) -> None:
        """Let those who wait know that nobody comes in any more."""
        self._tell(self.waiting)
        self._tell(self._breathers)
        self._tell(self.in_line)
        self.changed()


class Place:
    """
    What one opening has got on its way: a hold on the parent, a promise of room, a place in line.

    On leaving, all of it is given back.
    """

    __slots__ = (
        "_block",
        "_hold",
        "_line",
        "_parent",
        "_promised",
        "_room",
        "_since",
        "_tight",
        "_wanted",
    )

    def __init__(self, room: Room, block: Block) -> None:
        self._room = room
        self._block = block
        self._wanted = wanted = block._settings.wanted
        self._parent = None if wanted is None else wanted.parent
        self._promised = False
        self._line: Bound | None = None
        self._tight: list[tuple[Bound, float]] = []
        self._hold: ChildHold | None = None
        self._since: float | None = None

    def __enter__(self) -> Self:
        parent = self._parent
        if parent is not None:  # which must neither go idle nor be evicted meanwhile
            if parent._end is None and not parent._holders and parent._due() <= parent._clock():
                end(parent, *parent._due_reason())
            parent._check_open()
            self._hold = ChildHold(self._block._id)
            parent._hold(self._hold)
        return self

    def __exit__(self, *exc: object) -> None:
        self._give_promise_back()
        if self._line is not None:
            self._line.leave(self._block)
        if self._wanted is not None:
            self._room._supervisor._bounds.forget(self._wanted.group)
        if self._parent is not None and self._hold is not None:
            self._parent._unhold(self._hold)

    def found(self) -> bool:
        """Tell whether there is room now."""
        if self._parent is not None:
            self._parent._check_open()
        if self._wanted is not None:
            found = belongs_to(self._room._supervisor, self._wanted)
            self._tight = [each for each in found if not each[0].admits(each[1], self._block)]
        return not self._tight and (self._promised or self._room.has_room())

    async def seek(self) -> None:
        """Make room where there was none, or wait until there may be."""
        room = self._room
        if not self._tight:
            if not room.make_room():
                self._promised = await room.wait_for_room(
                    self._block._id, self._patience(), self._hold
                )
            return
        self._give_promise_back()
        bound, amount = self._tight[0]
        if self._line is not None and self._line is not bound:
            self._line.leave(self._block)
        self._line = bound
        if not room.make_room_in(self._tight):
            await room.wait_in_line(bound, amount, self._block, self._patience(), self._hold)

    async def breathe(self) -> None:
        """Wait while too many clean-ups run."""
        if self._parent is not None:
            self._parent._check_open()
        await self._room.wait_in_breathers(self._patience(), self._hold)

    def _patience(self) -> float:
        """Return how long it may still wait, however often it looked again."""
        if self._since is None:
            self._since = self._room._supervisor._loop.time()
        return self._room.patience(self._since)

    def _give_promise_back(self) -> None:
        if self._promised:
            self._promised = False
            self._room.room += 1
            self._room.changed()


def number(name: str, value: int | None) -> float:
    """Validate how many there may be and return it: infinite for None, which means no limit."""
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, or None for no limit, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}: write {name}=None for no limit")
    return value


def _give_up(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
