"""
A timer pops itself when it fires, and is popped and cancelled when the message is answered.
"""
import asyncio


class Reminders:
    def __init__(self, send):
        self.send = send
        self.timers = {}  # clean: _fire pops, and every timer fires or is popped

    def remind(self, message_id, seconds):
        self.forget(message_id)
        loop = asyncio.get_running_loop()
        self.timers[message_id] = loop.call_later(seconds, self._fire, message_id)

    def forget(self, message_id):
        timer = self.timers.pop(message_id, None)
        if timer is not None:
            timer.cancel()

    def _fire(self, message_id):
        self.timers.pop(message_id, None)
        self.send(f"message {message_id} is still without an answer")


async def bot_loop(updates, send):
    reminders = Reminders(send)
    async for update in updates:
        if update.get("reply_to"):
            reminders.forget(update["reply_to"])
        else:
            reminders.remind(update["message_id"], 300)
