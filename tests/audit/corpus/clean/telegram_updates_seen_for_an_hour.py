"""
Updates are remembered in two generations, and the older one is thrown away each hour.
"""

from __future__ import annotations

import time


class Seen:
    """Remembers a key for one to two hours."""

    def __init__(self, span: float = 3600.0) -> None:
        self._span = span
        self._turned = time.monotonic()
        self._young: set[int] = set()  # clean: becomes old after an hour
        self._old: set[int] = set()  # clean: dropped an hour later

    def __call__(self, update_id: int) -> bool:
        now = time.monotonic()
        if now - self._turned > self._span:
            self._old, self._young = self._young, set()
            self._turned = now
        if update_id in self._young or update_id in self._old:
            return True
        self._young.add(update_id)
        return False


seen = Seen()


async def on_update(bot, update: dict) -> None:
    if seen(update["update_id"]):
        return
    message = update.get("message")
    if message:
        await bot.send_message(message["chat"]["id"], message["text"])
