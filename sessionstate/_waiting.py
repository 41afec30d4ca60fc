"""Waiting for the end of a session: plainly, or through every cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import anyio

from ._context import Waiting, would_deadlock

if TYPE_CHECKING:
    from ._session import Session
    from ._teardown import Ending

WAITERS: Final = "waiters"  # the slot of those who wait


async def wait_plainly(session: Session) -> None:
    """Wait until *session* is closed. Cancelling stops the waiting."""
    with Waiting(session):
        await _closed(session)


async def _closed(session: Session) -> None:
    if session._closed():
        return
    future = session._supervisor._loop.create_future()
    waiters: dict[asyncio.Future[None], None] = session._slot(WAITERS, dict)
    waiters[future] = None
    try:
        await future
    finally:
        waiters.pop(future, None)


async def settle(session: Session, ending: Ending | None) -> None:
    """
    Wait for the end of *session*, unless that would be a deadlock, and raise its errors.

    *ending* is what the caller decided and claimed; None if the end was decided before.
    """
    try:
        if not session._closed() and not would_deadlock(session):
            await wait_plainly(session)
    except BaseException:
        if ending is not None:
            ending.disclaim(session)
        raise
    if ending is not None:
        if ending.session is None:
            raise_errors(session, ending)
        else:
            ending.disclaim(session)


def raise_errors(session: Session, ending: Ending) -> None:
    """Raise what went wrong in a clean-up that is over."""
    if ending.fatal is not None:
        raise ending.fatal
    if ending.errors:
        raise clean_up_errors(session, ending)


def clean_up_errors(session: Session, ending: Ending) -> ExceptionGroup[Exception]:
    """Return the errors of a clean-up as one."""
    return ExceptionGroup(
        f"errors in the clean-up of session {session.id!r} ({ending.reason})", ending.errors
    )


async def wait_through(session: Session) -> asyncio.CancelledError | None:
    """
    Wait for the end of *session* through every cancellation, and return the first one.

    anyio's shield alone loses native cancellations, a loop alone would spin on anyio's: so a loop
    inside a shield, which is entered after the first interruption only, as it costs more than all
    the rest.
    """
    with Waiting(session, through=True):
        try:
            await _closed(session)
        except asyncio.CancelledError as error:
            first = error
        else:
            return None
        with anyio.CancelScope(shield=True):
            while not session._closed():
                try:
                    await _closed(session)
                except asyncio.CancelledError:
                    pass
        try:
            return first
        finally:
            del first  # its traceback leads here
