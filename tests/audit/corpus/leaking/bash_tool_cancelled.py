"""A command goes on when its agent is cancelled, because the kill is in the except for the time-out and nowhere else."""

import asyncio
from asyncio.subprocess import PIPE, STDOUT


class BashTool:
    name = "bash"
    schema = {"command": "string", "timeout": "number"}  # clean: constant

    def __init__(self, cwd):
        self.cwd = cwd

    async def __call__(self, command, timeout=60):
        proc = await asyncio.create_subprocess_shell(command, cwd=self.cwd, stdout=PIPE, stderr=STDOUT)  # leaks SS005b: CancelledError passes by
        try:
            output, _ = await asyncio.wait_for(proc.communicate(), timeout)
        except asyncio.TimeoutError:
            proc.kill()
            await proc.wait()
            return f"killed after {timeout} s"
        return output.decode(errors="replace")
