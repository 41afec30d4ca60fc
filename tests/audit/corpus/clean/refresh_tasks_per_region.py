"""
There is one refreshing task for each region of the settings, and all are cancelled at the end.
"""

import asyncio
from collections.abc import Iterable

REGIONS = ("eu-north-1", "us-east-1", "ap-south-1")


class Prices:
    def __init__(self, source, regions: Iterable[str] = REGIONS) -> None:
        self.source = source
        self.tasks: dict[str, asyncio.Task] = {}  # clean: one for each region, cancelled in close()
        self.latest: dict[str, float] = {}  # clean: keyed by region
        self.regions = tuple(regions)

    def open(self) -> None:
        for region_id in self.regions:
            self.tasks[region_id] = asyncio.create_task(self._refresh(region_id))

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.tasks.clear()

    async def _refresh(self, region_id: str) -> None:
        while True:
            self.latest[region_id] = await self.source.price(region_id)
            await asyncio.sleep(30)


async def serve(source, run_server):
    prices = Prices(source)
    prices.open()
    try:
        await run_server(prices)
    finally:
        await prices.close()
