"""
The base class calls the subclass inside a try, and drops what the subclass wrote in the finally.
"""

from __future__ import annotations

import abc
import uuid


class BaseRunner(abc.ABC):
    def __init__(self) -> None:
        self.scratch: dict[str, dict[str, object]] = {}  # clean: run() deletes in finally

    async def run(self, prompt: str) -> str:
        run_id = str(uuid.uuid4())
        try:
            return await self.perform(run_id, prompt)
        finally:
            self.scratch.pop(run_id, None)

    @abc.abstractmethod
    async def perform(self, run_id: str, prompt: str) -> str: ...
