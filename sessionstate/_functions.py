"""The ways into a session of the default supervisor."""

from __future__ import annotations

import sys

from ._clock import UNSET, Seconds, Unset
from ._default import current_supervisor
from ._holders import Block
from ._session import Session


def session(
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
    Same as `Supervisor.session`, of the running loop's default supervisor.

    Raises:
        RuntimeError: If there is none.

    .. versionadded:: 0.1
    """
    block = current_supervisor().session(
        id,
        linger=linger,
        max_age=max_age,
        stall_timeout=stall_timeout,
        parent=parent,
        group=group,
        weight=weight,
        max_children=max_children,
    )
    return block.opened_at(sys._getframe(1))


def attach(
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
    Same as `Supervisor.attach`, of the running loop's default supervisor.

    Raises:
        RuntimeError: If there is none.

    .. versionadded:: 0.1
    """
    block = current_supervisor().attach(
        id,
        create=create,
        idle_timeout=idle_timeout,
        max_age=max_age,
        stall_timeout=stall_timeout,
        parent=parent,
        group=group,
        weight=weight,
        max_children=max_children,
    )
    return block.opened_at(sys._getframe(1))
