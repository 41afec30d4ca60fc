"""A transcript comes back after its session was dropped, because the still running writer uses setdefault."""

import asyncio

transcripts: dict[str, list[str]] = {}  # unseen SS002: dropped in a finally, and made anew by a late write
_writers: set[asyncio.Task] = set()  # clean: each task discards itself when done


async def _transcribe(session_id: str, audio: bytes, engine) -> None:
    text = await engine.recognise(audio)
    transcripts.setdefault(session_id, []).append(text)


async def phone_call(call, engine) -> None:
    sid = call.session_id
    try:
        async for audio in call.chunks():
            writer = asyncio.create_task(_transcribe(sid, audio, engine))
            _writers.add(writer)
            writer.add_done_callback(_writers.discard)
    finally:
        transcripts.pop(sid, None)
