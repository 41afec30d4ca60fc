"""Sub-agents stay listed after their parent ended, because ending a parent looks only at the table of parents."""

import contextlib
import uuid


class Delegation:
    def __init__(self):
        self.parents = {}  # clean: popped when the parent's scope ends
        self.children_of = {}  # leaks SS001: the parent's end does not come here

    @contextlib.asynccontextmanager
    async def parent(self, agent):
        parent_id = uuid.uuid4().hex
        self.parents[parent_id] = agent
        try:
            yield parent_id
        finally:
            self.parents.pop(parent_id)

    def spawn(self, parent_id, make_child):
        child = make_child(self.parents[parent_id])
        self.children_of.setdefault(parent_id, []).append(child)
        return child

    def tree(self):
        return {pid: len(self.children_of.get(pid, [])) for pid in self.parents}


delegation = Delegation()


async def solve(agent, goal, make_child):
    async with delegation.parent(agent) as parent_id:
        parts = await agent.plan(goal)
        return [await delegation.spawn(parent_id, make_child).run(p) for p in parts]
