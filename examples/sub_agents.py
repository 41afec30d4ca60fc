"""
A tree of sub-agents: each is a session of its own, which ends before the one that it works for.

One that is done is gone at once, and does not wait for its parent. When the root ends, for whatever
reason, all those below it end first, the deepest before the others. *max_children* limits how many
one request may have at a time, at any depth: an agent that delegates without end is refused.

    python examples/sub_agents.py
"""

import asyncio

import sessionstate
from sessionstate import (
    CloseReason,
    Session,
    SessionClosed,
    SessionMap,
    Supervisor,
    SupervisorFull,
    session,
)

notes = SessionMap[list[str]]("notes")  # what each agent keeps while it works
questions: asyncio.Queue[str] = asyncio.Queue()


async def work(s: Session, task: str) -> None:
    """In earnest: calls of a model."""
    notes[s] = [task]
    await asyncio.sleep(0)
    if task == "ask the user":
        questions.put_nowait(s.id)
        await asyncio.Event().wait()  # for an answer


async def delegate(parent: Session, name: str, task: str, depth: int) -> int:
    """Have an agent do *task*, with two more of them for each level below; count them."""
    async with parent.child(f"{parent.id}/{name}") as s:
        if depth == 0:
            await work(s, task)
            return 1
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(delegate(s, n, task, depth - 1)) for n in ("a", "b")]
        await work(s, "sum up")
        return 1 + sum(helper.result() for helper in helpers)


async def handle(id: str, task: str, *, depth: int, max_children: int = 20) -> None:
    try:
        async with session(id, stall_timeout=300, max_children=max_children) as s:
            print(f"{id}: {await delegate(s, 'agent', task, depth)} agents worked")
    except* SupervisorFull:
        print(f"{id}: refused more than {max_children} agents at a time")
    except* SessionClosed:
        print(f"{id}: ended by somebody else")


def tell(s: Session, reason: CloseReason) -> None:
    if s.parent is None or reason is CloseReason.PARENT:
        print(f"{s.id}: {reason}")


async def main() -> None:
    async with Supervisor() as supervisor:
        supervisor.on_close(tell)
        await handle("plan", "look it up", depth=2)
        await handle("greedy", "look it up", depth=9)
        async with asyncio.TaskGroup() as group:
            group.create_task(handle("stuck", "ask the user", depth=1))
            for _ in range(2):
                print(f"{await questions.get()} asks")
            await supervisor.close("stuck")  # the user has had enough
        print(f"left: {len(supervisor)} sessions, {len(notes)} notes")


if __name__ == "__main__":
    sessionstate.run(main())
