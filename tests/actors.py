"""
Tasks inside blocks, one inside the other, that do what the lifecycle machine tells them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sessionstate import Session, SessionError
from tests.model import Asked

if TYPE_CHECKING:
    from tests.lifecycle_log import Log

Order = Callable[[], Awaitable[str | None]]


class Stage(Protocol):
    """
    What an actor needs of the machine.
    """

    def block(self, asked: Asked) -> Any:
        """
        Make the block that was asked for.
        """

    log: Log


class BodyError(Exception):
    """
    What a body raises.
    """


class CleanupError(Exception):
    """
    What a failing clean-up raises.
    """


class CrashError(Exception):
    """
    What an owned task crashes with.
    """


class Left(NamedTuple):
    """
    How a block was left.
    """

    actor: Actor
    around: tuple[Session, ...]
    """The sessions of the blocks around it, in the same task."""
    asked: Asked
    session: Session
    how: str
    """How its body ended: completed, failed or cancelled."""
    outcome: object
    """What came out of the block: an error, "returned" or "cancelled"."""

    @property
    def name(self) -> str:
        """
        Return what came out, as a word.
        """
        return self.outcome if isinstance(self.outcome, str) else type(self.outcome).__name__


class Actor:
    """
    A task inside blocks, doing what it is told.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.how = ""
        """How the body left last was left."""
        self.order: asyncio.Future[Order] | None = None
        self.stack: list[Session] = []
        self.waiting: Asked | None = None
        self.asked_for_end: set[Session] = set()
        self.blocks: set[int] = set()
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None

    def begin(self, asked: Asked) -> None:
        """
        Enter a first block in a task of its own.
        """
        self.task = asyncio.create_task(self.run(asked))

    async def run(self, asked: Asked) -> None:
        """
        Be the actor's task.
        """
        try:
            await self.enter(asked)
            assert self.task is not None
            assert not self.task.cancelling(), "a block did not take back what it was sent"
        except asyncio.CancelledError:
            assert self.cancelled, "an actor was cancelled from the outside by nobody"

    @property
    def runs(self) -> bool:
        """
        Whether it is still there.
        """
        return self.task is not None and not self.task.done()

    @property
    def listens(self) -> bool:
        """
        Whether it waits in a body to be told something.
        """
        return self.order is not None and not self.order.done()

    def cancel(self) -> None:
        """
        Cancel its task.
        """
        assert self.task is not None
        self.cancelled = True
        self.task.cancel()

    def tell(self, order: Order) -> None:
        """
        Have *order* awaited in the innermost body, which is left as it says.
        """
        assert self.order is not None
        self.order.set_result(order)

    async def enter(self, asked: Asked) -> None:
        """
        Enter a block, obey inside, and log how it ends.
        """
        log = self.stage.log
        self.waiting = asked
        inside: Session | None = None
        outcome: object = "returned"
        try:
            async with self.stage.block(asked) as session:
                self.waiting = None
                inside = session
                self.stack.append(session)
                if asked.block is not None:
                    self.blocks.add(asked.block)
                log.live[session] = None
                log("entered", asked, session)
                await self.obey(asked, session)
        except (SessionError, BodyError, ExceptionGroup, ValueError, RuntimeError) as error:
            outcome = error
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self.waiting = None
            if inside is None:
                log("refused", asked, outcome, tuple(self.stack))
            else:
                self.stack.pop()
                around = tuple(self.stack)
                log("left", Left(self, around, asked, inside, self.how, outcome))

    async def obey(self, asked: Asked, session: Session) -> None:
        """
        Do what is told until told to leave, and log how this body ends.
        """
        log = self.stage.log
        how = "completed"
        try:
            while True:
                self.order = asyncio.get_running_loop().create_future()
                order = await self.order
                left = await order()
                if left == "failed":
                    raise BodyError
                if left is not None:
                    return
        except BodyError:
            how = "failed"
            raise
        except asyncio.CancelledError:
            how = "cancelled"
            raise
        finally:
            self.order = None
            self.how = how
            log("leaving", asked, session, how)
