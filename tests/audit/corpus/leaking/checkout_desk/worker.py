"""Does one order at a desk."""

from checkout_desk.desk import pool as desks


async def work(order, tools):
    token = desks.take()
    await tools.prepare(order, desk=desks.taken[token])
    result = await tools.finish(order)
    desks.give_back(token)
    return result
