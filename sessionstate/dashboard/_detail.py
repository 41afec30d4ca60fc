"""
All that is shown of one session: why it is there, what it owns, and what happened to it.

Nobody is told what happens to sessions that nobody looks at: to be told makes each of them slower.
So an observer is there while somebody looks at one, and takes note of what happens to those.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from itertools import chain, islice
from time import time
from typing import TYPE_CHECKING, Any, Final

from sessionstate import (
    CleanUpFailed,
    CleanUpStep,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionState,
)
from sessionstate._holders import Block
from sessionstate._leaks import orphaned
from sessionstate._processes import ProcessRow
from sessionstate._redaction import without_ids
from sessionstate._sites import place
from sessionstate._spans import span
from sessionstate._traces import opened_by, used_at

from ._slices import batches
from ._source import Detail, Happened, HolderOf, Relative, ResourceOf
from ._stacks import waiting_at
from ._table import AT_ONCE, due_in

if TYPE_CHECKING:
    from sessionstate import Observation, Session, Supervisor
    from sessionstate._holds import Holder

RESOURCES: Final = 200
CHILDREN: Final = 100
HOLDERS: Final = 100
EVENTS: Final = 32
WATCHED: Final = 64
"""Sessions that are looked at, at once."""
PATIENCE: Final = 60.0
"""Seconds after which nobody looks at a session any more who has not asked for it again."""


class Watched:
    """A session that somebody looks at, and what happened to it since."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked = 0.0
        self.events: deque[Happened] = deque(maxlen=EVENTS)


class Details:
    """The sessions of one supervisor that somebody looks at."""

    def __init__(self, supervisor: Supervisor, redact: Callable[[str], str]) -> None:
        self._supervisor = supervisor
        self._redact = redact
        self._watched: dict[int, Watched] = {}
        self._observation: Observation | None = None

    async def find(self, incarnation: int) -> Session | None:
        """Return the session of that life, if it is live, closing, or looked at; it takes O(n)."""
        if incarnation in self._watched:
            return self._watched[incarnation].session
        supervisor = self._supervisor
        everything = [*supervisor._closing.values(), *supervisor._live.values()]
        async for batch in batches(everything):
            for session in batch:
                if session.incarnation == incarnation:
                    return session
        return None

    async def show(self, incarnation: int) -> Detail | None:
        """Return all of one session, and take note of what happens to it from here on."""
        session = await self.find(incarnation)
        if session is None:
            return None
        return await self._detail(session, self._watch(session))

    def look_away(self) -> None:
        """Let go of what nobody has asked for in a while; of all, if the supervisor was left."""
        supervisor = self._supervisor
        for incarnation, watched in list(self._watched.items()):
            old = supervisor._loop.time() - watched.asked > PATIENCE
            if old or not supervisor._running:
                del self._watched[incarnation]
        if not self._watched and self._observation is not None:
            self._observation.cancel()
            self._observation = None

    def stop(self) -> None:
        """Let go of all of them."""
        self._watched.clear()
        self.look_away()

    def _watch(self, session: Session) -> Watched:
        watched = self._watched.pop(session.incarnation, None)
        if watched is None:
            watched = Watched(session)
            self._note(watched, session.opened_at, f"opened at {session.opened_where}")
        watched.asked = self._supervisor._loop.time()
        self._watched[session.incarnation] = watched
        if len(self._watched) > WATCHED:
            del self._watched[next(iter(self._watched))]
        if self._observation is None:
            self._observation = self._supervisor.observe(self._happened)
        return watched

    def _happened(self, event: SessionEvent) -> None:
        watched = self._watched.get(event.incarnation)
        if watched is None:
            return
        match event:
            case SessionClosing(reason=reason, late=late):
                after = "" if late is None else f", {span(late)} after its deadline"
                what = f"its end was decided: {reason}{after}"
            case CleanUpStep(where=where, took=took, error=None):
                what = f"{where}: over after {span(took)}"
            case CleanUpFailed(where=where, error=error):
                what = f"{where} failed with {type(error).__name__}"
            case SessionEnded(took=took):
                what = f"closed, {span(took)} after that was decided"
            case _:  # a step that failed is told of by that
                return
        # Only of those that are stuck a holder is named, and to find which takes a look at each.
        hide = self._unnamed if what.startswith("stuck ") else self._hide
        self._note(watched, event.at, hide(what, watched.session))

    def _note(self, watched: Watched, at: float, what: str) -> None:
        watched.events.append(Happened(at=self._epoch(at), what=what))

    def _epoch(self, at: float) -> float:
        return time() + at - self._supervisor._clock()

    def _hide(self, text: str, session: Session) -> str:
        return without_ids(text, self._redact, session.id)

    def _unnamed(self, text: str, session: Session) -> str:
        """Return *text* without ids, and without the names of the tasks that hold *session*."""
        for each in session._holders or ():
            text = text.replace(each.where, _where(each))
        return self._hide(text, session)

    async def _detail(self, session: Session, watched: Watched) -> Detail:
        steps, tasks = session._steps or {}, session._tasks or {}
        owned = [*islice(chain(tasks, steps), RESOURCES)]
        values = session._slots
        slots = [key for key in values if "\x00" in key]
        shown = slots[: RESOURCES - len(owned)]
        more = len(steps) + len(tasks) - len(owned) + len(slots) - len(shown)
        resources: list[ResourceOf] = []
        for each in owned:
            resources.append(self._owned(each, session))
            if len(resources) % AT_ONCE == 0:
                await asyncio.sleep(0)
        resources += [_slot(key, values[key]) for key in shown if key in values]
        now = self._supervisor._clock()
        live = session._end is None
        orphan = None if session.state is SessionState.CLOSED else orphaned(session, now)
        expires = due_in(session, now)
        reason = session.close_reason if not live else session._due_reason()[0]
        return Detail(
            incarnation=session.incarnation,
            id=self._redact(session.id),
            state=session.state,
            reason=None if live and expires is None else reason,
            opened_at=self._epoch(session.opened_at),
            age=now - session.opened_at,
            idle=now - session.last_used,
            expires_in=expires,
            group=session.group,
            weight=session.weight,
            opened_where=session.opened_where,
            opened_by=list(opened_by(session)),
            used_at=list(used_at(session)),
            orphan=None if orphan is None else f"{orphan[0]}: {self._unnamed(orphan[1], session)}",
            parent=None if session.parent is None else self._relative(session.parent),
            children=[self._relative(child) for child in session.children[:CHILDREN]],
            holders=[
                self._holder(each, session) for each in islice(session._holders or (), HOLDERS)
            ],
            resources=resources,
            more_resources=more,
            events=list(watched.events),
        )

    def _relative(self, session: Session) -> Relative:
        return Relative(
            incarnation=session.incarnation, id=self._redact(session.id), state=session.state
        )

    def _holder(self, holder: Holder, session: Session) -> HolderOf:
        return HolderOf(where=self._hide(_where(holder), session), stack=waiting_at(holder.task))

    def _owned(self, owned: Any, session: Session) -> ResourceOf:  # noqa: ANN401 - of many classes
        tree = owned._cm.tree if isinstance(owned, ProcessRow) else None
        task: asyncio.Task[object] | None = getattr(owned, "_task", None)
        return ResourceOf(
            kind=owned.kind,
            name=self._hide(owned.where.removeprefix(f"{owned.kind} "), session),
            type=None,
            size=None,
            pid=None if tree is None else tree.pid,
            stack=waiting_at(task),
        )


def _where(holder: Holder) -> str:
    """Say who holds, but not by the name of its task: there may be anything in that."""
    if not isinstance(holder, Block):  # a child
        return holder.where
    kind = "owner" if holder.owner else "visitor"
    return f"{kind} at {place(holder._code, holder._lasti)}"


def _slot(key: str, value: object) -> ResourceOf:
    """Tell of a value its type and its size, and nothing that it says of itself."""
    try:
        size = sys.getsizeof(value)
    except Exception:  # a __sizeof__ that is not ours
        size = None
    return ResourceOf(
        kind="slot",
        name=key.partition("\x00")[0],
        type=type(value).__qualname__,
        size=size,
        pid=None,
        stack=[],
    )
