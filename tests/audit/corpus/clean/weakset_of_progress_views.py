"""
A view that nobody shows any more falls out of the weak set by itself.
"""
from weakref import WeakSet


class ProgressView:
    def __init__(self, task_id: str):
        self.task_id = task_id
        self.percent = 0

    def update(self, percent: int) -> None:
        self.percent = percent


class ProgressHub:
    def __init__(self):
        self._views = WeakSet()  # clean: weak references only

    def watch(self, task_id: str) -> ProgressView:
        view = ProgressView(task_id)
        self._views.add(view)
        return view

    def report(self, task_id: str, percent: int) -> None:
        for view in list(self._views):
            if view.task_id == task_id:
                view.update(percent)


hub = ProgressHub()


def handle_progress(message: dict) -> None:
    hub.report(message["task_id"], message["percent"])


def render(task_id: str) -> str:
    view = hub.watch(task_id)
    return f"<progress value={view.percent} max=100>"
