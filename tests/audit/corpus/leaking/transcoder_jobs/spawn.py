"""A transcoder outlives its cancelled job, because run() catches the time-out alone before it ends the process."""

import asyncio


class Transcoder:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def run(self, *args: str) -> int:
        child = await asyncio.create_subprocess_exec("ffmpeg", "-y", *args)  # leaks SS005b: a cancelled wait leaves it
        try:
            async with asyncio.timeout(self.seconds):
                return await child.wait()
        except TimeoutError:
            child.terminate()
            return await child.wait()
