"""
The catalogue: every scenario by its name, and on what terms it is explored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionstate import SessionError
from sessionstate.testing import Exploration, Mode, explore
from tests.world import FOR_EVER, World, world

if TYPE_CHECKING:
    from collections.abc import Collection

Body = Callable[[World], Any]

NO_PROBLEMS = (
    # Whoever waits for a clean-up, a context or a load that is cancelled is told so.
    r"cut short by Cancelled",
    r"was cancelled, by",
    # anyio makes the coroutine of a child at once: one that never starts is never awaited.
    r"World\.work' was never awaited",
)


@dataclass(frozen=True)
class Scenario:
    """
    Something that programs do with sessions.
    """

    name: str
    body: Body
    repeatable: bool = True
    """Whether it goes the same way each time; what has real processes does not."""
    raises: tuple[type[Exception], ...] = ()
    """What it may raise when it is disturbed, besides `SessionError`."""

    @property
    def about(self) -> str:
        """
        What happens in it: a sentence.
        """
        return " ".join((self.body.__doc__ or "").split())

    def explore(
        self, modes: Collection[Mode] = tuple(Mode), *, eager: bool = False, **options: Any
    ) -> Exploration:
        """
        Disturb it wherever it can be disturbed; *options* are those of `sessionstate.testing`.
        """
        return explore(
            self.body,
            World.verify,
            setup=world,
            modes=modes,
            eager=eager,
            raises=(SessionError, *self.raises),
            ignore=NO_PROBLEMS,
            repeatable=self.repeatable,
            settle=FOR_EVER if self.repeatable else 5.0,
            **options,
        )

    async def undisturbed(self, pace: float = 1.0) -> World:
        """
        Run it in the running loop, with nothing injected, and return what it lived in.

        Everything takes *pace* times as long as it does in virtual time.
        """
        async with world() as made:
            made.pace = pace
            running = self.body(made)
            if isinstance(running, AsyncIterator):
                async for _ in running:
                    pass
            else:
                await running
        made.verify()
        return made


CATALOGUE: dict[str, Scenario] = {}


def scenario(
    *, repeatable: bool = True, raises: tuple[type[Exception], ...] = ()
) -> Callable[[Body], Body]:
    """
    Have a function explored, under its own name.
    """

    def add(body: Body) -> Body:
        name = body.__name__
        assert name not in CATALOGUE, f"there are two scenarios {name}"
        CATALOGUE[name] = Scenario(name, body, repeatable, raises)
        return body

    return add
