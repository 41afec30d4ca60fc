"""
The types of events, statistics and handles; checked by mypy and pyright, never run.
"""

from typing import assert_type

from sessionstate import (
    Callback,
    CleanUpFailed,
    CloseReason,
    EventStream,
    OwnedTask,
    Session,
    SessionClosing,
    SessionEnded,
    SessionEvent,
    SessionOpened,
    Statistics,
    Supervisor,
)


async def events(supervisor: Supervisor) -> None:
    """Each kind of event has what it tells of."""
    stream = supervisor.events()
    assert_type(stream, EventStream)
    assert_type(stream.dropped, int)
    async for event in stream:
        assert_type(event, SessionEvent)
        assert_type(event.id, str)
        assert_type(event.incarnation, int)
        assert_type(event.at, float)
        match event:
            case SessionClosing():
                assert_type(event.reason, CloseReason)
            case SessionEnded():
                assert_type(event.reason, CloseReason)
                assert_type(event.lifetime, float)
                assert_type(event.clean_up_errors, int)
            case CleanUpFailed():
                assert_type(event.where, str)
                assert_type(event.error, BaseException)
            case _:
                pass
    await stream.aclose()
    kinds: list[type[SessionEvent]] = [SessionOpened, SessionClosing, SessionEnded, CleanUpFailed]
    print(kinds)


async def handles(s: Session, supervisor: Supervisor) -> None:
    """What is registered can be named, and cancelled."""

    async def stream() -> None: ...

    assert_type(s.callback(print), Callback)
    assert_type(s.push_async_callback(stream), Callback)
    assert_type(s.start_soon(stream), OwnedTask)
    assert_type(supervisor.statistics(), Statistics)


def refused(event: SessionEnded) -> None:
    """What is handed out does not change."""
    event.reason = CloseReason.IDLE  # type: ignore[misc]
    event.who = 1  # type: ignore[attr-defined]
