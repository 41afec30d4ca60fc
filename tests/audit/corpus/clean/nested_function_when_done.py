"""
A nested function, attached as the done-callback, forgets the summary of that chat.
"""
import asyncio

summaries: dict[int, asyncio.Task] = {}  # clean: forget() is a done-callback


async def summarise(chat_id: int, llm) -> str:
    reply = await llm.complete(f"Summarise chat {chat_id}")
    return reply.text


def summarise_soon(chat_id: int, llm, post) -> asyncio.Task:
    """Several callers that ask at the same time share one task."""
    if chat_id in summaries:
        return summaries[chat_id]
    task = asyncio.ensure_future(summarise(chat_id, llm))

    def forget(done: asyncio.Task) -> None:
        summaries.pop(chat_id, None)
        if not done.cancelled() and done.exception() is None:
            post(chat_id, done.result())

    summaries[chat_id] = task
    task.add_done_callback(forget)
    return task


async def on_command(update, context):
    await summarise_soon(update.chat_id, context.llm, context.post)


async def on_shutdown(application):
    for task in tuple(summaries.values()):
        task.cancel()
