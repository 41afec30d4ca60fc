"""The map of votes is rebuilt with one more voter each time, because every rebinding copies the old map and none leaves a key out."""

import asyncio


class Poll:
    """All polls of the bot share one book of votes."""

    votes = {}  # leaks SS001: rebound as {**old, key: value}, never smaller
    choices = ("yes", "no", "later")

    @classmethod
    async def vote(cls, interaction, choice):
        if choice not in cls.choices:
            await interaction.respond("no such choice")
            return
        ballot = (interaction.message_id, interaction.user_id)
        cls.votes = {**cls.votes, ballot: choice}
        await interaction.respond(f"{len(cls.votes)} votes so far")

    @classmethod
    def tally(cls, message_id):
        out = dict.fromkeys(cls.choices, 0)
        for (message, _), choice in cls.votes.items():
            if message == message_id:
                out[choice] += 1
        return out


async def pump(gateway):
    async with asyncio.TaskGroup() as tg:
        async for interaction in gateway:
            tg.create_task(Poll.vote(interaction, interaction.data["choice"]))
