"""The ways into a session of the default supervisor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from ._clock import UNSET, Seconds, Unset
from ._default import current_supervisor
from ._holders import Block
from ._session import Session

P = ParamSpec("P")


def _of_default(described: Callable[P, Block]) -> Callable[P, Block]:
    """Call the method of that name of the default supervisor."""
    name = described.__name__

    @wraps(described)
    def call(*args: P.args, **named: P.kwargs) -> Block:
        method: Callable[..., Block] = getattr(current_supervisor(), name)
        return method(*args, **named).opened_at(sys._getframe(1))

    return call


@_of_default
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
    raise NotImplementedError  # pragma: no cover - the method of this name is called


@_of_default
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
    raise NotImplementedError  # pragma: no cover - the method of this name is called
