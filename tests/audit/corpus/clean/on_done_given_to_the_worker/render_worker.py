"""
A thread that renders one scene.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RenderWorker(threading.Thread):
    def __init__(self, scene_id: str, frames: int, on_done: Callable[[str], None]) -> None:
        super().__init__(name=f"render-{scene_id}", daemon=True)
        self.scene_id = scene_id
        self.frames = frames
        self.on_done = on_done

    def run(self) -> None:
        try:
            for _ in range(self.frames):
                time.sleep(0.01)
        finally:
            self.on_done(self.scene_id)
