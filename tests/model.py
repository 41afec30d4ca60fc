"""
The lifecycle of sessions as a small pure model: no loop, no task, no clock of its own.

The model is told what is asked for and what is observed, each with its time, and raises
AssertionError where an observation breaks a rule. A deadline is never early and late by at most a
256th of its timeout or 5 ms, whichever is more; within that window both answers are right, so the
observed one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Sums of floats on the way to a deadline; far below the smallest grain of the queue.
ROUNDING = 1e-6

Kind = Literal["owner", "visitor"]


def slack(timeout: float) -> float:
    """
    Return how late a deadline may be noticed.
    """
    return max(timeout / 256, 0.005) + ROUNDING


@dataclass(frozen=True)
class Options:
    """
    What the supervisor was given; None means never.
    """

    idle_timeout: float | None = 40.0
    max_age: float | None = None
    unused_timeout: float | None = None
    stall_timeout: float | None = None
    linger: float = 0.0
    max_sessions: int = 4
    when_full: str = "evict"
    open_timeout: float | None = None


@dataclass(frozen=True)
class Named:
    """
    What one call named: a missing key was not named.
    """

    idle_timeout: float | None = None
    max_age: float | None = None
    stall_timeout: float | None = None
    linger: float | None = None

    def given(self) -> dict[str, float]:
        """
        Return what was named, as keyword arguments.
        """
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Asked:
    """
    A call for a session: by a block of a kind, or by `open`, which is none.
    """

    id: str
    named: Named
    block: int | None = None
    kind: Kind | None = None
    create: bool = True


@dataclass(frozen=True)
class Limit:
    """
    One reason why a session would end, and when.
    """

    due: float
    reason: str
    timeout: float

    def allows(self, now: float) -> bool:
        """
        Whether an end at *now* is neither early nor late.
        """
        return self.due <= now <= self.due + slack(self.timeout)


@dataclass
class Life:
    """
    One incarnation, as the rules see it.
    """

    id: str
    number: int
    opened_at: float
    last_used: float
    max_age: float | None
    idle_timeout: float | None
    stall_timeout: float | None
    linger: float
    unused_timeout: float | None
    extended: float = 0.0
    entered: bool = False
    left_as: str | None = None
    """How the last owner left, while it lingers."""
    blocks: dict[int, Kind] = field(default_factory=dict)
    callbacks: int = 0
    failing: int = 0
    reason: str | None = None
    """Why it ended; None while it is live."""
    ended_by: int | None = None
    """The block whose leaving was the end."""
    closed: bool = False

    @property
    def held(self) -> bool:
        """
        Whether somebody is inside.
        """
        return bool(self.blocks)

    @property
    def owners(self) -> int:
        """
        How many owners are inside.
        """
        return sum(kind == "owner" for kind in self.blocks.values())

    def limits(self) -> list[Limit]:
        """
        Return everything that would end it if nothing happened, earliest first.
        """
        limits: list[Limit] = []
        if self.max_age is not None:
            limits.append(Limit(self.opened_at + self.max_age, "expired", self.max_age))
        running = self._running()
        if running is not None:
            reason, timeout = running
            due = max(self.last_used + timeout, self.extended)
            limits.append(Limit(due, reason, timeout))
        return sorted(limits, key=lambda limit: limit.due)

    def _running(self) -> tuple[str, float] | None:
        if self.held:
            return None if self.stall_timeout is None else ("stalled", self.stall_timeout)
        if self.left_as is not None:
            return self.left_as, self.linger
        idle, unused = self.idle_timeout, self.unused_timeout
        if not self.entered and unused is not None and (idle is None or unused < idle):
            return "unused", unused
        return None if idle is None else ("idle", idle)

    def due(self, now: float) -> bool:
        """
        Whether a deadline has passed.
        """
        return any(limit.due <= now for limit in self.limits())


class Model:
    """
    All sessions of one supervisor.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.lives: dict[str, Life] = {}
        self.ended: list[Life] = []
        self.numbers = 0
        self.opening = False
        """Whether somebody asks for a session just now: only then is anything evicted."""
        self.leaving = False
        """Whether the supervisor is left: only then does anything end as `shutdown`."""

    # What is asked for.

    def enter(self, asked: Asked, number: int, now: float) -> Life:
        """
        Let a block in that was found inside incarnation *number* of the id it asked for.
        """
        old = self.lives.get(asked.id)
        # A block compares the deadline; nothing else has to.
        assert old is None or number != old.number or not old.due(now), f"{asked} joined {old}"
        life = self.opened(asked, number, now)
        assert asked.block is not None
        assert asked.kind is not None
        life.blocks[asked.block] = asked.kind
        life.entered = True
        if asked.kind == "owner":
            life.left_as = None
        return life

    def opened(self, asked: Asked, number: int, now: float) -> Life:
        """
        Take note that an id was asked for and given as incarnation *number*.
        """
        id, named = asked.id, asked.named
        assert not self.conflict(asked), f"{asked} got in with another max_age"
        life = self.lives.get(id)
        if life is not None and number != life.number:
            assert life.due(now), (
                f"a new life of {id!r} at {now}, but the old one has {life.limits()}"
            )
            raise AssertionError(f"{id!r}: life {life.number} was not seen to end before {number}")
        if life is None:
            life = self._create(id, number, named, now)
        else:
            for name in ("idle_timeout", "stall_timeout", "linger"):
                value = getattr(named, name)
                if value is not None:
                    setattr(life, name, value)
        life.last_used = now
        return life

    def _create(self, id: str, number: int, named: Named, now: float) -> Life:
        assert number > self.numbers, f"incarnation {number} is not larger than {self.numbers}"
        assert len(self.lives) < self.options.max_sessions, f"{id!r} is one too many"
        self.numbers = number
        chosen = {**vars(self.options), **named.given()}
        life = Life(
            id=id,
            number=number,
            opened_at=now,
            last_used=now,
            max_age=chosen["max_age"],
            idle_timeout=chosen["idle_timeout"],
            stall_timeout=chosen["stall_timeout"],
            linger=chosen["linger"],
            unused_timeout=self.options.unused_timeout,
        )
        self.lives[id] = life
        return life

    def conflict(self, asked: Asked) -> bool:
        """
        Whether a call names a `max_age` other than the opener's.
        """
        life, named = self.lives.get(asked.id), asked.named.max_age
        return life is not None and named is not None and named != life.max_age

    def may_refuse(self) -> bool:
        """
        Whether `SupervisorFull` is right for one more session.
        """
        full = len(self.lives) >= self.options.max_sessions
        if self.options.when_full == "evict":
            return full and all(life.held for life in self.lives.values())
        return full

    def leave(self, life: Life, block: int, how: str, now: float) -> None:
        """
        Let a block out that left as `completed`, `failed` or `cancelled`.
        """
        kind = life.blocks.pop(block)
        if life.reason is not None:
            return
        if kind == "owner" and not life.owners:
            life.left_as = how
            if not life.linger:
                self.end(life, how)
                life.ended_by = block
                return
        if not life.held:
            life.last_used = now

    def touch(self, id: str, now: float) -> None:
        """
        Restart whichever clock runs.
        """
        if id in self.lives:
            self.lives[id].last_used = now

    def extend(self, id: str, seconds: float, now: float) -> None:
        """
        Move the running deadline to at least *seconds* from *now*.
        """
        life = self.lives[id]
        life.extended = max(life.extended, now + seconds)

    def end(self, life: Life, reason: str) -> None:
        """
        Decide the end; the first reason wins.
        """
        if life.reason is None:
            life.reason = reason
            del self.lives[life.id]
            self.ended.append(life)

    def life(self, id: str, number: int) -> Life:
        """
        Return one incarnation, live or ended.
        """
        for life in [*self.lives.values(), *reversed(self.ended)]:
            if (life.id, life.number) == (id, number):
                return life
        raise AssertionError(f"{id!r} {number} never lived")

    # What is observed.

    def observe_end(self, id: str, number: int, reason: str, now: float) -> Life:
        """
        Check an end that a block or the close hook saw at *now*, and note it if it is news.
        """
        life = self.life(id, number)
        if life.reason is None:
            self._justify(life, reason, now)
            self.end(life, reason)
        assert life.reason == reason, f"{life} ended as {reason}"
        return life

    def observe_close(self, id: str, number: int, reason: str, now: float) -> None:
        """
        Check what the close hook saw at *now*.
        """
        life = self.observe_end(id, number, reason, now)
        assert not life.closed, f"the hook saw {life} twice"
        assert not life.held, f"the hook saw {life} with its holders inside"
        life.closed = True

    def _justify(self, life: Life, reason: str, now: float) -> None:
        if reason == "shutdown":
            assert self.leaving, f"{life} was shut down"
            return
        if reason == "evicted":
            self._justify_eviction(life, now)
            return
        limits = life.limits()
        assert limits, f"{life} ended as {reason}, but nothing limits it"
        assert limits[0].allows(now), f"{life} ended as {reason} at {now}, but has {limits}"
        passed = [limit.reason for limit in limits if limit.due <= now]
        assert reason in passed, f"{life} ended as {reason} at {now}, not as any of {passed}"

    def _justify_eviction(self, life: Life, now: float) -> None:
        assert self.opening, f"{life} was evicted, but nothing was opening"
        assert self.options.when_full == "evict", f"{life} was evicted"
        assert len(self.lives) >= self.options.max_sessions, f"{life} was evicted in spite of room"
        assert not life.held, f"{life} was evicted, but is held"
        idle = [other for other in self.lives.values() if not other.held]
        overdue = [other for other in idle if other.due(now)]
        assert not overdue, f"{life} was evicted at {now}, but {overdue} had expired"
        longest = min(other.last_used for other in idle)
        assert life.last_used == longest, f"{life} was evicted, but another idles since {longest}"

    def observe_live(self, ids: dict[str, tuple[int, str]], now: float) -> None:
        """
        Compare the live sessions, given as incarnation and state by id, at *now*.
        """
        for id, life in self.lives.items():
            late = [limit for limit in life.limits() if now > limit.due + slack(limit.timeout)]
            assert not late, f"{life} is still there at {now}: {late}"
            assert id in ids, f"{life} is gone at {now}, and no hook saw it"
            state = "open" if life.held else "idle"
            assert ids[id] == (life.number, state), f"{id!r} is {ids[id]}, not {life}"
        assert ids.keys() <= self.lives.keys(), f"{ids.keys() - self.lives.keys()} should be gone"

    def instants(self, now: float) -> list[float]:
        """
        Return the times at which something is worth a look: around each deadline.
        """
        times: list[float] = []
        for life in self.lives.values():
            for limit in life.limits():
                times += [limit.due - 0.001, limit.due, limit.due + slack(limit.timeout)]
        return sorted({time for time in times if time > now})
