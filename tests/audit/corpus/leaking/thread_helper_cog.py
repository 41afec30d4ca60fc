"""The helper of a forum thread is remembered until the thread is deleted, because archiving a thread raises no such event."""

from discord.ext import commands


class ThreadHelper(commands.Cog):
    def __init__(self, bot):
        self.bot = bot
        self._helpers = {}  # leaks SS002a: threads are archived, few are deleted
        self._greetings = ["hello", "welcome"]  # clean: constant

    @commands.Cog.listener()
    async def on_thread_create(self, thread):
        self._helpers[thread.id] = await self.bot.backend.start(thread.name)
        await thread.send(self._greetings[thread.id % 2])

    @commands.Cog.listener()
    async def on_message(self, message):
        helper = self._helpers.get(message.channel.id)
        if helper is None or message.author.bot:
            return
        await message.channel.send(await helper.say(message.content))

    @commands.Cog.listener()
    async def on_thread_delete(self, thread):
        self._helpers.pop(thread.id, None)


async def setup(bot):
    await bot.add_cog(ThreadHelper(bot))
