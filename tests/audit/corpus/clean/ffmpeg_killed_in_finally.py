"""
Whatever happens to the coroutine, its finally kills the child and waits for it.
"""
import asyncio
import contextlib


async def transcode(upload_id: str, source: str) -> str:
    target = f"/srv/video/{upload_id}.webm"
    proc = await asyncio.create_subprocess_exec(  # clean: kill and wait in finally
        "ffmpeg", "-y", "-i", source, target,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(600):
            code = await proc.wait()
    finally:
        if proc.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                proc.kill()
            await proc.wait()
    if code != 0:
        raise RuntimeError(f"ffmpeg ended with {code} for upload {upload_id}")
    return target


async def on_upload(message, bus):
    path = await transcode(message["upload_id"], message["path"])
    await bus.publish("transcoded", {"path": path})
