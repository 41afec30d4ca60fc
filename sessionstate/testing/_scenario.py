"""
The parts of a scenario: what is made for it, what it does, and who reads its values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

from ._places import place


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What `explore` was given.
    """

    body: Callable[..., Any]
    check: Callable[..., Any] | None
    setup: Callable[[], Any] | None

    @property
    def name(self) -> str:
        """
        What it is called in reports.
        """
        body = self.body
        return getattr(body, "__qualname__", None) or repr(body)

    def arguments(self, world: Any) -> tuple[Any, ...]:
        """
        Return what the scenario and its check are called with: what was made, if anything was.
        """
        return () if world is None else (world,)

    async def make(self) -> AbstractAsyncContextManager[Any]:
        """
        Call the setup, and return what to enter.
        """
        made: object = None if self.setup is None else self.setup()
        if isinstance(made, Awaitable) and not isinstance(made, AbstractAsyncContextManager):
            made = await cast("Awaitable[object]", made)
        if isinstance(made, AbstractAsyncContextManager):
            return cast("AbstractAsyncContextManager[object]", made)
        return nullcontext(made)


class Reader:
    """
    Runs what the body of a scenario returned; of values it asks for so many, or for all.
    """

    def __init__(self, abandon_at: int = 0) -> None:
        self.values = 0
        self.struck = ""
        """Where it gave the value after which nobody asked for more."""
        self._abandon_at = abandon_at

    async def run(self, made: object) -> None:
        """
        Run *made*: something to await, or to iterate over.
        """
        if isinstance(made, AsyncIterator):
            await self._read(cast("AsyncIterator[object]", made))
        elif isinstance(made, Awaitable):
            await cast("Awaitable[object]", made)
        else:
            raise TypeError(f"a scenario is an async function; this one returned {made!r}")

    async def _read(self, values: AsyncIterator[object]) -> None:
        async for _ in values:
            self.values += 1
            if self.values == self._abandon_at:
                self.struck = place(values)
                return
