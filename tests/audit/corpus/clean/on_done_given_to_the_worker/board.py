"""
The board gives its method drop to every worker, and a worker calls it in a finally.
"""

from __future__ import annotations

import threading

from .render_worker import RenderWorker


class Board:
    def __init__(self) -> None:
        self._workers: dict[str, RenderWorker] = {}  # clean: the worker calls drop() in finally
        self._lock = threading.Lock()

    def start(self, scene_id: str, frames: int) -> None:
        worker = RenderWorker(scene_id, frames, on_done=self.drop)
        with self._lock:
            self._workers[scene_id] = worker
        try:
            worker.start()
        except RuntimeError:
            self.drop(scene_id)
            raise

    def drop(self, scene_id: str) -> None:
        with self._lock:
            self._workers.pop(scene_id, None)

    def busy(self) -> int:
        with self._lock:
            return len(self._workers)


board = Board()


def handle_render(request: dict) -> int:
    board.start(request["scene_id"], int(request["frames"]))
    return board.busy()
