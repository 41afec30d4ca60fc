"""The agent of a session is forgotten only when somebody deletes the session, because the plug-in listens for nothing else."""

import asyncio


class AgentPlugin:
    name = "agents"

    def __init__(self, bus, registry):
        self.registry = registry
        self.agent_of: dict[str, str] = {}  # leaks SS002a: finished sessions are rarely deleted
        self.busy: set[str] = set()  # clean: discarded in a finally
        bus.on("message.created", self.on_message)  # clean: lives as long as the application
        bus.on("session.deleted", self.on_deleted)  # clean: lives as long as the application

    async def on_message(self, event: dict) -> None:
        sid = event["session"]["id"]
        if sid not in self.agent_of:
            self.agent_of[sid] = self.registry.pick(event["text"])
        self.busy.add(sid)
        try:
            async with asyncio.timeout(120):
                await self.registry.run(self.agent_of[sid], event)
        finally:
            self.busy.discard(sid)

    def on_deleted(self, event: dict) -> None:
        self.agent_of.pop(event["session"]["id"], None)
