"""Two pumps of a phone call run on after the call, because only the third is kept and cancelled."""

import asyncio


class CallSession:
    def __init__(self, call, engine):
        self.call = call
        self.engine = engine
        self.audio_task = None

    async def _audio(self):
        async for frame in self.call.audio():
            await self.engine.push(frame)

    async def _video(self):
        async for frame in self.call.video():
            await self.engine.push(frame.downscaled(320))

    async def _metrics(self):
        while True:
            await asyncio.sleep(10)
            print(self.call.id, self.engine.latency())

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.audio_task = loop.create_task(self._audio())  # clean: cancelled in __aexit__
        loop.create_task(self._video())  # leaks SS006: the result is dropped
        loop.create_task(self._metrics())  # leaks SS006: an endless loop that nobody cancels
        return self

    async def __aexit__(self, *exc_info):
        self.audio_task.cancel()
        await asyncio.gather(self.audio_task, return_exceptions=True)
