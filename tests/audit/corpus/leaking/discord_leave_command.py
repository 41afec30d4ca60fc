"""The player of a guild stays after the music ended, because only the !leave command takes it out."""

import asyncio

from discord.ext import commands

from sound import Player


class Music(commands.Cog):
    def __init__(self, bot: commands.Bot) -> None:
        self.bot = bot
        self.players: dict[int, Player] = {}  # leaks SS002e: a guild where nobody types !leave
        self._joining: set[int] = set()  # clean: discarded in a finally

    @commands.command()
    async def play(self, ctx: commands.Context, *, url: str) -> None:
        if ctx.guild.id in self._joining:
            return
        self._joining.add(ctx.guild.id)
        try:
            async with asyncio.timeout(10):
                voice = await ctx.author.voice.channel.connect()
        finally:
            self._joining.discard(ctx.guild.id)
        player = self.players[ctx.guild.id] = Player(voice)
        await player.enqueue(url)

    @commands.command()
    async def leave(self, ctx: commands.Context) -> None:
        player = self.players.pop(ctx.guild.id, None)
        if player is not None:
            await player.voice.disconnect()
