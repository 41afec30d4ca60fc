"""A look-up moves a tenant to the front of a list in time that grows with the list, because insert(0) shifts everyone else."""

import asyncio

MAX_WARM = 256
warm: list[tuple[str, object]] = []  # leaks SS008: searched, and insert(0), at each look-up
_lock = asyncio.Lock()


async def adapter_for(tenant: str, loader):
    async with _lock:
        for i, (name, adapter) in enumerate(warm):
            if name == tenant:
                warm.insert(0, warm.pop(i))
                return adapter
        adapter = await loader(tenant)
        warm.insert(0, (tenant, adapter))
        del warm[MAX_WARM:]
        return adapter


async def infer(request, loader):
    adapter = await adapter_for(request.headers["x-tenant"], loader)
    return await adapter.infer(request.prompt)
