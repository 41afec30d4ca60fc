"""
Gives anyio's scopes the same order on each run.

A cancelled scope tells the scopes inside of it, which it keeps in a set: in the order of their
addresses. Tasks are in sets as well; those of a `VirtualLoop` have an order of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anyio._backends import _asyncio


class _InOrder(dict[Any, None]):
    """
    A set, as far as scopes use one, in the order of coming.
    """

    def add(self, item: Any) -> None:
        self[item] = None

    def remove(self, item: Any) -> None:
        del self[item]

    def discard(self, item: Any) -> None:
        self.pop(item, None)


@contextmanager
def scopes_in_order() -> Iterator[None]:
    """
    Let scopes that are made meanwhile keep those inside of them in order.
    """
    scope: Any = _asyncio.CancelScope
    before = scope.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        before(self, *args, **options)
        self._child_scopes = _InOrder()

    scope.__init__ = init
    try:
        yield
    finally:
        scope.__init__ = before
