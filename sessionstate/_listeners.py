"""
Listeners that die with their session.

Emitters hold what listens to them strongly, and key it by function, so each registration is a
function of its own. It outlives nothing: when it is taken back it forgets session and handler, so
that even an emitter that cannot let go keeps no more than an empty function.
"""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial, wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from ._belongings import callable_
from ._clock import UNSET
from ._context import current, describe
from ._resources import Callback, cancelled_outside
from ._tasks import OwnedTask

if TYPE_CHECKING:
    from ._session import Session

Handler = Callable[..., object]
Call = Callable[[], object]

PAIRS: Final = (("on", "remove_listener"), ("on", "off"), ("add_listener", "remove_listener"))
"""What is called with event and function, in the order of preference."""


Whatever = Any  # what an event and a handler are is the emitter's business


class OnOff(Protocol):
    """The form of many emitters."""

    def on(self, event: Whatever, handler: Whatever, /) -> object: ...
    def off(self, event: Whatever, handler: Whatever, /) -> object: ...


class OnRemove(Protocol):
    """The form of Node's emitters, and pyee's."""

    def on(self, event: Whatever, handler: Whatever, /) -> object: ...
    def remove_listener(self, event: Whatever, handler: Whatever, /) -> object: ...


class AddRemove(Protocol):
    """The same, with the longer word."""

    def add_listener(self, event: Whatever, handler: Whatever, /) -> object: ...
    def remove_listener(self, event: Whatever, handler: Whatever, /) -> object: ...


class Signal(Protocol):
    """The form of signals, such as blinker's."""

    def connect(self, receiver: Whatever, /) -> object: ...
    def disconnect(self, receiver: Whatever, /) -> object: ...


class Subscribe(Protocol):
    """The form of buses that return what takes it back."""

    def subscribe(self, event: Whatever, handler: Whatever, /) -> Call: ...


Emitter = OnRemove | OnOff | AddRemove | Signal | Subscribe
"""What `Session.listen` knows how to listen to."""


class Listener(Callback):
    """A registration with an emitter; `cancel` takes it back at once."""

    __slots__ = ("_handler", "_name", "heard")

    kind = "listener"

    heard: Handler
    """What the emitter is given; held here, it is heard though the emitter's reference is weak."""

    def __init__(self, session: Session, handler: Handler | None, source: object) -> None:
        super().__init__(session, _nothing, (), {})
        self._handler = handler
        names = [describe(each) for each in (handler, source) if each is not None]
        self._name = " on ".join(names)

        def heard(*args: object, **kwargs: object) -> object:
            return self._hear(args, kwargs)

        # Emitters look at names and signatures. The handler's own attributes stay with it: some
        # emitters keep there by which function they know it.
        self.heard = heard if handler is None else wraps(handler, updated=())(heard)

    @property
    def where(self) -> str:
        return f"listener {self._name}"

    def begin(self, add: Call, remove: Call | None) -> None:
        """Register; *remove* is None where *add* returns it."""
        session = cast("Session", self._session)
        self._call = remove or _nothing
        try:
            result = _called(add)
            if remove is None:
                self._call = _removal(result)
        except BaseException:
            self._session = None
            with suppress(Exception):  # it may have been added before the error
                self._remove()
            raise
        if session._end is not None:  # adding it ended the session
            closed = session._closed_error()
            self.run(None)
            raise closed
        session._own(self)

    def cancel(self) -> bool:
        """
        Take the registration back.

        Returns:
            True if it was there; False if it was taken back before, or the session has ended.
        """
        cancelled = super().cancel()
        if cancelled:
            self._remove()
        return cancelled

    def run(self, thrown: BaseException | None) -> None:  # noqa: ARG002 - as of every step
        """Take the registration back, as the session ends."""
        self._session = None
        self._remove()

    def _remove(self) -> None:
        remove, self._call = self._call, _nothing
        heard, self.heard, self._handler = self.heard, _nothing, None
        try:
            _called(remove)
        except KeyError as error:
            if error.args != (heard,):  # else somebody removed all listeners before
                raise
        finally:
            vars(heard).clear()

    def _hear(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        session, handler = cast("Session | None", self._session), self._handler
        if session is None or session._end is not None or handler is None:
            return None
        if get_ident() != session._supervisor._thread:
            with suppress(RuntimeError):  # the loop is closed
                session._supervisor._loop.call_soon_threadsafe(self._hear_later, args, kwargs)
            return None
        token = None if current.get(None) is session else current.set(session)
        try:
            result = handler(*args, **kwargs)
        finally:
            if token is not None:
                current.reset(token)
        if not isinstance(result, Coroutine):
            return result
        coro = cast("Coroutine[Any, Any, object]", result)
        if session.close_reason is not None:  # calling the handler ended it
            coro.close()
        else:
            OwnedTask(session, handler).begin(coro, f"{session.id}: {self.where}")
        return None

    def _hear_later(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hear what came from another thread, to which an error cannot go back."""
        session = cast("Session | None", self._session)
        try:
            self._hear(args, kwargs)
        except (Exception, CancelledError) as error:
            assert session is not None
            crash = cancelled_outside(self.where) if isinstance(error, CancelledError) else error
            session._fail(crash)


def listen(
    session: Session,
    emitter: object,
    event: object,
    handler: Handler | None,
    *,
    subscribe: Handler | None,
    unsubscribe: Handler | None,
) -> Listener:
    """Register *handler*, or have *subscribe* register something, until *session* ends."""
    for call in (handler, subscribe, unsubscribe):
        if call is not None:
            callable_(call)
    by_name = subscribe is not None
    if (
        (emitter is UNSET) is not by_name
        or (event is UNSET) is not by_name
        or not (by_name or (handler is not None and unsubscribe is None))
    ):
        raise TypeError(
            "listen() needs either an emitter, an event and a handler, or subscribe= with "
            "unsubscribe= (unless subscribing returns a function that takes it back) and with "
            "handler= (if that is what to subscribe)"
        )
    if subscribe is None:
        listener = Listener(session, handler, type(emitter))
        add, remove = _protocol(emitter, event, listener.heard)
    else:
        listener = Listener(session, handler, subscribe)
        given = () if handler is None else (listener.heard,)
        add = partial(subscribe, *given)
        remove = None if unsubscribe is None else partial(unsubscribe, *given)
    listener.begin(add, remove)
    return listener


def _protocol(emitter: object, event: object, heard: Handler) -> tuple[Call, Call | None]:
    """Return how to register *heard* and how to take that back."""
    for names in PAIRS:
        on, off = (_method(emitter, name) for name in names)
        if on and off:
            return partial(on, event, heard), partial(off, event, heard)
    connect, disconnect = _method(emitter, "connect"), _method(emitter, "disconnect")
    if connect and disconnect:
        named = {} if event is None else {"sender": event}
        if _parameters(connect) >= named.keys():
            return partial(connect, heard, **named), partial(disconnect, heard, **named)
    subscribe = _method(emitter, "subscribe")
    if subscribe:
        return partial(subscribe, event, heard), None
    pairs = ", ".join("/".join(names) for names in (*PAIRS, ("connect", "disconnect")))
    raise TypeError(
        f"cannot listen to {emitter!r} for {event!r}: it has none of {pairs} that fits, and no "
        f"subscribe(event, handler) that returns a function; name the two functions: "
        f"listen(subscribe=..., unsubscribe=..., handler=...)"
    )


def _method(emitter: object, name: str) -> Callable[..., object] | None:
    method = getattr(emitter, name, None)
    return method if callable(method) else None


def _parameters(call: Callable[..., object]) -> set[str]:
    try:
        return set(inspect.signature(call).parameters)
    except (TypeError, ValueError):  # written in C
        return set()


def _called(call: Call) -> object:
    """Call *call*, which must not be async: nobody would await it."""
    result = call()
    if isinstance(result, Coroutine):
        result.close()
        raise TypeError(
            f"{describe(call)} is async: listen() needs plain functions; write an async context "
            f"manager and use enter_async_context"
        )
    return result


def _removal(result: object) -> Call:
    if not callable(result):
        raise TypeError(
            f"subscribing returned {result!r}, with which nothing can be taken back: return a "
            f"function, or name unsubscribe= as well"
        )
    return cast("Call", result)


def _nothing(*_: object) -> None:
    """Stand for what is over."""
