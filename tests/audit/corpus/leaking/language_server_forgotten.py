"""A language server runs on after its workspace left, because the table lets the handle go and nobody ends the process."""

import asyncio
from contextlib import asynccontextmanager


class LanguageServers:
    commands = {"python": "pylsp", "go": "gopls"}  # clean: constant

    def __init__(self):
        self._running = {}  # clean: popped in a finally

    @asynccontextmanager
    async def server(self, workspace_id, language):
        process = await asyncio.create_subprocess_exec(  # leaks SS005: the finally forgets it, and does not end it
            self.commands[language],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._running[workspace_id] = process
        try:
            yield process
        finally:
            self._running.pop(workspace_id, None)

    def count(self):
        return sum(1 for p in self._running.values() if p.returncode is None)


SERVERS = LanguageServers()
