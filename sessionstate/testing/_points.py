"""
Where something is injected: what modes there are, and every point of each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ALL_PAIRS: Final = 60
"""If the first of two cancellations leaves no more steps, the second comes at each of them."""

GAPS: Final = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
"""Steps between two cancellations where there are more."""


class Mode(StrEnum):
    """
    What is done to a scenario before one of its steps.

    .. versionadded:: 0.1
    """

    CANCEL = "cancel"
    """Its task is cancelled, once."""

    TWICE = "twice"
    """Its task is cancelled, and once more: at once or some steps later, while it cleans up."""

    EACH = "each"
    """One of the live tasks is cancelled, those of libraries too; not the one of the setup."""

    ALL = "all"
    """Every live task is cancelled, as `asyncio.run` does at last; not those that hide from it."""

    SCOPE = "scope"
    """The anyio scope around it is cancelled: each await raises, until the scope is left."""

    THROW = "throw"
    """One await of it, or of a task that it started, raises `Injected`, where an error can come."""

    ABANDON = "abandon"
    """It is an async generator, and nobody asks it for its next value."""


class Injected(Exception):
    """
    The exception that an await raises in mode ``throw``.

    .. versionadded:: 0.1
    """


@dataclass(frozen=True, slots=True)
class Point:
    """
    One point of injection. Its text, such as ``each@17#2``, finds it again.

    .. versionadded:: 0.1
    """

    mode: Mode
    """What is done."""

    step: int
    """
    Before which step of the loop; of which await, as they end, in mode ``throw``; of which value in
    mode ``abandon``.
    """

    gap: int = 0
    """Steps until the second cancellation, in mode ``twice``."""

    task: int = 0
    """Which of the live tasks, in mode ``each``, in the order of their appearance."""

    def __str__(self) -> str:
        detail = {Mode.TWICE: f"+{self.gap}", Mode.EACH: f"#{self.task}"}.get(self.mode, "")
        return f"{self.mode}@{self.step}{detail}"

    @classmethod
    def parse(cls, text: str) -> Point:
        """
        Return the point that *text* stands for.

        Raises:
            ValueError: If it stands for none.
        """
        found = re.fullmatch(r"(\w+)@(\d+)(?:\+(\d+)|#(\d+))?", text)
        if found is None or found[1] not in [*Mode]:
            raise ValueError(
                f"{text!r} is no point of injection: take one from a report, such as 'cancel@17', "
                f"'twice@17+3' or 'each@17#2'"
            )
        return cls(Mode(found[1]), int(found[2]), int(found[3] or 0), int(found[4] or 0))


@dataclass(frozen=True, slots=True)
class Course:
    """
    How an undisturbed run went.
    """

    steps: int
    """Steps of the loop until the scenario's end."""

    tasks: Sequence[int]
    """For each step, those after its end too, how many tasks were alive before it."""

    awaits: int
    values: int
    """Awaits that can fail, of whatever task, and the values that an async generator gave."""

    cancelled: Sequence[int] = ()
    """For each step, how many there are if the scenario is cancelled before it: it cleans up."""


def points(mode: Mode, course: Course) -> Iterator[Point]:
    """
    Return every point of *mode* in a scenario that takes this *course*.
    """
    steps = course.steps
    if mode is Mode.THROW:
        yield from (Point(mode, number) for number in range(1, course.awaits + 1))
    elif mode is Mode.ABANDON:
        yield from (Point(mode, number) for number in range(1, course.values + 1))
    elif mode is Mode.EACH:
        for step, alive in enumerate(course.tasks, 1):
            yield from (Point(mode, step, task=task) for task in range(alive))
    elif mode is Mode.TWICE:
        for step, last in enumerate(course.cancelled, 1):
            left = last - step
            gaps = range(left + 1) if left <= ALL_PAIRS else GAPS
            yield from (Point(mode, step, gap) for gap in gaps if gap <= left)
    else:
        last = len(course.tasks) if mode is Mode.ALL else steps
        yield from (Point(mode, step) for step in range(1, last + 1))


def span(point: Point) -> tuple[float, float]:
    """
    Return the first and the last step before which something is done, or looked at.
    """
    if point.mode in (Mode.THROW, Mode.ABANDON):  # which come otherwise
        return math.inf, 0.0
    return point.step, math.inf if point.mode is Mode.SCOPE else point.step + point.gap
