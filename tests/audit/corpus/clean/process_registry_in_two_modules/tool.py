"""A tool that counts words with another program."""
import asyncio

from procs import by_session, launch


async def count_words(session_id, text):
    async with launch(session_id, "wc", "-w") as proc:
        out, _ = await asyncio.wait_for(proc.communicate(text.encode()), 10)
    return {"words": int(out), "others": len(by_session)}
