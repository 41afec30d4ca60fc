"""
A set of tasks lets go of those that are done.
"""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.audit.fixing import after_fix

KEPT = """
    import asyncio

    class Chat:
        def __init__(self):
            self._tasks = set()

        def start(self):
            {body}

        async def others(self):
            {others}
"""


def fixed(body: str, others: str = "pass", *, write: str = "self._tasks.add(task)") -> str:
    """
    Return what is made of a method, or an empty text if it is left alone.
    """
    code = KEPT.format(
        body=body.replace("\n", "\n            "), others=others.replace("\n", "\n            ")
    )
    after = after_fix("SS006", "Chat._tasks", code, writes=[write])
    if after == dedent(code):
        return ""
    start, end = after.index("start(self):"), after.index("    async def others")
    return dedent(after[start + len("start(self):\n") : end]).strip()


class TestDiscard:
    def test_an_added_task_is_discarded_when_it_is_done(self) -> None:
        """
        The callback follows the call that adds, in the words of that call.
        """
        body = "task = asyncio.create_task(work())\nself._tasks.add(task)  # kept\nreturn task"
        assert fixed(body) == (
            "task = asyncio.create_task(work())\n"
            "self._tasks.add(task)  # kept\n"
            "task.add_done_callback(self._tasks.discard)\n"
            "return task"
        )

    def test_a_task_without_a_name_gets_one(self) -> None:
        """
        A task that is made where it is added is named first; comments and layout stay.
        """
        body = (
            "# first\n"
            "self._tasks.add(  # noqa: X\n    asyncio.create_task(\n        work(1,2),\n    )\n)"
        )
        assert fixed(body, write="self._tasks.add(") == (
            "# first\n"
            "task = asyncio.create_task(\n        work(1,2),\n    )\n"
            "self._tasks.add(task)\n"
            "task.add_done_callback(self._tasks.discard)"
        )

    def test_the_comment_behind_stays_with_the_call(self) -> None:
        """
        A comment on the line of a task without a name stays on the line that adds.
        """
        write = "self._tasks.add(asyncio.ensure_future(work()))"
        assert fixed(f"{write}  # a reference", write=write) == (
            "task = asyncio.ensure_future(work())\n"
            "self._tasks.add(task)  # a reference\n"
            "task.add_done_callback(self._tasks.discard)"
        )

    @pytest.mark.parametrize(
        ("before", "name"),
        [
            ("task = 1", "new_task"),
            ("print(task, new_task)", "added_task"),
            ("f = lambda task, new_task, added_task: 0", "task_to_keep"),
        ],
    )
    def test_the_new_name_is_nobodys(self, before: str, name: str) -> None:
        """
        The name for a task is one that its function does not use.
        """
        write = "self._tasks.add(asyncio.create_task(work()))"
        assert fixed(f"{before}\n{write}", write=write) == (
            f"{before}\n"
            f"{name} = asyncio.create_task(work())\n"
            f"self._tasks.add({name})\n"
            f"{name}.add_done_callback(self._tasks.discard)"
        )

    def test_without_a_free_name_there_is_no_fix(self) -> None:
        """
        Where each name is taken, nothing is renamed.
        """
        write = "self._tasks.add(asyncio.create_task(work()))"
        taken = "print(task, new_task, added_task, task_to_keep)"
        assert not fixed(f"{taken}\n{write}", write=write)

    def test_a_task_that_is_named_on_the_way_keeps_its_name(self) -> None:
        """
        A walrus is a name.
        """
        write = "self._tasks.add(t := asyncio.create_task(work()))"
        assert fixed(write, write=write) == f"{write}\nt.add_done_callback(self._tasks.discard)"

    def test_an_attribute_is_a_name(self) -> None:
        """
        A task that an attribute holds is asked through the attribute.
        """
        body = "self._task = asyncio.create_task(work())\nself._tasks.add(self._task)"
        assert fixed(body, write="self._tasks.add(self._task)") == (
            f"{body}\nself._task.add_done_callback(self._tasks.discard)"
        )

    @pytest.mark.parametrize("kind", ["asyncio.Task[None]", "'Task'"])
    def test_an_annotation_says_that_it_is_a_task(self, kind: str) -> None:
        """
        A task that comes from elsewhere is one if it is annotated so, as argument or as name.
        """
        body = f"def keep(task: {kind}):\n    self._tasks.add(task)\nreturn keep"
        assert "\n    task.add_done_callback(self._tasks.discard)\n" in fixed(body)
        body = f"task: {kind} = get()\nself._tasks.add(task)"
        assert fixed(body) == f"{body}\ntask.add_done_callback(self._tasks.discard)"

    @pytest.mark.parametrize(
        "body",
        [
            "self._tasks.add(task)",
            "task = find()\nself._tasks.add(task)",
            "task: object = find()\nself._tasks.add(task)",
            "task: object\nself._tasks.add(task)",
        ],
    )
    def test_what_may_be_no_task_is_left_alone(self, body: str) -> None:
        """
        What is added must be a task for sure.
        """
        assert not fixed(body)

    @pytest.mark.parametrize(
        "write",
        [
            "asyncio.create_task(work())",
            "self._tasks.append(task)",
            "self._tasks[1] = asyncio.create_task(work())",
            "self._others.add(task)",
            "self._tasks.add((t := find()))",
            "self._tasks.add(find())",
            "self._tasks.add(task); print()",
        ],
    )
    def test_other_shapes_have_no_safe_fix(self, write: str) -> None:
        """
        A task that nobody keeps, and one in a list or dict, is for a person to look at.
        """
        assert not fixed(f"task = asyncio.create_task(work())\n{write}", write=write)

    def test_a_callback_that_is_there_is_enough(self) -> None:
        """
        A task that is discarded already is not discarded twice.
        """
        body = "task = asyncio.create_task(work())\nself._tasks.add(task)\nprint()\n"
        assert not fixed(f"{body}task.add_done_callback(self._tasks.discard)")

    def test_a_set_outside_of_functions_is_left_alone(self) -> None:
        """
        What a module does while it is imported happens once.
        """
        code = "task = loop.create_task(f())\ntasks.add(task)\n"
        assert after_fix("SS006", "tasks", code, writes=["tasks.add(task)"]) == code
        code = "class A:\n    task = loop.create_task(f())\n    tasks.add(task)\n"
        assert after_fix("SS006", "A.tasks", code, writes=["tasks.add(task)"]) == code


class TestNobodyNotices:
    BODY = "task = asyncio.create_task(work())\nself._tasks.add(task)"

    @pytest.mark.parametrize(
        "others",
        [
            "for task in self._tasks:\n    task.cancel()",
            "for task in list(self._tasks):\n    await task",
            "for task in self._tasks.copy():\n    await task",
            "for task in reversed(sorted(self._tasks)):\n    await task",
            "await asyncio.gather(*self._tasks, return_exceptions=True)",
            "if self._tasks and len(self._tasks) > 3 and None not in self._tasks:\n    pass",
            "while self._tasks:\n    await self._tasks.pop()",
            "print(f'{len(self._tasks)}', {t for t in self._tasks if not t.done()})",
            "self._tasks -= {None}\nself._tasks.clear()",
            "self._tasks = set()",
            "print([await each.result() for each in self._others])",
        ],
    )
    def test_who_looks_at_what_runs_does_not(self, others: str) -> None:
        """
        Cancelling, counting, and waiting for all without their results is the same afterwards.
        """
        assert fixed(self.BODY, others)

    @pytest.mark.parametrize(
        "others",
        [
            "for task in self._tasks:\n    await task",
            "for task in enumerate(self._tasks):\n    await task",
            "[await task for task in self._tasks]",
            "[x async for task in self._tasks async for x in task]",
            "for task in list(self._tasks):\n    print(task.result())",
            "print([task.exception() for task in self._tasks])",
            "print(await asyncio.gather(*self._tasks, return_exceptions=True))",
            "await asyncio.gather(*self._tasks)",
            "await asyncio.gather(*list(self._tasks))",
            "await asyncio.wait(self._tasks)",
            "self._tasks.remove(task)",
            "await stop(self._tasks)",
            "return self._tasks",
            "tasks, self._tasks = self._tasks, set()",
            "tasks = self._tasks",
        ],
    )
    def test_who_would_notice_prevents_the_fix(self, others: str) -> None:
        """
        Nobody waits in a loop over the set, takes results, removes, or passes the set on.
        """
        assert not fixed(self.BODY, others)
