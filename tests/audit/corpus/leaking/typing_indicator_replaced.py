"""The old typing indicator of a chat goes on, because a new one takes its place in the table and nobody cancels the first."""

import asyncio


class Indicators:
    def __init__(self, api):
        self.api = api
        self._loops: dict[int, asyncio.Task] = {}  # clean: hide() runs in a finally

    async def _loop(self, chat_id: int) -> None:
        while True:
            await self.api.send_chat_action(chat_id, "typing")
            await asyncio.sleep(4)

    def show(self, chat_id: int) -> None:
        self._loops[chat_id] = asyncio.ensure_future(self._loop(chat_id))  # leaks SS006: overwrites a task that still runs

    def hide(self, chat_id: int) -> None:
        task = self._loops.pop(chat_id, None)
        if task is not None:
            task.cancel()


async def on_update(update, indicators: Indicators, model):
    indicators.show(update.chat_id)
    try:
        reply = await model.reply(update.text)
        await indicators.api.send_message(update.chat_id, reply)
    finally:
        indicators.hide(update.chat_id)
