"""A finished sub-task keeps its whole transcript until its parent is deleted, because being done is no event that removes it."""

from enum import Enum, auto


class State(Enum):
    RUNNING = auto()
    DONE = auto()


class SubtaskBoard:
    def __init__(self, events):
        self.board = {}  # leaks SS002a: waits for the parent's deletion, which nobody must send
        self.running = 0
        events.subscribe("parent_deleted", self._drop_family)  # clean: the board lives as long as the application

    async def delegate(self, parent_id, task_id, agent, prompt):
        entry = {"parent": parent_id, "state": State.RUNNING, "transcript": []}
        self.board[task_id] = entry
        self.running += 1
        try:
            async for chunk in agent.stream(prompt):
                entry["transcript"].append(chunk)
        finally:
            self.running -= 1
            entry["state"] = State.DONE
        return "".join(entry["transcript"])

    def _drop_family(self, parent_id):
        mine = [t for t, e in self.board.items() if e["parent"] == parent_id]
        for task_id in mine:
            self.board.pop(task_id)
