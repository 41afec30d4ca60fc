"""
Time for what is about to end: an end that was decided a moment ago is no leak.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, repeat
from types import TracebackType
from typing import Final, Self

from ._leftovers import Census, Found, LeftoverError, census, patterns, tasks_of
from ._options import seconds
from ._origins import origins
from ._virtual_loop import VirtualLoop

Loop = asyncio.AbstractEventLoop
Look = Callable[[], Found]

PAUSES: Final = (0.0, 0.001, 0.005, 0.02)
LAST: Final = 0.1
SETTLE: Final = 1.0


def pauses(most: float) -> Iterator[float]:
    """Yield 0, 1, 5, 20, 100, 100 ... ms, *most* seconds in all."""
    spent = 0.0
    for usual in chain(PAUSES, repeat(LAST)):  # pragma: no branch - there is no end
        pause = min(usual, most - spent)
        yield pause
        spent += pause
        if spent >= most:
            return


async def settle(look: Look, most: float = SETTLE) -> Found:
    """
    Look until nothing is left, for *most* seconds of the loop's time; return what is left then.
    """
    left = look()
    if not left:
        return left
    alive = tasks_of(left)
    gc.collect()
    loop = asyncio.get_running_loop()
    moves = not isinstance(loop, VirtualLoop) or loop.clock.autojump
    for pause in pauses(most):
        if isinstance(loop, VirtualLoop):
            await loop.clock.settle()
        await asyncio.sleep(pause if moves else 0)
        left = look()
        if not left:
            break
    del alive
    return left


def settle_outside(look: Look, loops: Iterable[Loop] = (), most: float = SETTLE) -> Found:
    """
    Same as `settle`, but where no loop runs: *loops*, which others made, are run meanwhile.
    """
    left = look()
    if not left:
        return left
    alive = tasks_of(left)
    gc.collect()
    for loop in loops:
        left = loop.run_until_complete(settle(look, most))
    for pause in pauses(most):
        if not left:
            break
        time.sleep(pause)
        left = look()
    del alive
    return left


class no_leaks:  # noqa: N801 - it is written as a function, as contextlib's are
    """
    A block that leaves nothing open behind: ``with`` or ``async with``.

    What is there at its end and was not at its beginning has a moment to go; then it is an error.
    An error of the body is not masked: what is left is noted on it. Where a loop runs it has to
    be ``async with``: waiting in ``with`` would stop the loop, in which everything ends.

    Args:
        ignore: Patterns, as of `fnmatch`, of what may be left: ``"session chat-*"``,
            ``"asyncio task *"``, ``"*/pool.py:*"``.
        settle: Seconds for what is about to end.

    Raises:
        TypeError: If *ignore* is no list of texts, or *settle* no number.
        ValueError: If *settle* is negative or not finite.
        LeftoverError: If something is left.
        RuntimeError: If ``with`` is written where a loop runs.

    .. versionadded:: 0.1
    """

    def __init__(self, *, ignore: Collection[str] = (), settle: float = SETTLE) -> None:
        seconds("settle", settle, none=False, zero=True)
        self._ignore = patterns(ignore)
        self._settle = settle
        self._before: Census | None = None

    def __enter__(self) -> Self:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "'with no_leaks()' would stop the running loop while it waits for what is about "
                "to end: write 'async with no_leaks()'"
            )
        return self._begin()

    def __exit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            left = settle_outside(self._look, most=self._settle)
        finally:
            origins.end()
        _answer(left, error)

    async def __aenter__(self) -> Self:
        return self._begin()

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            left = await settle(self._look, self._settle)
        finally:
            origins.end()
        _answer(left, error)

    def _begin(self) -> Self:
        self._before = census()
        origins.begin(others=True)
        return self

    def _look(self) -> Found:
        assert self._before is not None
        return census()._new(self._before, self._ignore)


def _answer(left: Found, error: BaseException | None) -> None:
    """Raise what is left, or note it on the *error* that is on its way."""
    if not left:
        return
    answer = LeftoverError(list(left.values()))
    if error is None:
        raise answer
    error.add_note(str(answer))
