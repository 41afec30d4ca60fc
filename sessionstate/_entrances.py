"""The ways into a session, as its users write them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast, overload

from ._admission import merged
from ._bounds import Wanted
from ._clock import UNSET, Seconds, Unset, named_limit, seconds
from ._holders import (
    NOTHING_NAMED,
    Block,
    Opener,
    Owner,
    Settings,
    StrictVisitor,
    TiedOwner,
    TiedVisitor,
    Visitor,
)
from ._registry import Registry, check_id
from ._room import number
from ._session import Session
from ._ties import check_group, tie, weight_of

if TYPE_CHECKING:
    from ._supervisor import Supervisor

D = TypeVar("D")
P = ParamSpec("P")

NOWHERE: Final = (lambda: None).__code__  # until `opened_at` tells the place


def _quick_way(
    kind: type[Block],
) -> Callable[[Callable[P, Block]], Callable[P, Block]]:
    """
    Take a call that names nothing but an id the short way.

    Each keyword-only parameter that is left out costs a look-up, as much as all the rest.
    """

    def decorate(full: Callable[P, Block]) -> Callable[P, Block]:
        @wraps(full)
        def quick(self: Supervisor, id: Any = None, **named: Any) -> Block:  # noqa: ANN401
            frame = sys._getframe(1)
            if named or type(id) is not str or not id:
                return full(self, id, **named).opened_at(frame)  # type: ignore[arg-type]
            return kind(self, id, NOTHING_NAMED, frame.f_code, frame.f_lasti)

        return cast("Callable[P, Block]", quick)

    return decorate


class Entrances(Registry):
    """
    The part of `Supervisor` by which sessions are opened and found.
    """

    __slots__ = ()

    @_quick_way(Owner)
    def session(
        self,
        id: str | None = None,
        *,
        linger: Seconds | Unset = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        stall_timeout: Seconds | Unset | None = UNSET,
        parent: Session | None = None,
        group: str | None = None,
        weight: float | None = None,
        max_children: int | Unset | None = UNSET,
    ) -> Block:
        """
        Return a block that is the session: when its last owner leaves, the session ends.

        It opens the session, or joins the one that is live; of one that is closing, it waits for
        the end and opens a new one. Leaving waits for the whole clean-up, through every
        cancellation. When the session ends while somebody is inside, the body is cancelled at its
        await and the block raises `SessionClosed`, unless the body asked for the end itself.

        Args:
            id: The id, by which others find it. None for a random one of 128 bits.
            linger: Seconds that the session stays after its last owner left.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.
            stall_timeout: Seconds that it may be held without activity; None for ever.
            parent: The session that it is a child of: it ends before its parent does, and holds it
                while it is held. Settled by whoever opens.
            group: What it is counted with towards `max_per_group`, such as its user. Settled by
                whoever opens.
            weight: What it counts towards `max_weight`; `Session.weight` changes it.
            max_children: How many live descendants it may have; None for any number.

        Raises:
            SupervisorFull: On entering, if there is no room.
            SupervisorClosed: On entering, if the supervisor is not running.
            SessionClosed: On entering, if the parent has ended; on leaving, if the session ended
                while the body was inside.
            ValueError: On entering, if it is live and was opened with another `max_age`, parent or
                group.
            ExceptionGroup: On leaving, the errors of the clean-up, if the body raised none.
        """
        settings = Settings(
            None,
            None if linger is UNSET else seconds("linger", linger, zero=True),
            named_limit("stall_timeout", stall_timeout),
            named_limit("max_age", max_age),
            self._wanted(parent, group, weight, max_children),
        )
        settings = NOTHING_NAMED if settings == NOTHING_NAMED else settings
        kind = Owner if settings.wanted is None else TiedOwner
        id = token_hex(16) if id is None else check_id(id)
        return kind(cast("Supervisor", self), id, settings, NOWHERE, 0)

    @_quick_way(Visitor)
    def attach(
        self,
        id: str,
        *,
        create: bool = True,
        idle_timeout: Seconds | Unset | None = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        stall_timeout: Seconds | Unset | None = UNSET,
        parent: Session | None = None,
        group: str | None = None,
        weight: float | None = None,
        max_children: int | Unset | None = UNSET,
    ) -> Block:
        """
        Return a block that uses a session spanning many requests: it pins the session while inside.

        When the last block is left, the session stays until its idle timeout, whatever the block
        raised. Leaving waits for nothing.

        Args:
            id: The session's id.
            create: Whether to open the session if there is none.
            idle_timeout: Seconds that it may go unused while nobody is inside; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.
            stall_timeout: Seconds that it may be held without activity; None for ever.
            parent: As in `session`.
            group: As in `session`.
            weight: As in `session`.
            max_children: As in `session`.

        Raises:
            SessionNotFound: On entering, at once, if there is none and *create* is false.
            SupervisorFull: On entering, if there is no room.
            SupervisorClosed: On entering, if the supervisor is not running.
            SessionClosed: On entering, if the parent has ended; on leaving, if the session ended
                while the body was inside.
            ValueError: On entering, if it is live and was opened with another `max_age`, parent or
                group.
        """
        settings = Settings(
            named_limit("idle_timeout", idle_timeout),
            None,
            named_limit("stall_timeout", stall_timeout),
            named_limit("max_age", max_age),
            self._wanted(parent, group, weight, max_children),
        )
        settings = NOTHING_NAMED if settings == NOTHING_NAMED else settings
        kind = Visitor if settings.wanted is None else TiedVisitor
        if not create:
            kind = StrictVisitor
        return kind(cast("Supervisor", self), check_id(id), settings, NOWHERE, 0)

    async def open(
        self,
        id: str,
        *,
        idle_timeout: Seconds | Unset | None = UNSET,
        max_age: Seconds | Unset | None = UNSET,
        parent: Session | None = None,
        group: str | None = None,
        weight: float | None = None,
        max_children: int | Unset | None = UNSET,
    ) -> Session:
        """
        Open a session that no block holds, or touch the one that is live, and return it.

        Args:
            id: The session's id.
            idle_timeout: Seconds that it may go unused; None for ever.
            max_age: Seconds from its opening after which it ends; None for never. Settled by
                whoever opens.
            parent: As in `session`.
            group: As in `session`.
            weight: As in `session`.
            max_children: As in `session`.

        Raises:
            SupervisorFull: If there is no room.
            SupervisorClosed: If the supervisor is not running.
            SessionClosed: If it ended while its `on_open` hooks ran, or the parent has ended.
            ValueError: If it is live and was opened with another `max_age`, parent or group.
        """
        settings = Settings(
            named_limit("idle_timeout", idle_timeout),
            None,
            None,
            named_limit("max_age", max_age),
            self._wanted(parent, group, weight, max_children),
        )
        self._check_loop()
        frame = sys._getframe(1)
        return await self._admission.open(
            Opener(cast("Supervisor", self), check_id(id), settings, frame.f_code, frame.f_lasti)
        )

    async def lookup(self, id: str) -> Session | None:
        """
        Same as `get`, but wait for an id that is being closed to settle first.

        Raises:
            RuntimeError: In the clean-up, an owned task or a block of the session that is being
                closed.
        """
        while (session := self._closing.get(check_id(id))) is not None:
            self._check_loop()
            await self._admission.wait_settled(session)
        return self._live.get(id)

    @overload
    def get(self, id: str, default: None = None, /) -> Session | None: ...
    @overload
    def get(self, id: str, default: Session | D, /) -> Session | D: ...
    def get(self, id: str, default: Session | D | None = None, /) -> Session | D | None:
        """
        Return the live session with this id, or *default*; never create, touch or wait.
        """
        return self._live.get(id, default)

    # For the other modules

    def _create(self, block: Block, now: float, began: float) -> Session:
        session = Session(cast("Supervisor", self), block._id, now, block._code, block._lasti)
        self._live[block._id] = session
        self._opened(session, block._settings, now - began)
        return session

    def _opened(self, session: Session, settings: Settings, took: float = 0.0) -> None:
        """Give a new session what its opening named, and tell of it."""
        session._policy = merged(session._policy, settings)
        if settings.max_age is not None:
            session._max_age = settings.max_age
        if settings.wanted is not None:
            tie(session, settings.wanted)
        if self._observers.active:
            self._observers.opened(session, took)

    def _wanted(
        self,
        parent: Session | None,
        group: str | None,
        weight: float | None,
        max_children: int | Unset | None,
    ) -> Wanted | None:
        """Validate what a call named of a session's ties."""
        if parent is None and group is None and weight is None and max_children is UNSET:
            return None
        if parent is not None:
            if not isinstance(parent, Session):
                raise TypeError(
                    f"parent must be a Session, not {parent!r}: look it up with supervisor.get(id)"
                )
            if parent._supervisor is not self:
                raise ValueError(
                    f"session {parent.id!r} belongs to supervisor {parent.supervisor.name!r}, so "
                    f"its children are opened there: write parent.child(...)"
                )
        if group is not None:
            check_group(group)
        if weight is not None:
            weight = weight_of(weight)
            if weight > self._bounds.weight.limit:
                raise ValueError(
                    f"weight ({weight:g}) is more than max_weight "
                    f"({self._bounds.weight.limit:g}): such a session never fits"
                )
        return Wanted(
            parent,
            group,
            weight,
            None if isinstance(max_children, Unset) else number("max_children", max_children),
        )
