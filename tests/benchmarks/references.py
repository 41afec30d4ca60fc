"""
What somebody would write by hand: the references that the figures are divided by.
"""

import heapq
import itertools
import time
from types import TracebackType
from typing import Self

TTL = 1800.0

live: dict[str, "ByHand"] = {}
heap: list[tuple[float, int, "ByHand"]] = []
serial = itertools.count()


class ByHand:
    """
    A session as short as it can be written: found by id, known to a heap, marked when it ended.
    """

    __slots__ = ("closed", "deadline", "id")

    def __init__(self, id: str) -> None:
        self.id = id
        self.closed = False

    async def __aenter__(self) -> Self:
        self.deadline = time.monotonic() + TTL
        live[self.id] = self
        # The serial settles every tie, so sessions are never compared.
        heapq.heappush(heap, (self.deadline, next(serial), self))  # type: ignore[misc]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closed = True
        del live[self.id]


class Touched:
    """
    An object with a deadline, and nothing else.
    """

    __slots__ = ("deadline",)

    deadline: float


class Nothing:
    """
    An async context manager that does nothing.
    """

    __slots__ = ()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def nothing() -> None:
    """
    Return at once.
    """


async def nothing_async() -> None:
    """
    Return at once.
    """


def forget_closed() -> None:
    """
    Empty the heap between rounds, outside the clock: the closed stay until somebody pops them.
    """
    heap.clear()
