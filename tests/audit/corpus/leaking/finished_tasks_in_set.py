"""Finished deliveries stay in a set with their results, because no done-callback takes a task out again."""

import asyncio

import httpx


class WebhookSender:
    def __init__(self):
        self.http = httpx.AsyncClient(timeout=10)
        self.tasks = set()  # counted at its create_task
        self.retries = (1, 5, 25)

    def send(self, url, event):
        self.tasks.add(asyncio.create_task(self._deliver(url, event)))  # leaks SS006: added, never discarded

    async def _deliver(self, url, event):
        for pause in self.retries:
            try:
                response = await self.http.post(url, json=event)
                response.raise_for_status()
                return response.text
            except httpx.HTTPError:
                await asyncio.sleep(pause)
        return None

    async def aclose(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.http.aclose()
