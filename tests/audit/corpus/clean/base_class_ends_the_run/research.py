"""
An agent that looks things up.
"""

from __future__ import annotations

from .base import BaseRunner


class ResearchRunner(BaseRunner):
    def __init__(self, search, llm) -> None:
        super().__init__()
        self._search = search
        self._llm = llm

    async def perform(self, run_id: str, prompt: str) -> str:
        self.scratch[run_id] = {"prompt": prompt, "hits": []}
        hits = await self._search(prompt)
        self.scratch[run_id]["hits"] = hits
        return await self._llm(f"{prompt}\n\nSources: {hits}")
