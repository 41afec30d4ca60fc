"""Everybody who was ever warned is remembered, because the set of the warned stands for a cooldown that never ends."""

import discord
from discord import app_commands

LIMIT = 30
warned: set[int] = set()  # leaks SS007: a cooldown without a clock
banned_words = {"spam", "scam"}  # clean: constant


class Moderation(app_commands.Group):
    @app_commands.command(name="report", description="Report a message")
    async def report(self, interaction: discord.Interaction, text: str) -> None:
        user_id = interaction.user.id
        words = set(text.lower().split())
        if words & banned_words and user_id not in warned:
            warned.add(user_id)
            await interaction.response.send_message("please mind your words", ephemeral=True)
            return
        await interaction.response.send_message(f"thank you: {text[:LIMIT]}")
