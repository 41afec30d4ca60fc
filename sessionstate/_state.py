"""State that lives in sessions and is reached from anywhere: by id, or as the current session's."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Coroutine, ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from itertools import count
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, SupportsIndex, TypeVar, overload

from . import _default
from ._context import copy_refused, current
from ._default import current_supervisor
from ._errors import SessionNotFound
from ._holders import NOTHING_NAMED, Visitor
from ._registry import Live, check_id
from ._session import Session
from ._supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import EllipsisType

V = TypeVar("V")
D = TypeVar("D")

_MISSING: Final[Any] = object()
_numbers = count(1)

ASYNC_FACTORY: Final = (
    "the factory of SessionVar {!r} is async, and get() never waits: use "
    "'await session.get_or_create(key, factory)'"
)


def _slot_key(name: object, kind: str) -> str:
    """Return a key that no other map or var has, and that knows its name."""
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"a {kind} needs a name, a non-empty str, not {name!r}: it shows in dumps and reports"
        )
    return f"{name}\x00{next(_numbers)}"


def current_session() -> Session:
    """
    Return the session whose block, owned task, hook or clean-up runs here.

    Raises:
        RuntimeError: Outside of every session.
        SessionClosed: In a task that outlived its session.

    .. versionadded:: 0.1
    """
    session = current.get(None)
    if session is None:
        raise RuntimeError(
            "there is no current session here: call this inside 'async with session(...)' or "
            "'attach(...)', or in a task started with session.start_soon()"
        )
    if session._closed():
        raise session._closed_error()
    return session


class SessionMap(MutableMapping[str, V], Generic[V]):
    """
    A mapping from session id to value that cannot outlive its sessions.

    It holds nothing itself: each value is a slot of its session, so the end of a session drops all
    its values in one step, and no sibling can be forgotten. Reads never create. A `Session` is
    accepted as key too, and an old handle never reaches a new life. Item access, `get`,
    `setdefault` and writes touch the session; everything else does not.

    Runtime complexity: O(1) for one value; O(sessions) for `len`, iteration and `clear`.

    Args:
        name: What it is called in dumps and reports.
        supervisor: Whose sessions are meant. Default: those of the default supervisor.
        adopt: Whether a write opens the session if there is none: for programs that only see
            events.

    .. versionadded:: 0.1
    """

    __slots__ = ("__weakref__", "_adopt", "_key", "_live")

    def __init__(
        self, name: str, *, supervisor: Supervisor | None = None, adopt: bool = False
    ) -> None:
        self._key = _slot_key(name, "SessionMap")
        if supervisor is not None and not isinstance(supervisor, Supervisor):
            raise TypeError(f"supervisor must be a Supervisor, not {supervisor!r}")
        self._live = None if supervisor is None else supervisor._live
        self._adopt = adopt

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise copy_refused("a SessionMap", "it holds nothing itself; dict(map) copies the values")

    __hash__ = None  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """
        What it is called.
        """
        return self._key.partition("\x00")[0]

    def __repr__(self) -> str:
        live = self._live if self._live is not None else _default.sole()
        size = "" if live is None else f" of {len(self._snapshot(live))} sessions"
        return f"<SessionMap {self.name!r}{size}>"

    def __getitem__(self, id: str | Session) -> V:
        try:
            session: Session = (self._live or _default.sole())[id]  # type: ignore[index]
            value: V = session._slots[self._key]
        except (KeyError, TypeError):
            return self._read(id)
        session.last_used = session._clock()
        return value

    def _read(self, id: str | Session) -> V:
        session = self._find(id)
        if session is None:
            raise SessionNotFound(check_id(id))
        try:
            value: V = session._slots[self._key]
        except KeyError:
            raise KeyError(session.id) from None
        session.touch()
        return value

    def _sessions(self) -> Live:
        live = self._live
        if live is None:
            live = _default.sole()
            if live is None:
                live = current_supervisor()._live
        return live

    def _find(self, id: str | Session) -> Session | None:
        """Return the session with this id, or the handle itself; None if there is none."""
        if isinstance(id, Session):
            if id._closed():
                raise id._closed_error()
            live = self._sessions()
            if id._supervisor._live is not live:
                raise SessionNotFound(id.id)
            return id
        return self._sessions().get(id)

    def __setitem__(self, id: str | Session, value: V) -> None:
        session = self._find(id)
        if session is None:
            session = self._open(check_id(id))
        session._writable()[self._key] = value
        session.touch()

    def _open(self, id: str) -> Session:
        live = self._sessions()
        supervisor = live.supervisor()
        if not self._adopt or supervisor is None:
            raise SessionNotFound(id)
        if supervisor._entered and get_ident() != supervisor._thread:
            raise RuntimeError(
                f"session {id!r} cannot be opened from another thread than its supervisor's"
            )
        frame = sys._getframe(2)
        while frame.f_back and frame.f_globals.get("__name__") in (__name__, "collections.abc"):
            frame = frame.f_back  # setdefault() and update() write through here too
        return supervisor._admission.adopt(
            id, Visitor(supervisor, id, NOTHING_NAMED, frame.f_code, frame.f_lasti)
        )

    def __delitem__(self, id: str | Session) -> None:
        session = self._find(id)
        if session is None:
            raise SessionNotFound(check_id(id))
        try:
            del session._writable()[self._key]
        except KeyError:
            raise KeyError(session.id) from None
        session.touch()

    @overload
    def get(self, id: str | Session, default: None = None, /) -> V | None: ...
    @overload
    def get(self, id: str | Session, default: V | D, /) -> V | D: ...
    def get(self, id: str | Session, default: D | None = None, /) -> V | D | None:
        """
        Return the value, or *default* if there is none.
        """
        try:
            return self[id]
        except KeyError:
            return default

    def setdefault(self, id: str | Session, default: V, /) -> V:
        """
        Return the value, and store *default* first if there is none.
        """
        try:
            return self[id]
        except KeyError:
            self[id] = default
            return default

    @overload
    def pop(self, id: str | Session, /) -> V: ...
    @overload
    def pop(self, id: str | Session, default: V | D, /) -> V | D: ...
    def pop(self, id: str | Session, default: Any = _MISSING, /) -> Any:
        """
        Drop the value and return it; *default*, if given, where there is none.
        """
        try:
            value = self[id]
        except KeyError:
            if default is _MISSING:
                raise
            return default
        del self[id]
        return value

    @overload
    def peek(self, id: str | Session, default: None = None) -> V | None: ...
    @overload
    def peek(self, id: str | Session, default: V | D) -> V | D: ...
    def peek(self, id: str | Session, default: D | None = None) -> V | D | None:
        """
        Return the value, or *default*, without touching the session.
        """
        if isinstance(id, Session):
            found = id if id._supervisor._live is self._sessions() else None
        else:
            found = self._sessions().get(id)
        return default if found is None else found._slots.get(self._key, default)

    def __contains__(self, id: object) -> bool:
        if isinstance(id, Session):
            return self._key in id._slots and id._supervisor._live is self._sessions()
        if not isinstance(id, str):
            return False
        session = self._sessions().get(id)
        return session is not None and self._key in session._slots

    def _snapshot(self, live: Live | None = None) -> dict[str, V]:
        key = self._key
        sessions = list((self._sessions() if live is None else live).values())
        return {session.id: session._slots[key] for session in sessions if key in session._slots}

    def __len__(self) -> int:
        key = self._key
        return sum(key in session._slots for session in list(self._sessions().values()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot())

    def keys(self) -> KeysView[str]:
        """
        Return the ids that have a value, as a snapshot.
        """
        return self._snapshot().keys()

    def values(self) -> ValuesView[V]:
        """
        Return the values, as a snapshot.
        """
        return self._snapshot().values()

    def items(self) -> ItemsView[str, V]:
        """
        Return the ids with their values, as a snapshot.
        """
        return self._snapshot().items()

    def clear(self) -> None:
        """
        Drop every value; the sessions stay, untouched.
        """
        for session in list(self._sessions().values()):
            if self._key in session._slots:
                del session._writable()[self._key]


class SessionVar(Generic[V]):
    """
    A variable of which each session has its own value.

    Args:
        name: What it is called in dumps and reports.
        default: What `get` returns where nothing was set; not stored, so it must not be mutable.
        factory: Makes the value where nothing was set; it is stored.

    .. versionadded:: 0.1
    """

    __slots__ = ("__weakref__", "_default", "_factory", "_key")

    def __init__(
        self, name: str, *, default: V | EllipsisType = ..., factory: Callable[[], V] | None = None
    ) -> None:
        self._key = _slot_key(name, "SessionVar")
        if default is not ... and factory is not None:
            raise TypeError(f"SessionVar {name!r} takes a default or a factory, not both")
        kind = type(default).__name__
        if isinstance(default, list | dict | set):
            raise TypeError(
                f"the default of SessionVar {name!r} would be one {kind} shared by all sessions: "
                f"write factory={kind} instead"
            )
        if factory is not None:
            if not callable(factory):
                raise TypeError(
                    f"the factory of SessionVar {name!r} must be a function, not {factory!r}"
                )
            if inspect.iscoroutinefunction(factory):
                raise TypeError(ASYNC_FACTORY.format(name))
        self._default = default
        self._factory = factory

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise copy_refused("a SessionVar", "make one at module level, and import it")

    @property
    def name(self) -> str:
        """
        What it is called.
        """
        return self._key.partition("\x00")[0]

    def __repr__(self) -> str:
        return f"<SessionVar {self.name!r}>"

    def get(self, session: Session | None = None) -> V:
        """
        Return the value in *session*, by default the current one.

        Where nothing was set, it is the default, or made by the factory and stored.

        Raises:
            LookupError: If nothing was set, and there is neither a default nor a factory.
            RuntimeError: Outside of every session, if none is given.
            SessionClosed: If the session is closed.
        """
        try:
            value: V = (current.get() if session is None else session)._slots[self._key]
        except (LookupError, AttributeError):
            return self._make(session)
        return value

    def _make(self, session: Session | None) -> V:
        session = _given_or_current(session)
        if session._closed():
            raise session._closed_error()
        if self._factory is not None:
            slots = session._writable()
            value = self._factory()
            if isinstance(value, Coroutine):
                value.close()
                raise TypeError(ASYNC_FACTORY.format(self.name))
            slots[self._key] = value
            return value
        if self._default is ...:
            raise LookupError(
                f"SessionVar {self.name!r} was not set in session {session.id!r}: set it, or give "
                f"it a default or a factory"
            )
        return self._default

    def set(self, value: V, session: Session | None = None) -> None:
        """
        Set the value in *session*, by default the current one.

        Raises:
            RuntimeError: Outside of every session, if none is given.
            SessionClosed: If the session is closed.
        """
        _given_or_current(session)._writable()[self._key] = value

    def reset(self, session: Session | None = None) -> None:
        """
        Forget the value in *session*, by default the current one, so that `get` begins anew.

        Raises:
            RuntimeError: Outside of every session, if none is given.
            SessionClosed: If the session is closed.
        """
        _given_or_current(session)._writable().pop(self._key, None)


def _given_or_current(session: Session | None) -> Session:
    if session is None:
        return current_session()
    if not isinstance(session, Session):
        raise TypeError(f"a Session is needed, not {session!r}")
    return session
