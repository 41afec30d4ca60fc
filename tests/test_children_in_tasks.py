"""
Child sessions that live in tasks of their parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from sessionstate import CloseReason, Session, SessionClosed, Supervisor

Delegate = Callable[[Session], Coroutine[None, None, None]]


async def _one(parent: Session) -> None:
    async with parent.child():
        await asyncio.Event().wait()


async def _two(parent: Session) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_one(parent))
        group.create_task(_one(parent))


class TestChildrenInTasks:
    @pytest.mark.parametrize(("delegate", "number"), [(_one, 1), (_two, 2)])
    async def test_their_end_with_the_parent_is_no_error(
        self,
        supervisor: Supervisor,
        delegate: Delegate,
        number: int,
    ) -> None:
        """
        A task of the parent that holds children learns of their end, which is no clean-up error.
        """
        async with supervisor.session("parent") as parent:
            parent.start_soon(delegate, parent)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            children = parent.children
        assert [child.close_reason for child in children] == [CloseReason.PARENT] * number
        assert supervisor.statistics().clean_up_errors == 0

    async def test_any_other_error_is_one(self, supervisor: Supervisor) -> None:
        """
        What such a task raises beside that is a clean-up error, as ever.
        """

        async def delegate(parent: Session) -> None:
            try:
                await _one(parent)
            except SessionClosed as error:
                raise ExceptionGroup("both", [error, ValueError("lost")]) from None

        with pytest.raises(ExceptionGroup, match="clean-up of session 'parent'"):
            async with supervisor.session("parent") as parent:
                parent.start_soon(delegate, parent)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
