"""Browser contexts stay open, because every caller takes one with acquire() and nobody calls its counterpart."""

import asyncio
from itertools import count


class BrowserPool:
    _serial = count()

    def __init__(self, browser):
        self._browser = browser
        self._contexts = {}  # leaks SS002d: release() has no caller
        self._starting = asyncio.Semaphore(3)

    async def acquire(self, owner):
        async with self._starting:
            context = await self._browser.new_context()
        ticket = f"{owner}-{next(self._serial)}"
        self._contexts[ticket] = context
        return ticket, context

    async def release(self, ticket):
        context = self._contexts.pop(ticket, None)
        if context is not None:
            await context.close()


async def screenshot(pool: BrowserPool, job):
    _, context = await pool.acquire(job.id)
    page = await context.new_page()
    await page.goto(job.url)
    return await page.screenshot()


async def title(pool: BrowserPool, job):
    ticket, context = await pool.acquire(job.id)
    page = await context.new_page()
    await page.goto(job.url)
    return {"ticket": ticket, "title": await page.title()}
