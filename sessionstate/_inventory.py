"""
What a session owns and keeps, for whoever looks: reports, tests, pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._session import Session


@dataclass(frozen=True, slots=True)
class Resource:
    """
    Something that a session owned or kept at the moment of looking.

    .. versionadded:: 0.1
    """

    kind: str
    """``task``, ``process``, ``listener``, ``timer``, ``container``, ``context``,
    ``callback``, ``async callback``, or ``slot`` for the value of a map or a variable."""

    name: str
    """What it is called: a function, a command, a map."""

    handle: object = field(repr=False)
    """What stands for it as long as it is there. Two looks at the same resource are equal."""


def resources(session: Session) -> list[Resource]:
    """Return what *session* owns and keeps: tasks, then steps, then slots, oldest first."""
    owned = [*(session._tasks or ()), *(session._steps or ())]
    found = [Resource(each.kind, each.where.removeprefix(f"{each.kind} "), each) for each in owned]
    slots = [key for key in session._slots if "\x00" in key]
    return found + [Resource("slot", key.partition("\x00")[0], key) for key in slots]
