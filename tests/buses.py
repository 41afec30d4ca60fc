"""
An emitter of any form, for the tests of listeners.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

Fn = Callable[..., Any]


class Bus:
    """
    Something one can listen to under whatever names: it remembers what it was given, in order.
    """

    def __init__(self, *names: str) -> None:
        self.held: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []
        for add, remove in zip(names[::2], names[1::2], strict=True):
            setattr(self, add, self.add)
            setattr(self, remove, self.remove)

    def add(self, *args: Any) -> None:
        """
        Hold it.
        """
        self.held.append(args)

    def remove(self, *args: Any) -> None:
        """
        Let go of it.
        """
        self.held.remove(args)

    def subscription(self, *args: Any) -> Fn:
        """
        Hold it and return what lets go.
        """
        self.add(*args)
        return partial(self.remove, *args)

    def emit(self, *args: Any, **kwargs: Any) -> None:
        """
        Call all that is held.
        """
        for *_, fn in list(self.held):
            self.answers.append(fn(*args, **kwargs))
