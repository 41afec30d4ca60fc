"""
The types of the supervisor and the module functions; checked by mypy and pyright, never run.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import assert_type

import anyio

import sessionstate
from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionError,
    SessionNotFound,
    Supervisor,
    SupervisorClosed,
    SupervisorFull,
    attach,
    current_supervisor,
    session,
)


async def blocks(supervisor: Supervisor) -> None:
    """Both kinds of block give the session."""
    async with session("a", linger=60, max_age=None, stall_timeout=timedelta(minutes=5)) as s:
        assert_type(s, Session)
    async with session() as s:
        assert_type(s, Session)
    async with attach("a", create=False, idle_timeout=1.5, max_age=60, stall_timeout=None) as s:
        assert_type(s, Session)
    async with supervisor.session("a", linger=timedelta()) as s:
        assert_type(s, Session)
    async with supervisor.attach("a", idle_timeout=timedelta(hours=1)) as s:
        assert_type(s, Session)


async def returns_from_a_block() -> int:
    """`__aexit__` is `bool | None`: a function may return from a block without a second return."""
    async with session("a"):
        return 1


async def lifetimes() -> None:
    """A supervisor is entered or run."""
    async with Supervisor(
        idle_timeout=timedelta(minutes=30),
        max_age=None,
        unused_timeout=60,
        stall_timeout=300.0,
        linger=0,
        max_sessions=None,
        when_full="wait",
        open_timeout=1,
        close_timeout=5.0,
        shutdown_timeout=15,
        max_closing=1_000,
        default=False,
        clock=lambda: 0.0,
        name="chats",
    ) as supervisor:
        assert_type(supervisor, Supervisor)
    async with anyio.create_task_group() as group:
        await group.start(Supervisor().run)


async def by_id(supervisor: Supervisor) -> None:
    """What is asked for by id."""
    assert_type(await supervisor.open("a", idle_timeout=60, max_age=timedelta(days=1)), Session)
    assert_type(supervisor.get("a"), Session | None)
    assert_type(await supervisor.lookup("a"), Session | None)
    assert_type(supervisor.close_soon("a", reason=CloseReason.DELETED), bool)
    assert_type(await supervisor.close("a", reason=CloseReason.DELETED), bool)
    supervisor.close_threadsafe("a")
    assert_type(current_supervisor(), Supervisor)


def mapping(supervisor: Supervisor) -> None:
    """A supervisor is a mapping of what lives."""

    def takes(_: Mapping[str, Session]) -> None: ...

    takes(supervisor)
    assert_type(supervisor["a"], Session)
    assert_type(iter(supervisor), Iterator[str])
    assert_type(list(supervisor.values()), list[Session])
    assert_type(len(supervisor), int)
    assert_type(supervisor.dump(), str)


def hooks(supervisor: Supervisor) -> None:
    """Hooks are registered by a call or as a decorator, sync or async, and stay what they were."""

    @supervisor.on_open
    def opened(s: Session) -> None:
        s.vars["greeted"] = True

    @supervisor.on_close
    async def closed(s: Session, reason: CloseReason) -> None:
        print(s.id, reason)

    @supervisor.on_error
    def failed(s: Session, error: BaseException, where: str) -> None:
        print(s.id, error, where)

    supervisor.on_open(opened)
    supervisor.on_close(closed)
    supervisor.on_error(failed)
    supervisor.on_close(lambda s, reason: print(s.id, reason))


def reasons(reason: CloseReason) -> None:
    """A reason is a string that knows whether somebody asked."""
    assert_type(reason.automatic, bool)
    text: str = reason
    print(text)


def errors() -> None:
    """One family, each with the builtin a caller expects."""
    with suppress(SessionClosed):
        pass
    try:
        pass
    except SessionClosed as closed:
        assert_type(closed.session, Session)
        assert_type(closed.reason, CloseReason)
    family: list[type[SessionError]] = [SessionClosed, SessionNotFound]
    family += [SupervisorFull, SupervisorClosed]
    missing: type[KeyError] = SessionNotFound
    print(family, missing)


async def main() -> int:
    """What `run` is given."""
    return 1


def run() -> None:
    """`sessionstate.run` returns what the coroutine does, as `asyncio.run`."""
    assert_type(sessionstate.run(main()), int)


def refused(supervisor: Supervisor) -> None:
    """What is wrong is found before it runs."""
    Supervisor(idle_timeout="1 h")  # type: ignore[arg-type]
    Supervisor(when_full="drop")  # type: ignore[arg-type]
    Supervisor(60)  # type: ignore[call-arg]
    supervisor.session("a", 60)  # type: ignore[call-arg]
    supervisor.close_soon("a", reason="deleted")  # type: ignore[arg-type]
    supervisor.close_soon(id="a")  # type: ignore[call-arg]
    with session("a"):  # type: ignore[attr-defined]
        pass

    def closed(s: Session) -> None:
        print(s.id)

    supervisor.on_close(closed)  # type: ignore[arg-type, type-var, unused-ignore]
