"""
Runs enter the tracker by a context manager only, and the runner in the other module uses it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Tracker:
    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # clean: running() deletes in finally

    @contextlib.contextmanager
    def running(self, run_id: str) -> Iterator[None]:
        self._since[run_id] = time.monotonic()
        try:
            yield
        finally:
            del self._since[run_id]

    def oldest(self) -> float:
        return time.monotonic() - min(self._since.values(), default=time.monotonic())


tracker = Tracker()
