"""
Memory that goes up and down with the sessions, for the tests of the guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionstate import MemoryGuard, Supervisor

if TYPE_CHECKING:
    from sessionstate.testing import VirtualClock


MIB = 2**20


class Machine:
    """
    Memory as it would be: some for the program, and some for each session until it is closed.
    """

    def __init__(self, supervisor: Supervisor, base: int = 0, each: int = MIB) -> None:
        self.supervisor = supervisor
        self.base = base
        self.each = each
        self.reads = 0
        self.kept = 0
        """What the allocator keeps at least."""

    def __call__(self) -> int:
        """
        Return the resident memory in bytes.
        """
        self.reads += 1
        sessions = len(self.supervisor) + len(self.supervisor._closing)
        return max(self.base + sessions * self.each, self.kept)


async def opened(supervisor: Supervisor, number: int, clock: VirtualClock) -> None:
    """
    Open sessions, each used a little later than the one before.
    """
    for i in range(number):
        await supervisor.open(str(i))
        await clock.advance(0.001)


def guard_of(machine: Machine, **options: Any) -> MemoryGuard:
    """
    Make a guard that sheds between 100 and 80 sessions of *machine*.
    """
    options = {"high": 100 * MIB, "low": 80 * MIB, "resident": machine} | options
    return MemoryGuard(**options)
