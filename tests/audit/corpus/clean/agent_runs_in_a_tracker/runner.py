"""
Runs one agent to its end.
"""

from __future__ import annotations

import uuid

from .tracker import tracker


class AgentRunner:
    def __init__(self, llm, tools) -> None:
        self.llm = llm
        self.tools = tools

    async def run(self, task: str, max_steps: int = 20) -> str:
        run_id = uuid.uuid4().hex
        messages = [{"role": "user", "content": task}]
        with tracker.running(run_id):
            for _ in range(max_steps):
                reply = await self.llm.next(messages)
                if not reply.tool:
                    return reply.text
                messages.append({"role": "tool", "content": await self.tools[reply.tool](reply.args)})
        return "out of steps"
