"""A failed turn leaves its session pinned, because the unpin is not in a finally."""

import asyncio
import time


class WarmAgents:
    def __init__(self, factory, idle=600.0):
        self.factory = factory
        self.idle = idle
        self.agents = {}  # clean: the reaper takes each, pinned or not, within a day
        self.pins = {}  # leaks SS002b: the turn may raise before unpin()

    def pin(self, sid):
        self.pins[sid] = self.pins.get(sid, 0) + 1

    def unpin(self, sid):
        self.pins[sid] -= 1
        if not self.pins[sid]:
            del self.pins[sid]

    async def turn(self, sid, prompt):
        agent = self.agents[sid][0] if sid in self.agents else self.factory()
        self.agents[sid] = (agent, time.monotonic())
        self.pin(sid)
        reply = await agent.run(prompt)
        self.unpin(sid)
        return reply

    async def reap(self):
        while True:
            await asyncio.sleep(30)
            now = time.monotonic()
            for sid, (_, used) in list(self.agents.items()):
                limit = 86_400 if sid in self.pins else self.idle
                if now - used > limit:
                    self.agents.pop(sid, None)


async def main(factory, http):
    warm = WarmAgents(factory)
    reaping = asyncio.create_task(warm.reap())
    try:
        await http.serve("/turn", warm.turn)
    finally:
        reaping.cancel()
