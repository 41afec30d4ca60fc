"""
The done-callback is a partial of a method that deletes the row of its crawl.
"""

import asyncio
import functools
import logging

log = logging.getLogger("crawler")


class Crawler:
    def __init__(self, fetcher):
        self.fetcher = fetcher
        self.crawls = {}  # clean: partial(self._over, crawl_id) runs when the task is done

    def launch(self, crawl_id, url):
        if crawl_id in self.crawls:
            return False
        loop = asyncio.get_running_loop()
        self.crawls[crawl_id] = job = loop.create_task(self.fetcher.walk(url))
        job.add_done_callback(functools.partial(self._over, crawl_id))
        return True

    def _over(self, crawl_id, job):
        del self.crawls[crawl_id]
        if not job.cancelled() and job.exception():
            log.error("crawl %s failed", crawl_id, exc_info=job.exception())

    async def close(self):
        jobs = list(self.crawls.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def serve(crawler, commands):
    try:
        async for command in commands:
            crawler.launch(command["id"], command["url"])
    finally:
        await crawler.close()
