"""
The types of a session's own methods; checked by mypy and pyright, never run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from subprocess import CompletedProcess
from typing import Any, Self, assert_type

from anyio import TASK_STATUS_IGNORED
from anyio.abc import Process, TaskStatus
from blinker import Signal
from pyee import EventEmitter

from sessionstate import (
    Callback,
    CloseReason,
    OwnedProcess,
    Session,
    SessionState,
    Supervisor,
    current_session,
)


class Database:
    """Something that is opened and closed."""

    async def aclose(self, *, force: bool = False) -> None:
        """Close it."""

    async def __aenter__(self) -> Self:
        """Open it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""


@asynccontextmanager
async def connect() -> AsyncIterator[Database]:
    """Open one."""
    yield Database()


@contextmanager
def counter() -> Iterator[int]:
    """Count one."""
    yield 1


async def load_profile() -> dict[str, str]:
    """Load one."""
    return {}


async def stream(number: int, *, name: str = "") -> str:
    """Go on for a while."""
    return name * number


async def listen(port: int, *, task_status: TaskStatus[int] = TASK_STATUS_IGNORED) -> None:
    """Tell when it is ready."""
    task_status.started(port)


def attributes(s: Session) -> None:
    """Everything that can be read of a session."""
    assert_type(s.id, str)
    assert_type(s.incarnation, int)
    assert_type(s.state, SessionState)
    assert_type(s.opened_at, float)
    assert_type(s.opened_where, str)
    assert_type(s.last_used, float)
    assert_type(s.deadline, float | None)
    assert_type(s.expires_in, float | None)
    assert_type(s.close_reason, CloseReason | None)
    assert_type(s.exception, BaseException | None)
    assert_type(s.supervisor, Supervisor)
    assert_type(s.vars, dict[str, Any])
    assert_type(s.lock, asyncio.Lock)
    assert_type(current_session(), Session)


async def resources(s: Session) -> None:
    """What is entered is given back; what is registered gives a handle."""
    assert_type(s.enter_context(counter()), int)
    assert_type(await s.enter_async_context(connect()), Database)
    assert_type(await s.enter_async_context(Database()), Database)

    s.callback(print, "bye").cancel()
    s.callback(lambda: None).cancel()
    s.push_async_callback(Database().aclose, force=True).cancel()
    s.start_soon(stream, 1).cancel()

    assert_type(await s.get_or_create("profile", load_profile), dict[str, str])
    await s.start(listen, 80)


class Bus:
    """Something to subscribe to."""

    def add(self, handler: Callable[[str], None]) -> None:
        """Add one."""

    def remove(self, handler: Callable[[str], None]) -> None:
        """Remove one."""

    def subscribe(self, topic: str, handler: Callable[[str], None]) -> Callable[[], None]:
        """Add one and return what removes it."""
        return partial(self.remove, handler)


def listeners(s: Session, bus: Bus, emitter: EventEmitter, signal: Signal) -> None:
    """Each form of emitter is known, and each pair of functions."""
    assert_type(s.listen(emitter, "message", print), Callback)
    s.listen(emitter, "message", stream)
    s.listen(emitter, event="message", handler=print)
    s.listen(signal, None, print)
    s.listen(signal, s, handler=stream)
    s.listen(bus, "message", print)
    s.listen(subscribe=bus.add, unsubscribe=bus.remove, handler=print)
    s.listen(subscribe=partial(bus.subscribe, "message"), handler=print)
    s.listen(subscribe=lambda: s.close_soon, handler=None)  # type: ignore[call-overload]
    s.listen(subscribe=s.touch, unsubscribe=s.touch)
    s.listen(subscribe=lambda: s.touch).cancel()
    s.listen(s, "message", print)  # type: ignore[call-overload]
    s.listen(emitter, "message")  # type: ignore[call-overload]
    s.listen(emitter, "message", "print")  # type: ignore[call-overload]
    s.listen(subscribe=s.touch)  # type: ignore[arg-type]


async def ends(s: Session) -> None:
    """Sync never waits, async may."""
    s.touch()
    s.extend(60.0)
    s.close_soon()
    s.close_soon(CloseReason.DELETED)
    await s.aclose()
    await s.aclose(reason=CloseReason.DELETED)
    await s.wait_closed()


async def refused(s: Session) -> None:
    """What is wrong is found before it runs."""
    s.callback(len, 1)  # type: ignore[arg-type]
    s.push_async_callback(print)  # type: ignore[arg-type]
    s.start_soon(stream, "one")  # type: ignore[arg-type]
    await s.get_or_create("profile", dict)  # type: ignore[arg-type]


async def processes(s: Session) -> None:
    """
    A process is anyio's, and a command that ran is the standard library's.
    """
    process = await s.open_process(["echo", "hi"], cwd="/", umask=0o77, grace=5)
    assert_type(process, OwnedProcess)
    as_anyio: Process = process
    assert_type(as_anyio.pid, int)
    assert_type(process.cancel(), bool)
    assert_type(await s.run_process("echo hi", max_output=None), CompletedProcess[bytes])
    await s.open_process("true", text=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
