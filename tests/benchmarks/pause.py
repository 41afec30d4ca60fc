"""
The longest pause of any one operation while a million sessions are live.

One trace, with default clocks and the deadline queue at work. A million are opened with a long
timeout; then they are closed, touched and replaced at random; then a tenth as many more are opened
with a short timeout, touched again and again, so that they come up early and are re-armed, and at
last left to expire. Each operation is timed alone. A re-arm or an expiry is work of the
supervisor's task, so the pause is what the loop sees of it: one whole turn. A plain dictionary goes
through the same trace beside it, and its worst operation (a resize) is subtracted. It has keys of
its own: a resize reads the hash of every key, so the first of two would warm the cache for the
second. Resizes of equal dictionaries still differ by tens of per cent, hence the median of traces.
"""

import asyncio
import random
from operator import attrgetter
from time import monotonic, thread_time_ns

from sessionstate import SessionMap, Supervisor
from tests.benchmarks.measure import Figure, Note, Plan
from tests.benchmarks.million import BATCH, collector, make_ids

SHORT = 3.0
TRACES = 3
SEED = 7


class Worst:
    """
    The longest time of each operation, in nanoseconds.
    """

    def __init__(self) -> None:
        self.ours: dict[str, int] = {}
        self.plain: dict[str, int] = {}

    def note(self, name: str, ours: int, plain: int = 0) -> None:
        """
        Remember both, if they are longer than any before.
        """
        if ours > self.ours.get(name, 0):
            self.ours[name] = ours
        if plain > self.plain.get(name, 0):
            self.plain[name] = plain

    @property
    def beyond_ms(self) -> float:
        """
        How much the worst operation exceeds the worst of a plain dictionary.
        """
        return (max(self.ours.values()) - max(self.plain.values())) / 1e6

    def notes(self, prefix: str) -> dict[str, Note]:
        """
        All of them in milliseconds.
        """
        return {
            **{f"{prefix}_{name}_ms": round(ns / 1e6, 3) for name, ns in self.ours.items()},
            **{f"{prefix}_dict_{name}_ms": round(ns / 1e6, 3) for name, ns in self.plain.items()},
        }


async def pause(plan: Plan) -> list[Figure]:
    """
    Run the trace with the cyclic collector off, for the verdict, and then on, to be shown.
    """
    notes: dict[str, Note] = {"clock": "default", "short_timeout": SHORT}
    traces: list[Worst] = []
    for number in range(TRACES):
        with collector(enabled=False):
            traces.append(await Trace(plan.sessions).run())
        notes[f"no_gc_beyond_ms_{number + 1}"] = round(traces[-1].beyond_ms, 3)
    with collector(enabled=True):
        collected = await Trace(plan.sessions).run()
    notes["gc_beyond_ms"] = round(collected.beyond_ms, 3)
    middle = sorted(traces, key=attrgetter("beyond_ms"))[TRACES // 2]
    notes.update(middle.notes("no_gc"))
    notes.update(collected.notes("gc"))
    return [
        Figure(
            f"longest pause of one operation, at {plan.sessions:,}",
            "worst plain-dict operation of the trace, subtracted; gc off",
            middle.beyond_ms,
            2.0,
            "ms",
            notes,
        ),
    ]


class Trace:
    """
    One run through open, touch, re-arm, close and expire.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.short = make_ids(number // 10, "short")
        self.long = make_ids(number, "long")
        self.plain: dict[str, str] = {}
        self.worst = Worst()

    async def run(self) -> Worst:
        """
        Go through the trace.
        """
        async with Supervisor(max_sessions=self.number + len(self.short)) as supervisor:
            self.supervisor = supervisor
            self.agents = SessionMap[str]("agents")
            await self._fill()
            await self._churn()
            await self._open_short()
            await self._rearm()
            await self._expire()
        return self.worst

    async def _open(self, id: str, idle_timeout: float | None = None) -> None:
        supervisor, agents, plain = self.supervisor, self.agents, self.plain
        key = id.encode().decode()
        begun = thread_time_ns()
        if idle_timeout is None:
            await supervisor.open(id)
        else:
            await supervisor.open(id, idle_timeout=idle_timeout)
        opened = thread_time_ns()
        agents[id] = "agent"
        written = thread_time_ns()
        plain[key] = "agent"
        inserted = thread_time_ns()
        self.worst.note("open", opened - begun, inserted - written)
        self.worst.note("write", written - opened)

    def _touch(self, id: str) -> None:
        session = self.supervisor.get(id)
        if session is None:
            return
        begun = thread_time_ns()
        session.touch()
        touched = thread_time_ns()
        self.plain[id] = "agent"
        self.worst.note("touch", touched - begun, thread_time_ns() - touched)

    def _close(self, id: str) -> None:
        begun = thread_time_ns()
        self.supervisor.close_soon(id)
        closed = thread_time_ns()
        del self.plain[id]
        self.worst.note("close", closed - begun, thread_time_ns() - closed)

    async def _turn(self, name: str) -> None:
        begun = thread_time_ns()
        await asyncio.sleep(0)
        self.worst.note(name, thread_time_ns() - begun)

    async def _fill(self) -> None:
        for index, id in enumerate(self.long):
            await self._open(id)
            if not index % BATCH:
                await self._turn("turn while filling")

    async def _open_short(self) -> None:
        for index, id in enumerate(self.short):
            await self._open(id, SHORT)
            if not index % BATCH:
                await self._turn("turn while filling")

    async def _rearm(self) -> None:
        end = monotonic() + SHORT * 2.5
        while monotonic() < end:
            for index, id in enumerate(self.short):
                self._touch(id)
                if not index % BATCH:
                    await self._turn("re-arm")

    async def _churn(self) -> None:
        randomly = random.Random(SEED)
        live = self.long
        for index, id in enumerate(make_ids(self.number // 2, "churn")):
            place = randomly.randrange(len(live))
            self._close(live[place])
            live[place] = id
            await self._open(id)
            self._touch(live[randomly.randrange(len(live))])
            if not index % BATCH:
                await self._turn("turn while churning")

    async def _expire(self) -> None:
        while len(self.supervisor) > len(self.long):
            await self._turn("expire")
        for id in self.short:
            begun = thread_time_ns()
            del self.plain[id]
            self.worst.note("expire", 0, thread_time_ns() - begun)
