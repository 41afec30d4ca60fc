"""
The loop that the cog starts when it is loaded forgets each cooldown that is over.
"""

import time

from discord.ext import commands, tasks


class Daily(commands.Cog):
    COOLDOWN = 24 * 3600

    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        self.free_at: dict[int, float] = {}  # clean: forget_old is started in cog_load

    async def cog_load(self) -> None:
        self.forget_old.start()

    async def cog_unload(self) -> None:
        self.forget_old.cancel()

    @tasks.loop(minutes=5)
    async def forget_old(self) -> None:
        now = time.time()
        for user_id in [u for u, at in self.free_at.items() if at <= now]:
            del self.free_at[user_id]

    @commands.command()
    async def daily(self, ctx: commands.Context) -> None:
        now = time.time()
        if self.free_at.get(ctx.author.id, 0) > now:
            await ctx.reply("Come back tomorrow.")
            return
        self.free_at[ctx.author.id] = now + self.COOLDOWN
        await ctx.reply("Here are 100 coins.")


async def setup(bot: commands.Bot) -> None:
    await bot.add_cog(Daily(bot))
