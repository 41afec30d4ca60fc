"""A transaction that failed stays in the ledger, because __aexit__ takes it out only when there was no exception."""

import asyncio
import uuid


class Transaction:
    _open: dict[str, "Transaction"] = {}  # leaks SS002c: kept when exc_type is not None

    def __init__(self, db, account):
        self.db = db
        self.account = account
        self.key = str(uuid.uuid4())
        self.statements = []

    def execute(self, sql, *args):
        self.statements.append((sql, args))

    async def __aenter__(self):
        self._open[self.key] = self
        return self

    async def __aexit__(self, exc_type, exc, tb):
        if exc_type is None:
            self._open.pop(self.key)
            await self.db.commit(self.statements)
        return False

    @classmethod
    def pending(cls, account):
        return [t.key for t in cls._open.values() if t.account == account]


async def transfer(db, giver, taker, amount):
    async with asyncio.timeout(5), Transaction(db, giver) as tx:
        tx.execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", amount, giver)
        if await db.balance(giver) < amount:
            raise ValueError("not enough money")
        tx.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", amount, taker)
