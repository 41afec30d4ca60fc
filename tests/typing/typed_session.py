"""
The types of a session's own methods; checked by mypy and pyright, never run.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, assert_type

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus

from sessionstate import CloseReason, Session, SessionState, Supervisor, current_session


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
