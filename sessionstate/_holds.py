"""What holds a session: somebody inside a block of it, or a child."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ._context import Task


class Holder:
    """What keeps a session from being idle."""

    __slots__ = ("_id", "sent", "task")

    owner = False
    """Whether the session ends when the last one of this kind leaves."""
    task: Task | None
    """The task that entered."""
    sent: int
    """How often it was cancelled because the session ended."""

    if TYPE_CHECKING:

        @property
        def where(self) -> str:
            """
            Who holds, for people.
            """
            raise NotImplementedError

    @property
    def runs(self) -> bool:
        """Whether the task that entered is still there to leave."""
        return self.task is not None and not self.task.done()

    def give_up(self) -> None:
        """Take note that the session has ended."""

    def interrupt(self) -> None:
        """Cancel the task inside; its block takes that back."""
        assert self.task is not None
        self.sent += 1
        # Whoever cancelled it in this very step stays the one whom it names: anyio looks for that.
        named = getattr(self.task, "_must_cancel", False)
        self.task.cancel(getattr(self.task, "_cancel_message", None) if named else None)


class ChildHold(Holder):
    """Stands for a child session that is held, or is being opened."""

    __slots__ = ("waiter",)

    waiter: asyncio.Future[bool] | None
    """In what the opening waits for room, which is over when the session held here ends."""

    def __init__(self, id: str) -> None:
        self._id = id
        self.task = self.waiter = None
        self.sent = 0

    def give_up(self) -> None:
        """Let an opening look again, and find that the parent has ended."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(False)

    @property
    def where(self) -> str:
        return f"child session {self._id!r}"
