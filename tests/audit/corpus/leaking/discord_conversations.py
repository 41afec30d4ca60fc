"""The bot keeps one conversation for each channel and author it ever met, because a class attribute gathers them and nothing ends them."""

from typing import ClassVar

import discord

from persona import SYSTEM_PROMPT, ask


class Chatter(discord.Client):
    conversations: ClassVar[dict[tuple[int, int], list]] = {}  # leaks SS001: no end of a conversation is known
    typing_in: ClassVar[set[int]] = set()  # clean: discarded in a finally

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        key = (message.channel.id, message.author.id)
        if key not in self.conversations:
            self.conversations[key] = [SYSTEM_PROMPT]
        turns = self.conversations[key]
        turns.append(message.content)
        self.typing_in.add(message.id)
        try:
            async with message.channel.typing():
                reply = await ask(turns)
        finally:
            self.typing_in.discard(message.id)
        turns.append(reply)
        await message.reply(reply[:2000])
