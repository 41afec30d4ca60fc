"""
A lock stays in the map only while somebody holds it or waits for it.
"""

import asyncio
import weakref

from fastapi import APIRouter, HTTPException

router = APIRouter(prefix="/accounts")
_locks: "weakref.WeakValueDictionary[str, asyncio.Lock]" = weakref.WeakValueDictionary()  # clean: weak values


def lock_of(account_id: str) -> asyncio.Lock:
    lock = _locks.get(account_id)
    if lock is None:
        lock = _locks[account_id] = asyncio.Lock()
    return lock


async def balance_of(account_id: str) -> int:
    await asyncio.sleep(0)
    return 100


@router.post("/{account_id}/withdraw")
async def withdraw(account_id: str, amount: int) -> dict[str, int]:
    async with lock_of(account_id):
        balance = await balance_of(account_id)
        if amount > balance:
            raise HTTPException(409, "not enough")
        return {"balance": balance - amount}
