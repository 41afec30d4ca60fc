"""Previews leave zombies behind, because the finally kills the child and does not wait for it."""

import asyncio

from starlette.responses import StreamingResponse


async def tail(path):
    process = await asyncio.create_subprocess_exec(  # leaks SS005c: kill() without wait()
        "tail", "-f", path, stdout=asyncio.subprocess.PIPE
    )
    try:
        async for line in process.stdout:
            yield line
    finally:
        if process.returncode is None:
            process.kill()


async def follow(request):
    path = request.app.state.logs / request.path_params["name"]
    if not path.is_file():
        return StreamingResponse(iter([b"no such log"]), status_code=404)
    return StreamingResponse(tail(str(path)), media_type="text/plain")
