"""
The only write is in a loop over a tuple of constants, when the module is imported.
"""

import re

CHANNEL_IDS = ("general", "random", "deploys", "alerts")

_mention_of = {}  # clean: filled once from a tuple of constants
for channel_id in CHANNEL_IDS:
    _mention_of[channel_id] = re.compile(rf"(?:^|\s)#{re.escape(channel_id)}\b", re.IGNORECASE)


def mentioned(text):
    return [channel_id for channel_id, pattern in _mention_of.items() if pattern.search(text)]


async def on_message(bot, message):
    for channel_id in mentioned(message.text):
        await bot.forward(message.chat_id, message.message_id, channel_id)
