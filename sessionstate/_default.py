"""
Which supervisor is meant where none is named: the running loop's default one.

Nothing depends on a context variable set elsewhere: a lifespan's context does not reach request
tasks. The references are weak, so that a supervisor that was dropped without being left is noticed,
and not kept.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._registry import Live
    from ._supervisor import Supervisor

_supervisors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[Supervisor]] = (
    weakref.WeakKeyDictionary()
)


def _nobody() -> Live | None:
    return None


sole: Callable[[], Any] = _nobody
"""
Returns the live sessions of the one default supervisor; None if there is not just one.

Its type is not exact, so that a map's item access need not look whether it is None.
"""


def _count() -> None:
    global sole  # noqa: PLW0603 - a map's item access has no time for more than this
    alive = [supervisor for ref in list(_supervisors.values()) if (supervisor := ref()) is not None]
    sole = weakref.ref(alive[0]._live) if len(alive) == 1 else _nobody


def check_vacant(loop: asyncio.AbstractEventLoop) -> None:
    """Refuse a second default supervisor of *loop*."""
    present = _supervisors.get(loop)
    other = present() if present is not None else None
    if other is not None:
        raise RuntimeError(
            f"this event loop has a default supervisor already, {other!r}: use that one, or write "
            f"Supervisor(default=False) for a second one"
        )


def enlist(loop: asyncio.AbstractEventLoop, supervisor: Supervisor) -> None:
    """Make *supervisor* the default of *loop*, which has none."""
    _supervisors[loop] = weakref.ref(supervisor)
    _count()


def strike_off(loop: asyncio.AbstractEventLoop, supervisor: Supervisor) -> None:
    """Let *supervisor* be the default no longer, if it is."""
    present = _supervisors.get(loop)
    if present is not None and present() is supervisor:
        del _supervisors[loop]
        _count()


def current_supervisor() -> Supervisor:
    """
    Return the default supervisor of the running event loop.

    Raises:
        RuntimeError: If there is none, or no loop runs.

    .. versionadded:: 0.1
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no event loop runs here, so there is no default supervisor: call this from async code"
        ) from None
    present = _supervisors.get(loop)
    supervisor = present() if present is not None else None
    if supervisor is None:
        raise RuntimeError(
            "no default supervisor runs in this event loop: write 'async with Supervisor():' "
            "around what the program does, or pass supervisor=..."
        )
    return supervisor
